//! The monitor: a thread that sees to it that a long turn holds up nobody else.
//!
//! A turn cannot be interrupted. The monitor looks at the seats every two
//! milliseconds. A turn that it meets twice is *suspect*; what depends on that
//! thread is then done by others:
//!
//! - processes in its next-process slot or queue, or for everybody, or an overdue wheel: a sleeper is
//!   woken, who steals and fires;
//! - sources of I/O and nobody in the reactor: a sleeper is woken, who goes there.
//!
//! A turn that goes on for five milliseconds, in which the thread was occupied and
//! not only waiting for a processor (`os.rs`), is *stuck*. It is reported, and a spare thread with a core of
//! its own takes over the seat. The stuck thread gets the lowest priority, and its
//! core is marked; when the turn ends it becomes a hog runner (`hogs.rs`). For a
//! second after a finding the monitor is faster, most of all with processes that were spawned
//! at the same place: those of one kind stand in line behind each other, and each would hold up
//! the rest for the whole time. (A spare lets the others pass them before it begins.) A spare
//! that is still in the first turn of its own at two looks is taken for stuck, too. (`alert.rs`
//! decides.)
//!
//! # Handing over a seat
//!
//! | step | what |
//! |---|---|
//! | 1 | the spare thread starts, and waits at a gate |
//! | 2 | the mark is set: from its next push on, the stuck thread queues in the inlet |
//! | 3 | the seat names the spare's core |
//! | 4 | the old core is unparked: its thread may have ended the turn and sleep |
//! | 5 | the gate opens; the spare takes the lock of the wheel once, and searches |
//!
//! A timer is armed under the lock of the wheel. If that was before 5 the spare
//! sees it. If it was later, whoever armed it sees the mark and the new occupant,
//! and unparks that if the deadline is the first.
//!
//! A push that just missed the mark leaves a process in the stuck core. So the
//! monitor looks at the queues of all cores, with or without a seat, and goes on
//! looking for some time when everybody sleeps.
//!
//! # Sleep
//!
//! When all workers have slept at ten looks in a row, the monitor sleeps until one
//! gets up (`nap.rs`), or until the pool for blocking work is short of a thread that
//! a thread of the lowest priority should not start (`blocking/pool.rs`).

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::alert::{Alert, Ground, LongTurn, PERIOD};
use super::os::{self, Usage};
use super::reports::{self, Finding};
use crate::clock;

/// The monitor sleeps after so many looks that saw no worker awake.
const QUIET_LOOKS: u32 = 10;

/// What the monitor remembers.
pub(super) struct Monitor {
    shared: Arc<Shared>,
    seats: Vec<Watched>,
    alert: Alert,
    /// There was nobody in the reactor at the last look, though there are sources.
    is_unattended: bool,
}

/// What was seen of a seat.
#[derive(Default)]
struct Watched {
    core: usize,
    turn: Option<u64>,
    /// When that turn was seen first, by `clock::real_nanos`.
    since: u64,
    suspect: Option<Suspect>,
    /// No other turn was seen of that core.
    is_first: bool,
    /// Found stuck already, without a spare to replace it.
    found: Option<Finding>,
}

/// A thread whose turn was met twice.
struct Suspect {
    /// When it was first asked, and what it said.
    at: u64,
    usage: Option<Usage>,
    /// For how long it was occupied in this turn by then, and by now.
    before: Duration,
    occupied: Duration,
}

impl Monitor {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let seats = (0..shared.workers()).map(|_| Watched::default()).collect();
        Monitor {
            shared,
            seats,
            alert: Alert::default(),
            is_unattended: false,
        }
    }

    /// The thread of the monitor.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        let mut quiet = 0;
        loop {
            if !shared.nap.pause(self.alert.period(clock::real_nanos())) {
                return;
            }
            self.look();
            quiet = if shared.is_quiet() { quiet + 1 } else { 0 };
            if quiet >= QUIET_LOOKS {
                quiet = 0;
                if !shared.nap.sleep(|| shared.is_quiet()) {
                    return;
                }
            }
        }
    }

    fn look(&mut self) {
        let now = clock::real_nanos();
        let mut needs_help = self.look_at_reactor();
        for seat in 0..self.seats.len() {
            needs_help |= self.look_at_seat(seat, now);
        }
        let shared = &self.shared;
        shared.pool.staff_if_short();
        needs_help |= shared.ranks.0.has_any() || !shared.inlet.is_empty();
        needs_help |= shared
            .cores
            .iter()
            .any(|core| core.is_surplus() && core.has_work());
        if needs_help {
            shared.wake_another();
        }
    }

    /// Whether somebody should go to the reactor.
    fn look_at_reactor(&mut self) -> bool {
        let before = self.is_unattended;
        self.is_unattended = self.shared.reactor.is_unattended();
        before && self.is_unattended
    }

    /// Looks after the turn in a seat; whether a worker is needed for what waits
    /// for it.
    fn look_at_seat(&mut self, seat: usize, now: u64) -> bool {
        let shared = self.shared.clone();
        let index = shared.seats[seat].occupant();
        let Some(core) = shared.cores.get(index) else {
            return false;
        };
        let turn = core.turn();
        let watched = &mut self.seats[seat];
        if turn.is_none() || (watched.core, watched.turn) != (index, turn) {
            if let Some(finding) = watched.found.take() {
                reports::tell_ended(&finding, now);
            }
            let is_new = watched.core != index;
            *watched = Watched {
                core: index,
                turn,
                since: now,
                is_first: is_new || (watched.is_first && watched.turn.is_none()),
                ..Watched::default()
            };
            // Between two turns, firing timers: others may take what waits.
            return turn.is_none() && core.has_work();
        }
        if watched.found.is_none() {
            let usage = os::usage(core.thread());
            let occupied = Suspect::ask(&mut watched.suspect, watched.since, now, usage);
            let turn = LongTurn {
                lasts: Duration::from_nanos(now.saturating_sub(watched.since)),
                occupied,
                is_seen: watched.suspect.as_ref().is_some_and(Suspect::was_seen),
                is_first: watched.is_first,
                place: core.running().map(|(_, place)| place),
            };
            if let Some(ground) = self.alert.judge(turn, now) {
                self.found(seat, ground, now);
            }
        } else if shared.cores.has_room() {
            self.replace(seat);
        }
        let timers = &shared.seats[seat].timers;
        core.has_work() || timers.next().is_some_and(|next| next < clock::now())
    }

    /// The turn in that seat is stuck.
    fn found(&mut self, seat: usize, ground: Ground, now: u64) {
        let shared = &self.shared;
        let watched = &mut self.seats[seat];
        let (Some(core), Some(turn)) = (shared.cores.get(watched.core), watched.turn) else {
            return;
        };
        // It may have ended just now.
        let Some((pid, place)) = core.running().filter(|_| core.turn() == Some(turn)) else {
            return;
        };
        self.alert.found(ground, place, now);
        let finding = shared.long_turn(pid, place, watched.since, now);
        watched.found = Some(finding.clone());
        let is_replaced = self.replace(seat);
        if finding.is_told {
            reports::tell_found(&finding, now, is_replaced);
        }
    }

    /// Puts a spare thread in the place of one that was found stuck, if there may
    /// be one more.
    fn replace(&mut self, seat: usize) -> bool {
        let shared = &self.shared;
        let watched = &mut self.seats[seat];
        let (Some(core), Some(turn)) = (shared.cores.get(watched.core), watched.turn) else {
            return false;
        };
        let Some(finding) = &watched.found else {
            return false;
        };
        let thread = core.thread();
        if !shared.replace(seat, core, turn, finding) {
            return false;
        }
        // From now on its end is reported by the thread itself.
        watched.found = None;
        os::lower_priority(thread);
        true
    }
}

impl Suspect {
    /// Whether it was seen to be occupied since it was first asked.
    fn was_seen(&self) -> bool {
        self.occupied > self.before
    }

    /// For how long the thread was occupied in a turn that was first seen at `since`.
    fn ask(suspect: &mut Option<Suspect>, since: u64, now: u64, usage: Option<Usage>) -> Duration {
        let Some(suspect) = suspect else {
            // Nobody asked before; it is supposed to have been occupied.
            let occupied = Duration::from_nanos(now.saturating_sub(since)).min(PERIOD);
            *suspect = Some(Suspect {
                at: now,
                usage,
                before: occupied,
                occupied,
            });
            return occupied;
        };
        let elapsed = Duration::from_nanos(now.saturating_sub(suspect.at));
        // From the first time on: what a tick has seen then counts for the time between ticks.
        let since_then = match (suspect.usage, usage) {
            (Some(before), Some(usage)) => before.occupied(usage, elapsed),
            // The clock is all that there is.
            _ => elapsed,
        };
        suspect.occupied = suspect.occupied.max(suspect.before + since_then);
        suspect.occupied
    }
}
