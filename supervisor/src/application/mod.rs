//! Applications: trees with a name, started and stopped as a whole, in the order of what they
//! need.
//!
//! | file | who |
//! |---|---|
//! | `mod.rs` | what an application is made of |
//! | `order.rs` | which others must be started before it: pure |
//! | `master.rs` | the process of one application, the parent of its root |
//! | `controller.rs` | the process that knows all of them |
//! | `reference.rs` | talking to that |
//! | `program.rs` | a whole program: runtime, controller, signals, exit code |

mod controller;
mod error;
mod master;
mod order;
mod program;
mod reference;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use regrow_runtime::{Builder, ExitReason, Pid, Runtime};

use crate::{Child, StartError};

pub use error::{
    ApplicationEnded, EnsureAllStartedError, StartApplicationError, StopApplicationError,
};
pub use reference::{ApplicationInfo, Applications};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Root = Box<dyn FnOnce() -> Boxed<Result<Child, ExitReason>> + Send>;
type Hook = Box<dyn FnOnce(Pid) -> Boxed<()> + Send>;
type Stopped = Box<dyn FnOnce() -> Boxed<()> + Send>;

/// What the end of an application's root comes to, if it ends by itself (OTP: the start type).
///
/// Whatever the type, [`Applications::stop`] concerns no other application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum StartType {
    /// All other applications are stopped, and the program ends. The default.
    #[default]
    Permanent,
    /// The same, unless the root's reason is exactly [`ExitReason::Normal`]. A supervisor that
    /// gives up ends as `Shutdown`, and so takes the program along.
    Transient,
    /// It is reported, and nothing else happens.
    Temporary,
}

impl StartType {
    /// Whether an application of this type takes all others along.
    fn is_fatal(self, reason: &ExitReason) -> bool {
        match self {
            StartType::Permanent => true,
            StartType::Transient => !matches!(reason, ExitReason::Normal),
            StartType::Temporary => false,
        }
    }
}

impl fmt::Display for StartType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StartType::Permanent => "permanent",
            StartType::Transient => "transient",
            StartType::Temporary => "temporary",
        })
    }
}

/// Something that must run before an application is started.
///
/// Made from a name, of an application that somebody else starts; or from an [`Application`],
/// which [`Application::run`] and [`Applications::ensure_all_started`] then start before.
#[derive(Debug)]
pub struct Dependency(Needed);

#[derive(Debug)]
enum Needed {
    Name(Arc<str>),
    Application(Box<Application>),
}

impl From<&str> for Dependency {
    fn from(name: &str) -> Self {
        Dependency(Needed::Name(name.into()))
    }
}

impl From<String> for Dependency {
    fn from(name: String) -> Self {
        Dependency(Needed::Name(name.into()))
    }
}

impl From<Application> for Dependency {
    fn from(application: Application) -> Self {
        Dependency(Needed::Application(Box::new(application)))
    }
}

/// A supervision tree with a name, what it needs, and what is done around its start and stop.
///
/// [`run`](Application::run) is meant to be all that `main` does:
///
/// ```no_run
/// use regrow_supervisor::{Application, Strategy, Supervisor, print_tree};
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     Application::new("chat")
///         .root(|| Supervisor::new(Strategy::OneForOne).name("chat").start_link())
///         .started(|root| async move {
///             if let Ok(tree) = print_tree(root).await {
///                 println!("{tree}");
///             }
///         })
///         .run()
/// }
/// ```
///
/// | what happens | exit code | on stderr |
/// |---|---|---|
/// | SIGINT (Ctrl-C) or SIGTERM: all trees are stopped in order | 0 | |
/// | [`begin_shut_down`](Applications::begin_shut_down) or [`shut_down`](Applications::shut_down) in one of its processes: the same | 0 | |
/// | a second such signal while that goes on, half a second or more later: the program ends at once | 1 | that it did |
/// | the root, or that of a dependency, does not start | 1 | why |
/// | the root ends by itself, and its [type](StartType) does not say that this is fine | 1 | the reason |
///
/// A program of several applications is one that [depends on](Application::depends_on) the
/// others. They are started before it, and stopped after it in the reverse order. More can be
/// started and stopped while it runs: [`Applications`].
///
/// A tree is stopped as by OTP's `application:stop`: first [`prep_stop`](Self::prep_stop), then
/// the root is told to shut down and waited for without limit (each supervisor gives its
/// children the time that their specs say), then [`stopped`](Self::stopped).
#[must_use = "an application does nothing until it is started"]
pub struct Application {
    name: Arc<str>,
    start_type: StartType,
    needs: Vec<Dependency>,
    parts: Parts,
    runtime: Builder,
}

/// What the master works with.
#[derive(Default)]
struct Parts {
    root: Option<Root>,
    started: Option<Hook>,
    prep_stop: Option<Hook>,
    stopped: Option<Stopped>,
}

impl Application {
    /// An application of this name, which goes before what it says on stderr.
    pub fn new(name: impl Into<String>) -> Self {
        Application {
            name: name.into().into(),
            start_type: StartType::default(),
            needs: Vec::new(),
            parts: Parts::default(),
            runtime: Runtime::builder(),
        }
    }

    /// Sets how to start the root, usually a [`Supervisor`](crate::Supervisor). It must be linked
    /// to the calling process, as `start_link` does.
    pub fn root<F, S, C, E>(mut self, start: F) -> Self
    where
        F: FnOnce() -> S + Send + 'static,
        S: IntoFuture<Output = Result<C, E>>,
        S::IntoFuture: Send + 'static,
        C: Into<Child>,
        E: Into<ExitReason>,
    {
        self.parts.root = Some(Box::new(move || {
            let starting = start().into_future();
            Box::pin(async move {
                match starting.await {
                    Ok(root) => Ok(root.into()),
                    Err(error) => Err(StartError::unwrap_reason(error.into())),
                }
            })
        }));
        self
    }

    /// Sets what the root's own end comes to. Permanent unless said otherwise, as the applications
    /// of a release are.
    pub fn start_type(mut self, start_type: StartType) -> Self {
        self.start_type = start_type;
        self
    }

    /// Adds something that must run before, by name or as a whole; see [`Dependency`]. Several
    /// may need the same one: it is started once.
    ///
    /// ```
    /// use regrow_runtime::{ExitReason, Runtime, sleep, spawn_link};
    /// use regrow_supervisor::{Application, Applications};
    /// use std::time::Duration;
    ///
    /// async fn root() -> Result<regrow_runtime::Pid, ExitReason> {
    ///     Ok(spawn_link(sleep(Duration::from_secs(3600))))
    /// }
    ///
    /// Runtime::new().unwrap().block_on(async {
    ///     let applications = Applications::start_link().await.unwrap();
    ///     let shop = Application::new("shop")
    ///         .depends_on(Application::new("repo").root(root))
    ///         .root(root);
    ///     let started = applications.ensure_all_started(shop).await.unwrap();
    ///     assert_eq!(started, ["repo".into(), "shop".into()]);
    ///     applications.stop("shop").await.unwrap(); // "repo" goes on
    /// });
    /// ```
    pub fn depends_on(mut self, dependency: impl Into<Dependency>) -> Self {
        self.needs.push(dependency.into());
        self
    }

    /// Sets what to do once the root has started; gets its pid. Signals wait meanwhile. A panic
    /// in it stops the tree, and the application has not started.
    pub fn started<F, S>(mut self, hook: F) -> Self
    where
        F: FnOnce(Pid) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        self.parts.started = Some(Box::new(move |root| Box::pin(hook(root))));
        self
    }

    /// Sets what to do before the tree is stopped, while it still runs; gets the root's pid. As
    /// in OTP it also runs when the root has ended by itself, after that.
    pub fn prep_stop<F, S>(mut self, hook: F) -> Self
    where
        F: FnOnce(Pid) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        self.parts.prep_stop = Some(Box::new(move |root| Box::pin(hook(root))));
        self
    }

    /// Sets what to do after the tree has ended, told to or by itself (OTP: `Module:stop/1`).
    pub fn stopped<F, S>(mut self, hook: F) -> Self
    where
        F: FnOnce() -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        self.parts.stopped = Some(Box::new(move || Box::pin(hook())));
        self
    }

    /// Sets the number of scheduler threads of a program that [runs](Application::run) this
    /// application; one per core by default. That of a dependency means nothing.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn workers(mut self, workers: usize) -> Self {
        self.runtime = self.runtime.workers(workers);
        self
    }

    /// Sets the runtime of a program that [runs](Application::run) this application, where more
    /// than the number of its workers is to be said. That of a dependency means nothing.
    ///
    /// ```no_run
    /// use regrow_runtime::Runtime;
    /// use regrow_supervisor::{Application, Strategy, Supervisor};
    /// use std::time::Duration;
    ///
    /// fn main() -> std::process::ExitCode {
    ///     let runtime = Runtime::builder().blocking_threads(4).max_processes(100_000);
    ///     Application::new("shop")
    ///         .runtime(runtime.shutdown_patience(Duration::from_secs(1)))
    ///         .root(|| Supervisor::new(Strategy::OneForOne).start_link())
    ///         .run()
    /// }
    /// ```
    pub fn runtime(mut self, runtime: Builder) -> Self {
        self.runtime = runtime;
        self
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("name", &self.name)
            .field("start_type", &self.start_type)
            .field("needs", &self.needs)
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}
