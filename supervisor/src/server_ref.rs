//! The typed ways to reach a server: by pid, by name, or through a registry.

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::proc_lib::{self, StopError};
use regrow_runtime::{ExitReason, Handle, Pid, ReplyTo, reply_channel, send, try_self_pid};

use crate::call::wait_here;
use crate::call::{Call, CallError};
use crate::name::{Name, Text};
use crate::via::Via;

/// A reference to a server that takes messages of type `M`: cheap to clone, keeps nothing alive.
///
/// By *pid* it means one incarnation and is useless once that has ended. By *[name](Name)*, or
/// [*via*](Via) a registry, it is looked up for each message, so it reaches whoever has the name
/// then: a reference by name survives a restart.
pub struct ServerRef<M> {
    target: Target,
    message: PhantomData<fn(M)>,
}

#[derive(Clone)]
enum Target {
    Pid(Pid),
    Name(Text),
    Via(Arc<dyn Via>),
}

/// Without the table of functions, of which one type may have several.
fn address(via: &Arc<dyn Via>) -> *const () {
    Arc::as_ptr(via).cast()
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Target::Pid(one), Target::Pid(other)) => one == other,
            (Target::Name(one), Target::Name(other)) => one == other,
            (Target::Via(one), Target::Via(other)) => address(one) == address(other),
            _ => false,
        }
    }
}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Target::Pid(pid) => pid.hash(state),
            Target::Name(name) => name.hash(state),
            Target::Via(via) => address(via).hash(state),
        }
    }
}

impl<M: Send + 'static> ServerRef<M> {
    /// A reference to this very process.
    ///
    /// Nothing checks that it takes messages of type `M`; a gen_server that gets a message of
    /// another type hands it to [`handle_info`](crate::GenServer::handle_info).
    pub fn from_pid(pid: Pid) -> Self {
        ServerRef {
            target: Target::Pid(pid),
            message: PhantomData,
        }
    }

    /// A reference through a registry: to whoever it says has the name, asked for each message.
    pub fn via(via: Arc<dyn Via>) -> Self {
        ServerRef {
            target: Target::Via(via),
            message: PhantomData,
        }
    }

    /// The process meant: for a name, whoever has it now.
    ///
    /// # Panics
    ///
    /// For a name, outside a process: which runtime's names are meant is not known there.
    pub fn pid(&self) -> Option<Pid> {
        match &self.target {
            Target::Pid(pid) => Some(*pid),
            Target::Name(name) => Handle::try_current()
                .unwrap_or_else(|| {
                    let name = name.as_str();
                    panic!("the server name `{name}` can only be looked up in a process")
                })
                .whereis(name.as_str()),
            Target::Via(via) => via.whereis(),
        }
    }

    /// Sends a message and forgets about it. A server that is gone, or a name that nobody has,
    /// is no error.
    ///
    /// # Panics
    ///
    /// For a name, outside a process.
    pub fn cast(&self, message: M) {
        if let Some(pid) = self.pid() {
            send(pid, message);
        }
    }

    /// Sends a request that carries a reply handle; awaiting the result gives the reply.
    ///
    /// The request is sent at once. The wait is 5 seconds unless changed with
    /// [`Call::timeout`] or [`Call::no_timeout`]. Works from anywhere, other executors included.
    ///
    /// ```
    /// # use regrow_supervisor::*;
    /// # use regrow_runtime::*;
    /// # struct Echo;
    /// enum Request { Double(u64, ReplyTo<u64>) }
    /// # impl GenServer for Echo {
    /// #     type Args = ();
    /// #     type Message = Request;
    /// #     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Echo) }
    /// #     async fn handle(&mut self, request: Request, _: &mut Context<Self>) -> Next {
    /// #         let Request::Double(n, reply) = request;
    /// #         reply.send(2 * n);
    /// #         Next::Continue
    /// #     }
    /// # }
    /// # let runtime = Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// # let server = Echo::start_link(()).await.unwrap();
    /// let doubled = server.call(|reply| Request::Double(4, reply)).await;
    /// assert_eq!(doubled, Ok(8));
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// For a name, outside a process.
    #[track_caller]
    pub fn call<R: Send + 'static>(&self, request: impl FnOnce(ReplyTo<R>) -> M) -> Call<R> {
        let Some(pid) = self.pid() else {
            return Call::failed(CallError::NoProc);
        };
        if try_self_pid() == Some(pid) {
            return Call::failed(CallError::CallingSelf);
        }
        let (reply_to, reply) = reply_channel();
        send(pid, request(reply_to));
        Call::sent(reply)
    }

    /// Asks the server to stop with `reason` and waits until it has.
    ///
    /// The request is queued behind the messages sent before; then the server runs
    /// [`terminate`](crate::GenServer::terminate). After a timeout the request stays pending.
    /// Without a timeout the wait has no limit.
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
        wait_here(async move {
            let pid = self.pid().ok_or(StopError::NoProc)?;
            proc_lib::stop_with(pid, reason, timeout).await
        })
    }
}

impl<M> Clone for ServerRef<M> {
    fn clone(&self) -> Self {
        ServerRef {
            target: self.target.clone(),
            message: PhantomData,
        }
    }
}

impl<M> PartialEq for ServerRef<M> {
    /// Whether both are the same pid, or the same name, or share one [`Via`].
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
    }
}

impl<M> Eq for ServerRef<M> {}

impl<M> Hash for ServerRef<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.target.hash(state);
    }
}

impl<M> fmt::Debug for ServerRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerRef({self})")
    }
}

impl<M> fmt::Display for ServerRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Pid(pid) => pid.fmt(f),
            Target::Name(name) => name.as_str().fmt(f),
            Target::Via(via) => via.fmt(f),
        }
    }
}

impl<M> From<Name<M>> for ServerRef<M> {
    fn from(name: Name<M>) -> Self {
        ServerRef {
            target: Target::Name(name.text),
            message: PhantomData,
        }
    }
}

impl<M> From<&Name<M>> for ServerRef<M> {
    fn from(name: &Name<M>) -> Self {
        name.clone().into()
    }
}
