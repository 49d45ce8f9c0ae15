//! What others see of an event manager.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, ReplyTo, reply_channel, self_pid};

use super::call::HandlerCall;
use super::error::{AddHandlerError, DeleteHandlerError, SwapHandlerError};
use super::handlers::{AnyHandler, Key};
use super::manager::{New, Request};
use super::{Handler, HandlerId, HandlerInfo};
use crate::call::wait_here;
use crate::sys::Target;
use crate::{Call, CallError, Callee, Child, Name, ServerRef, StopError, Via};

/// A reference to a running event manager, by pid or by name. Cheap to clone.
///
/// Requests wait without limit, but for [`call`](EventManagerRef::call): the manager may be busy
/// with an event. They fail with a [`CallError`] if it is gone or ends meanwhile.
///
/// For a reference by name everything here panics outside a process.
pub struct EventManagerRef<E> {
    server: ServerRef<Request<E>>,
}

impl<E: Clone + Send + 'static> EventManagerRef<E> {
    pub(super) fn new(server: ServerRef<Request<E>>) -> Self {
        EventManagerRef { server }
    }

    /// The event manager running as this process. Nothing checks that it is one for such
    /// events.
    pub fn from_pid(pid: Pid) -> Self {
        EventManagerRef::new(ServerRef::from_pid(pid))
    }

    /// The event manager that has this name when it is asked.
    pub fn named(name: impl Into<String>) -> Self {
        EventManagerRef::new(Name::from_string(name.into()).into())
    }

    /// The event manager that another registry says has the name, asked each time.
    pub fn via(via: Arc<dyn Via>) -> Self {
        EventManagerRef::new(ServerRef::via(via))
    }

    /// Its process; for a reference by name, whoever has the name now.
    pub fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// Tells all handlers what happened, and waits for none of them. A manager that is gone is
    /// no error.
    pub fn notify(&self, event: E) {
        self.server.cast(Request::Notify(event));
    }

    /// Tells all handlers what happened and waits until they have handled it.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[track_caller]
    pub fn sync_notify(&self, event: E) -> impl Future<Output = Result<(), CallError>> + Send {
        let call = self.server.call(|reply| Request::SyncNotify(event, reply));
        wait_here(call.no_timeout())
    }

    /// Adds a handler as the youngest. What makes it runs in the manager's process.
    ///
    /// # Errors
    ///
    /// See [`AddHandlerError`].
    #[track_caller]
    pub fn add_handler<H, F>(
        &self,
        id: impl Into<HandlerId<H>>,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> impl Future<Output = Result<(), AddHandlerError>> + Send
    where
        H: Handler<E>,
        F: Future<Output = Result<H, ExitReason>> + Send + 'static,
    {
        self.add(id.into(), make, None)
    }

    /// Adds a handler for which the calling process answers: the two are linked. If the process
    /// ends, with whatever reason, the handler is taken away; if the handler goes, the process
    /// gets a [`HandlerExit`](super::HandlerExit).
    ///
    /// ```
    /// # use regrow_runtime::*;
    /// use regrow_supervisor::gen_event::{EventManager, Handler, HandlerExit, Next, Removal};
    ///
    /// struct Fragile;
    ///
    /// impl Handler<u32> for Fragile {
    ///     type Request = ();
    ///     async fn handle_event(&mut self, n: u32) -> Next {
    ///         assert!(n < 10, "too many");
    ///         Next::Continue
    ///     }
    /// }
    ///
    /// # Runtime::new().unwrap().block_on(async {
    /// let manager = EventManager::<u32>::new().start_link().await.unwrap();
    /// manager.add_sup_handler("fragile", || async { Ok(Fragile) }).await.unwrap();
    /// manager.notify(9);
    /// manager.notify(10);
    /// let gone: HandlerExit = receive().await;
    /// assert!(matches!(gone.why, Removal::Failed(_)));
    /// assert_eq!(gone.why.to_string().split(": ").last(), Some("too many"));
    /// assert!(manager.which_handlers().await.unwrap().is_empty());
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// See [`AddHandlerError`].
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn add_sup_handler<H, F>(
        &self,
        id: impl Into<HandlerId<H>>,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> impl Future<Output = Result<(), AddHandlerError>> + Send
    where
        H: Handler<E>,
        F: Future<Output = Result<H, ExitReason>> + Send + 'static,
    {
        self.add(id.into(), make, Some(self_pid()))
    }

    #[track_caller]
    fn add<H, F>(
        &self,
        id: HandlerId<H>,
        make: impl FnOnce() -> F + Send + 'static,
        adder: Option<Pid>,
    ) -> impl Future<Output = Result<(), AddHandlerError>> + Send
    where
        H: Handler<E>,
        F: Future<Output = Result<H, ExitReason>> + Send + 'static,
    {
        let new = new_handler::<E, H, F>(id, adder, |_| make());
        let call = self.server.call(|reply| Request::Add(new, reply));
        wait_here(async move { call.no_timeout().await?.map_err(AddHandlerError::Failed) })
    }

    /// Puts another handler in the place of one, which it is made of: the old one's
    /// [`terminate`](Handler::terminate) runs, and then it is given away. So nothing is lost that
    /// happens meanwhile. If there was no such handler, or its `terminate` panicked, there is
    /// nothing to give. The new one is the youngest. Whoever answered for the old one is told
    /// that it is gone, and answers for the new one.
    ///
    /// ```
    /// # use regrow_runtime::*;
    /// use regrow_supervisor::gen_event::{EventManager, Handler, HandlerId, Next};
    ///
    /// /// Keeps what it hears until there is a place for it.
    /// struct Buffer { lines: Vec<String> }
    /// /// Here it would be a file.
    /// struct Log { lines: Vec<String> }
    /// # impl Handler<String> for Buffer {
    /// #     type Request = ();
    /// #     async fn handle_event(&mut self, line: String) -> Next {
    /// #         self.lines.push(line);
    /// #         Next::Continue
    /// #     }
    /// # }
    /// # impl Handler<String> for Log {
    /// #     type Request = ();
    /// #     async fn handle_event(&mut self, line: String) -> Next {
    /// #         self.lines.push(line);
    /// #         Next::Continue
    /// #     }
    /// # }
    ///
    /// # Runtime::new().unwrap().block_on(async {
    /// const BUFFER: HandlerId<Buffer> = HandlerId::new("buffer");
    /// const LOG: HandlerId<Log> = HandlerId::new("log");
    /// let manager = EventManager::<String>::new().start_link().await.unwrap();
    /// manager.add_handler(BUFFER, || async { Ok(Buffer { lines: Vec::new() }) }).await.unwrap();
    /// manager.notify("early".to_owned());
    /// let swapped = manager.swap_handler(BUFFER, LOG, |buffer: Option<Buffer>| async {
    ///     Ok(Log { lines: buffer.map_or(Vec::new(), |buffer| buffer.lines) })
    /// });
    /// swapped.await.unwrap();
    /// manager.notify("late".to_owned());
    /// assert_eq!(manager.delete_handler(LOG).await.unwrap().lines, ["early", "late"]);
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// See [`SwapHandlerError`].
    #[track_caller]
    pub fn swap_handler<Old, H, F>(
        &self,
        old: impl Into<HandlerId<Old>>,
        id: impl Into<HandlerId<H>>,
        make: impl FnOnce(Option<Old>) -> F + Send + 'static,
    ) -> impl Future<Output = Result<(), SwapHandlerError>> + Send
    where
        Old: Handler<E>,
        H: Handler<E>,
        F: Future<Output = Result<H, ExitReason>> + Send + 'static,
    {
        self.swap(old.into(), id.into(), make, None)
    }

    /// As [`swap_handler`](EventManagerRef::swap_handler); the calling process answers for the
    /// new handler, whoever did for the old one.
    ///
    /// # Errors
    ///
    /// See [`SwapHandlerError`].
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn swap_sup_handler<Old, H, F>(
        &self,
        old: impl Into<HandlerId<Old>>,
        id: impl Into<HandlerId<H>>,
        make: impl FnOnce(Option<Old>) -> F + Send + 'static,
    ) -> impl Future<Output = Result<(), SwapHandlerError>> + Send
    where
        Old: Handler<E>,
        H: Handler<E>,
        F: Future<Output = Result<H, ExitReason>> + Send + 'static,
    {
        self.swap(old.into(), id.into(), make, Some(self_pid()))
    }

    #[track_caller]
    fn swap<Old, H, F>(
        &self,
        old: HandlerId<Old>,
        id: HandlerId<H>,
        make: impl FnOnce(Option<Old>) -> F + Send + 'static,
        adder: Option<Pid>,
    ) -> impl Future<Output = Result<(), SwapHandlerError>> + Send
    where
        Old: Handler<E>,
        H: Handler<E>,
        F: Future<Output = Result<H, ExitReason>> + Send + 'static,
    {
        let new = new_handler::<E, H, F>(id, adder, |old| {
            make(
                old.and_then(|old| old.downcast::<Old>().ok())
                    .map(|old| *old),
            )
        });
        let old = Key::of(old);
        let call = self.server.call(|reply| Request::Swap(old, new, reply));
        wait_here(async move { call.no_timeout().await?.map_err(SwapHandlerError::Failed) })
    }

    /// Takes a handler away and gives it back, after its [`terminate`](Handler::terminate).
    ///
    /// # Errors
    ///
    /// See [`DeleteHandlerError`].
    #[track_caller]
    pub fn delete_handler<H: Handler<E>>(
        &self,
        id: impl Into<HandlerId<H>>,
    ) -> impl Future<Output = Result<H, DeleteHandlerError>> + Send {
        let key = Key::of(id.into());
        let call = self.server.call(|reply| Request::Delete(key, reply));
        wait_here(async move {
            match call.no_timeout().await? {
                None => Err(DeleteHandlerError::NotFound),
                Some(Err(reason)) => Err(DeleteHandlerError::Failed(reason)),
                Some(Ok(handler)) => match handler.downcast::<H>() {
                    Ok(handler) => Ok(*handler),
                    Err(_) => Err(DeleteHandlerError::NotFound),
                },
            }
        })
    }

    /// Asks one handler; awaiting the result gives the reply. The request is sent at once, and
    /// the wait is 5 seconds unless changed.
    ///
    /// # Errors
    ///
    /// See [`CallHandlerError`](super::CallHandlerError).
    #[track_caller]
    pub fn call<H: Handler<E>, R: Send + 'static>(
        &self,
        id: impl Into<HandlerId<H>>,
        request: impl FnOnce(ReplyTo<R>) -> H::Request,
    ) -> HandlerCall<R> {
        let (asked, reply) = match self.pid() {
            None => (Call::no_proc(), Call::no_proc()),
            Some(pid) => {
                let (reply_to, reply) = reply_channel();
                let request: Box<dyn Any + Send> = Box::new(request(reply_to));
                let key = Key::of(id.into());
                let server: ServerRef<Request<E>> = ServerRef::from_pid(pid);
                let asked = server.call(|asked| Request::Call(key, request, asked));
                (asked, Call::sent(reply, pid))
            }
        };
        HandlerCall::new(asked, reply, Callee::from(&self.server))
    }

    /// The handlers, the youngest first, as events reach them.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[track_caller]
    pub fn which_handlers(
        &self,
    ) -> impl Future<Output = Result<Vec<HandlerInfo>, CallError>> + Send {
        wait_here(self.server.call(Request::Which).no_timeout())
    }

    /// As [`ServerRef::stop`]; the handlers are ended first.
    ///
    /// # Errors
    ///
    /// See [`StopError`].
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn stop(
        &self,
        reason: ExitReason,
        timeout: Option<Duration>,
    ) -> impl Future<Output = Result<(), StopError>> + Send {
        self.server.stop(reason, timeout)
    }
}

fn new_handler<E, H, F>(
    id: HandlerId<H>,
    adder: Option<Pid>,
    make: impl FnOnce(Option<Box<dyn Any + Send>>) -> F + Send + 'static,
) -> New<E>
where
    E: Send + 'static,
    H: Handler<E>,
    F: Future<Output = Result<H, ExitReason>> + Send + 'static,
{
    New {
        id: id.into_text(),
        adder,
        make: Box::new(|old| {
            let making = make(old);
            Box::pin(async move {
                let handler: Box<dyn AnyHandler<E>> = Box::new(making.await?);
                Ok(handler)
            })
        }),
    }
}

impl<E> Clone for EventManagerRef<E> {
    fn clone(&self) -> Self {
        EventManagerRef {
            server: self.server.clone(),
        }
    }
}

impl<E> PartialEq for EventManagerRef<E> {
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server
    }
}

impl<E> Eq for EventManagerRef<E> {}

impl<E> Hash for EventManagerRef<E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.server.hash(state);
    }
}

impl<E> fmt::Debug for EventManagerRef<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventManagerRef({})", self.server)
    }
}

impl<E: Clone + Send + 'static> Target for EventManagerRef<E> {
    fn target(&self) -> Option<Pid> {
        self.pid()
    }
}

impl<E: Clone + Send + 'static> From<EventManagerRef<E>> for Child {
    fn from(manager: EventManagerRef<E>) -> Self {
        manager.server.into()
    }
}
