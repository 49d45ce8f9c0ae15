//! The handlers of a manager, the youngest last, and what may happen to them.
//!
//! A handler is in the list or it is not. It comes by `add` and `swap`, when it has been made, and
//! leaves by `remove` only, which ends it: first `terminate`, then whoever answers for it is told.

use std::any::{Any, TypeId};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use regrow_runtime::{ExitReason, Pid, catch_panic, link, self_pid, send, unlink};

use super::{Handler, HandlerExit, HandlerInfo, Next, Removal, report_failure};
use crate::Info;
use crate::report::{caught, contained, discard};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`Handler`] without its type.
pub(super) trait AnyHandler<E>: Send {
    fn handle_event(&mut self, event: E) -> Boxed<'_, Next>;

    /// With a request of the handler's own type.
    fn handle_call(&mut self, request: Box<dyn Any + Send>) -> Boxed<'_, Next>;

    fn handle_info(&mut self, info: &Info) -> Next;

    fn terminate<'a>(&'a mut self, why: &'a Removal) -> Boxed<'a, ()>;

    fn type_name(&self) -> &'static str;

    fn of_type(&self) -> TypeId;

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
}

impl<E: Send + 'static, H: Handler<E>> AnyHandler<E> for H {
    fn handle_event(&mut self, event: E) -> Boxed<'_, Next> {
        Box::pin(Handler::handle_event(self, event))
    }

    fn handle_call(&mut self, request: Box<dyn Any + Send>) -> Boxed<'_, Next> {
        match request.downcast::<H::Request>() {
            Ok(request) => Box::pin(Handler::handle_call(self, *request)),
            Err(_) => unreachable!("a request is sent to a handler of the type that takes it"),
        }
    }

    fn handle_info(&mut self, info: &Info) -> Next {
        Handler::handle_info(self, info)
    }

    fn terminate<'a>(&'a mut self, why: &'a Removal) -> Boxed<'a, ()> {
        Box::pin(Handler::terminate(self, why))
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<H>()
    }

    fn of_type(&self) -> TypeId {
        TypeId::of::<H>()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

/// Which handler is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    id: Arc<str>,
    of_type: TypeId,
}

impl Key {
    pub(super) fn of<H: 'static>(id: super::HandlerId<H>) -> Self {
        Key {
            id: id.into_text(),
            of_type: TypeId::of::<H>(),
        }
    }
}

/// What makes a handler, in the manager's process, of the one before if there was one.
pub(super) type Make<E> = Box<
    dyn FnOnce(
            Option<Box<dyn Any + Send>>,
        ) -> Boxed<'static, Result<Box<dyn AnyHandler<E>>, ExitReason>>
        + Send,
>;

struct Entry<E> {
    id: Arc<str>,
    handler: Box<dyn AnyHandler<E>>,
    /// Who answers for it.
    adder: Option<Pid>,
}

/// What has become of a request to one handler.
pub(super) enum Asked {
    Done,
    NotFound,
    Failed(ExitReason),
}

pub(super) struct Handlers<E> {
    entries: Vec<Entry<E>>,
    /// The manager's own, to which it stays linked.
    parent: Option<Pid>,
}

impl<E> Drop for Handlers<E> {
    /// Of a manager that was killed. Each for itself: two whose drops panic would abort the program.
    fn drop(&mut self) {
        self.entries.drain(..).for_each(discard);
    }
}

impl<E: Clone + Send + 'static> Handlers<E> {
    pub(super) fn new(parent: Option<Pid>) -> Self {
        Handlers {
            entries: Vec::new(),
            parent,
        }
    }

    /// The youngest first, as events reach them.
    pub(super) fn infos(&self) -> Vec<HandlerInfo> {
        let info = |entry: &Entry<E>| HandlerInfo {
            id: entry.id.clone(),
            type_name: entry.handler.type_name(),
            adder: entry.adder,
        };
        self.entries.iter().rev().map(info).collect()
    }

    pub(super) async fn add(
        &mut self,
        id: Arc<str>,
        adder: Option<Pid>,
        made_of: Option<Box<dyn Any + Send>>,
        make: Make<E>,
    ) -> Result<(), ExitReason> {
        let made = catch_panic(async move { make(made_of).await }).await;
        let handler = made.unwrap_or_else(Err)?;
        if let Some(adder) = adder {
            link(adder);
        }
        self.entries.push(Entry { id, handler, adder });
        Ok(())
    }

    /// Takes the place of another, of which it is made. Whoever answers for that one answers
    /// for this one.
    pub(super) async fn swap(
        &mut self,
        old: &Key,
        id: Arc<str>,
        adder: Option<Pid>,
        make: Make<E>,
    ) -> Result<(), ExitReason> {
        let Some(at) = self.find(old) else {
            return self.add(id, adder, None, make).await;
        };
        let adder = adder.or(self.entries[at].adder);
        let old = self.remove(at, Removal::Swapped(id.clone())).await.ok();
        self.add(id, adder, old, make).await
    }

    /// Tells all of them, the youngest first.
    pub(super) async fn notify(&mut self, event: E) {
        let mut event = Some(event);
        for at in (0..self.entries.len()).rev() {
            let event = match at {
                0 => event.take(),
                _ => event.as_ref().and_then(copied),
            };
            let Some(event) = event else { break };
            let handler = &mut self.entries[at].handler;
            // Called where its panic is caught, as all of them.
            let next = catch_panic(async { handler.handle_event(event).await }).await;
            self.go_on(at, next).await;
        }
        discard(event); // if nobody has had it
    }

    pub(super) async fn info(&mut self, info: Info) {
        for at in (0..self.entries.len()).rev() {
            let handler = &mut self.entries[at].handler;
            // Not across an await: what is lent cannot be shared between threads.
            let next = caught(|| handler.handle_info(&info));
            self.go_on(at, next).await;
        }
        discard(info);
    }

    pub(super) async fn call(&mut self, key: &Key, request: Box<dyn Any + Send>) -> Asked {
        let Some(at) = self.find(key) else {
            return Asked::NotFound;
        };
        let handler = &mut self.entries[at].handler;
        let next = catch_panic(async { handler.handle_call(request).await }).await;
        let failed = next.clone().err();
        self.go_on(at, next).await;
        failed.map_or(Asked::Done, Asked::Failed)
    }

    /// `None` if there is no such handler.
    pub(super) async fn delete(
        &mut self,
        key: &Key,
    ) -> Option<Result<Box<dyn Any + Send>, ExitReason>> {
        let at = self.find(key)?;
        Some(self.remove(at, Removal::Deleted).await)
    }

    /// A process that may answer for handlers has ended.
    pub(super) async fn adder_ended(&mut self, adder: Pid, reason: &ExitReason) {
        for at in (0..self.entries.len()).rev() {
            if self.entries[at].adder == Some(adder) {
                let why = Removal::AdderExit(reason.clone());
                self.discard(at, why).await;
            }
        }
    }

    pub(super) async fn stop(&mut self) {
        for at in (0..self.entries.len()).rev() {
            self.discard(at, Removal::ManagerStop).await;
        }
    }

    /// The youngest of those that are meant.
    fn find(&self, key: &Key) -> Option<usize> {
        let meant = |entry: &Entry<E>| entry.id == key.id && entry.handler.of_type() == key.of_type;
        self.entries.iter().rposition(meant)
    }

    async fn go_on(&mut self, at: usize, next: Result<Next, ExitReason>) {
        let why = match next {
            Ok(Next::Continue) => return,
            Ok(Next::Remove) => Removal::Itself,
            Err(reason) => Removal::Failed(reason),
        };
        self.discard(at, why).await;
    }

    /// Removes a handler that nobody wants.
    async fn discard(&mut self, at: usize, why: Removal) {
        let gone = self.remove(at, why).await;
        discard(gone);
    }

    /// Ends a handler: itself, or the panic of its `terminate`.
    async fn remove(&mut self, at: usize, why: Removal) -> Result<Box<dyn Any + Send>, ExitReason> {
        let Entry {
            id,
            mut handler,
            adder,
        } = self.entries.remove(at);
        let terminated = catch_panic(async { handler.terminate(&why).await }).await;
        let failure = match (&why, &terminated) {
            (Removal::Failed(reason), _) | (_, Err(reason)) => Some(reason),
            _ => None,
        };
        if let Some(reason) = failure {
            report_failure(&id, handler.type_name(), self_pid(), reason);
        }
        if let Some(adder) = adder {
            self.tell(adder, id, why);
        }
        match terminated {
            Ok(()) => Ok(handler.into_any()),
            Err(reason) => {
                discard(handler);
                Err(reason)
            }
        }
    }

    fn tell(&self, adder: Pid, id: Arc<str>, why: Removal) {
        let others = self.entries.iter().any(|entry| entry.adder == Some(adder));
        if !others && self.parent != Some(adder) {
            unlink(adder);
        }
        let manager = self_pid();
        if !matches!(why, Removal::AdderExit(_)) {
            send(adder, HandlerExit { manager, id, why });
        }
    }
}

/// An event for one of several handlers. A copy that cannot be made is not their fault, nor the
/// manager's: those that are left do not get it.
fn copied<E: Clone>(event: &E) -> Option<E> {
    let copied = caught(|| event.clone());
    if let Err(reason) = &copied {
        contained(|| {
            tracing::error!(target: "regrow::crash", %reason, "the clone of an event panicked");
        });
    }
    copied.ok()
}
