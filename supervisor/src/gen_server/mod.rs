//! gen_server: a process that keeps a state and answers one typed message after the other.
//!
//! `start.rs` is the starter's side (OTP's `proc_lib` start protocol), `process.rs` the server's.

mod process;
mod start;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use regrow_runtime::{Down, Exit, ExitReason, Message, Pid, self_pid};

use crate::ServerRef;
use crate::report::contained;

pub use start::{Start, StartError};

/// A server: a state, and what each message does to it.
///
/// One enum names everything the server can be told; the variants that are calls carry a
/// [`ReplyTo`](regrow_runtime::ReplyTo). A reply handle may also be kept, or moved to another
/// process, and answered later. A message of type [`Message`](GenServer::Message) reaches
/// [`handle`](GenServer::handle) however it was sent: by [`ServerRef::cast`],
/// [`ServerRef::call`], plain `send` or a timer. Everything else goes to
/// [`handle_info`](GenServer::handle_info).
///
/// ```
/// use regrow_runtime::{ExitReason, ReplyTo, Runtime};
/// use regrow_supervisor::{Context, GenServer, Next};
///
/// struct Counter { value: u64 }
///
/// enum Command { Add(u64), Get(ReplyTo<u64>) }
///
/// impl GenServer for Counter {
///     type Args = u64;
///     type Message = Command;
///
///     async fn init(start: u64, _: &mut Context<Self>) -> Result<Self, ExitReason> {
///         Ok(Counter { value: start })
///     }
///
///     async fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Next {
///         match command {
///             Command::Add(n) => self.value += n,
///             Command::Get(reply) => reply.send(self.value),
///         }
///         Next::Continue
///     }
/// }
///
/// let runtime = Runtime::new().unwrap();
/// let value = runtime.block_on(async {
///     let counter = Counter::start_link(2).await.unwrap();
///     counter.cast(Command::Add(3));
///     counter.call(Command::Get).await
/// });
/// assert_eq!(value, Ok(5));
/// ```
///
/// # How a server ends
///
/// | cause | `terminate` runs | exit reason |
/// |---|---|---|
/// | a callback returns [`Next::Stop`] | yes | the reason given |
/// | a callback panics | yes | the panic |
/// | [`ServerRef::stop`] | yes | the reason given |
/// | exit signal of the parent, and the server traps exits | yes | the parent's reason, `Normal` too |
/// | exit signal, and the server does not trap exits | no | the signal's reason |
/// | exit signal of another process, and the server traps exits | | goes on: [`Info::Exit`] |
/// | [`ExitReason::Kill`] | no | `Killed` |
///
/// The parent is the process that called [`start_link`](GenServer::start_link); its exit never
/// reaches `handle_info`. A panic in `terminate` replaces the reason.
///
/// # When not to write one
///
/// To organize code: plain functions and structs do that. A server is for a state that several
/// processes share, that must survive their crashes, or that must be worked on one request at a
/// time.
pub trait GenServer: Sized + Send + 'static {
    /// What [`init`](GenServer::init) gets.
    type Args: Send + 'static;
    /// What the server can be told.
    type Message: Send + 'static;

    /// Makes the state, in the new process, before anything else runs there; the starter waits
    /// for it. The name is registered before.
    ///
    /// # Errors
    ///
    /// The process ends with the reason returned, and the starter is told after that:
    /// [`StartError::Exit`]. [`terminate`](GenServer::terminate) is not called.
    fn init(
        args: Self::Args,
        cx: &mut Context<Self>,
    ) -> impl Future<Output = Result<Self, ExitReason>> + Send;

    /// Handles one message.
    fn handle(
        &mut self,
        message: Self::Message,
        cx: &mut Context<Self>,
    ) -> impl Future<Output = Next> + Send;

    /// Handles everything that is not a [`Message`](GenServer::Message): exits of linked
    /// processes (if the server traps exits), downs of monitored ones, the idle
    /// [timeout](Next::Timeout), messages of other types.
    ///
    /// The default logs what came and goes on.
    fn handle_info(
        &mut self,
        info: Info,
        _cx: &mut Context<Self>,
    ) -> impl Future<Output = Next> + Send {
        async move {
            contained(|| {
                tracing::warn!(
                    target: "regrow::gen_server",
                    server = std::any::type_name::<Self>(),
                    pid = %self_pid(),
                    info = ?info,
                    "unexpected message dropped"
                );
            });
            Next::Continue
        }
    }

    /// Cleans up before the process ends; see the table above for when it runs. The default
    /// does nothing.
    fn terminate(
        &mut self,
        _reason: &ExitReason,
        _cx: &mut Context<Self>,
    ) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Starts the server, not linked to anybody. The work begins when the result is awaited.
    #[track_caller]
    fn start(args: Self::Args) -> Start<Self> {
        Start::new(args, false)
    }

    /// Starts the server, linked to the calling process, which is its parent.
    #[track_caller]
    fn start_link(args: Self::Args) -> Start<Self> {
        Start::new(args, true)
    }
}

/// What a server does after a callback.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Next {
    /// Waits for the next message.
    Continue,
    /// Runs [`terminate`](GenServer::terminate) and ends with this reason.
    Stop(ExitReason),
    /// Waits for the next message; if none comes within this time,
    /// [`handle_info`](GenServer::handle_info) gets [`Info::Timeout`]. Any message cancels it,
    /// and it is not armed again. With zero it fires only if the mailbox is empty.
    Timeout(Duration),
}

/// What [`GenServer::handle_info`] gets.
#[derive(Debug)]
#[non_exhaustive]
pub enum Info {
    /// A linked process other than the parent has ended, or sent an exit signal. Only if the
    /// server traps exits.
    Exit(Exit),
    /// A monitored process has ended.
    Down(Down),
    /// Nothing came within the time of [`Next::Timeout`].
    Timeout,
    /// A message of a type that is not the server's.
    Message(Message),
}

/// What a server knows about itself; every callback gets it.
pub struct Context<S> {
    parent: Option<Pid>,
    server: PhantomData<fn(S)>,
}

impl<S: GenServer> Context<S> {
    fn new(parent: Option<Pid>) -> Self {
        Context {
            parent,
            server: PhantomData,
        }
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
}

impl<S> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("parent", &self.parent)
            .finish_non_exhaustive()
    }
}
