//! gen_server: a process that keeps a state and answers one typed message after the other.
//!
//! `start.rs` is the starter's side (OTP's `proc_lib` start protocol), `process.rs` the server's;
//! `wait.rs` decides how it waits.

mod context;
mod next;
pub(crate) mod not_started;
pub(crate) mod process;
mod report;
mod start;
mod wait;

use std::future::Future;

use regrow_runtime::{ExitReason, MonitorRef, process_info, self_pid};

use crate::behaviour::Server;
use crate::report::{contained, discard};
use crate::sys::FormatStatus;

pub use context::Context;
pub use next::{Info, Next};
pub(crate) use start::ServerName;
pub use start::{Start, StartError};

/// A server: a state, and what each message does to it.
///
/// One enum names everything the server can be told; the variants that are calls carry a
/// [`ReplyTo`](regrow_runtime::ReplyTo). A reply handle may also be kept, or moved to another
/// process, and answered later. A message of type [`Message`](GenServer::Message) reaches
/// [`handle`](GenServer::handle) however it was sent: by [`ServerRef::cast`](crate::ServerRef::cast),
/// [`ServerRef::call`](crate::ServerRef::call), plain `send` or a timer. Everything else goes to
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
/// | a callback returns [`Next::Stop`], or [`stop_and_reply`](Context::stop_and_reply) | yes | the reason given |
/// | a callback panics | yes | the panic |
/// | a callback calls [`exit_with`](regrow_runtime::exit_with) | yes | the reason given |
/// | [`ServerRef::stop`](crate::ServerRef::stop) | yes | the reason given |
/// | exit signal of the parent, and the server traps exits | yes | the parent's reason, `Normal` too |
/// | exit signal, and the server does not trap exits | no | the signal's reason |
/// | exit signal of another process, and the server traps exits | | goes on: [`Info::Exit`] |
/// | [`ExitReason::Kill`] | no | `Killed` |
///
/// The parent is the process that called [`start_link`](GenServer::start_link); its exit never
/// reaches `handle_info`. A panic in `terminate` replaces the reason.
///
/// A reason that is not [normal-like](ExitReason::is_normal_like) is reported in one error event
/// with target `regrow::gen_server`; what it says of the state and the last message is up to
/// [`format_status`](GenServer::format_status) and [`format_message`](GenServer::format_message).
/// (Its process, like any, is a crash report of its own: target `regrow::crash`.)
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
    /// [`StartError::Exit`]. [`terminate`](GenServer::terminate) is not called. Two errors are
    /// made by the context and end the process as normal: [`Context::ignore`] and
    /// [`Context::fail`].
    fn init(
        args: Self::Args,
        cx: &mut Context<Self>,
    ) -> impl Future<Output = Result<Self, ExitReason>> + Send;

    /// Handles one message.
    #[doc(alias = "handle_call")]
    #[doc(alias = "handle_cast")]
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
            discard(info);
            Next::Continue
        }
    }

    /// Goes on where `init` or another callback stopped, with [`Next::HandleContinue`]: before
    /// any other message, and when the starter, or whoever was replied to, has been told.
    ///
    /// # Panics
    ///
    /// The default panics, and so ends the server: what was to be done here has not been done.
    fn handle_continue(&mut self, _cx: &mut Context<Self>) -> impl Future<Output = Next> + Send {
        async {
            panic!(
                "`{}` has no `handle_continue`, but answered `Next::HandleContinue`",
                std::any::type_name::<Self>()
            )
        }
    }

    /// Gives memory back before a long wait: the state shrinks its buffers, drops its caches.
    /// Runs whenever the server begins to hibernate: [`Next::Hibernate`],
    /// [`Start::hibernate_after`]. What the process itself can spare is given back then as well.
    /// The default does nothing.
    ///
    /// A panic in it ends the server, as one in any callback.
    fn hibernate(&mut self) {}

    /// Rewrites what is shown of the server: by [`sys::get_status`](crate::sys::get_status), and
    /// in the report of an abnormal end. A state may be shown, as by default only its type is; a
    /// secret in a message or reason may be hidden. A panic in it is contained, and the state is
    /// shown as a fixed text.
    ///
    /// ```
    /// # use regrow_runtime::ExitReason;
    /// # use regrow_supervisor::{Context, GenServer, Next};
    /// use regrow_supervisor::sys::{self, FormatStatus};
    ///
    /// struct Session { user: String, password: String }
    ///
    /// impl GenServer for Session {
    /// #   type Args = ();
    /// #   type Message = ();
    /// #   async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
    /// #       Ok(Session { user: "joe".into(), password: "secret".into() })
    /// #   }
    /// #   async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Next {
    /// #       self.password.clear();
    /// #       Next::Continue
    /// #   }
    ///     fn format_status(&self, status: &mut FormatStatus) {
    ///         status.state = format!("session of {}", self.user);
    ///     }
    /// }
    ///
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// let session = Session::start_link(()).await.unwrap();
    /// assert_eq!(sys::get_status(&session).await.unwrap().state, "session of joe");
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn format_status(&self, _status: &mut FormatStatus) {}

    /// The text of a message for reports and [`sys::trace`](crate::sys::trace). A message is gone
    /// when its callback has failed, so this runs before *each* one is handled; the default
    /// gives none and costs nothing, and the reports say the message's type. A panic in it is
    /// contained.
    ///
    /// ```
    /// # use regrow_runtime::ExitReason;
    /// # use regrow_supervisor::{Context, GenServer, Next};
    /// # struct Server;
    /// #[derive(Debug)]
    /// enum Command { Load(String) }
    ///
    /// impl GenServer for Server {
    /// #   type Args = ();
    ///     type Message = Command;
    ///
    ///     fn format_message(message: &Command) -> Option<String> {
    ///         Some(format!("{message:?}"))
    ///     }
    /// #   async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Server) }
    /// #   async fn handle(&mut self, Command::Load(_): Command, _: &mut Context<Self>) -> Next {
    /// #       Next::Continue
    /// #   }
    /// }
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// # use regrow_supervisor::sys::{self, Traced};
    /// # let server = Server::start_link(()).await.unwrap();
    /// # sys::trace_to(&server, regrow_runtime::self_pid(), true).await.unwrap();
    /// # server.cast(Command::Load("x".into()));
    /// # let event = regrow_runtime::receive::<sys::TraceEvent>().await;
    /// # assert_eq!(event.what, Traced::In("Load(\"x\")".into()));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn format_message(_message: &Self::Message) -> Option<String> {
        None
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

    /// Starts the server, monitored by the calling process and not linked to it: awaiting the
    /// result gives the reference and the monitor, without a gap in between.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// # use regrow_runtime::ExitReason;
    /// # use regrow_supervisor::{Context, GenServer, Next};
    /// # struct Job;
    /// # impl GenServer for Job {
    /// #   type Args = ();
    /// #   type Message = ();
    /// #   async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Job) }
    /// #   async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Next {
    /// #       Next::Stop(ExitReason::Normal)
    /// #   }
    /// # }
    /// use regrow_runtime::receive_down;
    ///
    /// let (job, monitor) = Job::start_monitor(()).await.unwrap();
    /// job.cast(());
    /// assert_eq!(receive_down(monitor).await.reason, ExitReason::Normal);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    fn start_monitor(args: Self::Args) -> Start<Self, Server, MonitorRef> {
        Start::new(args, false).monitor()
    }

    /// Makes the current process a server with this state, whose body then ends with what this
    /// returns (OTP: `gen_server:enter_loop`). For a process that has something to do first which
    /// no `init` can do, or that is no server until something has happened.
    ///
    /// Its parent is the process that spawned it. Names, traps and links stay as they are.
    /// `terminate` runs, and the end is reported, as for any server.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// use regrow_runtime::{ExitReason, ReplyTo, proc_lib};
    /// use regrow_supervisor::{Context, GenServer, Next, ServerRef};
    ///
    /// struct Adder(u32);
    ///
    /// impl GenServer for Adder {
    ///     type Args = u32;
    ///     type Message = (u32, ReplyTo<u32>);
    /// #   async fn init(n: u32, _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Adder(n)) }
    ///
    ///     async fn handle(&mut self, (n, reply): (u32, ReplyTo<u32>), _: &mut Context<Self>) -> Next {
    ///         reply.send(self.0 + n);
    ///         Next::Continue
    ///     }
    /// }
    ///
    /// let started = proc_lib::start_link(|ready| async move {
    ///     let secret = 40; // found out by a protocol of its own
    ///     ready.ack(());
    ///     Adder(secret).enter_loop(Next::Continue).await
    /// })
    /// .await
    /// .unwrap();
    /// let adder = ServerRef::<(u32, ReplyTo<u32>)>::from_pid(started.pid);
    /// assert_eq!(adder.call(|reply| (2, reply)).await, Ok(42));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a process.
    fn enter_loop(mut self, first: Next) -> impl Future<Output = ExitReason> + Send {
        async move {
            let parent = process_info(self_pid()).await.and_then(|info| info.parent);
            let mut cx = Context::new(parent, None);
            cx.after_init(first);
            process::live(&mut self, &mut cx).await
        }
    }
}
