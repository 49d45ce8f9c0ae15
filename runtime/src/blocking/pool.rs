//! The threads for blocking work: at most so many, started when work waits that no
//! idle thread will take, and ended after a while without any.
//!
//! # Who staffs
//!
//! Under the lock: `threads` is how many there are, `idle` how many of them are at
//! the queue or on their way to it. A thread that takes a piece of work is idle
//! until it has the lock again, so `idle` may be too high for a moment, never too low.
//!
//! | who | under the lock |
//! |---|---|
//! | submitter | sends, then staffs |
//! | thread that has taken work | idle - 1, then staffs: a submitter may have counted on it |
//! | thread that has waited in vain | idle - 1; goes on if the queue has something, else threads - 1 |
//! | thread that panics, which work cannot make it do | threads - 1, then staffs |
//!
//! To *staff* is to start a thread if the queue is longer than `idle` and there is
//! room. So work waits only while every thread is at work and there is no room
//! for more.
//!
//! A new thread has the priority of the one that starts it, and one that was stuck in a
//! long turn has the lowest for good (`scheduler/monitor.rs`). So that one starts none: it
//! raises `is_short`, and the monitor staffs.
//!
//! Work that is given up stays in the queue as a husk until a thread meets it, or
//! until husks are more than half of the queue, when all are swept out: so the queue
//! is never longer than twice the number of those who wait, and a constant.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::BlockingError;
use crate::beside::Beside;
use crate::panic::contain;
use crate::{clock, local, scheduler};

/// How many threads a pool has at most unless said otherwise.
pub(crate) const MAX_THREADS: usize = 64;
/// How long a thread waits for work before it ends.
pub(crate) const IDLE: Duration = Duration::from_secs(10);
/// Fewer husks than this are not worth a sweep.
const HUSKS: isize = 64;

/// A piece of work, without its type.
pub(crate) trait Job: Send + Sync {
    /// Does the work; false if it was given up.
    fn run(&self, pool: &Pool) -> bool;
    /// Drops the work and tells whoever waits; false if it was given up.
    fn fail(&self, error: BlockingError) -> bool;
    /// Whether nobody has taken it.
    fn is_waiting(&self) -> bool;
}

/// What a runtime's threads for [`blocking`](crate::blocking()) work are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BlockingStats {
    /// How many threads there may be.
    pub max_threads: usize,
    /// How many threads there are.
    pub threads: usize,
    /// How many of them have no work.
    pub idle: usize,
    /// Pieces of work that wait for a thread.
    pub backlog: usize,
    /// Pieces of work done so far, also those that panicked.
    pub done: u64,
}

pub(crate) struct Pool {
    /// The number of the runtime.
    runtime: u32,
    max: usize,
    idle_for: Duration,
    /// What its threads enter.
    beside: Beside,
    queue: Receiver<Arc<dyn Job>>,
    done: AtomicU64,
    /// The monitor is to staff. Raised under the lock.
    is_short: AtomicBool,
    state: Mutex<State>,
    thread_ended: Condvar,
}

struct State {
    /// Where work goes in; none once the pool has stopped.
    entrance: Option<Sender<Arc<dyn Job>>>,
    threads: usize,
    idle: usize,
    /// Husks in the queue. A thread may meet one before it was counted.
    husks: isize,
    started: u64,
    handles: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(crate) fn new(runtime: u32, max: usize, idle_for: Duration, beside: Beside) -> Arc<Self> {
        let (entrance, queue) = unbounded();
        Arc::new(Pool {
            runtime,
            max,
            idle_for,
            beside,
            queue,
            done: AtomicU64::new(0),
            is_short: AtomicBool::new(false),
            state: Mutex::new(State {
                entrance: Some(entrance),
                threads: 0,
                idle: 0,
                husks: 0,
                started: 0,
                handles: Vec::new(),
            }),
            thread_ended: Condvar::new(),
        })
    }

    /// Queues a piece of work. If that cannot be, it has failed afterwards.
    pub(crate) fn submit(self: &Arc<Self>, job: Arc<dyn Job>) {
        let state = self.state.lock();
        let Some(entrance) = &state.entrance else {
            drop(state);
            job.fail(BlockingError::Stopped);
            return;
        };
        // The receiver is ours, so there is one.
        let _ = entrance.send(job);
        self.staff(state);
    }

    /// Starts a thread if work waits that no idle one will take. Gives the lock back.
    fn staff(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if self.queue.len() <= state.idle || state.threads >= self.max {
            return;
        }
        if scheduler::has_lost_seat() {
            self.is_short.store(true, Ordering::Relaxed);
            drop(state);
            scheduler::wake_monitor(self.runtime);
            return;
        }
        state.handles.retain(|handle| !handle.is_finished());
        let pool = self.clone();
        let thread = std::thread::Builder::new()
            .name(format!("regrow-blocking-{}", state.started))
            .spawn(move || pool.serve());
        match thread {
            Ok(handle) => {
                state.threads += 1;
                state.idle += 1;
                state.started += 1;
                state.handles.push(handle);
            }
            Err(error) => {
                let alone = state.threads == 0;
                drop(state);
                self.without_thread(&error, alone);
            }
        }
    }

    /// Whether [`Pool::staff_if_short`] has something to do.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// For the monitor: staffs in place of a thread that should not.
    pub(crate) fn staff_if_short(self: &Arc<Self>) {
        if self.is_short() {
            let state = self.state.lock();
            self.is_short.store(false, Ordering::Relaxed);
            self.staff(state);
        }
    }

    #[cold]
    fn without_thread(&self, error: &io::Error, alone: bool) {
        contain("a report", || {
            tracing::error!(
                target: "regrow::blocking", %error,
                "a thread for blocking work could not be started"
            );
        });
        // Nobody would ever come for it.
        if alone {
            self.fail_all(&BlockingError::NoThread(error.kind()));
        }
    }

    /// The life of a thread.
    fn serve(self: Arc<Self>) {
        struct Ends<'a>(&'a Arc<Pool>);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.replace_thread();
                }
            }
        }
        let _ends = Ends(&self);
        local::with(|local| local.pool.set(self.runtime));
        self.beside.within(|| {
            while let Some(job) = self.next() {
                if !job.run(&self) {
                    self.state.lock().husks -= 1;
                }
                // Before it is idle: then everything of the work is gone.
                drop(job);
                self.state.lock().idle += 1;
            }
        });
    }

    /// Work, for a thread that is counted as idle; none if that must end.
    fn next(self: &Arc<Self>) -> Option<Arc<dyn Job>> {
        loop {
            let taken = self.queue.recv_timeout(self.idle_for);
            let mut state = self.state.lock();
            match taken {
                Ok(job) => {
                    state.idle -= 1;
                    self.staff(state);
                    return Some(job);
                }
                Err(RecvTimeoutError::Timeout) if !self.queue.is_empty() => {}
                Err(_) => {
                    state.idle -= 1;
                    state.threads -= 1;
                    self.thread_ended.notify_all();
                    return None;
                }
            }
        }
    }

    /// A thread dies of a panic that was not the work's: another takes its place.
    #[cold]
    fn replace_thread(self: &Arc<Self>) {
        contain("a report", || {
            tracing::error!(
                target: "regrow::blocking",
                "a thread for blocking work has died and is replaced; please report this"
            );
        });
        let mut state = self.state.lock();
        state.threads -= 1;
        self.thread_ended.notify_all();
        self.staff(state);
    }

    /// Work that was submitted is given up before its begin.
    pub(super) fn was_cancelled(&self) {
        let mut state = self.state.lock();
        state.husks += 1;
        if state.husks < HUSKS || state.husks.unsigned_abs() * 2 < self.queue.len() {
            return;
        }
        // Submitters wait for the lock, so what is kept keeps its order.
        let State {
            entrance, husks, ..
        } = &mut *state;
        let Some(entrance) = entrance else { return };
        for job in self.queue.try_iter().take(self.queue.len()) {
            if job.is_waiting() {
                let _ = entrance.send(job);
            } else {
                *husks -= 1;
            }
        }
    }

    pub(super) fn was_done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> BlockingStats {
        let state = self.state.lock();
        // A thread on its way to work is at work already.
        let waiting = self.queue.len();
        BlockingStats {
            max_threads: self.max,
            threads: state.threads,
            idle: state.idle,
            backlog: waiting.saturating_add_signed(-state.husks.max(0)),
            done: self.done.load(Ordering::Relaxed),
        }
    }

    /// Takes no more work, drops what has not begun, and lets idle threads go.
    pub(crate) fn stop(&self) {
        let entrance = self.state.lock().entrance.take();
        drop(entrance);
        self.fail_all(&BlockingError::Stopped);
    }

    fn fail_all(&self, error: &BlockingError) {
        while let Ok(job) = self.queue.try_recv() {
            if !job.fail(error.clone()) {
                self.state.lock().husks -= 1;
            }
        }
    }

    /// After a stop: waits until the threads have ended. Returns how many have not
    /// when the patience is over.
    pub(crate) fn wait(&self, patience: Duration) -> usize {
        let deadline = clock::deadline(patience);
        let mut state = self.state.lock();
        while state.threads > 0 {
            let left = clock::until(deadline);
            if left.is_zero() {
                return state.threads;
            }
            self.thread_ended.wait_for(&mut state, left);
        }
        let handles = std::mem::take(&mut state.handles);
        drop(state);
        for handle in handles {
            // What it panicked with was reported.
            let _ = handle.join();
        }
        0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::future::Future;
    use std::sync::mpsc;
    use std::task::{Context, Waker};
    use std::time::Instant;

    use super::super::Blocking;
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    /// Work that is run as it is, without anything that would catch its panic.
    struct Bare<F>(F);

    impl<F: Fn() + Send + Sync> Job for Bare<F> {
        fn run(&self, _: &Pool) -> bool {
            (self.0)();
            true
        }
        fn fail(&self, _: BlockingError) -> bool {
            true
        }
        fn is_waiting(&self) -> bool {
            true
        }
    }

    fn wait_until(what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + LONG;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_thread_that_dies_is_replaced_and_the_rest_of_the_work_is_done() {
        let pool = Pool::new(0, 1, IDLE, Beside::default());
        let (sender, receiver) = mpsc::channel();
        for number in 0..10 {
            let sender = sender.clone();
            pool.submit(Arc::new(Bare(move || {
                assert!(number % 3 != 0, "a thread dies on purpose");
                sender.send(number).unwrap();
            })));
        }
        for number in (0..10).filter(|number| number % 3 != 0) {
            assert_eq!(receiver.recv_timeout(LONG), Ok(number));
        }
        pool.stop();
        assert_eq!(pool.wait(LONG), 0);
    }

    #[test]
    fn an_idle_thread_ends_after_its_time_and_another_comes_with_new_work() {
        let pool = Pool::new(0, 4, Duration::from_millis(1), Beside::default());
        for _ in 0..3 {
            let (sender, receiver) = mpsc::channel();
            pool.submit(Arc::new(Bare(move || sender.send(()).unwrap())));
            receiver.recv_timeout(LONG).unwrap();
            wait_until("the thread ends", || pool.stats().threads == 0);
            assert_eq!(pool.stats().idle, 0);
        }
    }

    #[test]
    fn work_behind_work_that_waits_for_it_finds_a_thread() {
        let pool = Pool::new(0, 8, IDLE, Beside::default());
        let (begun, begins) = mpsc::channel();
        pool.submit(Arc::new(Bare(move || begun.send(()).unwrap())));
        begins.recv_timeout(LONG).unwrap();
        wait_until("its thread waits", || pool.stats().idle == 1);
        let (go, wait) = mpsc::channel();
        let (done, ends) = mpsc::channel();
        let wait = parking_lot::Mutex::new(wait);
        // The submitter has the lock, and so counts on the thread that has just
        // taken the first: that one must see to the second.
        let state = pool.state.lock();
        let entrance = state.entrance.as_ref().unwrap();
        let first = Bare(move || done.send(wait.lock().recv_timeout(LONG)).unwrap());
        entrance.send(Arc::new(first)).unwrap();
        wait_until("it is taken", || pool.queue.is_empty());
        let second = Bare(move || go.send(()).unwrap());
        entrance.send(Arc::new(second)).unwrap();
        pool.staff(state);
        assert_eq!(ends.recv_timeout(2 * LONG), Ok(Ok(())));
    }

    #[test]
    fn work_that_is_given_up_does_not_pile_up_and_the_rest_keeps_its_order() {
        let pool = Pool::new(0, 1, IDLE, Beside::default());
        let (open, wait) = mpsc::sync_channel::<()>(0);
        let wait = parking_lot::Mutex::new(wait);
        pool.submit(Arc::new(Bare(move || wait.lock().recv().unwrap())));
        wait_until("it begins", || pool.stats().idle == 0);
        let (sender, receiver) = mpsc::channel();
        for number in 0..1_000 {
            let sender = sender.clone();
            pool.submit(Arc::new(Bare(move || sender.send(number).unwrap())));
            for _ in 0..10 {
                let mut given_up = Box::pin(Blocking::new(pool.clone(), || panic!("given up")));
                let polled = given_up
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.map(|it: Result<(), _>| it).is_pending());
            }
            assert_eq!(pool.stats().backlog, number + 1);
            assert!(pool.queue.len() <= 2 * (number + 1) + HUSKS as usize);
        }
        open.send(()).unwrap();
        drop(sender);
        for number in 0..1_000 {
            assert_eq!(receiver.recv_timeout(LONG), Ok(number));
        }
        pool.stop();
        assert_eq!(pool.wait(LONG), 0);
        assert_eq!(pool.state.lock().husks, 0);
    }

    #[test]
    fn a_thread_that_does_not_end_is_waited_for_no_longer_than_said() {
        let pool = Pool::new(0, 1, IDLE, Beside::default());
        let (open, wait) = mpsc::sync_channel::<()>(0);
        let wait = parking_lot::Mutex::new(wait);
        pool.submit(Arc::new(Bare(move || wait.lock().recv().unwrap())));
        wait_until("it begins", || pool.stats().idle == 0);
        pool.stop();
        assert_eq!(pool.wait(Duration::from_millis(3)), 1);
        open.send(()).unwrap();
        assert_eq!(pool.wait(LONG), 0);
    }

    #[test]
    fn a_stopped_pool_drops_what_comes() {
        let pool = Pool::new(0, 4, IDLE, Beside::default());
        pool.stop();
        pool.submit(Arc::new(Bare(|| panic!("it must not run"))));
        assert_eq!(pool.wait(Duration::ZERO), 0);
        assert_eq!(pool.stats().backlog, 0);
    }
}
