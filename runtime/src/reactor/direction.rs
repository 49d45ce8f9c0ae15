//! One direction (read or write) of an I/O source: who waits, and whether it pays to try.
//!
//! # The word
//!
//! | word | meaning |
//! |---|---|
//! | `NONE` | The last attempt would have blocked, or nobody has tried yet. Nobody waits. |
//! | `READY` | Something happened since. An attempt may succeed. Nobody waits. |
//! | `FOREIGN` | A waker that is not a process's own waits; it is in the mutex. |
//! | else | The process with this packed pid waits. |
//!
//! # Who changes what
//!
//! - **An event** ([`Direction::signal`], the thread inside the poller): any -> `READY`, and
//!   whoever the word named is woken, after every lock is released.
//! - **An attempt** ([`Direction::claim`], whoever polls the source): `READY` -> `NONE`, *before*
//!   the system call. If that does not block (success, end of file or an error such as "too many
//!   open files") the claim is given back as if by an event, for there may be more; the kernel
//!   tells about that only once.
//! - **Waiting** ([`Direction::wait`], after an attempt that would have blocked): `NONE`, or
//!   another waiter -> own pid or `FOREIGN`. `READY` is never replaced: it means that something
//!   happened after the claim, and the attempt is repeated.
//!
//! # Why no wake-up is lost
//!
//! Edge mode tells of each change of the kernel's state once. Take an attempt that would have
//! blocked, and a change after it. Its event finds the waiter in the word and wakes it, or comes
//! first and leaves `READY`, which the waiter finds. In between another process may claim that
//! `READY`: then it either attempts after the change and gets what there is, and by giving the
//! claim back wakes the waiter or leaves `READY` for it; or it finds nothing, and there is
//! nothing to tell. So a process may take over from one that was killed, or that stopped waiting
//! without a word, and what that one has left in the word does no harm: waking it is a no-op.
//!
//! There is room for one waiter. A newer one takes the place of an older, which then need not be
//! woken: a direction belongs to one process at a time (the listener queues its acceptors).
//!
//! # Orderings
//!
//! All changes of the word are read-modify-writes with `AcqRel`, so they are one total order and
//! each sees what came before. The claim's acquire pairs with the event's release: the attempt
//! runs after the event. An event that finds `READY` changes nothing, and need not. Had an attempt
//! missed the change that this event reports, its claim, which came before it, would have
//! happened before the change (both take the kernel's lock on the socket) and so before the
//! event, which then could not have read the older `READY`.
//!
//! The word goes to and from `FOREIGN` only while the mutex is held. So the mutex holds a waker
//! exactly while the word says so.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::task::Waker;

use parking_lot::Mutex;

use crate::panic::wake_caught;
use crate::process::budget::Refused;
use crate::process::waker::{plain_pid, wake_packed};

const NONE: u64 = 0;
const READY: u64 = 1;
const FOREIGN: u64 = u64::MAX;

/// One direction of a source; see the head of this file.
#[derive(Default)]
pub(super) struct Direction {
    word: AtomicU64,
    foreign: Mutex<Option<Waker>>,
    /// Whether whoever tried last was turned away for want of reductions.
    pub(super) refused: Refused,
}

/// Somebody to wake, once every lock is released.
pub(super) enum Waiter {
    /// A process, by its packed pid.
    Process(u64),
    /// Any other waker.
    Foreign(Waker),
}

/// The right to attempt an operation. Dropping it means that there may be more to do.
pub(super) struct Claim<'a> {
    direction: &'a Direction,
    /// Whether the direction was ready, so that the claim must be given back.
    ready: bool,
}

impl Direction {
    /// Records that an attempt may succeed. Returns who waited for that.
    pub(super) fn signal(&self) -> Option<Waiter> {
        let mut word = self.word.load(Acquire);
        loop {
            if word == READY {
                return None;
            }
            if word == FOREIGN {
                let mut foreign = self.foreign.lock();
                match self.replace(FOREIGN, READY) {
                    Ok(()) => return foreign.take().map(Waiter::Foreign),
                    Err(now) => word = now,
                }
                continue;
            }
            match self.replace(word, READY) {
                Ok(()) if word == NONE => return None,
                Ok(()) => return Some(Waiter::Process(word)),
                Err(now) => word = now,
            }
        }
    }

    /// To be called before each attempt.
    pub(super) fn claim(&self) -> Claim<'_> {
        let ready = self.word.load(Acquire) == READY && self.replace(READY, NONE).is_ok();
        Claim {
            direction: self,
            ready,
        }
    }

    /// Waits for the next event, after an attempt that would have blocked. `false`: there was one
    /// already, try again.
    pub(super) fn wait(&self, waker: &Waker) -> bool {
        self.wait_as(plain_pid(waker), waker)
    }

    fn wait_as(&self, pid: Option<u64>, waker: &Waker) -> bool {
        let Some(pid) = pid else {
            return self.wait_locked(FOREIGN, Some(waker));
        };
        let mut word = self.word.load(Acquire);
        loop {
            match word {
                READY => return false,
                FOREIGN => return self.wait_locked(pid, None),
                _ if word == pid => return true,
                _ => match self.replace(word, pid) {
                    Ok(()) => return true,
                    Err(now) => word = now,
                },
            }
        }
    }

    /// `wait` to or from `FOREIGN`.
    fn wait_locked(&self, new: u64, waker: Option<&Waker>) -> bool {
        let mut waker = waker.cloned();
        let mut foreign = self.foreign.lock();
        let mut word = self.word.load(Acquire);
        loop {
            if word == READY {
                return false;
            }
            match self.replace(word, new) {
                Ok(()) => break,
                Err(now) => word = now,
            }
        }
        std::mem::swap(&mut *foreign, &mut waker);
        // The drop of the old waker is foreign code: not under the lock.
        drop(foreign);
        drop(waker);
        true
    }

    fn replace(&self, old: u64, new: u64) -> Result<(), u64> {
        self.word
            .compare_exchange(old, new, AcqRel, Acquire)
            .map(drop)
    }
}

impl Waiter {
    /// Wakes it.
    pub(super) fn wake(self) {
        match self {
            Waiter::Process(pid) => wake_packed(pid),
            Waiter::Foreign(waker) => wake_caught(waker),
        }
    }
}

impl Claim<'_> {
    /// The attempt would have blocked: there is nothing to give back.
    pub(super) fn spent(mut self) {
        self.ready = false;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.ready
            && let Some(waiter) = self.direction.signal()
        {
            waiter.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::SeqCst;
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::sync::{Arc, mpsc};
    use std::task::Wake;
    use std::thread;

    use super::*;

    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }

    fn flag() -> (Arc<Flag>, Waker) {
        let flag = Arc::new(Flag::default());
        (flag.clone(), flag.into())
    }

    fn woken(waiter: Option<Waiter>) -> Option<u64> {
        match waiter? {
            Waiter::Process(pid) => Some(pid),
            Waiter::Foreign(waker) => {
                waker.wake();
                Some(FOREIGN)
            }
        }
    }

    #[test]
    fn an_event_wakes_the_waiting_process_once() {
        let direction = Direction::default();
        direction.claim().spent();
        assert!(direction.wait_as(Some(40), Waker::noop()));
        assert!(direction.wait_as(Some(40), Waker::noop()));
        assert_eq!(woken(direction.signal()), Some(40));
        assert_eq!(woken(direction.signal()), None);
    }

    #[test]
    fn an_event_before_the_wait_means_try_again() {
        let direction = Direction::default();
        direction.claim().spent();
        assert_eq!(woken(direction.signal()), None);
        assert!(!direction.wait_as(Some(40), Waker::noop()));
        assert!(!direction.wait_as(None, Waker::noop()));
        direction.claim().spent();
        assert!(direction.wait_as(Some(40), Waker::noop()));
    }

    #[test]
    fn an_attempt_that_did_not_block_leaves_the_direction_ready() {
        let direction = Direction::default();
        direction.signal();
        drop(direction.claim());
        assert!(!direction.wait_as(Some(40), Waker::noop()));
    }

    #[test]
    fn the_newer_waiter_takes_the_place_of_the_older() {
        let (first, first_waker) = flag();
        let (second, second_waker) = flag();
        let direction = Direction::default();
        assert!(direction.wait_as(Some(40), Waker::noop()));
        assert!(direction.wait_as(Some(50), Waker::noop()));
        assert!(direction.wait_as(None, &first_waker));
        assert!(direction.wait_as(None, &second_waker));
        assert_eq!(woken(direction.signal()), Some(FOREIGN));
        assert!(second.0.load(SeqCst) && !first.0.load(SeqCst));
    }

    #[test]
    fn a_process_that_replaces_a_foreign_waker_lets_go_of_it() {
        let (flag, waker) = flag();
        let direction = Direction::default();
        assert!(direction.wait_as(None, &waker));
        assert_eq!(Arc::strong_count(&flag), 3);
        assert!(direction.wait_as(Some(40), Waker::noop()));
        assert_eq!(Arc::strong_count(&flag), 2);
        assert_eq!(woken(direction.signal()), Some(40));
        assert!(!flag.0.load(SeqCst));
    }

    /// `data` plays the kernel. The waiter sleeps only when told to, so a lost wake-up hangs.
    #[test]
    fn no_wake_up_is_lost_under_contention() {
        const EVENTS: usize = if cfg!(miri) { 200 } else { 200_000 };
        struct Unpark(mpsc::Sender<()>);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                let _ = self.0.send(());
            }
        }
        let direction = Direction::default();
        let data = AtomicUsize::new(0);
        let (sender, wakes) = mpsc::channel();
        let waker = Waker::from(Arc::new(Unpark(sender.clone())));
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..EVENTS {
                    data.fetch_add(1, AcqRel);
                    match direction.signal() {
                        Some(Waiter::Process(_)) => sender.send(()).unwrap(),
                        Some(Waiter::Foreign(waker)) => waker.wake(),
                        None => {}
                    }
                }
            });
            let mut seen = 0;
            let mut round = 0;
            while seen < EVENTS {
                let claim = direction.claim();
                match data.swap(0, AcqRel) {
                    0 => claim.spent(),
                    // One at a time, as if the buffer were small.
                    some => {
                        data.fetch_add(some - 1, AcqRel);
                        seen += 1;
                        continue;
                    }
                }
                round += 1;
                let pid = (round % 3 > 0).then_some(40 + round % 3);
                if direction.wait_as(pid, &waker) {
                    wakes.recv().unwrap();
                }
            }
        });
    }
}
