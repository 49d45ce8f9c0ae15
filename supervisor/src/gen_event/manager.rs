//! The event manager's process, and how it is started.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, ReplyTo, trap_exit};

use super::handlers::{Asked, Handlers, Key, Make};
use super::{EventManagerRef, HandlerInfo};
use crate::call::wait_here;
use crate::gen_server::ServerName;
use crate::{Context, GenServer, Info, Next, StartError, Via};

/// What a manager can be told.
pub(super) enum Request<E> {
    Notify(E),
    SyncNotify(E, ReplyTo<()>),
    Add(New<E>, ReplyTo<Result<(), ExitReason>>),
    Swap(Key, New<E>, ReplyTo<Result<(), ExitReason>>),
    Delete(
        Key,
        ReplyTo<Option<Result<Box<dyn Any + Send>, ExitReason>>>,
    ),
    Call(Key, Box<dyn Any + Send>, ReplyTo<Asked>),
    Which(ReplyTo<Vec<HandlerInfo>>),
}

/// A handler that is to be.
pub(super) struct New<E> {
    pub(super) id: Arc<str>,
    pub(super) adder: Option<Pid>,
    pub(super) make: Make<E>,
}

/// An event manager about to be started, for events of type `E`.
///
/// It is a [`GenServer`] with handlers for a state. It traps exits and, started by
/// [`start_link`](EventManager::start_link), ends when its parent does; then, and when it is
/// [stopped](EventManagerRef::stop), its handlers are ended first, the youngest first.
///
/// [The module](super) has an example.
#[must_use = "nothing is started before `start` or `start_link`"]
pub struct EventManager<E> {
    name: Option<ServerName>,
    timeout: Option<Duration>,
    event: PhantomData<fn(E)>,
}

impl<E: Clone + Send + 'static> EventManager<E> {
    /// A manager without handlers.
    pub fn new() -> Self {
        EventManager::default()
    }

    /// Registers the manager under this name. It has one: the last that is given, here or with
    /// [`via`](EventManager::via).
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(ServerName::Local(name.into()));
        self
    }

    /// Registers the manager in another registry than the runtime's own; see
    /// [`Start::via`](crate::Start::via).
    pub fn via(mut self, via: Arc<dyn Via>) -> Self {
        self.name = Some(ServerName::Via(via));
        self
    }

    /// Gives the start this long; then the manager is killed. By default it has no limit. What may
    /// take long is another registry that is to register it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Starts it, not linked to anybody.
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyStarted`] if the name is taken, [`StartError::Timeout`] if there is a
    /// limit and it took longer.
    ///
    /// # Panics
    ///
    /// When awaited outside a process.
    #[track_caller]
    pub fn start(self) -> impl Future<Output = Result<EventManagerRef<E>, StartError>> + Send {
        self.run(false)
    }

    /// Starts it, linked to the calling process, which is its parent.
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyStarted`] if the name is taken, [`StartError::Timeout`] if there is a
    /// limit and it took longer.
    ///
    /// # Panics
    ///
    /// When awaited outside a process.
    #[track_caller]
    pub fn start_link(self) -> impl Future<Output = Result<EventManagerRef<E>, StartError>> + Send {
        self.run(true)
    }

    #[track_caller]
    fn run(
        self,
        link: bool,
    ) -> impl Future<Output = Result<EventManagerRef<E>, StartError>> + Send {
        let place = Location::caller();
        wait_here(async move {
            let mut start = match link {
                false => Process::start(()),
                true => Process::start_link(()),
            };
            if let Some(timeout) = self.timeout {
                start = start.timeout(timeout);
            }
            start
                .named(self.name)
                .at(place)
                .await
                .map(EventManagerRef::new)
        })
    }
}

impl<E> Default for EventManager<E> {
    fn default() -> Self {
        EventManager {
            name: None,
            timeout: None,
            event: PhantomData,
        }
    }
}

impl<E> fmt::Debug for EventManager<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventManager")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

struct Process<E> {
    handlers: Handlers<E>,
}

impl<E: Clone + Send + 'static> GenServer for Process<E> {
    type Args = ();
    type Message = Request<E>;

    async fn init((): (), cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true);
        let handlers = Handlers::new(cx.parent());
        Ok(Process { handlers })
    }

    async fn handle(&mut self, request: Request<E>, _: &mut Context<Self>) -> Next {
        let handlers = &mut self.handlers;
        match request {
            Request::Notify(event) => handlers.notify(event).await,
            Request::SyncNotify(event, reply) => {
                handlers.notify(event).await;
                reply.send(());
            }
            Request::Add(New { id, adder, make }, reply) => {
                reply.send(handlers.add(id, adder, None, make).await);
            }
            Request::Swap(old, New { id, adder, make }, reply) => {
                reply.send(handlers.swap(&old, id, adder, make).await);
            }
            Request::Delete(key, reply) => reply.send(handlers.delete(&key).await),
            Request::Call(key, request, reply) => reply.send(handlers.call(&key, request).await),
            Request::Which(reply) => reply.send(handlers.infos()),
        }
        Next::Continue
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        if let Info::Exit(exit) = &info {
            let (pid, reason) = (exit.pid, exit.reason.clone());
            self.handlers.adder_ended(pid, &reason).await;
        }
        self.handlers.info(info).await;
        Next::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        self.handlers.stop().await;
    }
}
