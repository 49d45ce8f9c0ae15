//! The typed ways to reach a server: by pid, by name, or through a registry.

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::proc_lib::{self, StopError};
use regrow_runtime::{
    ExitReason, Handle, Pid, ReplyTo, TrySendError, reply_channel, send, send_wait, try_self_pid,
    try_send,
};

use crate::call::{Call, CallError, RequestId, wait_here};
use crate::name::{Name, Text};
use crate::target::Target;
use crate::via::Via;

/// A reference to a server that takes messages of type `M`: cheap to clone, keeps nothing alive.
///
/// By *pid* it means one incarnation and is useless once that has ended. By *[name](Name)*, or
/// [*via*](Via) a registry, it is looked up for each message, so it reaches whoever has the name
/// then: a reference by name survives a restart.
///
/// Its type says what can be sent, and nothing of who receives it: who has one needs to know the
/// messages only, so two servers can refer to each other without knowing of each other.
pub struct ServerRef<M> {
    pub(crate) target: Target,
    message: PhantomData<fn(M)>,
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

    /// A reference to whoever has this name, looked up for each message. A constant [`Name`] says
    /// once for all what type of message goes there, so it is better than two texts.
    ///
    /// ```
    /// # use regrow_supervisor::ServerRef;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let pool = ServerRef::<u32>::named("db_pool");
    /// assert_eq!(pool.pid(), None); // nobody has that name
    /// # });
    /// ```
    pub fn named(name: impl Into<Name<M>>) -> Self {
        name.into().into()
    }

    /// A reference through a registry: to whoever it says has the name, asked for each message.
    pub fn via(via: Arc<dyn Via>) -> Self {
        ServerRef {
            target: Target::Via(via),
            message: PhantomData,
        }
    }

    pub(crate) fn on(handle: Handle, name: Text) -> Self {
        ServerRef {
            target: Target::NameOn(Arc::new((handle, name))),
            message: PhantomData,
        }
    }

    /// The process meant: for a name, whoever has it now.
    ///
    /// # Panics
    ///
    /// For a name, outside a process: which runtime's names are meant is not known there, unless
    /// the reference was made with [`Name::server_ref_on`].
    #[track_caller]
    pub fn pid(&self) -> Option<Pid> {
        self.target.pid()
    }

    /// Sends a message and forgets about it. A server that is gone, or a name that nobody has,
    /// is no error.
    ///
    /// # Panics
    ///
    /// For a name, outside a process.
    #[track_caller]
    pub fn cast(&self, message: M) {
        if let Some(pid) = self.pid() {
            send(pid, message);
        }
    }

    /// As [`cast`](ServerRef::cast), but gives a message back that cannot be delivered. It does not
    /// wait. That it was sent does not mean that it will be handled.
    ///
    /// # Errors
    ///
    /// If the server is gone, or nobody has the name; or if its
    /// [mailbox](regrow_runtime::mailbox_limit) is full.
    ///
    /// ```
    /// # use regrow_supervisor::*;
    /// # use regrow_runtime::*;
    /// # Runtime::new().unwrap().block_on(async {
    /// let nobody = Name::new("nobody").server_ref();
    /// assert_eq!(nobody.try_cast("hello"), Err(TrySendError::NoProc("hello")));
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// For a name, outside a process.
    #[track_caller]
    pub fn try_cast(&self, message: M) -> Result<(), TrySendError<M>> {
        match self.pid() {
            Some(pid) => try_send(pid, message),
            None => Err(TrySendError::NoProc(message)),
        }
    }

    /// As [`cast`](ServerRef::cast), but waits for room if the server's mailbox is full and
    /// [its policy](regrow_runtime::MailboxPolicy) is to wait; see
    /// [`send_wait`](regrow_runtime::send_wait()), of which it has the order and the cancel safety.
    ///
    /// A name is looked up when the waiting begins; who has it later is another process.
    ///
    /// # Errors
    ///
    /// As [`try_cast`](ServerRef::try_cast): at once, or if the server ends while this waits.
    ///
    /// ```
    /// # use regrow_supervisor::*;
    /// # use regrow_runtime::*;
    /// struct Slow(u32);
    ///
    /// impl GenServer for Slow {
    ///     type Args = ();
    ///     type Message = u32;
    ///
    ///     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         mailbox_limit(2, MailboxPolicy::Wait);
    ///         Ok(Slow(0))
    ///     }
    ///
    ///     async fn handle(&mut self, n: u32, _: &mut Context<Self>) -> Next {
    ///         self.0 += 1;
    ///         assert_eq!(self.0, n);
    ///         Next::Continue
    ///     }
    /// }
    ///
    /// # Runtime::new().unwrap().block_on(async {
    /// let slow = Slow::start_link(()).await.unwrap();
    /// for n in 1..=100 {
    ///     slow.cast_wait(n).await.unwrap(); // never more than two ahead
    /// }
    /// # slow.stop(ExitReason::Normal, None).await.unwrap();
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// For a name, outside a process.
    #[track_caller]
    pub fn cast_wait(
        &self,
        message: M,
    ) -> impl Future<Output = Result<(), TrySendError<M>>> + Send + use<M> {
        let waiting = match self.pid() {
            Some(pid) => Ok(send_wait(pid, message)),
            None => Err(TrySendError::NoProc(message)),
        };
        wait_here(async { waiting?.await })
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
        match self.open_request() {
            Ok((pid, _, id)) if try_self_pid() == Some(pid) => {
                drop(id);
                Call::failed(CallError::CallingSelf)
            }
            Ok((pid, reply_to, id)) => {
                send(pid, request(reply_to));
                Call::new(id)
            }
            Err(failed) => Call::new(failed),
        }
    }

    /// Sends a request that carries a reply handle; its response can be asked for later (OTP:
    /// `gen_server:send_request/2`).
    ///
    /// There is no error here: that nobody has the name, or that the server is gone or its mailbox
    /// full, is a response. A process may send a request to itself, and must then not wait for
    /// the response in the handler that would have to give it. To send many, see
    /// [`RequestIds`](crate::RequestIds).
    ///
    /// # Panics
    ///
    /// For a name, outside a process.
    #[track_caller]
    pub fn send_request<R: Send + 'static>(
        &self,
        request: impl FnOnce(ReplyTo<R>) -> M,
    ) -> RequestId<R> {
        match self.open_request() {
            Ok((pid, reply_to, id)) => {
                send(pid, request(reply_to));
                id
            }
            Err(failed) => failed,
        }
    }

    /// Where a request goes, and its reply; or, if nobody has the name, the request that has failed
    /// already. That comes by the way of a reply too, so that a process that tries again and again
    /// lets others run.
    #[track_caller]
    pub(crate) fn open_request<R: Send + 'static>(
        &self,
    ) -> Result<(Pid, ReplyTo<R>, RequestId<R>), RequestId<R>> {
        let (reply_to, reply) = reply_channel();
        let id = RequestId::sent(reply, self.target.clone());
        match self.pid() {
            Some(pid) => Ok((pid, reply_to, id)),
            None => {
                reply_to.fail(ExitReason::NoProc);
                Err(id)
            }
        }
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
    /// Whether both are the same pid, or the same name, or share one [`Via`]. Clones are equal.
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
        self.target.fmt(f)
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
