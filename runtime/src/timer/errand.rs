//! What is the user's code, and nobody's work, when a timer is due: a waker that is not a
//! process's own, and the drop of a message that reaches nobody.
//!
//! Whoever turns a wheel is in no turn: the monitor does not see it, and what is due behind
//! waits. Such code may block or compute for long, so it is run by a process that is spawned
//! for it. There it holds up nobody, and is reported if it tries, like any other. (The clone of
//! an interval's message has somebody whose work it is: its receiver.)

use std::panic::Location;
use std::sync::{Arc, LazyLock};
use std::task::Waker;

use super::interval::Repeat;
use crate::message::Message;
use crate::panic::{discard, wake_caught};
use crate::process::spawn::SpawnOptions;
use crate::process::{Undelivered, drop_undelivered};
use crate::scheduler::Shared;

/// What is to be done.
pub(super) enum Errand {
    Wake(Waker),
    Drop(Undelivered, Message),
    DropRepeat(Repeat),
}

/// How the processes are labelled that do it.
static LABEL: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("errand of a timer"));

impl Errand {
    #[cold]
    pub(super) fn give_to_a_process(self, shared: &Arc<Shared>) {
        let is_ours_alone = matches!(&self, Errand::Drop(_, message) if !message.0.needs_drop());
        let doer = Doer(Some(self));
        // In a simulation one thread does everything anyway, and pids should be the user's. At the
        // end of a runtime there is nobody left to be held up, nor perhaps to run a process.
        if is_ours_alone || shared.is_simulated() || shared.is_halted() {
            return drop(doer);
        }
        let body = async move { drop(doer) };
        let options = SpawnOptions::new().label(LABEL.clone());
        // Without room for a process it is done here: the body is dropped.
        let _ = options.spawn_on(shared, Location::caller(), body);
    }

    fn run(self) {
        match self {
            Errand::Wake(waker) => wake_caught(waker),
            Errand::Drop(why, message) => drop_undelivered(why, message.0),
            Errand::DropRepeat(repeat) => discard("the drop of an interval's message", repeat),
        }
    }
}

/// Does it when it is dropped, so that it is done even if its process is killed before.
struct Doer(Option<Errand>);

impl Drop for Doer {
    fn drop(&mut self) {
        if let Some(errand) = self.0.take() {
            errand.run();
        }
    }
}
