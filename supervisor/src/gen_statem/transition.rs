//! What a machine gets, and what it answers.

use std::fmt;

use regrow_runtime::ExitReason;

#[cfg(doc)]
use super::Context;
use crate::gen_server::Info;

/// What happens to a machine that takes messages of type `M` and names its timeouts by `T`.
///
/// Any of these can be had again: put off by [`Context::postpone`], or inserted by
/// [`Context::next_event`].
#[derive(Debug)]
pub enum Event<M, T = ()> {
    /// A message of the machine's own type, however it was sent: by
    /// [`cast`](crate::ServerRef::cast), [`call`](crate::ServerRef::call), plain `send` or a
    /// timer that is not one of these.
    Message(M),
    /// What the machine told itself by [`Context::next_event`]. It comes from nowhere else.
    Internal(M),
    /// Nothing happened for the time of [`Context::event_timeout`].
    EventTimeout(M),
    /// The state has lasted for the time of [`Context::state_timeout`].
    StateTimeout(M),
    /// The time of [`Context::timeout`] is over.
    Timeout(T, M),
    /// Everything else: exits of linked processes (if the machine traps exits), downs, messages
    /// of other types. An idle timeout of a gen_server is never among it. In a box, because it is
    /// rare and large.
    Info(Box<Info>),
}

/// What a machine does after an event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Transition<S> {
    /// Goes to this state. One that is equal to the present one is no change.
    NextState(S),
    /// Stays.
    KeepState,
    /// Stays, and runs [`enter`](super::StateMachine::enter) once more. Nothing else is as after a
    /// change: the state timeout runs on, and what is postponed stays so.
    RepeatState,
    /// Runs [`terminate`](super::StateMachine::terminate) and ends with this reason.
    Stop(ExitReason),
}

impl<S: fmt::Debug> fmt::Display for Transition<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Transition::NextState(state) => write!(f, "next_state: {state:?}"),
            Transition::KeepState => f.write_str("keep_state"),
            Transition::RepeatState => f.write_str("repeat_state"),
            Transition::Stop(reason) => write!(f, "stop: {reason}"),
        }
    }
}
