//! The event manager's process, and how it is started.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use regrow_runtime::{ExitReason, Pid, ReplyTo, trap_exit};

use super::handlers::{Asked, Handlers, Key, Make};
use super::{EventManagerRef, HandlerInfo};
use crate::call::wait_here;
use crate::{Context, GenServer, Info, Next, StartError};

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
    name: Option<Arc<str>>,
    event: PhantomData<fn(E)>,
}

impl<E: Clone + Send + 'static> EventManager<E> {
    /// A manager without handlers.
    pub fn new() -> Self {
        EventManager::default()
    }

    /// Registers the manager under this name.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Starts it, not linked to anybody.
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyStarted`] if the name is taken.
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
    /// [`StartError::AlreadyStarted`] if the name is taken.
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
            if let Some(name) = self.name {
                start = start.name(name);
            }
            start.at(place).await.map(EventManagerRef::new)
        })
    }
}

impl<E> Default for EventManager<E> {
    fn default() -> Self {
        EventManager {
            name: None,
            event: PhantomData,
        }
    }
}

impl<E> fmt::Debug for EventManager<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventManager")
            .field("name", &self.name)
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
