//! gen_event: one process that tells many handlers what happens.
//!
//! Handlers are added to an [event manager](EventManager) and taken away while it runs. Whoever
//! has something to tell does not know them: it [notifies](EventManagerRef::notify) the manager,
//! which hands each of them a clone of the event, the youngest first. All of them run in the
//! manager's process, one after the other, so a handler should be quick; one that panics is
//! taken away and reported, and the manager and the others go on.
//!
//! ```
//! use regrow_runtime::{ExitReason, ReplyTo, Runtime};
//! use regrow_supervisor::gen_event::{EventManager, Handler, HandlerId, Next};
//!
//! #[derive(Clone)]
//! enum Alarm { Raised(&'static str), Cleared(&'static str) }
//!
//! /// Counts the alarms that are raised now.
//! #[derive(Default)]
//! struct Counter { raised: i64 }
//!
//! enum Query { Raised(ReplyTo<i64>) }
//!
//! impl Handler<Alarm> for Counter {
//!     type Request = Query;
//!
//!     async fn handle_event(&mut self, alarm: Alarm) -> Next {
//!         match alarm {
//!             Alarm::Raised(_) => self.raised += 1,
//!             Alarm::Cleared(_) => self.raised -= 1,
//!         }
//!         Next::Continue
//!     }
//!
//!     async fn handle_call(&mut self, Query::Raised(reply): Query) -> Next {
//!         reply.send(self.raised);
//!         Next::Continue
//!     }
//! }
//!
//! const COUNTER: HandlerId<Counter> = HandlerId::new("counter");
//!
//! Runtime::new().unwrap().block_on(async {
//!     let alarms = EventManager::<Alarm>::new().start_link().await.unwrap();
//!     alarms.add_handler(COUNTER, || async { Ok(Counter::default()) }).await.unwrap();
//!
//!     alarms.notify(Alarm::Raised("disk"));
//!     alarms.notify(Alarm::Raised("fan"));
//!     alarms.notify(Alarm::Cleared("fan"));
//!     assert_eq!(alarms.call(COUNTER, Query::Raised).await, Ok(1));
//!
//!     let counter: Counter = alarms.delete_handler(COUNTER).await.unwrap();
//!     assert_eq!(counter.raised, 1);
//! });
//! ```
//!
//! # Supervised handlers
//!
//! A handler cannot be restarted by a supervisor, as it is no process. Instead somebody can
//! answer for it: [`add_sup_handler`](EventManagerRef::add_sup_handler) links the manager with
//! the process that adds the handler. If that ends, the handler is taken away; if the handler
//! goes, be it with the manager, that process gets a [`HandlerExit`], and may add it again.

// `handlers.rs` is the list of them and what may happen to it, `manager.rs` the process,
// `reference.rs` what others see.
mod call;
mod error;
mod handlers;
mod manager;
mod reference;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use regrow_runtime::{ExitReason, Pid};

use crate::Info;
use crate::report::contained;

pub use call::HandlerCall;
pub use error::{AddHandlerError, CallHandlerError, DeleteHandlerError, SwapHandlerError};
pub use manager::EventManager;
pub use reference::EventManagerRef;

/// What is told about events of type `E`.
///
/// [The module](self) has an example.
pub trait Handler<E>: Sized + Send + 'static {
    /// What this handler can be [asked](EventManagerRef::call): an enum whose variants carry a
    /// [`ReplyTo`](regrow_runtime::ReplyTo); `()` for one that nobody asks.
    type Request: Send + 'static;

    /// Handles an event.
    fn handle_event(&mut self, event: E) -> impl Future<Output = Next> + Send;

    /// Handles a request that is for this handler only. The default drops it, which tells the
    /// caller so.
    fn handle_call(&mut self, _request: Self::Request) -> impl Future<Output = Next> + Send {
        async { Next::Continue }
    }

    /// Sees what else the manager's process gets: exits, downs of processes that the handler
    /// monitors, messages of other types. All handlers see the same one, so it is lent, and
    /// this is no `async fn`. The default ignores it.
    fn handle_info(&mut self, _info: &Info) -> Next {
        Next::Continue
    }

    /// Cleans up before the handler is gone. The default does nothing.
    fn terminate(&mut self, _why: &Removal) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What a handler does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Waits for the next event.
    Continue,
    /// Goes. [`terminate`](Handler::terminate) runs.
    Remove,
}

/// Why a handler is taken away.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Removal {
    /// By [`delete_handler`](EventManagerRef::delete_handler).
    Deleted,
    /// It has said [`Next::Remove`].
    Itself,
    /// Another one takes its place, with this id.
    Swapped(Arc<str>),
    /// It has panicked.
    Failed(ExitReason),
    /// The process that answers for it has ended, for this reason.
    AdderExit(ExitReason),
    /// The manager ends.
    ManagerStop,
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Removal::Deleted => f.write_str("deleted"),
            Removal::Itself => f.write_str("removed itself"),
            Removal::Swapped(by) => write!(f, "swapped for {by}"),
            Removal::Failed(reason) => write!(f, "failed: {reason}"),
            Removal::AdderExit(reason) => write!(f, "its adder ended: {reason}"),
            Removal::ManagerStop => f.write_str("the event manager stops"),
        }
    }
}

/// Tells a process that a handler that it answers for is gone (OTP: `gen_event_EXIT`); it comes
/// to the mailbox of whoever called [`add_sup_handler`](EventManagerRef::add_sup_handler).
///
/// A manager that is killed tells nobody; the link does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HandlerExit {
    /// The event manager.
    pub manager: Pid,
    /// The handler's id.
    pub id: Arc<str>,
    /// Why it is gone.
    pub why: Removal,
}

/// A handler as [`which_handlers`](EventManagerRef::which_handlers) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerInfo {
    /// Its id.
    pub id: Arc<str>,
    /// The type of the handler.
    pub type_name: &'static str,
    /// Who answers for it, if anybody does.
    pub adder: Option<Pid>,
}

/// What a handler of type `H` is called within its manager.
///
/// A text becomes one where the type of the handler is known. As in OTP nothing keeps two
/// handlers from having the same id; it means the younger one then. Handlers of different types
/// do not share ids.
///
/// ```
/// use regrow_supervisor::gen_event::HandlerId;
///
/// struct Console;
/// const CONSOLE: HandlerId<Console> = HandlerId::new("console");
/// assert_eq!(CONSOLE.as_str(), "console");
/// ```
pub struct HandlerId<H> {
    text: Text,
    handler: PhantomData<fn(H)>,
}

#[derive(Clone)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl<H> HandlerId<H> {
    /// An id known at compile time.
    pub const fn new(id: &'static str) -> Self {
        HandlerId {
            text: Text::Static(id),
            handler: PhantomData,
        }
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        match &self.text {
            Text::Static(text) => text,
            Text::Shared(text) => text,
        }
    }

    fn into_text(self) -> Arc<str> {
        match self.text {
            Text::Static(text) => text.into(),
            Text::Shared(text) => text,
        }
    }
}

impl<H> Clone for HandlerId<H> {
    fn clone(&self) -> Self {
        HandlerId {
            text: self.text.clone(),
            handler: PhantomData,
        }
    }
}

impl<H> fmt::Debug for HandlerId<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerId({:?})", self.as_str())
    }
}

impl<H> From<&'static str> for HandlerId<H> {
    fn from(id: &'static str) -> Self {
        HandlerId::new(id)
    }
}

impl<H> From<String> for HandlerId<H> {
    fn from(id: String) -> Self {
        HandlerId::from(Arc::<str>::from(id))
    }
}

impl<H> From<Arc<str>> for HandlerId<H> {
    fn from(id: Arc<str>) -> Self {
        HandlerId {
            text: Text::Shared(id),
            handler: PhantomData,
        }
    }
}

/// A handler has gone by a failure.
fn report_failure(id: &str, type_name: &str, manager: Pid, reason: &ExitReason) {
    contained(|| {
        tracing::error!(
            target: "regrow::gen_event",
            handler = id,
            handler_type = type_name,
            manager = %manager,
            reason = %reason,
            "event handler crashed and was removed"
        );
    });
}
