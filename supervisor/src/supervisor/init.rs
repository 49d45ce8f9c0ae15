//! Settings that are made in the supervisor's own process.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use regrow_runtime::ExitReason;

use super::process::{self, Begin};
use super::{Supervisor, SupervisorRef};
use crate::call::wait_here;
use crate::gen_server::ServerName;
use crate::{StartError, Via};

type Made = Pin<Box<dyn Future<Output = Result<Option<Supervisor>, ExitReason>> + Send>>;
pub(super) type InitFunction = Box<dyn FnOnce() -> Made + Send>;

/// A supervisor whose settings are made by a function in its own process, about to be started:
/// from [`Supervisor::init`].
#[must_use = "nothing is started before `start_link`"]
pub struct SupervisorInit {
    name: Option<ServerName>,
    init: InitFunction,
}

impl Supervisor {
    /// A supervisor that finds out in its own process what it supervises, as the `init` callback
    /// of OTP's supervisors does: it may read a configuration, make a table that its children
    /// share, ask another server how many of them there should be.
    ///
    /// The function has the name already and traps exits; it returns the settings, or `None` if
    /// there is nothing to supervise (OTP's `ignore`). Whoever starts the supervisor waits for
    /// it. Links and timers that it makes are the supervisor's.
    ///
    /// ```
    /// use regrow_runtime::{ExitReason, Runtime, sleep, spawn_link};
    /// use regrow_supervisor::{ChildSpec, Strategy, Supervisor};
    /// use std::time::Duration;
    ///
    /// let runtime = Runtime::new().unwrap();
    /// runtime.block_on(async {
    ///     let supervisor = Supervisor::init(|| async {
    ///         let shards: u32 = "3".parse()?; // from a file, perhaps
    ///         let shard = |n| {
    ///             ChildSpec::new(format!("shard {n}"), || async {
    ///                 Ok::<_, ExitReason>(spawn_link(sleep(Duration::from_secs(3600))))
    ///             })
    ///         };
    ///         let settings = Supervisor::new(Strategy::OneForOne);
    ///         Ok::<_, ExitReason>(settings.children((0..shards).map(shard)))
    ///     })
    ///     .name("shards")
    ///     .start_link()
    ///     .await
    ///     .unwrap();
    ///     assert_eq!(supervisor.count_children().await.unwrap().active, 3);
    /// });
    /// ```
    pub fn init<F, S, I, E>(init: F) -> SupervisorInit
    where
        F: FnOnce() -> S + Send + 'static,
        S: IntoFuture<Output = Result<I, E>>,
        S::IntoFuture: Send + 'static,
        I: Into<Option<Supervisor>>,
        E: Into<ExitReason>,
    {
        let init = || -> Made {
            Box::pin(async move {
                match init().await {
                    Ok(settings) => Ok(settings.into()),
                    Err(error) => Err(StartError::unwrap_reason(error.into())),
                }
            })
        };
        SupervisorInit {
            name: None,
            init: Box::new(init),
        }
    }
}

impl SupervisorInit {
    /// Registers the supervisor under this name before the function runs. The settings that it
    /// returns must not have another.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(ServerName::Local(name.into()));
        self
    }

    /// Registers the supervisor in another registry than the runtime's own, before it starts its
    /// children; see [`Via`](crate::Via). It has one name: the last that is given.
    pub fn via(mut self, via: Arc<dyn Via>) -> Self {
        self.name = Some(ServerName::Via(via));
        self
    }

    /// Starts the supervisor, linked to the calling process, and its children.
    ///
    /// # Errors
    ///
    /// As [`Supervisor::start_link`], and [`StartError::Exit`] with the reason that the function
    /// failed or panicked with; [`StartError::Ignored`] if it returned `None`. A name in the settings is [`SpecError::NameInInit`].
    ///
    /// [`SpecError::NameInInit`]: crate::SpecError::NameInInit
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn start_link(self) -> impl Future<Output = Result<SupervisorRef, StartError>> + Send {
        let place = Location::caller();
        let SupervisorInit { name, init } = self;
        wait_here(process::start_link(name, Begin::Later(init), place))
    }
}

impl fmt::Debug for SupervisorInit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorInit")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
