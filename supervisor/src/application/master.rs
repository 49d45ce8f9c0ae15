//! The process of one application: the parent of its root (OTP: `application_master`).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use regrow_runtime::{
    Down, Exit, ExitReason, Message, MonitorRef, Pid, catch_panic, exit, monitor, receive,
    receive_any, receive_down, receive_exit, send, set_label,
};

use super::controller::{Report, Request};
use super::order::Single;
use super::{Hook, Root, StartApplicationError};
use crate::report::discard;

/// From the controller: stop the application.
pub(super) struct Stop;

/// The body of the process; it traps exits.
///
/// It reports its start, and if that succeeded its end, and is then gone. If it is to stop before it
/// has started, it reports nothing, and what there is of the root learns of it by its link.
pub(super) async fn run(single: Single, controller: Pid) -> ExitReason {
    let Single { name, parts, .. } = single;
    set_label(name.clone());
    let report = |what| send(controller, Request::Report(name.clone(), what));
    let root = match unless_stopped(controller, start(parts.root)).await {
        Some(Ok(root)) => root,
        Some(Err(error)) => {
            report(Report::Started(Err(error)));
            return ExitReason::Normal;
        }
        None => return ExitReason::Shutdown,
    };
    let reference = monitor(root);
    if let Some(started) = parts.started {
        match unless_stopped(controller, run_hook(started, root)).await {
            Some(Ok(())) => {}
            Some(Err(reason)) => {
                stop(root, reference).await;
                let error = StartApplicationError::Hook(reason);
                report(Report::Started(Err(error)));
                return ExitReason::Normal;
            }
            None => {
                stop(root, reference).await;
                return ExitReason::Shutdown;
            }
        }
    }
    report(Report::Started(Ok(root)));
    let ended = wait(reference, controller).await;
    let mut broken = None;
    if let Some(prep_stop) = parts.prep_stop {
        broken = run_hook(prep_stop, root).await.err();
    }
    let mut reason = match ended {
        Some(reason) => reason,
        None => stop(root, reference).await,
    };
    if let Some(stopped) = parts.stopped {
        let after = catch_panic(async move { stopped().await }).await;
        broken = broken.or(after.err());
    }
    if let Some(broken) = broken
        && reason.is_normal_like()
    {
        reason = broken;
    }
    report(Report::Ended(reason));
    ExitReason::Normal
}

/// None if the application is to be stopped meanwhile: whoever ends all of them does not wait for
/// one that hangs in its start.
async fn unless_stopped<T>(controller: Pid, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let (mut stop, mut ended) = (pin!(receive::<Stop>()), pin!(receive_exit(controller)));
    poll_fn(|cx| {
        if let Poll::Ready(value) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        if stop.as_mut().poll(cx).is_ready() || ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

async fn start(root: Option<Root>) -> Result<Pid, StartApplicationError> {
    let start = root.ok_or(StartApplicationError::NoRoot)?;
    let started = catch_panic(async move { start().await }).await;
    let root = started.flatten().map_err(StartApplicationError::Failed)?;
    root.pid().ok_or(StartApplicationError::NoRoot)
}

async fn run_hook(hook: Hook, root: Pid) -> Result<(), ExitReason> {
    catch_panic(async move { hook(root).await }).await
}

async fn stop(root: Pid, reference: MonitorRef) -> ExitReason {
    exit(root, ExitReason::Shutdown);
    receive_down(reference).await.reason
}

/// Until the root has ended by itself, or the application is to be stopped.
async fn wait(root: MonitorRef, controller: Pid) -> Option<ExitReason> {
    loop {
        let message: Message = receive_any().await;
        if message.is::<Stop>() {
            return None;
        }
        if let Some(exit) = message.peek::<Exit>()
            && exit.pid == controller
        {
            return None;
        }
        if let Some(down) = message.peek::<Down>()
            && down.reference == root
        {
            return Some(down.reason.clone());
        }
        discard(message);
    }
}
