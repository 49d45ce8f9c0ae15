//! A story told on both sides.

use std::fmt::Write;

use regrow_runtime::Handle;

use crate::random::Random;
use crate::stage::is_report;
use crate::{AnyStory, Otp, OtpError, tell_in, tell_simulated};

/// Where stories are told.
#[derive(Debug)]
pub struct Stages {
    otp: Otp,
    threads: Handle,
    /// Orders of things that each story is simulated in.
    simulations: u32,
}

/// What telling a story on both sides has come to.
#[derive(Clone, Debug)]
pub enum Comparison {
    /// The same trace everywhere.
    Alike(Vec<String>),
    /// OTP and we differ.
    Different(Difference),
}

/// Two traces of one story that are not the same.
#[derive(Clone, Debug)]
pub struct Difference {
    /// OTP's trace.
    pub otp: Vec<String>,
    /// Ours.
    pub regrow: Vec<String>,
    /// How ours was told.
    pub how: String,
}

impl Stages {
    /// With this node, this runtime for threads, and so many simulations of each story.
    pub fn new(otp: Otp, threads: Handle, simulations: u32) -> Self {
        Stages {
            otp,
            threads,
            simulations,
        }
    }

    /// Tells the story to OTP, in simulations whose seeds come from `seed`, and with threads.
    ///
    /// # Errors
    ///
    /// If OTP cannot be told anything.
    pub fn compare(&self, story: &AnyStory, seed: u64) -> Result<Comparison, OtpError> {
        let otp = self.otp.tell(story)?;
        let mut random = Random::new(seed);
        for _ in 0..self.simulations {
            let seed = random.next_u64();
            let regrow = tell_simulated(story, seed);
            if regrow != otp {
                let how = format!("simulated, seed {seed}");
                return Ok(Comparison::Different(Difference { otp, regrow, how }));
            }
        }
        let regrow = tell_in(&self.threads, story);
        if regrow.iter().eq(otp.iter().filter(|line| !is_report(line))) {
            return Ok(Comparison::Alike(otp));
        }
        let otp = otp.into_iter().filter(|line| !is_report(line)).collect();
        let how = "with threads".to_owned();
        Ok(Comparison::Different(Difference { otp, regrow, how }))
    }

    /// Whether OTP tells the story in the same way, so many times.
    ///
    /// # Errors
    ///
    /// If OTP cannot be told anything.
    pub fn otp_repeats(
        &self,
        story: &AnyStory,
        trace: &[String],
        times: u32,
    ) -> Result<bool, OtpError> {
        for _ in 0..times {
            if self.otp.tell(story)? != trace {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Difference {
    /// Both traces, line by line; `!` marks where they begin to differ.
    pub fn side_by_side(&self) -> String {
        let width = self
            .otp
            .iter()
            .map(|line| line.len())
            .max()
            .unwrap_or(0)
            .clamp(20, 60);
        let mut text = format!("  {:<width$}   regrow, {}\n", "OTP", self.how);
        let mut differed = false;
        for index in 0..self.otp.len().max(self.regrow.len()) {
            let left = self.otp.get(index).map_or("", String::as_str);
            let right = self.regrow.get(index).map_or("", String::as_str);
            let mark = if left != right && !differed { '!' } else { ' ' };
            differed |= left != right;
            let _ = writeln!(text, "{mark} {left:<width$} | {right}");
        }
        text
    }
}
