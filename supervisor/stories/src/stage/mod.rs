//! Tells stories to regrow: what `otp/stories.erl` does in Erlang, in the same three parts.
//!
//! The *director* carries out the steps, the *recorder* is told by every process of the tree what
//! happens to it, the *parent* has started the root.

mod children;
mod director;
pub(crate) mod names;
mod recorder;
mod reports;
mod views;

use std::time::Duration;

use regrow_runtime::simulation::Simulation;
use regrow_runtime::{Handle, Runtime, timeout};

use crate::{AnyStory, server};
use reports::Reports;

/// In virtual or in real time; far more than any story takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// The trace of a story told on one thread, in virtual time, in the order of things that the seed
/// gives.
pub fn tell_simulated(story: &AnyStory, seed: u64) -> Vec<String> {
    let simulation = Simulation::new(seed).max_turns(20_000_000);
    let reports = Reports::default();
    let story = direct(story.clone(), Some(reports.clone()), true);
    match tracing::subscriber::with_default(reports, || simulation.run(story)) {
        Ok(outcome) => outcome.value,
        Err(error) => vec![format!("broken: {error}")],
    }
}

/// Whether a line of a trace is a report of a supervisor, which only [`tell_simulated`] has.
pub fn is_report(line: &str) -> bool {
    line.starts_with("  report ")
}

/// The trace of a story told in this runtime, in real time, beside whatever else it does. It has
/// no reports.
pub fn tell_in(runtime: &Handle, story: &AnyStory) -> Vec<String> {
    let (send, receive) = std::sync::mpsc::channel();
    let story = story.clone();
    runtime.spawn(async move {
        // Whoever waits for it has gone if this fails.
        let _ = send.send(direct(story, None, false).await);
    });
    receive
        .recv()
        .unwrap_or_else(|_| vec!["broken: the director has died".into()])
}

/// The trace of a story told in a runtime of its own.
///
/// # Errors
///
/// If there can be no runtime.
pub fn tell_with_threads(story: &AnyStory) -> std::io::Result<Vec<String>> {
    Ok(tell_in(&Runtime::new()?.handle(), story))
}

async fn direct(story: AnyStory, reports: Option<Reports>, simulated: bool) -> Vec<String> {
    let told = async {
        match story {
            AnyStory::Supervisors(story) => director::direct(story, reports).await,
            AnyStory::Servers(story) => server::direct(story, simulated).await,
        }
    };
    match timeout(PATIENCE, told).await {
        Ok(trace) => trace,
        Err(_) => vec!["hangs".into()],
    }
}
