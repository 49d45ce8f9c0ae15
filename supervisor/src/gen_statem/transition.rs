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

/// Stays, or stops with the error as the reason: for what a handler does with `?`.
impl<S, E: Into<ExitReason>> From<Result<(), E>> for Transition<S> {
    fn from(result: Result<(), E>) -> Self {
        Transition::from(result.map(|()| Transition::KeepState))
    }
}

/// What comes next, or a stop with the error as the reason.
///
/// ```
/// use regrow_runtime::ExitReason;
/// use regrow_supervisor::gen_statem::Transition;
///
/// #[derive(Debug, PartialEq)]
/// enum State { Counting, Enough }
///
/// fn count(text: &str) -> Result<Transition<State>, std::num::ParseIntError> {
///     Ok(match text.parse()? {
///         0..10_u32 => Transition::KeepState,
///         _ => Transition::NextState(State::Enough),
///     })
/// }
///
/// assert_eq!(Transition::from(count("7")), Transition::KeepState);
/// assert_eq!(Transition::from(count("70")), Transition::NextState(State::Enough));
/// assert!(matches!(Transition::from(count("seven")), Transition::Stop(ExitReason::Error(_))));
/// ```
impl<S, E: Into<ExitReason>> From<Result<Transition<S>, E>> for Transition<S> {
    fn from(result: Result<Transition<S>, E>) -> Self {
        result.unwrap_or_else(|error| Transition::Stop(error.into()))
    }
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
