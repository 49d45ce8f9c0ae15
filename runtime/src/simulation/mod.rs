//! Simulation: the same processes on one thread, in virtual time, in an order drawn
//! from a seed.
//!
//! A program of processes can take many ways, and shows a test only one of them. In a
//! simulation the seed decides which process runs next, so each seed is another way, and
//! the same seed is the same way again, turn for turn: a failure that one seed in a
//! thousand shows can be looked at as often as it takes. Time is virtual and jumps to
//! the next timer whenever nobody has anything to do, so an hour of timeouts takes no
//! time at all.
//!
//! ```
//! use regrow_runtime::simulation::simulate;
//! use regrow_runtime::{monotonic_time, receive, self_pid, send, sleep, spawn};
//! use std::time::Duration;
//!
//! const HOUR: Duration = Duration::from_secs(3600);
//!
//! let winner = simulate(7, async {
//!     let me = self_pid();
//!     for name in ["tick", "tock"] {
//!         spawn(async move { sleep(HOUR).await; send(me, name) });
//!     }
//!     let winner = receive::<&str>().await;
//!     assert!(monotonic_time() >= HOUR);
//!     winner // with seed 7 always the same
//! });
//! # assert!(["tick", "tock"].contains(&winner));
//! ```
//!
//! # What is simulated
//!
//! Everything that processes do with each other and with time: spawning, signals, names,
//! timers, [`sleep`](crate::sleep()), timeouts, and the behaviours that stand on them. A simulation
//! has its own processes, numbered from `<0.1.1>`, its own monitor references and names.
//!
//! - **Time**: [`monotonic_time`](crate::monotonic_time) begins at zero. Each turn takes
//!   a microsecond; when nobody can run, it jumps.
//! - **Chance**: [`random_below`] draws from the seed; so a test can kill whom it likes,
//!   when it likes, and do it again.
//!
//! # What is not
//!
//! A simulation repeats itself only if nothing comes in from outside, so these are refused:
//!
//! | what | how |
//! |---|---|
//! | sockets | [`io::ErrorKind::Unsupported`](std::io::ErrorKind) |
//! | starting a [`Runtime`](crate::Runtime) | [`io::ErrorKind::Unsupported`](std::io::ErrorKind) |
//! | spawning into it from another thread, or out of it | [`SpawnError::Simulation`](crate::SpawnError) |
//! | a message or a wake from another thread | lost; named when the simulation stands still |
//! | a signal to a process that is not of the simulation | a panic of the sender |
//!
//! tokio is not there either: its futures panic, as everywhere outside of it.
//!
//! What the runtime cannot see it cannot refuse: `Instant::now`, the random order of the standard
//! library's `HashMap`, threads, files. Where these have a say, a seed does not repeat itself.
//! A turn that never ends stops a simulation, as there is nobody to take over. Pids of a
//! simulation mean nothing outside it.

mod driver;
pub(crate) mod outside;
mod report;
pub(crate) mod slots;
mod trace;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tracing::dispatcher::{self, Dispatch};
use tracing::subscriber::NoSubscriber;

pub(crate) use self::driver::Driver;
use self::driver::{Loop, Stopped, with_driver, with_loop};
pub use self::report::{ProcessState, SimulationError, SimulationErrorKind, Standstill};
pub use self::trace::{Trace, TraceEvent, TraceEventKind};
use crate::panic::{catch_panic, install_hook, text_of};
use crate::process::reply::{ReplyError, reply_channel};
use crate::process::spawn::SpawnOptions;
use crate::reason::ExitReason;

/// Only this seed is run by [`simulate_seeds`].
const SEED_VARIABLE: &str = "REGROW_SEED";

/// Turns until a simulation is given up, unless it is told otherwise.
const TURNS_MAX: u64 = 100_000_000;

/// Runs a future as the main process of a simulation, and gives its result. See the
/// [module](self) for what that is.
///
/// The simulation has a thread of its own, which this one waits for. When the main
/// process ends, all that are left are killed, as when a [`Runtime`](crate::Runtime) is dropped.
///
/// # Panics
///
/// When there is no result: the main process ends by a panic or a signal, nothing can
/// ever happen again, or 100 million turns were not enough. The panic names the seed and
/// says what each process waits for. [`Simulation::run`] returns it as an error.
///
/// ```
/// use regrow_runtime::{receive, self_pid, send, simulate, spawn};
///
/// let sum = simulate(42, async {
///     let me = self_pid();
///     for n in 1..=10_u32 {
///         spawn(async move { send(me, n) });
///     }
///     let mut sum = 0;
///     for _ in 0..10 {
///         sum += receive::<u32>().await; // in another order with each seed
///     }
///     sum
/// });
/// assert_eq!(sum, 55);
/// ```
#[track_caller]
pub fn simulate<F>(seed: u64, main: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match Simulation::new(seed).run(main) {
        Ok(outcome) => outcome.value,
        Err(error) => panic!("{}", text_of(&error)),
    }
}

/// Simulates once with each seed, to find an order of things that a test fails with.
///
/// With the environment variable `REGROW_SEED` set to a number, it runs that seed and no other,
/// and prints the trace if that fails.
///
/// # Panics
///
/// With the first seed that gives no result, as [`simulate`]; the panic says how to run
/// that seed alone. And if `REGROW_SEED` is no number.
///
/// ```
/// use regrow_runtime::{receive, self_pid, send, simulate_seeds, spawn};
///
/// simulate_seeds(0..100, || async {
///     let me = self_pid();
///     spawn(async move { send(me, "first"); send(me, "second") });
///     // Signals between two processes keep their order, whatever the seed.
///     assert_eq!(receive::<&str>().await, "first");
/// });
/// ```
#[track_caller]
pub fn simulate_seeds<F>(seeds: impl IntoIterator<Item = u64>, mut main: impl FnMut() -> F)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if let Ok(only) = std::env::var(SEED_VARIABLE) {
        let Ok(seed) = only.trim().parse() else {
            panic!("{SEED_VARIABLE} must be a number, not `{only}`");
        };
        if let Err(error) = Simulation::new(seed).trace(true).run(main()) {
            panic!("{}\n{}", text_of(&error), error.trace);
        }
        return;
    }
    for seed in seeds {
        if let Err(error) = Simulation::new(seed).run(main()) {
            // Tests run on threads of their names.
            let thread = thread::current();
            let test = thread.name().filter(|name| *name != "main");
            let test = test.map_or(String::new(), |name| format!(" cargo test {name}"));
            let why = text_of(&error);
            panic!("{why}\nrun this seed alone: {SEED_VARIABLE}={seed}{test}");
        }
    }
}

/// A simulation, with settings. [`simulate`] is the short form.
///
/// ```
/// use regrow_runtime::simulation::{Simulation, SimulationErrorKind};
///
/// let outcome = Simulation::new(1).run(async { 5 })?;
/// assert_eq!(outcome.value, 5);
///
/// // Nobody will ever send anything.
/// let error = Simulation::new(1).run(regrow_runtime::receive::<()>()).unwrap_err();
/// assert!(matches!(error.kind, SimulationErrorKind::Deadlock(_)));
/// assert!(error.to_string().contains("<0.1.1>"));
/// # Ok::<(), regrow_runtime::simulation::SimulationError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a simulation does nothing until `run`"]
pub struct Simulation {
    seed: u64,
    keeps_trace: bool,
    turns_max: u64,
}

/// The result of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome<T> {
    /// What the main process returned.
    pub value: T,
    /// What happened.
    pub trace: Trace,
    /// The turns taken.
    pub turns: u64,
    /// The time that passed, in virtual time.
    pub virtual_time: Duration,
}

impl Simulation {
    /// A simulation with this seed.
    pub fn new(seed: u64) -> Self {
        Simulation {
            seed,
            keeps_trace: false,
            turns_max: TURNS_MAX,
        }
    }

    /// Whether the trace keeps its events, and not only their hash. It needs memory for
    /// each turn. Off unless said otherwise.
    pub fn trace(mut self, keep: bool) -> Self {
        self.keeps_trace = keep;
        self
    }

    /// Gives up after so many turns; 100 million unless said otherwise.
    pub fn max_turns(mut self, turns: u64) -> Self {
        self.turns_max = turns;
        self
    }

    /// Runs a future as the main process of this simulation. It may be run again, and
    /// goes the same way.
    ///
    /// # Errors
    ///
    /// If the main process gives no result; see [`SimulationErrorKind`].
    #[track_caller]
    pub fn run<F>(&self, main: F) -> Result<Outcome<F::Output>, SimulationError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        install_hook();
        let place = std::panic::Location::caller();
        let settings = self.clone();
        // A subscriber that the caller has for its thread only sees the simulation, too.
        let subscriber = dispatcher::get_default(Dispatch::clone);
        // A thread of its own is as fresh as the simulation: nothing of the caller's is in it.
        let thread = thread::Builder::new().name(format!("seed {}", self.seed));
        let thread = thread.spawn(move || {
            let work = || {
                let ended = with_loop(settings.seed, settings.keeps_trace, |turns| {
                    settings.drive(turns, place, main)
                });
                ended.unwrap_or_else(|error| Err(settings.not_started(error)))
            };
            if subscriber.is::<NoSubscriber>() {
                work()
            } else {
                dispatcher::with_default(&subscriber, work)
            }
        });
        let thread = thread.map_err(|error| self.not_started(error))?;
        match thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn drive<F>(
        &self,
        turns: &mut Loop<'_>,
        place: &'static std::panic::Location<'static>,
        main: F,
    ) -> Result<Outcome<F::Output>, SimulationError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let first_note = outside::next_note();
        let (output, reply) = reply_channel();
        let main = async move {
            match catch_panic(main).await {
                Ok(value) => {
                    output.send(value);
                    ExitReason::Normal
                }
                Err(reason) => reason,
            }
        };
        let shared = &turns.worker.shared;
        if let Err(error) = SpawnOptions::new().spawn_on(shared, place, main) {
            unreachable!("a fresh simulation has room for a process: {error}");
        }
        let stopped = turns.run(self.turns_max);
        let virtual_time = crate::monotonic_time();
        let kind = match stopped {
            Stopped::Deadlock => SimulationErrorKind::Deadlock(turns.standstill(first_note)),
            Stopped::TooLong => SimulationErrorKind::TooLong(turns.standstill(first_note)),
            Stopped::MainEnded => {
                let mut cx = Context::from_waker(Waker::noop());
                match pin!(reply).poll(&mut cx) {
                    Poll::Ready(Ok(value)) => {
                        return Ok(Outcome {
                            value,
                            trace: turns.end_trace(),
                            turns: turns.turns,
                            virtual_time,
                        });
                    }
                    Poll::Ready(Err(ReplyError::Exit(reason))) => {
                        SimulationErrorKind::Ended(reason)
                    }
                    // Its end has dropped the handle, so this is not reached.
                    _ => SimulationErrorKind::Ended(ExitReason::Killed),
                }
            }
        };
        Err(SimulationError {
            seed: self.seed,
            kind,
            turns: turns.turns,
            virtual_time,
            trace: turns.end_trace(),
        })
    }

    fn not_started(&self, error: std::io::Error) -> SimulationError {
        SimulationError {
            seed: self.seed,
            kind: SimulationErrorKind::NotStarted(error),
            turns: 0,
            virtual_time: Duration::ZERO,
            trace: Trace::empty(),
        }
    }
}

/// The seed of the simulation that the current process is in, or `None` outside one.
///
/// ```
/// use regrow_runtime::simulation::{seed, simulate};
/// assert_eq!(simulate(3, async { seed() }), Some(3));
/// assert_eq!(seed(), None);
/// ```
pub fn seed() -> Option<u64> {
    with_driver(|driver| driver.seed)
}

/// A random number below `bound`, drawn from the seed: for faults that repeat themselves.
///
/// # Panics
///
/// Outside a simulation, and if `bound` is zero.
///
/// ```
/// use regrow_runtime::simulation::{random_below, simulate};
///
/// let roll = || simulate(5, async { random_below(6) + 1 });
/// assert_eq!(roll(), roll());
/// ```
#[track_caller]
pub fn random_below(bound: u64) -> u64 {
    assert!(bound > 0, "no number is below zero");
    match with_driver(|driver| driver.below(bound)) {
        Some(number) => number,
        None => panic!("`random_below` must be called inside a simulation"),
    }
}
