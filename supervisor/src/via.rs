//! Names that somebody else keeps.

use std::fmt;

use regrow_runtime::Pid;

/// A name in a registry other than the runtime's own (OTP: `{via, Module, Name}`).
///
/// The registry is the user's code, or that of a library. A server is started under such a name
/// with [`Start::via`](crate::Start::via) and reached with
/// [`ServerRef::via`](crate::ServerRef::via), which looks it up for each message, so that the
/// reference survives a restart.
///
/// ```
/// use regrow_runtime::{ExitReason, Pid, ReplyTo, Runtime, self_pid};
/// use regrow_supervisor::{CallError, Context, GenServer, Next, ServerRef, Via};
/// use std::sync::{Arc, Mutex};
///
/// /// One name, which whoever asks first has until it gives it back.
/// #[derive(Debug, Default)]
/// struct Throne(Mutex<Option<Pid>>);
///
/// impl Via for Throne {
///     fn register(&self) -> Result<(), Pid> {
///         let mut owner = self.0.lock().unwrap();
///         match *owner {
///             Some(pid) => Err(pid),
///             None => {
///                 *owner = Some(self_pid());
///                 Ok(())
///             }
///         }
///     }
///
///     fn whereis(&self) -> Option<Pid> {
///         *self.0.lock().unwrap()
///     }
/// }
///
/// struct King;
///
/// impl GenServer for King {
///     type Args = ();
///     type Message = ReplyTo<&'static str>;
///
///     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(King) }
///
///     async fn handle(&mut self, who: ReplyTo<&'static str>, _: &mut Context<Self>) -> Next {
///         who.send("the king");
///         Next::Continue
///     }
/// }
///
/// Runtime::new().unwrap().block_on(async {
///     let throne = Arc::new(Throne::default());
///     let ruler = ServerRef::via(throne.clone());
///     assert_eq!(ruler.call(|who| who).await, Err(CallError::NoProc));
///     King::start_link(()).via(throne).await.unwrap();
///     assert_eq!(ruler.call(|who| who).await, Ok("the king"));
/// });
/// ```
pub trait Via: fmt::Debug + Send + Sync + 'static {
    /// Gives the name to the calling process.
    ///
    /// It is called in the new process, before `init`. The name must be free again when that
    /// process has ended, whatever it ends with; a registry that does not hear of it at once
    /// takes the name of a dead process for free.
    ///
    /// # Errors
    ///
    /// Who has the name already.
    fn register(&self) -> Result<(), Pid>;

    /// Who has the name now. A process that has just ended may still be given: what is sent to
    /// it goes the way of everything that is sent to the dead.
    fn whereis(&self) -> Option<Pid>;
}
