//! One direction (read or write) of an I/O source: who waits, and whether it pays to try.
//!
//! # The word
//!
//! | word | meaning |
//! |---|---|
//! | `NONE` | Nobody has tried yet, or an attempt is under way. Nobody waits. |
//! | `READY` | Something happened since the last attempt, or that left something. Nobody waits. |
//! | `EMPTY` | The last attempt took all there was, and nothing happened since. Nobody waits. |
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
//!   tells about that only once. When the word says that somebody waits, or `EMPTY`, there is no
//!   claim to be had: an attempt would block.
//! - **A short read** ([`Claim::drained`]): `NONE` -> `EMPTY`. See below.
//! - **Waiting** ([`Direction::wait`], after an attempt that would have blocked, or in place of
//!   one): `NONE`, `EMPTY`, or another waiter -> own pid or `FOREIGN`. `READY` is never replaced:
//!   it means that something happened after the claim, and the attempt is repeated.
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
//! So as long as the word names a waiter, or is `EMPTY`, there is nothing to be had, or an event
//! that tells of it is on its way, or the claim of a `READY` is out and will be given back. That is
//! why whoever finds it so may wait without an attempt.
//!
//! There is room for one waiter. A newer one takes the place of an older, which then need not be
//! woken: a direction belongs to one process at a time (listeners and datagram sockets queue those
//! who want the same).
//!
//! # The short read
//!
//! A TCP read that brings less than asked for has taken every byte there was, and one that comes
//! later is a new event: the next attempt can be saved, and `EMPTY` says so. But two things make
//! it short and are no bytes: the end of the stream, and urgent data in its midst. Their event may
//! have been the one that told of the bytes, and there will be no other. So an event that tells of
//! them (or of an error) *marks* the source for good, before it changes the word; and on a marked
//! source a short read says nothing. If the end reaches the kernel after the event of the bytes, it
//! has an event of its own, and whatever the reader has made of the word becomes `READY`.
//!
//! # Orderings
//!
//! All changes of the word are read-modify-writes with `AcqRel`, so they are one total order and
//! each sees what came before. The claim's acquire pairs with the event's release: the attempt
//! runs after the event, and sees its mark. An event that finds `READY` writes it again for that
//! reason only: else a claim could come between the mark and the look at the word, and neither see
//! the other. An attempt from `NONE` may miss a mark, but then the event comes after it in the
//! word's order: its change to `EMPTY` fails, or is undone by whoever has claimed that event.
//!
//! `loom.rs` has the short read under the model checker.
//!
//! The word goes to and from `FOREIGN` only while the mutex is held. So the mutex holds a waker
//! exactly while the word says so.

use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::task::Waker;

use crate::panic::wake_caught;
use crate::primitive::{AtomicU64, Mutex, lock};
use crate::process::budget::Refused;
use crate::process::waker::{plain_pid, wake_packed};

const NONE: u64 = 0;
const READY: u64 = 1;
const EMPTY: u64 = 2;
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
            if word == FOREIGN {
                let mut foreign = lock(&self.foreign);
                match self.replace(FOREIGN, READY) {
                    Ok(()) => return foreign.take().map(Waiter::Foreign),
                    Err(now) => word = now,
                }
                continue;
            }
            match self.replace(word, READY) {
                Ok(()) if word <= EMPTY => return None,
                Ok(()) => return Some(Waiter::Process(word)),
                Err(now) => word = now,
            }
        }
    }

    /// To be called before each attempt. `None`: it would block.
    pub(super) fn claim(&self) -> Option<Claim<'_>> {
        let mut word = self.word.load(Acquire);
        loop {
            let ready = match word {
                NONE => false,
                READY => match self.replace(READY, NONE) {
                    Ok(()) => true,
                    Err(now) => {
                        word = now;
                        continue;
                    }
                },
                _ => return None,
            };
            return Some(Claim {
                direction: self,
                ready,
            });
        }
    }

    /// Waits for the next event, after an attempt that would have blocked, or that `claim` has
    /// refused. `false`: there was one already, try again.
    pub(super) fn wait(&self, waker: &Waker) -> bool {
        self.wait_as(plain_pid(waker), waker)
    }

    pub(super) fn wait_as(&self, pid: Option<u64>, waker: &Waker) -> bool {
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
        let mut foreign = lock(&self.foreign);
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

    #[cfg(test)]
    pub(super) fn is_waited_for(&self) -> bool {
        self.word.load(Acquire) > EMPTY
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

    /// The attempt has succeeded, and another one would block.
    pub(super) fn drained(self) {
        // If it fails: there was an event, or somebody waits for one, and rightly so.
        let _ = self.direction.replace(NONE, EMPTY);
        self.spent();
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
    use std::sync::atomic::Ordering::{Release, SeqCst};
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::sync::{Arc, mpsc};
    use std::task::Wake;
    use std::thread;

    use parking_lot::Mutex;

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
        direction.claim().unwrap().spent();
        assert!(direction.wait_as(Some(40), Waker::noop()));
        assert!(direction.wait_as(Some(40), Waker::noop()));
        assert_eq!(woken(direction.signal()), Some(40));
        assert_eq!(woken(direction.signal()), None);
    }

    #[test]
    fn an_event_before_the_wait_means_try_again() {
        let direction = Direction::default();
        direction.claim().unwrap().spent();
        assert_eq!(woken(direction.signal()), None);
        assert!(!direction.wait_as(Some(40), Waker::noop()));
        assert!(!direction.wait_as(None, Waker::noop()));
        direction.claim().unwrap().spent();
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
    fn there_is_no_claim_while_an_attempt_would_block() {
        let direction = Direction::default();
        direction.signal();
        direction.claim().unwrap().drained();
        assert!(direction.claim().is_none());
        assert!(direction.wait_as(Some(40), Waker::noop()));
        assert!(direction.claim().is_none());
        assert_eq!(woken(direction.signal()), Some(40));
        assert!(direction.claim().is_some());
    }

    #[test]
    fn an_event_during_a_short_read_is_not_forgotten() {
        let direction = Direction::default();
        let claim = direction.claim().unwrap();
        assert_eq!(woken(direction.signal()), None);
        claim.drained();
        assert!(direction.claim().is_some());
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

    /// Somebody to wait for, who tells nobody else.
    struct Unpark(mpsc::Sender<()>);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    fn tell(waiter: Option<Waiter>, wakes: &mpsc::Sender<()>) {
        match waiter {
            Some(Waiter::Process(_)) => wakes.send(()).unwrap(),
            Some(Waiter::Foreign(waker)) => waker.wake(),
            None => {}
        }
    }

    /// Sleeps until told to go on; a lost wake-up fails.
    fn sleep(wakes: &mpsc::Receiver<()>) {
        let woken = wakes.recv_timeout(std::time::Duration::from_secs(20));
        woken.expect("a wake-up was lost");
    }

    /// `data` plays the kernel.
    #[test]
    fn no_wake_up_is_lost_under_contention() {
        const EVENTS: usize = if cfg!(miri) { 200 } else { 200_000 };
        let direction = Direction::default();
        let data = AtomicUsize::new(0);
        let (sender, wakes) = mpsc::channel();
        let waker = Waker::from(Arc::new(Unpark(sender.clone())));
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..EVENTS {
                    data.fetch_add(1, AcqRel);
                    tell(direction.signal(), &sender);
                }
            });
            let mut seen = 0;
            let mut round = 0;
            while seen < EVENTS {
                if let Some(claim) = direction.claim() {
                    match data.swap(0, AcqRel) {
                        0 => claim.spent(),
                        // A read that is short.
                        some if round % 2 == 0 => {
                            seen += some;
                            claim.drained();
                            if seen == EVENTS {
                                break;
                            }
                        }
                        // One at a time, as if the buffer were small.
                        some => {
                            data.fetch_add(some - 1, AcqRel);
                            seen += 1;
                            continue;
                        }
                    }
                }
                round += 1;
                let pid = (round % 3 > 0).then_some(40 + round % 3);
                if direction.wait_as(pid, &waker) {
                    sleep(&wakes);
                }
            }
        });
    }

    /// Bytes, and then the end, of which one event may tell together; a short read brings the
    /// bytes only.
    #[test]
    fn no_end_is_lost_after_a_short_read() {
        const ROUNDS: usize = if cfg!(miri) { 20 } else { 20_000 };
        #[derive(Default)]
        struct Stream {
            direction: Direction,
            marked: AtomicBool,
            kernel: Mutex<(usize, bool)>,
        }
        let (sender, wakes) = mpsc::channel();
        let streams: Vec<Stream> = (0..ROUNDS).map(|_| Stream::default()).collect();
        thread::scope(|scope| {
            let told = sender.clone();
            let streams = &streams;
            scope.spawn(move || {
                for (round, stream) in streams.iter().enumerate() {
                    stream.kernel.lock().0 += 1;
                    if round % 2 == 0 {
                        tell(stream.direction.signal(), &told);
                    }
                    stream.kernel.lock().1 = true;
                    stream.marked.store(true, Release);
                    tell(stream.direction.signal(), &told);
                }
            });
            for stream in streams {
                loop {
                    if let Some(claim) = stream.direction.claim() {
                        let read = std::mem::take(&mut stream.kernel.lock().0);
                        match (read, stream.kernel.lock().1) {
                            (0, true) => break,
                            (0, false) => claim.spent(),
                            _ if stream.marked.load(Acquire) => continue,
                            _ => claim.drained(),
                        }
                    }
                    if stream.direction.wait_as(Some(40), Waker::noop()) {
                        sleep(&wakes);
                    }
                }
            }
        });
    }
}
