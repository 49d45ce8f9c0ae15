//! Names that somebody else keeps.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};

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
pub trait Via: Any + fmt::Debug + Send + Sync {
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

    /// The name itself, if it is to be compared: two [`ServerRef`](crate::ServerRef)s are equal if
    /// the types of their `Via`s are, and these names. It includes which registry is meant, if
    /// there can be several. Without one, a reference is equal to its clones, and to those
    /// made of the same `Arc`.
    ///
    /// ```
    /// # use regrow_runtime::Pid;
    /// use regrow_supervisor::{ServerRef, Via, ViaName};
    /// use std::sync::Arc;
    ///
    /// #[derive(Debug)]
    /// struct Player(u64);
    ///
    /// impl Via for Player {
    ///     fn name(&self) -> Option<&dyn ViaName> {
    ///         Some(&self.0)
    ///     }
    /// #   fn register(&self) -> Result<(), Pid> { Ok(()) }
    /// #   fn whereis(&self) -> Option<Pid> { None }
    ///     // ...
    /// }
    ///
    /// let player = |number| ServerRef::<()>::via(Arc::new(Player(number)));
    /// assert_eq!(player(7), player(7));
    /// assert_ne!(player(7), player(8));
    /// ```
    fn name(&self) -> Option<&dyn ViaName> {
        None
    }
}

/// A name of any type, to be compared with others: see [`Via::name`]. Whatever can be a key of a
/// `HashMap` is one.
pub trait ViaName: Any {
    /// Whether the other is of the same type, and equal.
    fn is(&self, other: &dyn ViaName) -> bool;

    /// What [`Hash`] does.
    fn hash_into(&self, state: &mut dyn Hasher);
}

impl<T: Eq + Hash + 'static> ViaName for T {
    fn is(&self, other: &dyn ViaName) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref() == Some(self)
    }

    fn hash_into(&self, mut state: &mut dyn Hasher) {
        self.hash(&mut state);
    }
}
