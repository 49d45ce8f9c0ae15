//! One workload on one engine in a child process: nothing is inherited from the one before, and a child
//! that hangs is killed and reported instead of waited for.

use std::env;
use std::io::{self, Read};
use std::panic;
use std::process::{self, Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::Args;
use regrow::Runtime;
use regrow_benches::savina::{Outcome, Size, Workload, on_tokio};

use crate::beam::Beam;
use crate::engine::Engine;

/// The warm-up's share of the work.
const WARM_UP: f64 = 0.1;

/// What one child does.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Cell {
    pub(crate) engine: Engine,
    pub(crate) workload: Workload,
    pub(crate) actors: u64,
    pub(crate) count: u64,
    pub(crate) room: u64,
    pub(crate) samples: u32,
    pub(crate) workers: u16,
}

impl Cell {
    fn size(self) -> Size {
        Size {
            actors: self.actors,
            count: self.count,
            room: self.room,
        }
    }

    /// The warm-up, then the samples.
    fn sizes(self) -> Vec<Size> {
        let mut sizes = vec![self.size(); self.samples as usize + 1];
        sizes[0] = self.size().scaled(WARM_UP);
        sizes
    }

    fn command(self, beam: Option<&Beam>) -> Result<Command, String> {
        let name = self.workload.name();
        let size = self.size();
        let numbers = [size.actors, size.count, size.room].map(|it| it.to_string());
        let samples = self.samples.to_string();
        if self.engine == Engine::Beam {
            let beam = beam.ok_or("not installed")?;
            let warm_up = size.scaled(WARM_UP).count.to_string();
            let mut arguments = vec![name];
            arguments.extend(numbers);
            arguments.extend([warm_up, samples]);
            return Ok(beam.command(self.workers, &arguments));
        }
        let this = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(this);
        command
            .args(["child", &self.engine.name(), &name])
            .args(numbers)
            .args([samples, self.workers.to_string()]);
        Ok(command)
    }
}

/// Runs the cell in a child; the milliseconds of its samples, or what was wrong.
pub(crate) fn measure(
    cell: Cell,
    expected: u64,
    beam: Option<&Beam>,
    limit: Duration,
) -> Result<Vec<f64>, String> {
    let text = output(cell.command(beam)?, limit)?;
    samples(&text, &cell.workload.name(), expected, cell.samples)
}

/// What a child has printed: a line for each sample, with its name, its time and the right result.
fn samples(text: &str, name: &str, expected: u64, count: u32) -> Result<Vec<f64>, String> {
    let mut samples = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [first, millis, result] = fields[..] else {
            return Err(format!("printed {line:?}"));
        };
        let (Ok(millis), true) = (millis.parse(), first == name) else {
            return Err(format!("printed {line:?}"));
        };
        if result != expected.to_string() {
            return Err(format!("gave {result} where {expected} is right"));
        }
        samples.push(millis);
    }
    match samples.len() == count as usize {
        true => Ok(samples),
        false => Err(format!("gave {} samples instead of {count}", samples.len())),
    }
}

/// The child's side of [`measure`].
pub(crate) fn run(cell: Cell) -> io::Result<()> {
    let outcomes = match cell.engine {
        Engine::Regrow => on_regrow(cell)?,
        Engine::Tokio => {
            // A task that panics leaves others waiting for ever: better no child at all.
            let report = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                report(panic);
                process::exit(101);
            }));
            on_tokio::run(cell.workload, cell.sizes(), cell.workers.into())?
        }
        Engine::Beam => return Err(io::Error::other("the BEAM is not started this way")),
    };
    for outcome in &outcomes[1..] {
        let millis = outcome.elapsed.as_secs_f64() * 1000.0;
        println!("{} {millis:.6} {}", cell.workload.name(), outcome.result);
    }
    Ok(())
}

fn on_regrow(cell: Cell) -> io::Result<Vec<Outcome>> {
    let runtime = Runtime::builder().workers(cell.workers.into()).build()?;
    Ok(runtime.block_on(async move {
        let mut outcomes = Vec::new();
        for size in cell.sizes() {
            outcomes.push(cell.workload.run(size).await);
        }
        outcomes
    }))
}

/// Standard output of a command that ends well and in time.
pub(crate) fn output(mut command: Command, limit: Duration) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.read_to_string(&mut text).map(|_| text);
        // Nobody listens any more after the limit.
        let _ = done.send(read);
    });
    match result.recv_timeout(limit) {
        Ok(Ok(text)) => finish(child, text),
        Ok(Err(error)) => Err(stop(child, &error.to_string())),
        Err(RecvTimeoutError::Timeout) => {
            let why = format!("hung: killed after {} s", limit.as_secs());
            Err(stop(child, &why))
        }
        Err(RecvTimeoutError::Disconnected) => Err(stop(child, "its output could not be read")),
    }
}

fn finish(mut child: Child, text: String) -> Result<String, String> {
    let status = child.wait().map_err(|error| error.to_string())?;
    match status.success() {
        true => Ok(text),
        false => Err(format!("ended with {status}")),
    }
}

fn stop(mut child: Child, why: &str) -> String {
    // Either fails only if the child is gone already.
    let _ = child.kill();
    let _ = child.wait();
    why.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_result_is_no_sample() {
        let right = "big 1.5 7\nbig 2.5 7\n";
        assert_eq!(samples(right, "big", 7, 2), Ok(vec![1.5, 2.5]));
        let wrong = samples("big 1.5 7\nbig 2.5 8\n", "big", 7, 2);
        assert_eq!(wrong, Err("gave 8 where 7 is right".into()));
    }

    #[test]
    fn output_that_is_not_understood_is_no_sample() {
        for text in [
            "",
            "big 1.5 7",
            "sieve 1 7\nbig 1 7",
            "big fast 7\nbig 1 7",
            "oh no",
        ] {
            assert!(samples(text, "big", 7, 2).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed() {
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        let why = output(sleep, Duration::from_millis(10));
        assert_eq!(why, Err("hung: killed after 0 s".into()));
    }

    #[test]
    fn a_command_that_fails_or_is_not_there_is_an_error() {
        let failed = output(Command::new("false"), Duration::from_secs(60));
        assert!(failed.expect_err("it fails").contains("exit status: 1"));
        let missing = output(Command::new("/not/there"), Duration::from_secs(60));
        assert!(missing.is_err());
    }
}
