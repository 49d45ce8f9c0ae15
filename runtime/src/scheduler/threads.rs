//! The threads of a runtime: how they start, are replaced and end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;

use super::cores::Core;
use super::monitor::Monitor;
use super::reports::Finding;
use super::{ReactorBed, Shared, Worker};
use crate::clock;

/// Counted in `Shared::threads` while it lives.
pub(super) struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        *shared.threads.lock() += 1;
        Counted(shared.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The user's code is contained everywhere, so this is our bug. What
            // the thread held is lost; going on without it would hang the rest.
            eprintln!("regrow: a scheduler thread has panicked; please report this");
            std::process::abort();
        }
        *self.0.threads.lock() -= 1;
        self.0.thread_ended.notify_all();
    }
}

impl Shared {
    /// Starts the workers and the monitor.
    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let started = (0..self.seats.len())
            .try_for_each(|seat| self.start_worker(seat, None).map(drop))
            .and_then(|()| {
                let monitor = Monitor::new(self.clone());
                self.start_thread("regrow-monitor".into(), move || monitor.run())
            });
        if started.is_err() {
            self.halt(Duration::from_secs(1));
        }
        started
    }

    /// Starts a thread for a seat; `after` a finding a spare one, which waits at the gate.
    /// Returns the index of its core.
    fn start_worker(
        self: &Arc<Self>,
        seat: usize,
        after: Option<(Arc<Mutex<()>>, &Finding)>,
    ) -> std::io::Result<usize> {
        let Some(core) = self.cores.take() else {
            return Err(std::io::Error::other("all threads that there may be run"));
        };
        let index = core.index;
        let name = format!("regrow-{index}");
        let Some((gate, finding)) = after else {
            let worker = Worker::new(self.clone(), seat, core);
            self.start_thread(name, move || worker.run())?;
            self.seats[seat].seat(index);
            return Ok(index);
        };
        let worker = Worker::spare(self.clone(), seat, core, finding.place);
        self.start_thread(name, move || {
            drop(gate.lock());
            worker.run();
        })?;
        Ok(index)
    }

    fn start_thread(
        self: &Arc<Self>,
        name: String,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let counted = Counted::new(self);
        let beside = self.beside.clone();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let _counted = counted;
            beside.within(body);
        })?;
        let mut handles = self.handles.lock();
        handles.retain(|handle| !handle.is_finished());
        handles.push(thread);
        Ok(())
    }

    /// Puts another thread into a seat whose thread is stuck in that turn; the
    /// steps are listed in `monitor.rs`. False if there may be no more threads.
    pub(super) fn replace(
        self: &Arc<Self>,
        seat: usize,
        stuck: &Core,
        turn: u64,
        finding: &Finding,
    ) -> bool {
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock();
        let Ok(index) = self.start_worker(seat, Some((gate.clone(), finding))) else {
            return false;
        };
        stuck.catch(turn, finding.clone());
        self.seats[seat].seat(index);
        stuck.parker.unpark(&ReactorBed(&self.reactor));
        drop(closed);
        self.spares_started.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Threads besides the workers in their seats and the monitor.
    pub(crate) fn spares(&self) -> usize {
        self.threads.lock().saturating_sub(self.seats.len() + 1)
    }

    pub(crate) fn spares_started(&self) -> u64 {
        self.spares_started.load(Ordering::Relaxed)
    }

    /// Waits until no process lives, doing `push` now and then. False if some
    /// live on after `patience`.
    pub(crate) fn wait_until_empty(&self, patience: Duration, push: impl Fn()) -> bool {
        let start = clock::real_nanos();
        let mut pause = Duration::from_micros(20);
        push();
        while self.unfinished() > 0 {
            if Duration::from_nanos(clock::real_nanos().saturating_sub(start)) > patience {
                return false;
            }
            // Nobody rings when the last process ends: that would cost every end.
            let mut threads = self.threads.lock();
            self.thread_ended.wait_for(&mut threads, pause);
            drop(threads);
            pause = (pause * 2).min(Duration::from_millis(5));
            push();
        }
        true
    }

    /// Ends the threads. False if some have not ended within `patience`.
    pub(crate) fn halt(&self, patience: Duration) -> bool {
        self.halted.store(true, Ordering::SeqCst);
        for core in self.cores.every() {
            core.parker.unpark(&ReactorBed(&self.reactor));
        }
        self.hogs.end();
        self.nap.end();
        let start = clock::real_nanos();
        let mut threads = self.threads.lock();
        while *threads > 0 {
            let waited = Duration::from_nanos(clock::real_nanos().saturating_sub(start));
            if waited >= patience {
                break;
            }
            self.thread_ended.wait_for(&mut threads, patience - waited);
        }
        let all_ended = *threads == 0;
        drop(threads);
        let mut handles = self.handles.lock();
        // Those that are left behind are nobody's.
        for handle in handles.drain(..).filter(|it| all_ended || it.is_finished()) {
            // A thread that panics aborts, so there is nothing to hear.
            let _ = handle.join();
        }
        all_ended
    }
}
