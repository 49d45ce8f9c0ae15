//! Names of the runtime's own, together with the type of message that goes there.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use regrow_runtime::{Destination, Handle, Pid, ReplyTo};

use crate::{Call, ServerRef};

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
    pub(crate) text: Text,
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

    /// Asks whoever has the name now, and waits for the reply: [`ServerRef::call`] (Elixir:
    /// `GenServer.call(Name, request)`).
    ///
    /// ```
    /// # use regrow_runtime::{ExitReason, ReplyTo, Runtime};
    /// # use regrow_supervisor::{CallError, Context, GenServer, Name, Next};
    /// # struct Counter(u32);
    /// # enum Command { Add(u32), Get(ReplyTo<u32>) }
    /// # impl GenServer for Counter {
    /// #     type Args = ();
    /// #     type Message = Command;
    /// #     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Counter(0)) }
    /// #     async fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Next {
    /// #         match command {
    /// #             Command::Add(n) => self.0 += n,
    /// #             Command::Get(reply) => reply.send(self.0),
    /// #         }
    /// #         Next::Continue
    /// #     }
    /// # }
    /// const COUNTER: Name<Command> = Name::new("counter");
    ///
    /// # Runtime::new().unwrap().block_on(async {
    /// assert_eq!(COUNTER.call(Command::Get).await, Err(CallError::NoProc));
    /// Counter::start_link(()).name(COUNTER).await.unwrap();
    /// COUNTER.cast(Command::Add(2));
    /// assert_eq!(COUNTER.call(Command::Get).await, Ok(2));
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited: see [`CallError`](crate::CallError).
    ///
    /// # Panics
    ///
    /// Outside a process; there, use [`server_ref_on`](Name::server_ref_on).
    #[track_caller]
    pub fn call<R: Send + 'static>(&self, request: impl FnOnce(ReplyTo<R>) -> M) -> Call<R> {
        self.server_ref().call(request)
    }

    /// Sends a message to whoever has the name now: [`ServerRef::cast`] (Elixir:
    /// `GenServer.cast(Name, message)`).
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn cast(&self, message: M) {
        self.server_ref().cast(message);
    }

    /// A reference that looks the name up in the runtime of `handle`: for threads, and for
    /// executors of other kinds, which have no runtime of their own.
    ///
    /// ```
    /// # use regrow_supervisor::*;
    /// # use regrow_runtime::*;
    /// struct Bell(std::sync::mpsc::Sender<&'static str>);
    /// # impl GenServer for Bell {
    /// #     type Args = std::sync::mpsc::Sender<&'static str>;
    /// #     type Message = ();
    /// #     async fn init(
    /// #         rung: std::sync::mpsc::Sender<&'static str>,
    /// #         _: &mut Context<Self>,
    /// #     ) -> Result<Self, ExitReason> { Ok(Bell(rung)) }
    /// #     async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Next {
    /// #         self.0.send("ding").unwrap();
    /// #         Next::Continue
    /// #     }
    /// # }
    /// const BELL: Name<()> = Name::new("bell");
    ///
    /// let runtime = Runtime::new().unwrap();
    /// # let (rung, heard) = std::sync::mpsc::channel();
    /// runtime.block_on(async { Bell::start(rung).name(BELL).await.unwrap() });
    ///
    /// let bell = BELL.server_ref_on(&runtime.handle());
    /// std::thread::spawn(move || bell.cast(()));
    /// assert_eq!(heard.recv(), Ok("ding"));
    /// ```
    pub fn server_ref_on(&self, handle: &Handle) -> ServerRef<M> {
        ServerRef::on(handle.clone(), self.text.clone())
    }

    /// Who has the name now.
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
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
        name.text.into()
    }
}

impl From<Text> for Arc<str> {
    fn from(text: Text) -> Self {
        match text {
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

/// A name's text, cheap to clone either way.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Text {
    pub(crate) fn as_str(&self) -> &str {
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
