//! A whole program: runtime, applications, signals of the operating system, exit code.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use regrow_runtime::{
    Exit, ExitReason, Message, Pid, receive_any, receive_exit, self_pid, send, set_label, trap_exit,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::reference::ended_by;
use super::{
    Application, ApplicationEnded, Applications, EnsureAllStartedError, StartApplicationError,
};
use crate::{CallError, StartError};

impl Application {
    /// Runs a program until it ends: this application, after what it depends on. The result is
    /// for `main` to return.
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
        let runtime = self.runtime.clone().build().map_err(Failure::Runtime)?;
        // Before the root starts: a signal must not end the program half started.
        let signals = Signals::new([SIGINT, SIGTERM]).map_err(Failure::Signals)?;
        let stop_listening = signals.handle();
        let ended = runtime.block_on(self.supervise(signals));
        stop_listening.close();
        ended
    }

    /// The process above the controller.
    async fn supervise(self, signals: Signals) -> Result<(), Failure> {
        trap_exit(true);
        let name = self.name.clone();
        set_label(name.clone());
        listen(&name, signals, self_pid()).map_err(Failure::Signals)?;
        let applications = Applications::start_link().await;
        let applications = applications.map_err(Failure::Controller)?;
        let controller = applications.pid();
        if let Err(refused) = applications.ensure_all_started(self).await {
            // Told to stop before all of it was up.
            if let StartApplicationError::Call(CallError::Exit(reason)) = &refused.error
                && reason.is_normal_like()
            {
                return Ok(());
            }
            // Others that run would be those of a root's own making.
            let _ = applications.shut_down().await;
            return Err(did_not_start(refused, &name));
        }
        let reason = match wait(controller).await {
            Waited::Ended(reason) => reason,
            Waited::Signalled => {
                // Somebody inside may have begun already, so what counts is how it ended.
                let _ = applications.shut_down().await;
                match controller {
                    Some(controller) => receive_exit(controller).await.reason,
                    None => ExitReason::NoProc,
                }
            }
        };
        if reason.is_normal_like() {
            return Ok(());
        }
        Err(ended(reason, &name))
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
fn listen(name: &Arc<str>, mut signals: Signals, application: Pid) -> io::Result<()> {
    let name = name.clone();
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
    Ended(ExitReason),
}

async fn wait(controller: Option<Pid>) -> Waited {
    loop {
        let message: Message = receive_any().await;
        if message.is::<Signalled>() {
            return Waited::Signalled;
        }
        if let Ok(exit) = message.downcast::<Exit>()
            && Some(exit.pid) == controller
        {
            return Waited::Ended(exit.reason);
        }
    }
}

/// Why a program has failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the runtime did not start: {0}")]
    Runtime(io::Error),
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("the application controller did not start: {0}")]
    Controller(StartError),
    #[error(transparent)]
    DidNotStart(StartApplicationError),
    #[error(transparent)]
    DependencyDidNotStart(EnsureAllStartedError),
    #[error("the root ended: {0}")]
    RootEnded(ExitReason),
    #[error(transparent)]
    DependencyEnded(ApplicationEnded),
}

fn did_not_start(refused: EnsureAllStartedError, main: &Arc<str>) -> Failure {
    if let StartApplicationError::Call(CallError::Exit(reason)) = &refused.error
        && ended_by(reason).is_some()
    {
        return ended(reason.clone(), main);
    }
    if refused.name == *main {
        Failure::DidNotStart(refused.error)
    } else {
        Failure::DependencyDidNotStart(refused)
    }
}

/// For a reason that the controller has ended with.
fn ended(reason: ExitReason, main: &Arc<str>) -> Failure {
    match ended_by(&reason) {
        Some(ended) if ended.name == *main => Failure::RootEnded(ended.reason.clone()),
        Some(ended) => Failure::DependencyEnded(ended.clone()),
        None => Failure::RootEnded(reason),
    }
}
