//! A program that is told to end while it is at work: what was accepted is done, everything ends in
//! order and in time, and the exit code is 0.
//!
//! ```sh
//! cargo run --example graceful_shutdown
//! ```
//!
//! ```text
//! root (rest_for_one)      started from above, stopped from below
//! ├── store      writes its lines when it ends
//! ├── stubborn   does not end by itself: it is killed when its time is over
//! ├── worker     does one job after the other, until it is closed
//! └── client     has more and more jobs, and sends SIGTERM in the middle
//! ```
//!
//! SIGTERM, or Ctrl-C, runs `prep_stop`, where everything still works, and then stops the tree. In OTP:
//! `application:prep_stop/1`, `init:stop/0` on SIGTERM, and the `shutdown` of the child specifications.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use regrow::{
    Application, ChildSpec, Context, ExitReason, GenServer, Name, Next, ReplyTo, Shutdown,
    Strategy, Supervisor, Task, sleep, trap_exit,
};
use signal_hook::consts::SIGTERM;

const STORE: Name<String> = Name::new("store");
const WORKER: Name<Job> = Name::new("worker");

fn file() -> PathBuf {
    std::env::temp_dir().join(format!("regrow-graceful-shutdown-{}", std::process::id()))
}

struct Store(Vec<String>);

impl GenServer for Store {
    type Args = ();
    type Message = String;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true); // or it would end on the spot when its supervisor stops it
        Ok(Store(Vec::new()))
    }

    async fn handle(&mut self, line: String, _: &mut Context<Self>) -> Next {
        self.0.push(line);
        Next::Continue
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        std::fs::write(file(), self.0.join("\n")).expect("a folder for such files");
        println!("store: {} lines are written, {reason}", self.0.len());
    }
}

/// Traps exits, and does nothing about them.
async fn stubborn() {
    trap_exit(true);
    sleep(Duration::from_secs(3600)).await;
}

struct Worker {
    open: bool,
}

enum Job {
    /// Answered when it is done, or with false when it is too late for that.
    Do(u32, ReplyTo<bool>),
    /// Answered when everything is done that was sent before.
    Close(ReplyTo<()>),
}

impl GenServer for Worker {
    type Args = ();
    type Message = Job;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Worker { open: true })
    }

    async fn handle(&mut self, job: Job, _: &mut Context<Self>) -> Next {
        match job {
            Job::Do(number, reply) => {
                if self.open {
                    sleep(Duration::from_millis(2)).await; // the work
                    STORE.cast(format!("job {number}"));
                }
                reply.send(self.open);
            }
            Job::Close(reply) => {
                self.open = false;
                reply.send(());
            }
        }
        Next::Continue
    }
}

static CONFIRMED: AtomicUsize = AtomicUsize::new(0);

/// Has eight jobs under way at any time, and never enough.
async fn client() {
    let job = |number| async move { WORKER.call(|reply| Job::Do(number, reply)).await };
    let mut answers = Task::async_stream(1_u32.., job).max_concurrency(8);
    while let Some(Ok(Ok(true))) = answers.next().await {
        if CONFIRMED.fetch_add(1, Ordering::Relaxed) == 30 {
            println!("client: SIGTERM");
            signal_hook::low_level::raise(SIGTERM).expect("there is such a signal");
        }
    }
    println!("client: no more jobs are taken");
}

async fn drain() {
    let drain = WORKER.call(Job::Close).timeout(Duration::from_secs(2));
    println!("prep_stop: everything under way is done: {:?}", drain.await);
}

fn root() -> Supervisor {
    let stubborn = Task::child_spec("stubborn", stubborn);
    let worker = || Worker::start_link(()).name(WORKER);
    Supervisor::new(Strategy::RestForOne)
        .child(ChildSpec::new("store", || {
            Store::start_link(()).name(STORE)
        }))
        .child(stubborn.shutdown(Shutdown::Timeout(Duration::from_millis(100))))
        .child(ChildSpec::new("worker", worker))
        .child(Task::child_spec("client", client))
}

fn main() -> ExitCode {
    // What supervisors have to complain about: here, the child that had to be killed.
    let reports = tracing_subscriber::fmt().with_env_filter("regrow::supervisor=error");
    reports.with_ansi(false).without_time().init();

    let program = Application::new("shutdown").root(|| root().start_link());
    let code = program.prep_stop(|_root| drain()).run();

    let written = std::fs::read_to_string(file()).expect("the store has written it");
    std::fs::remove_file(file()).expect("it is ours");
    let (written, confirmed) = (written.lines().count(), CONFIRMED.load(Ordering::Relaxed));
    println!("{confirmed} jobs confirmed, {written} written");
    assert!(0 < confirmed && confirmed <= written);
    code
}
