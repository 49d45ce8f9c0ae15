//! The top of a program: runtime, root supervisor, signals of the operating system.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io::{self, Write};
use std::pin::Pin;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use regrow_runtime::{
    Down, ExitReason, Message, MonitorRef, Pid, Runtime, catch_panic, exit, monitor, receive_any,
    receive_down, self_pid, send, set_label, trap_exit,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{Child, StartError};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Root = Box<dyn FnOnce() -> Boxed<Result<Child, ExitReason>> + Send>;
type Hook = Box<dyn FnOnce(Pid) -> Boxed<()> + Send>;

/// A whole program: a supervision tree and the way it starts and stops.
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
/// | SIGINT (Ctrl-C) or SIGTERM: the tree is stopped in order | 0 | |
/// | a second such signal while that goes on, half a second or more later: the program ends at once | 1 | that it did |
/// | the root does not start | 1 | why |
/// | the root ends by itself, whatever its reason | 1 | the reason |
///
/// The tree is stopped as by OTP's `application:stop`: first [`prep_stop`](Self::prep_stop),
/// then the root is told to shut down and waited for without limit; each supervisor gives its
/// children the time that their specs say.
#[must_use = "an application does nothing until it is run"]
pub struct Application {
    name: String,
    workers: Option<usize>,
    root: Option<Root>,
    started: Option<Hook>,
    prep_stop: Option<Hook>,
}

impl Application {
    /// An application of this name, which goes before what it says on stderr.
    pub fn new(name: impl Into<String>) -> Self {
        Application {
            name: name.into(),
            workers: None,
            root: None,
            started: None,
            prep_stop: None,
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
        self.root = Some(Box::new(move || {
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

    /// Sets what to do once the root has started; gets its pid. Signals wait meanwhile. A panic
    /// in it stops the tree, and the application has failed.
    pub fn started<F, S>(mut self, hook: F) -> Self
    where
        F: FnOnce(Pid) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        self.started = Some(Box::new(move |root| Box::pin(hook(root))));
        self
    }

    /// Sets what to do before the tree is stopped, while it still runs; gets the root's pid. As
    /// in OTP it also runs when the root has ended by itself, after that.
    pub fn prep_stop<F, S>(mut self, hook: F) -> Self
    where
        F: FnOnce(Pid) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        self.prep_stop = Some(Box::new(move |root| Box::pin(hook(root))));
        self
    }

    /// Sets the number of scheduler threads; one per core by default.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Runs the application until it ends; the result is for `main` to return.
    pub fn run(self) -> ExitCode {
        let name = self.name.clone();
        match self.run_to_end() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                complain(&name, &failure);
                ExitCode::FAILURE
            }
        }
    }

    fn run_to_end(self) -> Result<(), Failure> {
        let runtime = match self.workers {
            None => Runtime::new(),
            Some(workers) => Runtime::builder().workers(workers).build(),
        };
        let runtime = runtime.map_err(Failure::Runtime)?;
        // Before the root starts: a signal must not end the program half started.
        let signals = Signals::new([SIGINT, SIGTERM]).map_err(Failure::Signals)?;
        let stop_listening = signals.handle();
        let ended = runtime.block_on(self.supervise(signals));
        stop_listening.close();
        ended
    }

    /// The application's process: the root's parent.
    async fn supervise(self, signals: Signals) -> Result<(), Failure> {
        trap_exit(true);
        set_label(&*self.name);
        listen(self.name, signals, self_pid()).map_err(Failure::Signals)?;
        let start = self.root.ok_or(Failure::NoRoot)?;
        let root = catch_panic(async move { start().await })
            .await
            .and_then(|started| started)
            .map_err(Failure::DidNotStart)?
            .pid()
            .ok_or(Failure::NoRoot)?;
        let reference = monitor(root);
        let mut outcome = Ok(());
        if let Some(started) = self.started {
            outcome = run_hook(started, root).await;
        }
        if outcome.is_ok() {
            match wait(reference).await {
                Waited::Signalled => {}
                Waited::RootEnded(reason) => {
                    if let Some(prep_stop) = self.prep_stop {
                        run_hook(prep_stop, root).await?;
                    }
                    return Err(Failure::RootEnded(reason));
                }
            }
        }
        if let Some(prep_stop) = self.prep_stop {
            outcome = outcome.and(run_hook(prep_stop, root).await);
        }
        exit(root, ExitReason::Shutdown);
        let reason = receive_down(reference).await.reason;
        outcome?;
        if reason.is_normal_like() {
            Ok(())
        } else {
            Err(Failure::RootEnded(reason))
        }
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("name", &self.name)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// Says why the program ends, if anybody still reads it: a panic for want of a reader would
/// take the exit code, or the thread that listens to signals, along.
fn complain(name: &str, what: &dyn fmt::Display) {
    let _ = writeln!(io::stderr(), "{name}: {what}");
}

/// From the signal thread: the operating system asks the program to end.
struct Signalled;

/// So soon after the first, a signal is no second thought of the user's but the same one twice:
/// a shell or a supervising program may signal the program and its process group.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// Passes the first signal on as a message; the second ends the program on the spot.
///
/// A thread of its own: a signal handler may do next to nothing, and the scheduler's threads may
/// be the very thing that hangs.
fn listen(name: String, mut signals: Signals, application: Pid) -> io::Result<()> {
    let listener = thread::Builder::new().name(format!("{name}-signals"));
    listener.spawn(move || {
        let mut first: Option<Instant> = None;
        for _ in signals.forever() {
            match first {
                None => {
                    first = Some(Instant::now());
                    send(application, Signalled);
                }
                Some(first) if first.elapsed() < SAME_SIGNAL => {}
                Some(_) => {
                    complain(&name, &"second signal, ending at once");
                    std::process::exit(1);
                }
            }
        }
    })?;
    Ok(())
}

enum Waited {
    Signalled,
    RootEnded(ExitReason),
}

async fn wait(root: MonitorRef) -> Waited {
    loop {
        let message: Message = receive_any().await;
        if message.is::<Signalled>() {
            return Waited::Signalled;
        }
        if let Ok(down) = message.downcast::<Down>()
            && down.reference == root
        {
            return Waited::RootEnded(down.reason);
        }
    }
}

async fn run_hook(hook: Hook, root: Pid) -> Result<(), Failure> {
    catch_panic(async move { hook(root).await })
        .await
        .map_err(Failure::Hook)
}

/// Why an application has failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the runtime did not start: {0}")]
    Runtime(io::Error),
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("there is no root to run")]
    NoRoot,
    #[error("the root did not start: {0}")]
    DidNotStart(ExitReason),
    #[error("the root ended: {0}")]
    RootEnded(ExitReason),
    #[error("a hook of the application failed: {0}")]
    Hook(ExitReason),
}
