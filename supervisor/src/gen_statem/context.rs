//! What a callback can ask for.

use std::fmt;
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, self_pid};

use super::queue::{Actions, Setting, Which};
use super::{Event, StateMachine, Transition};
use crate::ServerRef;
use crate::gen_server::not_started::NotStarted;
use crate::sys::Sys;

/// What a machine knows about itself, and how it asks for more than the next state; every
/// callback gets it.
///
/// What is asked for happens when the callback is over, in the order that
/// [the module](super#what-comes-next) has; if it panics or stops the machine, not at all. Of
/// several wishes about the same timeout only the last counts, those of
/// [`enter`](StateMachine::enter) after those of the handler before it.
pub struct Context<S: StateMachine> {
    parent: Option<Pid>,
    pub(super) phase: Phase,
    pub(super) actions: Actions<S::Message, S::Timer>,
    pub(super) hibernate: bool,
    rare: Option<Box<Rare>>,
}

/// What few machines have.
#[derive(Default)]
struct Rare {
    hibernate_after: Option<Duration>,
    /// The text of the event that is being handled, if the machine gives one.
    message: Option<String>,
    sys: Sys,
}

/// Which callback runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Init,
    Enter,
    Handle,
}

impl<S: StateMachine> Context<S> {
    pub(super) fn new(parent: Option<Pid>, hibernate_after: Option<Duration>) -> Self {
        let mut cx = Context {
            parent,
            phase: Phase::Init,
            actions: Actions::default(),
            hibernate: false,
            rare: None,
        };
        if hibernate_after.is_some() {
            cx.rare().hibernate_after = hibernate_after;
        }
        cx
    }

    /// The process that called [`start_link`](StateMachine::start_link), if the machine was
    /// started that way.
    pub fn parent(&self) -> Option<Pid> {
        self.parent
    }

    /// This process.
    pub fn pid(&self) -> Pid {
        self_pid()
    }

    /// A reference to this machine, to hand to others.
    pub fn server_ref(&self) -> ServerRef<S::Message> {
        ServerRef::from_pid(self_pid())
    }

    /// Puts the event off until the state changes; what was put off comes again then, in its
    /// order, before anything that is newer. A reply handle in it stays good.
    ///
    /// It must be the event that the handler got, or what has become of it.
    ///
    /// # Panics
    ///
    /// In `init` and `enter`, where there is no event.
    pub fn postpone(&mut self, event: Event<S::Message, S::Timer>) {
        assert!(
            self.phase == Phase::Handle,
            "only `handle` has an event to postpone"
        );
        self.actions.postponed.push(event);
    }

    /// Inserts an event, to be handled before anything that waits; several in the order of the
    /// calls. It can be of any kind, and then looks like it; one that only the machine can make
    /// is an [`Event::Internal`].
    ///
    /// ```
    /// # use regrow_runtime::{ExitReason, ReplyTo};
    /// # use regrow_supervisor::gen_statem::{Context, Event, StateMachine, Transition};
    /// /// Takes pieces of text, and counts lines.
    /// struct Lines { rest: String, empty: u32, full: u32 }
    /// enum Input { Piece(&'static str), Line(String), Counts(ReplyTo<(u32, u32)>) }
    ///
    /// impl StateMachine for Lines {
    /// #   type Args = ();
    /// #   type State = ();
    ///     type Message = Input;
    /// #   type Timer = ();
    /// #   async fn init(_: (), _: &mut Context<Self>) -> Result<((), Self), ExitReason> {
    /// #       Ok(((), Lines { rest: String::new(), empty: 0, full: 0 }))
    /// #   }
    ///     // ...
    ///     async fn handle(&mut self, event: Event<Input>, _: &(), cx: &mut Context<Self>) -> Transition<()> {
    ///         match event {
    ///             Event::Message(Input::Piece(piece)) => {
    ///                 self.rest.push_str(piece);
    ///                 while let Some((line, rest)) = self.rest.split_once('\n') {
    ///                     cx.next_event(Event::Internal(Input::Line(line.to_owned())));
    ///                     self.rest = rest.to_owned();
    ///                 }
    ///             }
    ///             Event::Internal(Input::Line(line)) if line.is_empty() => self.empty += 1,
    ///             Event::Internal(_) => self.full += 1,
    ///             Event::Message(Input::Counts(reply)) => reply.send((self.empty, self.full)),
    ///             _ => {}
    ///         }
    ///         Transition::KeepState
    ///     }
    /// }
    ///
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// let lines = Lines::start_link(()).await.unwrap();
    /// lines.cast(Input::Piece("one\n\ntw"));
    /// lines.cast(Input::Piece("o\nthree"));
    /// assert_eq!(lines.call(Input::Counts).await, Ok((1, 2)));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// In `enter`, as in OTP: which state would it be for? A [`state_timeout`](Self::state_timeout)
    /// of no time does what is wanted.
    pub fn next_event(&mut self, event: Event<S::Message, S::Timer>) {
        assert!(
            self.phase != Phase::Enter,
            "`enter` can insert no event; set a state timeout of no time"
        );
        self.actions.next_events.push(event);
    }

    /// Sends an [`Event::EventTimeout`] with this message if no event comes for this long. Any
    /// event cancels it, a postponed one too, and it is not armed again. With no time it comes
    /// only if no event waits that is known already.
    ///
    /// ```
    /// # use regrow_runtime::{ExitReason, monitor, receive_down};
    /// # use regrow_supervisor::gen_statem::{Context, Event, StateMachine, Transition};
    /// # use std::time::Duration;
    /// # struct Session;
    /// # impl StateMachine for Session {
    /// #   type Args = ();
    /// #   type State = ();
    /// #   type Message = &'static str;
    /// #   type Timer = ();
    /// #   async fn init(_: (), _: &mut Context<Self>) -> Result<((), Self), ExitReason> {
    /// #       Ok(((), Session))
    /// #   }
    /// async fn handle(&mut self, event: Event<&'static str>, _: &(), cx: &mut Context<Self>) -> Transition<()> {
    ///     if let Event::EventTimeout(_) = event {
    ///         return Transition::Stop(ExitReason::Normal);
    ///     }
    ///     cx.event_timeout(Duration::from_millis(5), "nobody says anything");
    ///     Transition::KeepState
    /// }
    /// # }
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// # let session = Session::start(()).await.unwrap();
    /// # let end = monitor(session.pid().unwrap());
    /// # session.cast("hello");
    /// # assert_eq!(receive_down(end).await.reason, ExitReason::Normal);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn event_timeout(&mut self, after: Duration, message: S::Message) {
        self.set(Which::Event, Setting::After(after, message));
    }

    /// As [`event_timeout`](Self::event_timeout), at a moment of [`monotonic_time`] (OTP: with the
    /// option `{abs, true}`). One that has passed comes behind the messages that wait, and so
    /// only if there is none; this is true of all absolute timeouts.
    ///
    /// [`monotonic_time`]: regrow_runtime::monotonic_time
    pub fn event_timeout_at(&mut self, at: Duration, message: S::Message) {
        self.set(Which::Event, Setting::At(at, message));
    }

    /// Sends an [`Event::StateTimeout`] with this message when the state has lasted this long.
    /// A change of state cancels it; set in the handler that changes the state, it is the new
    /// state's. Setting it again begins anew.
    pub fn state_timeout(&mut self, after: Duration, message: S::Message) {
        self.set(Which::State, Setting::After(after, message));
    }

    /// As [`state_timeout`](Self::state_timeout), at a moment of
    /// [`monotonic_time`](regrow_runtime::monotonic_time): a deadline that does not move when it is
    /// set again, in this state or in the next.
    ///
    /// ```
    /// # use regrow_runtime::{ExitReason, ReplyTo, monotonic_time};
    /// # use regrow_supervisor::gen_statem::{Context, Event, StateMachine, Transition};
    /// # use std::time::Duration;
    /// #[derive(Debug, PartialEq)]
    /// enum State { Question(u32), Over }
    /// enum Message { Answer, TimeIsUp, Reached(ReplyTo<u32>) }
    /// struct Quiz { ends: Duration, reached: u32 }
    ///
    /// impl StateMachine for Quiz {
    /// #   type Args = Duration;
    /// #   type State = State;
    /// #   type Message = Message;
    /// #   type Timer = ();
    ///     async fn init(time: Duration, _: &mut Context<Self>) -> Result<(State, Self), ExitReason> {
    ///         Ok((State::Question(1), Quiz { ends: monotonic_time() + time, reached: 1 }))
    ///     }
    ///
    ///     async fn enter(&mut self, _: &State, state: &State, cx: &mut Context<Self>) -> Result<(), ExitReason> {
    ///         if let State::Question(number) = state {
    ///             self.reached = *number;
    ///             cx.state_timeout_at(self.ends, Message::TimeIsUp); // one time for all questions
    ///         }
    ///         Ok(())
    ///     }
    ///     // ...
    /// #   async fn handle(&mut self, event: Event<Message>, state: &State, cx: &mut Context<Self>) -> Transition<State> {
    /// #       match (state, event) {
    /// #           (State::Question(n), Event::Message(Message::Answer)) => return Transition::NextState(State::Question(n + 1)),
    /// #           (State::Over, Event::Message(Message::Reached(reply))) => reply.send(self.reached),
    /// #           (_, Event::StateTimeout(Message::TimeIsUp)) => return Transition::NextState(State::Over),
    /// #           (State::Question(_), ask) => cx.postpone(ask),
    /// #           _ => {}
    /// #       }
    /// #       Transition::KeepState
    /// #   }
    /// }
    ///
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// let quiz = Quiz::start_link(Duration::from_millis(20)).await.unwrap();
    /// quiz.cast(Message::Answer);
    /// quiz.cast(Message::Answer);
    /// assert_eq!(quiz.call(Message::Reached).await, Ok(3)); // when the time is up
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn state_timeout_at(&mut self, at: Duration, message: S::Message) {
        self.set(Which::State, Setting::At(at, message));
    }

    /// Gives a state timeout that runs another message, without touching its time. If none
    /// runs, this is a state timeout of no time.
    pub fn update_state_timeout(&mut self, message: S::Message) {
        self.set(Which::State, Setting::Update(message));
    }

    /// Cancels the state timeout. It does not come, not even if its time was over already.
    pub fn cancel_state_timeout(&mut self) {
        self.set(Which::State, Setting::Cancel);
    }

    /// Sends an [`Event::Timeout`] with this name and message after a time, whatever happens
    /// until then (OTP: a generic timeout). Any number of names may run; setting one again
    /// begins anew.
    ///
    /// ```
    /// # use regrow_runtime::{ExitReason, ReplyTo};
    /// # use regrow_supervisor::gen_statem::{Context, Event, StateMachine, Transition};
    /// # use std::time::Duration;
    /// /// Forgets who has not been seen for a while.
    /// struct Present { users: Vec<u32> }
    /// enum Message { Seen(u32), Gone, Users(ReplyTo<Vec<u32>>) }
    ///
    /// impl StateMachine for Present {
    /// #   type Args = ();
    /// #   type State = ();
    ///     type Message = Message;
    ///     type Timer = u32; // a user
    /// #   async fn init(_: (), _: &mut Context<Self>) -> Result<((), Self), ExitReason> {
    /// #       Ok(((), Present { users: Vec::new() }))
    /// #   }
    ///     // ...
    ///     async fn handle(&mut self, event: Event<Message, u32>, _: &(), cx: &mut Context<Self>) -> Transition<()> {
    ///         match event {
    ///             Event::Message(Message::Seen(user)) => {
    ///                 self.users.retain(|it| *it != user);
    ///                 self.users.push(user);
    ///                 cx.timeout(user, Duration::from_millis(5), Message::Gone);
    ///             }
    ///             Event::Timeout(user, _) => self.users.retain(|it| *it != user),
    ///             Event::Message(Message::Users(reply)) => reply.send(self.users.clone()),
    ///             _ => {}
    ///         }
    ///         Transition::KeepState
    ///     }
    /// }
    ///
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// let present = Present::start_link(()).await.unwrap();
    /// present.cast(Message::Seen(7));
    /// present.cast(Message::Seen(8));
    /// assert_eq!(present.call(Message::Users).await, Ok(vec![7, 8]));
    /// while !present.call(Message::Users).await.unwrap().is_empty() {
    ///     regrow_runtime::sleep(Duration::from_millis(1)).await;
    /// }
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn timeout(&mut self, name: S::Timer, after: Duration, message: S::Message) {
        self.set(Which::Named(name), Setting::After(after, message));
    }

    /// As [`timeout`](Self::timeout), at a moment of
    /// [`monotonic_time`](regrow_runtime::monotonic_time).
    pub fn timeout_at(&mut self, name: S::Timer, at: Duration, message: S::Message) {
        self.set(Which::Named(name), Setting::At(at, message));
    }

    /// Gives the timeout of this name another message, without touching its time. If it does
    /// not run, this is one of no time.
    pub fn update_timeout(&mut self, name: S::Timer, message: S::Message) {
        self.set(Which::Named(name), Setting::Update(message));
    }

    /// Cancels the timeout of this name. It does not come, not even if its time was over
    /// already.
    pub fn cancel_timeout(&mut self, name: S::Timer) {
        self.set(Which::Named(name), Setting::Cancel);
    }

    /// Hibernates before the next message is received (OTP: the action `hibernate`):
    /// [`StateMachine::hibernate`] runs, and the process gives back what it can spare. Timeouts
    /// run on.
    pub fn hibernate(&mut self) {
        self.hibernate = true;
    }

    /// The error with which [`init`](StateMachine::init) says that there is to be no machine, and
    /// that this is fine; see [`Context::ignore`](crate::Context::ignore) of a server.
    #[must_use = "`init` must return it as its error"]
    pub fn ignore(&self) -> ExitReason {
        NotStarted::Ignored.into()
    }

    /// The error with which [`init`](StateMachine::init) fails without a noise; see
    /// [`Context::fail`](crate::Context::fail) of a server.
    #[must_use = "`init` must return it as its error"]
    pub fn fail(&self, reason: ExitReason) -> ExitReason {
        NotStarted::Failed(reason).into()
    }

    fn set(&mut self, which: Which<S::Timer>, setting: Setting<S::Message>) {
        self.actions.timeouts.push((which, setting));
    }
}

/// For the machine's loop.
impl<S: StateMachine> Context<S> {
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// An event is about to be handled, of this type or kind; its text, if the machine gives
    /// one.
    pub(super) fn received(&mut self, kind: &'static str, text: Option<String>) {
        if self.rare.is_some() || text.is_some() {
            let rare = self.rare();
            rare.sys.received(text.as_deref().unwrap_or(kind));
            rare.message = text;
        }
    }

    /// The handler has answered.
    pub(super) fn answered(&mut self, transition: &Transition<S::State>) {
        if let Some(rare) = &mut self.rare {
            rare.sys.answered(transition);
        }
    }

    pub(super) fn hibernate_after(&self) -> Option<Duration> {
        self.rare.as_ref()?.hibernate_after
    }

    /// The text of the last event.
    pub(super) fn message_text(&mut self) -> Option<String> {
        self.rare.as_mut()?.message.take()
    }

    /// The last steps, if they are kept.
    pub(super) fn log(&self) -> Vec<String> {
        self.rare.as_ref().map_or(Vec::new(), |rare| rare.sys.log())
    }

    pub(super) fn sys(&mut self) -> &mut Sys {
        &mut self.rare().sys
    }
}

impl<S: StateMachine> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("parent", &self.parent)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
