//! The process that does one job.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use regrow::{Context, ExitReason, GenServer, Next, ServerRef, StartError, self_pid, sleep};
use serde_json::{Value, json};

use super::registry::{Done, Failure, Job};
use super::{Assignment, Outcome, Phase};
use crate::protocol::Response;
use crate::scheduler::{SCHEDULER, SchedulerMessage};
use crate::shared::Shared;

/// How long a worker waits for the next scheduler before it looks again.
const AWAY: Duration = Duration::from_millis(20);

/// What is done after the job is.
type Afterwards = fn();

pub(super) struct Worker {
    assignment: Arc<Assignment>,
    shared: Arc<Shared>,
}

pub(super) fn start(
    assignment: Arc<Assignment>,
    shared: Arc<Shared>,
) -> impl Future<Output = Result<ServerRef<()>, StartError>> + Send {
    let label = format!("worker of job {}", assignment.job);
    async move { Worker::start_link((assignment, shared)).label(label).await }
}

impl GenServer for Worker {
    type Args = (Arc<Assignment>, Arc<Shared>);
    type Message = ();

    async fn init(
        (assignment, shared): Self::Args,
        cx: &mut Context<Self>,
    ) -> Result<Self, ExitReason> {
        assignment.set_worker(self_pid());
        if assignment.is_called_off() {
            return Err(cx.ignore());
        }
        cx.after_init(Next::HandleContinue);
        Ok(Worker { assignment, shared })
    }

    async fn handle_continue(&mut self, _: &mut Context<Self>) -> Next {
        let before = self.assignment.phase().clone();
        let mut afterwards = None;
        let outcome = match before {
            Phase::New => {
                *self.assignment.phase() = Phase::Running;
                let (outcome, then) = self.work().await;
                *self.assignment.phase() = Phase::Ended(outcome.clone());
                afterwards = then;
                outcome
            }
            // Who ends in a panic has said so; it was killed.
            Phase::Running => Outcome::Failed("the worker was killed".into()),
            Phase::Ended(outcome) => outcome,
        };
        self.hand_in(outcome).await;
        if let Some(afterwards) = afterwards {
            afterwards();
        }
        Next::Stop(ExitReason::Normal)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Next {
        Next::Continue
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        let mut phase = self.assignment.phase();
        if *phase == Phase::Running {
            *phase = Phase::Ended(Outcome::Failed(reason.to_string()));
        }
    }
}

impl Worker {
    async fn work(&self) -> (Outcome, Option<Afterwards>) {
        let job = match Job::read(&self.assignment.body) {
            Ok(job) => job,
            Err(why) => return (Outcome::Impossible(why), None),
        };
        let (kind, result_tube) = (job.kind.clone(), job.result_tube.clone());
        let Some(handler) = self.shared.registry.handler(&kind) else {
            let why = format!(
                "no such kind of job: `{kind}` (there are {})",
                self.shared.registry
            );
            return (Outcome::Impossible(why), None);
        };
        match handler(job).await {
            Ok(Done { value, afterwards }) => {
                let id = self.assignment.job;
                tracing::info!(target: "job_queue::workers", job = id, %kind, result = %value, "done");
                let result = result_tube.map(|tube| (tube, report(id, &kind, &value)));
                (Outcome::Done { result }, afterwards)
            }
            Err(Failure::Now(why)) => (Outcome::Failed(why), None),
            Err(Failure::Always(why)) => (Outcome::Impossible(why), None),
        }
    }

    /// Until some scheduler has it on disk, or does not want it any more.
    async fn hand_in(&self, outcome: Outcome) {
        loop {
            let asked = SCHEDULER.call(|reply| SchedulerMessage::Finished {
                assignment: Arc::clone(&self.assignment),
                outcome: outcome.clone(),
                reply,
            });
            match asked.await {
                Ok(Response::InternalError | Response::OutOfMemory) => {
                    let job = self.assignment.job;
                    tracing::error!(
                        target: "job_queue::workers",
                        job, ?outcome,
                        "the disk refuses what became of a job"
                    );
                    return;
                }
                Ok(_) => return,
                Err(_) => sleep(AWAY).await,
            }
        }
    }
}

fn report(job: u64, kind: &str, result: &Value) -> Arc<[u8]> {
    let report = json!({ "job": job, "kind": kind, "result": result });
    Arc::from(report.to_string().into_bytes())
}
