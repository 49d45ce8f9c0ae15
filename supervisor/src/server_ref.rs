//! The typed ways to reach a server: by pid or by name.

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::proc_lib::{self, StopError};
use regrow_runtime::{
    Destination, ExitReason, Handle, Pid, ReplyTo, reply_channel, send, try_self_pid,
};

use crate::call::wait_here;
use crate::call::{Call, CallError};

/// A reference to a server that takes messages of type `M`: cheap to clone, keeps nothing alive.
///
/// By *pid* it means one incarnation and is useless once that has ended. By *[name](Name)* it is
/// looked up for each message, so it reaches whoever has the name then: a reference by name
/// survives a restart.
pub struct ServerRef<M> {
    target: Target,
    message: PhantomData<fn(M)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Target {
    Pid(Pid),
    Name(Text),
}

/// A name's text, cheap to clone either way.
#[derive(Clone, Debug)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Text::Static(text) => text,
            Text::Shared(text) => text,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
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
    /// Whether both are the same pid, or both the same name.
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

/// A registered name together with the type of message its owner takes.
///
/// ```
/// use regrow_supervisor::Name;
///
/// enum Query { Ping }
/// const DB_POOL: Name<Query> = Name::new("db_pool");
/// assert_eq!(DB_POOL.as_str(), "db_pool");
/// ```
pub struct Name<M> {
    text: Text,
    message: PhantomData<fn(M)>,
}

impl<M> Name<M> {
    /// A name known at compile time.
    pub const fn new(name: &'static str) -> Self {
        Name {
            text: Text::Static(name),
            message: PhantomData,
        }
    }

    /// A name made at run time.
    pub fn from_string(name: String) -> Self {
        Name {
            text: Text::Shared(name.into()),
            message: PhantomData,
        }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }
}

impl<M: Send + 'static> Name<M> {
    /// A reference that looks the name up for each message.
    pub fn server_ref(&self) -> ServerRef<M> {
        self.into()
    }

    /// Who has the name now.
    ///
    /// # Panics
    ///
    /// Outside a process.
    pub fn whereis(&self) -> Option<Pid> {
        self.server_ref().pid()
    }
}

impl<M> Clone for Name<M> {
    fn clone(&self) -> Self {
        Name {
            text: self.text.clone(),
            message: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Name<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({:?})", self.as_str())
    }
}

impl<M> fmt::Display for Name<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<M> From<&'static str> for Name<M> {
    fn from(name: &'static str) -> Self {
        Name::new(name)
    }
}

impl<M> From<Arc<str>> for Name<M> {
    fn from(name: Arc<str>) -> Self {
        Name {
            text: Text::Shared(name),
            message: PhantomData,
        }
    }
}

impl<M> From<String> for Name<M> {
    fn from(name: String) -> Self {
        Name::from(Arc::from(name))
    }
}

impl<M> From<&Name<M>> for Name<M> {
    fn from(name: &Name<M>) -> Self {
        name.clone()
    }
}

/// A timer for whoever has the name when its time has come.
impl<M> From<Name<M>> for Destination {
    fn from(name: Name<M>) -> Self {
        Destination::Name(name.into())
    }
}

impl<M> From<Name<M>> for Arc<str> {
    fn from(name: Name<M>) -> Self {
        match name.text {
            Text::Static(text) => text.into(),
            Text::Shared(text) => text,
        }
    }
}

impl<M> From<&Name<M>> for Arc<str> {
    fn from(name: &Name<M>) -> Self {
        name.clone().into()
    }
}
