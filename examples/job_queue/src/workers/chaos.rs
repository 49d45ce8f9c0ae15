//! Kinds of jobs that break things, for `--chaos`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use regrow::{ExitReason, exit, print_tree, whereis};
use serde_json::json;

use super::registry::{Done, Failure, Job, Registry};
use crate::scheduler::{SCHEDULER, SchedulerMessage};
use crate::store::{STORE, StoreMessage};
use crate::tree::{CONNECTION_SUP, LISTENER, TOP_SUP, WORKER_SUP};

/// Longer than this nothing spins: nobody could stop it, not even SIGTERM.
const LONGEST_SPIN: u64 = 60_000;

pub(super) fn register(registry: &mut Registry) {
    registry.register("panic", |job| Box::pin(panics(job)));
    registry.register("spin", |job| Box::pin(spins(job)));
    registry.register("crash", |job| Box::pin(async move { crash(&job) }));
    registry.register("tree", |_| Box::pin(tree()));
}

/// `{"kind": "panic", "message": "oh no"}`.
async fn panics(job: Job) -> Result<Done, Failure> {
    let message = job.text("message").unwrap_or("a job asked for a panic");
    panic!("{message}");
}

/// `{"kind": "spin", "ms": 500}`: computes, and never lets anybody else run meanwhile.
async fn spins(job: Job) -> Result<Done, Failure> {
    let ms = job.number("ms")?;
    if ms > LONGEST_SPIN {
        let why = format!("spin wants an `ms` of {LONGEST_SPIN} at most");
        return Err(Failure::Always(why));
    }
    let until = Instant::now() + Duration::from_millis(ms);
    let mut rounds = 0_u64;
    while Instant::now() < until {
        rounds = std::hint::black_box(rounds + 1);
    }
    Ok(json!({ "rounds": rounds }).into())
}

/// `{"kind": "crash", "what": "scheduler"}`: afterwards, or the job would be done again.
fn crash(job: &Job) -> Result<Done, Failure> {
    let what = job.text("what")?;
    let afterwards: fn() = match what {
        "scheduler" => || SCHEDULER.cast(SchedulerMessage::Crash { by: by() }),
        "store" => || STORE.cast(StoreMessage::Crash { by: by() }),
        "worker_sup" => || kill(WORKER_SUP),
        "connection_sup" => || kill(CONNECTION_SUP),
        "listener" => || kill(LISTENER),
        _ => {
            return Err(Failure::Always(format!(
                "cannot crash `{what}`: there are scheduler, store, worker_sup, connection_sup \
                 and listener"
            )));
        }
    };
    Ok(Done {
        value: json!({ "crashes": what }),
        afterwards: Some(afterwards),
    })
}

fn by() -> Arc<str> {
    "a job".into()
}

fn kill(name: &str) {
    if let Some(pid) = whereis(name) {
        exit(pid, ExitReason::Kill);
    }
}

/// `{"kind": "tree", "result_tube": "trees"}`: the supervision tree as text.
async fn tree() -> Result<Done, Failure> {
    let top = whereis(TOP_SUP).ok_or_else(|| Failure::Now("there is no tree".into()))?;
    let tree = print_tree(top).await;
    let tree = tree.map_err(|error| Failure::Now(error.to_string()))?;
    Ok(json!({ "tree": tree.to_string() }).into())
}
