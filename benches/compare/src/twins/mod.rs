//! The same work on each Rust engine: a file for each, written as its users would. The twins of the
//! BEAM and of Go are in `beam/` and `go/`.

#[cfg(feature = "peers")]
mod actix;
#[cfg(feature = "peers")]
mod alive;
#[cfg(feature = "peers")]
mod kameo;
#[cfg(feature = "peers")]
mod ractor;
mod regrow;
mod tokio;

use std::io::{self, Read};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crate::engine::{Engine, no_notion};
use crate::measure::BURST;
use crate::programs::Work;
use crate::rows::Row;
use crate::statistics;

/// The child's side of a cell: does the work and prints the samples.
pub(crate) fn run(engine: Engine, work: Work, workers: usize) -> io::Result<()> {
    if let Some(why) = no_notion(work.row, engine) {
        return Err(io::Error::other(format!("{engine}: {why}")));
    }
    match engine {
        Engine::Regrow => regrow::run(work, workers),
        Engine::Tokio => tokio::run(work, workers),
        #[cfg(feature = "peers")]
        Engine::Kameo => kameo::run(work, workers),
        #[cfg(feature = "peers")]
        Engine::Ractor => ractor::run(work, workers),
        #[cfg(feature = "peers")]
        Engine::Actix => actix::run(work, workers),
        _ => Err(io::Error::other(format!(
            "{engine} is not started this way"
        ))),
    }
}

impl Work {
    /// Operations of the warm-up; none for rows about a state.
    fn warm_up(self) -> Option<u64> {
        let repeated = self.row.spec().repeated;
        repeated.then(|| (self.count / 10).max(BURST))
    }

    /// As many as were asked for, or the usual number.
    fn size_or(self, usual: u64) -> u64 {
        self.size.unwrap_or(usual)
    }

    fn time(self) -> Duration {
        Duration::from_millis(self.count)
    }

    fn report(self, value: f64) {
        println!("{} {value:.3}", self.row.name());
    }

    /// Where the load of the echo row finds the server; from now on the program ends with its
    /// standard input.
    fn listening(self, address: SocketAddr) {
        println!("{} listening {address}", self.row.name());
        thread::spawn(|| {
            // Nothing is ever written there: it ends, or breaks.
            let _ = io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
    }

    /// Reports how long calls took beside those that compute, and ends the program: they never
    /// would. No latencies: not one call was answered.
    fn report_spin(self, latencies: Option<Vec<u32>>) -> ! {
        let latencies: Vec<f64> = latencies.into_iter().flatten().map(f64::from).collect();
        let share = if self.row == Row::SpinLatency {
            0.99
        } else {
            1.0
        };
        match statistics::quantile(&latencies, share) {
            Some(value) => self.report(value),
            None => println!("{} never", self.row.name()),
        }
        std::process::exit(0)
    }
}

/// The share of latencies that a row is about, in nanoseconds.
fn restart_latency(row: Row, latencies: &[Duration]) -> f64 {
    let nanos: Vec<f64> = latencies.iter().map(|it| it.as_nanos() as f64).collect();
    let share = match row {
        Row::RestartLatencyP99 => 0.99,
        Row::RestartLatencyP999 => 0.999,
        _ => 0.5,
    };
    statistics::quantile(&nanos, share).expect("there were restarts")
}
