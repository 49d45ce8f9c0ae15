//! What is outside a simulation and tries to reach into it, or the other way round.
//!
//! A simulation repeats itself because nothing comes in that it does not draw itself. So
//! a thread outside finds no process in it: what it sends is lost, whom it wakes sleeps
//! on. That it tried is noted, and said when the simulation then comes to nothing.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::pid::Pid;

/// So many attempts are remembered.
const KEPT: usize = 1024;

struct Notes {
    /// The number of the next note.
    next: u64,
    /// Number of the note, and index, oldest first.
    notes: VecDeque<(u64, u32)>,
}

static NOTES: Mutex<Notes> = Mutex::new(Notes {
    next: 0,
    notes: VecDeque::new(),
});

/// Notes that somebody has looked for a simulated process, to send to it or to wake it,
/// on a thread that does not know it.
pub(super) fn note(index: u32) {
    let mut notes = NOTES.lock();
    let number = notes.next;
    notes.next += 1;
    if notes.notes.len() == KEPT {
        notes.notes.pop_front();
    }
    notes.notes.push_back((number, index));
}

/// The number that the next note will have.
pub(super) fn next_note() -> u64 {
    NOTES.lock().next
}

/// How often somebody outside has tried to reach a process since that note. Simulations
/// that run side by side number their processes alike, so it may have been meant for
/// another one's.
pub(super) fn attempts_since(first: u64, pid: Pid) -> usize {
    let notes = NOTES.lock();
    let since = notes.notes.iter().filter(|(number, _)| *number >= first);
    since.filter(|(_, index)| *index == pid.index()).count()
}

/// A simulated process has tried to signal one that is not.
///
/// # Panics
///
/// Always: that is a mistake in the program.
#[cold]
#[track_caller]
pub(crate) fn refuse(to: Pid) -> ! {
    panic!(
        "{to} is not of this simulation: its answer could not be repeated. \
         Start what a simulated process talks to inside the simulation"
    )
}
