//! Talking to the process that knows all applications.

use std::future::Future;
use std::sync::Arc;

use regrow_runtime::{ExitReason, Pid};

use super::controller::{Controller, Request};
use super::order::in_order;
use super::{Application, EnsureAllStartedError, StartApplicationError, StartType};
use super::{ApplicationEnded, StopApplicationError};
use crate::call::wait_here;
use crate::{CallError, GenServer, Name, ServerRef, StartError, StopError};

/// The name of the controller of a runtime.
const CONTROLLER: Name<Request> = Name::new("application_controller");

/// One running application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApplicationInfo {
    /// Its name.
    pub name: Arc<str>,
    /// What the end of its root comes to.
    pub start_type: StartType,
    /// The root of its tree.
    pub root: Pid,
}

/// The applications of a runtime (OTP: the module `application`). Cheap to clone.
///
/// A program that was started with [`Application::run`] has a controller, known as
/// `application_controller`; [`Applications::current`] speaks to it. Where there is none, in a
/// test or inside of another program, [`Applications::start_link`] starts one.
///
/// ```
/// use regrow_runtime::{ExitReason, Runtime, sleep, spawn_link};
/// use regrow_supervisor::{Application, Applications, StartApplicationError};
/// use std::time::Duration;
///
/// Runtime::new().unwrap().block_on(async {
///     let applications = Applications::start_link().await.unwrap();
///     let shop = || {
///         Application::new("shop").depends_on("repo").root(|| async {
///             Ok::<_, ExitReason>(spawn_link(sleep(Duration::from_secs(3600))))
///         })
///     };
///     let refused = applications.start(shop()).await.unwrap_err();
///     assert_eq!(refused.to_string(), "application `shop` needs `repo`, which is not started");
///     assert!(applications.which_applications().await.unwrap().is_empty());
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Applications {
    server: ServerRef<Request>,
}

impl Applications {
    /// Starts a controller, linked to the calling process and known as `application_controller`.
    ///
    /// It ends when that process does, and stops all applications before. If an application ends
    /// whose [type](StartType) does not allow it, the controller stops the others, the last that
    /// was started first, and ends with [`ApplicationEnded`] as its reason.
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyStarted`] if the runtime has one.
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn start_link() -> impl Future<Output = Result<Applications, StartError>> + Send {
        let start = Controller::start_link(()).name(CONTROLLER);
        wait_here(async move {
            let server = start.await?;
            Ok(Applications { server })
        })
    }

    /// The applications of this runtime, whoever has started their controller.
    pub fn current() -> Applications {
        Applications {
            server: CONTROLLER.server_ref(),
        }
    }

    /// The controller's process, if there is one.
    ///
    /// # Panics
    ///
    /// For [`current`](Applications::current), outside a process; so do all requests.
    #[track_caller]
    pub fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// Starts an application; what it depends on must run already (OTP: `application:start`).
    ///
    /// Waits until its root has started. Meanwhile others can be started and stopped.
    ///
    /// # Errors
    ///
    /// See [`StartApplicationError`].
    #[track_caller]
    pub fn start(
        &self,
        application: Application,
    ) -> impl Future<Output = Result<(), StartApplicationError>> + Send {
        wait_here(async move {
            // What it brings along was for its name only.
            let single = in_order(application).pop().expect("itself");
            let request = |reply| Request::Start(Box::new(single), reply);
            let answer = self.server.call(request).no_timeout().await;
            answer.map_err(StartApplicationError::Call)?
        })
    }

    /// Starts an application and before it what it brings along, as far as they do not run yet.
    /// Returns the names of those that were started, in that order (OTP:
    /// `application:ensure_all_started`).
    ///
    /// # Errors
    ///
    /// When one does not start; then those that had been started are stopped again, the last
    /// first.
    #[track_caller]
    pub fn ensure_all_started(
        &self,
        application: Application,
    ) -> impl Future<Output = Result<Vec<Arc<str>>, EnsureAllStartedError>> + Send {
        wait_here(async move {
            let mut started: Vec<Arc<str>> = Vec::new();
            for single in in_order(application) {
                let name = single.name.clone();
                let request = |reply| Request::Start(Box::new(single), reply);
                let answer = self.server.call(request).no_timeout().await;
                match answer.map_err(StartApplicationError::Call).flatten() {
                    Ok(()) => started.push(name),
                    Err(StartApplicationError::AlreadyStarted { .. }) => {}
                    Err(error) => {
                        for name in started.iter().rev() {
                            // It may have ended meanwhile, which comes to the same.
                            let _ = self.stop(name).await;
                        }
                        return Err(EnsureAllStartedError { name, error });
                    }
                }
            }
            Ok(started)
        })
    }

    /// Stops an application: its [`prep_stop`](Application::prep_stop) runs, its root is told to
    /// shut down and waited for without limit, its [`stopped`](Application::stopped) runs. No
    /// other is touched, not even one that needs it (OTP: `application:stop`).
    ///
    /// # Errors
    ///
    /// See [`StopApplicationError`].
    #[track_caller]
    pub fn stop(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<(), StopApplicationError>> + Send {
        wait_here(async move {
            let request = |reply| Request::Stop(name.into(), reply);
            let answer = self.server.call(request).no_timeout().await;
            answer.map_err(StopApplicationError::Call)?
        })
    }

    /// The applications that run, the last that was started first.
    ///
    /// # Errors
    ///
    /// If the controller could not be asked.
    #[track_caller]
    pub fn which_applications(
        &self,
    ) -> impl Future<Output = Result<Vec<ApplicationInfo>, CallError>> + Send {
        wait_here(async move { self.server.call(Request::Which).no_timeout().await })
    }

    /// Stops all applications, the last that was started first, and then the controller; waits
    /// for it without limit. A program that [`run`](Application::run)s ends with this, with exit
    /// code 0.
    ///
    /// An application that is still in its start is not waited for: its start is given up, and what
    /// there is of its root is told to shut down.
    ///
    /// It is for a process outside of the trees. One inside is stopped while it waits; a hook would
    /// wait for its own end: see [`begin_shut_down`](Applications::begin_shut_down).
    ///
    /// # Errors
    ///
    /// [`ApplicationEnded`] inside of [`StopError::Exit`] if a root ended abnormally while it was
    /// stopped, or by itself at the same time.
    #[track_caller]
    pub fn shut_down(&self) -> impl Future<Output = Result<(), StopError>> + Send {
        wait_here(async move { self.server.stop(ExitReason::Shutdown, None).await })
    }

    /// As [`shut_down`](Applications::shut_down), but waits for nothing: from a server, from a
    /// hook, from anywhere in a tree (OTP: `init:stop`, Elixir: `System.stop`).
    ///
    /// Where there is no controller it does nothing.
    ///
    /// # Panics
    ///
    /// For [`current`](Applications::current), outside a process.
    ///
    /// ```
    /// use regrow_runtime::{ExitReason, sleep, spawn_link};
    /// use regrow_supervisor::{Application, Applications};
    /// use std::process::ExitCode;
    /// use std::time::Duration;
    ///
    /// fn main() -> ExitCode {
    ///     Application::new("once")
    ///         .root(|| async {
    ///             Ok::<_, ExitReason>(spawn_link(async {
    ///                 println!("all there was to do");
    ///                 Applications::current().begin_shut_down();
    ///                 sleep(Duration::from_secs(3600)).await // until the tree is stopped
    ///             }))
    ///         })
    ///         .stopped(|| async { println!("in order") })
    ///         .run() // 0
    /// }
    /// ```
    #[doc(alias = "System.stop")]
    #[doc(alias = "init:stop")]
    #[track_caller]
    pub fn begin_shut_down(&self) {
        self.server.cast(Request::ShutDown);
    }
}

/// What ended the applications, if this is a reason that a controller has ended with.
pub(super) fn ended_by(reason: &ExitReason) -> Option<&ApplicationEnded> {
    match reason {
        ExitReason::Error(error) => error.downcast_ref(),
        _ => None,
    }
}
