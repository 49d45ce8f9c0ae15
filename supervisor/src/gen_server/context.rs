//! What a server knows about itself, and what its callbacks say beside their answers.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use regrow_runtime::{ExitReason, Message, Pid, ReplyTo, monotonic_time, self_pid};

use super::not_started::NotStarted;
use super::wait::{EventTimeout, Time, Wait, Wanted};
use super::{GenServer, Next};
use crate::ServerRef;
use crate::report::{contained, discard};
use crate::sys::Sys;

/// What a server knows about itself; every callback gets it.
pub struct Context<S> {
    parent: Option<Pid>,
    rare: Option<Box<Mutex<Rare>>>,
    server: PhantomData<fn(S)>,
}

/// What few servers have. In a mutex only to be `Sync`: nobody ever locks it.
#[derive(Default)]
pub(super) struct Rare {
    after_init: Option<Next>,
    hibernate_after: Option<Duration>,
    event: Option<EventTimeout<Message>>,
    late_replies: Vec<Box<dyn FnOnce() + Send>>,
    /// The text of the message that is being handled, if the server gives one.
    message: Option<String>,
    sys: Sys,
}

impl<S: GenServer> Context<S> {
    pub(super) fn new(parent: Option<Pid>, hibernate_after: Option<Duration>) -> Self {
        let mut cx = Context {
            parent,
            rare: None,
            server: PhantomData,
        };
        if hibernate_after.is_some() {
            cx.rare().hibernate_after = hibernate_after;
        }
        cx
    }

    /// The process that called [`start_link`](GenServer::start_link), if the server was started
    /// that way.
    pub fn parent(&self) -> Option<Pid> {
        self.parent
    }

    /// This process.
    pub fn pid(&self) -> Pid {
        self_pid()
    }

    /// A reference to this server, to hand to others.
    pub fn server_ref(&self) -> ServerRef<S::Message> {
        ServerRef::from_pid(self_pid())
    }

    /// In [`init`](GenServer::init): how the server goes on when `init` is done, and its starter
    /// told so (OTP: `{ok, State, Timeout | hibernate | {continue, Term}}`). Without it the
    /// server waits for its first message. In other callbacks it does nothing: they answer a
    /// [`Next`].
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{ExitReason, ReplyTo};
    /// use regrow_supervisor::{Context, GenServer, Next};
    ///
    /// struct Index { words: Vec<String> }
    ///
    /// impl GenServer for Index {
    ///     type Args = ();
    ///     type Message = ReplyTo<usize>;
    ///
    ///     async fn init(_: (), cx: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         cx.after_init(Next::HandleContinue); // nobody has to wait for the reading
    ///         Ok(Index { words: Vec::new() })
    ///     }
    ///
    ///     async fn handle_continue(&mut self, _: &mut Context<Self>) -> Next {
    ///         self.words = "it was a dark and stormy night".split(' ').map(str::to_owned).collect();
    ///         Next::Continue
    ///     }
    ///
    ///     async fn handle(&mut self, reply: ReplyTo<usize>, _: &mut Context<Self>) -> Next {
    ///         reply.send(self.words.len());
    ///         Next::Continue
    ///     }
    /// }
    ///
    /// let index = Index::start_link(()).await.unwrap();
    /// assert_eq!(index.call(|reply| reply).await, Ok(7));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn after_init(&mut self, next: Next) {
        self.rare().after_init = Some(next);
    }

    /// The error with which [`init`](GenServer::init) says that there is to be no server, and
    /// that this is fine (OTP: `ignore`). The process ends as normal, and the starter gets
    /// [`StartError::Ignored`](crate::StartError::Ignored); a supervisor goes on without the
    /// child.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::ExitReason;
    /// use regrow_supervisor::{Context, GenServer, Next, StartError};
    ///
    /// struct Metrics;
    ///
    /// impl GenServer for Metrics {
    ///     type Args = bool;
    ///     type Message = ();
    ///
    ///     async fn init(enabled: bool, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         if !enabled {
    ///             return Err(cx.ignore());
    ///         }
    ///         Ok(Metrics)
    ///     }
    /// #   async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Next { Next::Continue }
    /// }
    ///
    /// assert_eq!(Metrics::start_link(false).await.unwrap_err(), StartError::Ignored);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "`init` must return it as its error"]
    pub fn ignore(&self) -> ExitReason {
        NotStarted::Ignored.into()
    }

    /// The error with which [`init`](GenServer::init) fails without a noise (OTP:
    /// `{error, Reason}`): the starter gets `reason` as any other, but the process ends as
    /// normal. So nothing is reported, and a starter that is linked and does not trap exits
    /// lives on.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::ExitReason;
    /// use regrow_supervisor::{Context, GenServer, Next, StartError};
    ///
    /// struct Listener;
    ///
    /// impl GenServer for Listener {
    ///     type Args = u16;
    ///     type Message = ();
    ///
    ///     async fn init(port: u16, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         if port < 1024 {
    ///             return Err(cx.fail(ExitReason::error("not allowed")));
    ///         }
    ///         Ok(Listener)
    ///     }
    /// #   async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Next { Next::Continue }
    /// }
    ///
    /// let error = Listener::start_link(80).await.unwrap_err(); // we go on
    /// assert_eq!(error, StartError::Exit(ExitReason::error("not allowed")));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "`init` must return it as its error"]
    pub fn fail(&self, reason: ExitReason) -> ExitReason {
        NotStarted::Failed(reason).into()
    }

    /// Ends the server with `reason`, and answers `reply` *after*
    /// [`terminate`](GenServer::terminate) has run, even if that panics (OTP:
    /// `{stop, Reason, Reply, State}`). To answer before, send the reply and return
    /// [`Next::Stop`].
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{ExitReason, ReplyTo};
    /// use regrow_supervisor::{Context, GenServer, Next};
    ///
    /// struct Store { saved: bool }
    /// struct Close(ReplyTo<&'static str>);
    ///
    /// impl GenServer for Store {
    ///     type Args = ();
    ///     type Message = Close;
    /// #   async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
    /// #       Ok(Store { saved: false })
    /// #   }
    ///
    ///     async fn handle(&mut self, Close(reply): Close, cx: &mut Context<Self>) -> Next {
    ///         cx.stop_and_reply(ExitReason::Normal, reply, "all is saved")
    ///     }
    ///
    ///     async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
    ///         self.saved = true;
    ///     }
    /// }
    ///
    /// let store = Store::start_link(()).await.unwrap();
    /// assert_eq!(store.call(Close).await, Ok("all is saved"));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "the server ends when the callback returns this"]
    pub fn stop_and_reply<R: Send + 'static>(
        &mut self,
        reason: ExitReason,
        reply: ReplyTo<R>,
        value: R,
    ) -> Next {
        self.late_reply(Box::new(move || reply.send(value)));
        Next::Stop(reason)
    }

    fn late_reply(&mut self, reply: Box<dyn FnOnce() + Send>) {
        self.rare().late_replies.push(reply);
    }

    /// Sets an *event timeout* and returns [`Next::Continue`], for the callback to return: if no
    /// other message comes within `after`, `message` does (OTP 28: `{timeout, Time, Message}`).
    /// Return [`Next::Hibernate`] instead to hibernate meanwhile (`{hibernate, Time, Message}`).
    ///
    /// It arrives like any message of its type: in [`handle`](GenServer::handle) if that is the
    /// server's own, else as [`Info::Message`](crate::Info::Message). Any message cancels it; a
    /// system message ([`sys`](crate::sys)) does not, nor does it give it more time. With zero
    /// it comes at once, before the messages that wait already. It holds for the next wait and no
    /// other; a [`Next::Timeout`] returned takes its place.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{ExitReason, ReplyTo};
    /// use regrow_supervisor::{Context, GenServer, Next};
    /// use std::time::Duration;
    ///
    /// struct Batch { lines: Vec<String>, written: usize }
    /// enum Line { Add(String), Flush, Written(ReplyTo<usize>) }
    ///
    /// impl GenServer for Batch {
    ///     type Args = ();
    ///     type Message = Line;
    /// #   async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
    /// #       Ok(Batch { lines: Vec::new(), written: 0 })
    /// #   }
    ///
    ///     async fn handle(&mut self, line: Line, cx: &mut Context<Self>) -> Next {
    ///         match line {
    ///             Line::Add(line) => {
    ///                 self.lines.push(line);
    ///                 return cx.timeout(Duration::from_millis(5), Line::Flush);
    ///             }
    ///             Line::Flush => self.written += self.lines.drain(..).count(),
    ///             Line::Written(reply) => reply.send(self.written),
    ///         }
    ///         Next::Continue
    ///     }
    /// }
    ///
    /// let batch = Batch::start_link(()).await.unwrap();
    /// batch.cast(Line::Add("one".into()));
    /// batch.cast(Line::Add("two".into()));
    /// regrow_runtime::sleep(Duration::from_millis(50)).await;
    /// assert_eq!(batch.call(Line::Written).await, Ok(2));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn timeout<T: Send + 'static>(&mut self, after: Duration, message: T) -> Next {
        self.set_event(Time::After(after), Message::new(message))
    }

    /// As [`timeout`](Context::timeout), at a moment of
    /// [`monotonic_time`] (OTP 28: with the option `{abs, true}`). If that has passed,
    /// the message comes as soon as no other waits.
    ///
    /// ```
    /// # use regrow_runtime::{ExitReason, monotonic_time};
    /// # use regrow_supervisor::{Context, GenServer, Next};
    /// # use std::time::Duration;
    /// # struct Auction { ends: Duration }
    /// # enum Bid { Of(u32), Over }
    /// # impl GenServer for Auction {
    /// #   type Args = ();
    /// #   type Message = Bid;
    /// #   async fn init(_: (), cx: &mut Context<Self>) -> Result<Self, ExitReason> {
    /// #       Ok(Auction { ends: monotonic_time() + Duration::from_millis(5) })
    /// #   }
    /// async fn handle(&mut self, bid: Bid, cx: &mut Context<Self>) -> Next {
    ///     match bid {
    ///         Bid::Of(_) => cx.timeout_at(self.ends, Bid::Over), // however many there are
    ///         Bid::Over => Next::Stop(ExitReason::Normal),
    ///     }
    /// }
    /// # }
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// # let auction = Auction::start(()).await.unwrap();
    /// # auction.cast(Bid::Of(1));
    /// # let end = regrow_runtime::monitor(auction.pid().unwrap());
    /// # regrow_runtime::receive_down(end).await;
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn timeout_at<T: Send + 'static>(&mut self, at: Duration, message: T) -> Next {
        self.set_event(Time::At(at), Message::new(message))
    }

    fn set_event(&mut self, time: Time, message: Message) -> Next {
        self.rare().event = Some(EventTimeout { time, message });
        Next::Continue
    }
}

/// For the server's loop.
impl<S> Context<S> {
    fn rare(&mut self) -> &mut Rare {
        let rare = self.rare.get_or_insert_default();
        rare.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn existing(&mut self) -> Option<&mut Rare> {
        let rare = self.rare.as_mut()?;
        Some(rare.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// How to go on after `init`.
    pub(super) fn first(&mut self) -> Next {
        let next = self.existing().and_then(|rare| rare.after_init.take());
        next.unwrap_or(Next::Continue)
    }

    /// A message is about to be handled, of this type; its text, if the server gives one.
    #[inline]
    pub(super) fn received(&mut self, type_name: &'static str, text: Option<String>) {
        if self.rare.is_some() || text.is_some() {
            let rare = self.rare();
            rare.sys.received(text.as_deref().unwrap_or(type_name));
            rare.message = text;
        }
    }

    /// Whether nothing at all is to be seen to between a callback and the next message.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.rare.is_none()
    }

    /// A callback has answered.
    #[inline]
    pub(super) fn answered(&mut self, next: &Next) {
        if let Some(rare) = self.existing() {
            rare.sys.answered(next);
        }
    }

    /// How to wait after a callback; `None` is the plain wait.
    #[inline]
    pub(super) fn wait(&mut self, wanted: Wanted) -> Option<Box<Wait<Message>>> {
        if self.rare.is_none() && wanted == Wanted::Continue {
            return None;
        }
        let (mut event, hibernate_after) = match self.existing() {
            Some(rare) => (rare.event.take(), rare.hibernate_after),
            None => (None, None),
        };
        if let Wanted::Timeout(_) = wanted {
            discard(event.take()); // the user's message
        }
        Wait::plan(wanted, event, hibernate_after, monotonic_time()).map(Box::new)
    }

    /// The text of the last message.
    pub(super) fn message_text(&mut self) -> Option<String> {
        self.existing()?.message.take()
    }

    /// The last steps, if they are kept.
    pub(super) fn log(&mut self) -> Vec<String> {
        self.existing().map_or(Vec::new(), |rare| rare.sys.log())
    }

    pub(super) fn sys(&mut self) -> &mut Sys {
        &mut self.rare().sys
    }

    /// Sends the replies that had to wait for `terminate`.
    pub(super) fn send_late_replies(&mut self) {
        let Some(rare) = self.existing() else { return };
        for reply in mem::take(&mut rare.late_replies) {
            contained(reply); // drops the value if nobody waits for it
        }
    }
}

impl<S> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("parent", &self.parent)
            .finish_non_exhaustive()
    }
}

/// Callbacks may hold a reference to their context across an await.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Context<()>>();
};
