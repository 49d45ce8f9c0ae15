//! Children that tell the test what happens to them, and ways to wait for it.

use std::future::Future;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use regrow_runtime::{
    Down, Exit, ExitReason, IntoExitReason, Pid, Runtime, SpawnOptions, monitor, processes,
    receive, receive_down, self_pid, send, simulate_seeds, sleep, trap_exit, try_receive,
    yield_now,
};
use regrow_supervisor::{
    ChildInfo, ChildSpec, ChildState, Context, Counts, Next, Restart, StartError, Strategy,
    Supervisor, SupervisorRef,
};

// Brings `Worker::start_link` along.
pub(crate) use regrow_supervisor::GenServer;

/// Orders of things that each test is simulated in.
const SEEDS: Range<u64> = 0..20;

/// Runs a test as a process that traps exits: with threads and in real time, where one that
/// hangs ends the test program; then in simulations.
pub(crate) fn run<F>(test: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    run_with_threads(test());
    simulate_seeds(SEEDS, || {
        let test = test();
        async move {
            trap_exit(true);
            test.await;
        }
    });
}

/// As [`run`], of a test that takes something.
pub(crate) fn run_with<T, F>(what: T, test: impl Fn(T) -> F)
where
    T: Clone,
    F: Future<Output = ()> + Send + 'static,
{
    run(|| test(what.clone()));
}

/// As [`run`], without the simulations.
pub(crate) fn run_with_threads<F>(test: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let done = Arc::new(AtomicBool::new(false));
    let name = thread::current().name().unwrap_or("?").to_owned();
    let watched = done.clone();
    thread::spawn(move || {
        for _ in 0..600 {
            thread::sleep(Duration::from_millis(100));
            if watched.load(Ordering::Relaxed) {
                return;
            }
        }
        // Not `eprintln`, whose output the test program would keep to itself.
        let _ = writeln!(std::io::stderr(), "test {name} hangs");
        std::process::abort();
    });
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async move {
        trap_exit(true);
        test.await;
    });
    done.store(true, Ordering::Relaxed);
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A child that traps exits and ends with the reason it is told to end with.
pub(crate) struct Worker {
    id: &'static str,
    test: Pid,
}

/// From a worker's `init`.
pub(crate) struct Started {
    pub(crate) id: &'static str,
    pub(crate) pid: Pid,
}

/// From a worker's `terminate`.
pub(crate) struct Terminated {
    pub(crate) id: &'static str,
    pub(crate) reason: ExitReason,
}

/// A linked process that traps exits from its first moment.
pub(crate) fn spawn_trapping<F>(body: F) -> Pid
where
    F: Future + Send + 'static,
    F::Output: IntoExitReason,
{
    let options = SpawnOptions::new().link().trap_exit(true);
    options.spawn(body).expect("no name to be taken").pid
}

/// Waits until the test is the only process: nothing was left behind.
pub(crate) async fn alone() {
    while processes() != [self_pid()] {
        sleep(millis(1)).await;
    }
}

/// Tells a worker to end by itself.
pub(crate) struct End(pub(crate) ExitReason);

impl GenServer for Worker {
    type Args = (&'static str, Pid);
    type Message = End;

    async fn init((id, test): Self::Args, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true);
        send(test, Started { id, pid: cx.pid() });
        Ok(Worker { id, test })
    }

    async fn handle(&mut self, End(reason): End, _: &mut Context<Self>) -> Next {
        Next::Stop(reason)
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        let (id, reason) = (self.id, reason.clone());
        send(self.test, Terminated { id, reason });
    }
}

/// The spec of a [`Worker`] that reports to the calling process.
pub(crate) fn worker(id: &'static str) -> ChildSpec {
    let test = self_pid();
    ChildSpec::new(id, move || Worker::start_link((id, test)))
}

/// A worker whose start fails while the switch is on.
pub(crate) fn failing_worker(id: &'static str, fails: &Switch) -> ChildSpec {
    let test = self_pid();
    let fails = fails.clone();
    ChildSpec::new(id, move || {
        let fails = fails.is_on();
        async move {
            if fails {
                return Err(StartError::Exit(ExitReason::error("start fails")));
            }
            Worker::start_link((id, test)).await
        }
    })
}

#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<AtomicBool>);

impl Switch {
    pub(crate) fn set(&self, on: bool) {
        self.0.store(on, Ordering::SeqCst);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A supervisor with room for two restarts, as OTP's suite uses it.
pub(crate) fn supervisor(strategy: Strategy) -> Supervisor {
    Supervisor::new(strategy).intensity(2, secs(3600))
}

/// The pid of the next incarnation of a worker.
pub(crate) async fn started(id: &str) -> Pid {
    let id = id.to_owned();
    receive::<Started>().matching(move |s| s.id == id).await.pid
}

/// The next `n` starts, in their order.
pub(crate) async fn starts(n: usize) -> Vec<&'static str> {
    let mut ids = Vec::new();
    for _ in 0..n {
        ids.push(receive::<Started>().await.id);
    }
    ids
}

/// The next `n` orderly ends, in their order.
pub(crate) async fn terminations(n: usize) -> Vec<&'static str> {
    let mut ids = Vec::new();
    for _ in 0..n {
        ids.push(receive::<Terminated>().await.id);
    }
    ids
}

/// Ends a worker from the inside.
pub(crate) fn end(pid: Pid, reason: ExitReason) {
    send(pid, End(reason));
}

pub(crate) fn died() -> ExitReason {
    ExitReason::error("died")
}

/// Waits for a process's end, which may have come already: then the reason is `NoProc`. Where
/// the reason matters, [`watch`] before whatever brings the end about.
pub(crate) async fn down(pid: Pid) -> ExitReason {
    let reference = monitor(pid);
    let down = receive::<Down>().matching(move |down| down.reference == reference);
    down.await.reason
}

/// Watches a process from now on, and waits for its end.
pub(crate) fn watch(pid: Pid) -> impl Future<Output = ExitReason> {
    let down = receive_down(monitor(pid));
    async move { down.await.reason }
}

/// Waits for the end of a process linked to the test.
pub(crate) async fn exited(pid: Pid) -> ExitReason {
    let exit = receive::<Exit>().matching(move |exit| exit.pid == pid);
    exit.await.reason
}

/// Waits for the end of a supervisor that the test has started.
pub(crate) async fn supervisor_exited(supervisor: &SupervisorRef) -> ExitReason {
    exited(supervisor.pid().expect("by pid")).await
}

pub(crate) async fn child(supervisor: &SupervisorRef, id: &str) -> Option<ChildInfo> {
    let children = supervisor.which_children().await.expect("an answer");
    children.into_iter().find(|child| &*child.id == id)
}

pub(crate) async fn state(supervisor: &SupervisorRef, id: &str) -> ChildState {
    child(supervisor, id).await.expect("a child").state
}

pub(crate) async fn pid(supervisor: &SupervisorRef, id: &str) -> Pid {
    state(supervisor, id).await.pid().expect("a running child")
}

pub(crate) fn tuple(counts: Counts) -> [usize; 4] {
    [
        counts.specs,
        counts.active,
        counts.supervisors,
        counts.workers,
    ]
}

pub(crate) async fn counts(supervisor: &SupervisorRef) -> [usize; 4] {
    tuple(supervisor.count_children().await.expect("an answer"))
}

/// Waits until the supervisor counts so: nobody is told when it has seen a child end.
pub(crate) async fn counts_become(supervisor: &SupervisorRef, expected: [usize; 4]) {
    while counts(supervisor).await != expected {
        sleep(millis(1)).await;
    }
}

/// Waits until the supervisor lists the child so.
pub(crate) async fn becomes(supervisor: &SupervisorRef, id: &str, expected: ChildState) {
    while state(supervisor, id).await != expected {
        sleep(millis(1)).await;
    }
}

pub(crate) const RESTARTS: [Restart; 3] =
    [Restart::Permanent, Restart::Transient, Restart::Temporary];

/// Asserts that nothing of this type has arrived. What was sent before an answer came is in the
/// mailbox from the next turn on: an answer does not pass through it.
pub(crate) async fn assert_none<M: Send + 'static>() {
    yield_now().await;
    assert!(try_receive::<M>().is_none());
}
