//! Notices that nothing moves any more and tells who waits.

use std::process;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use regrow_runtime::{Handle, process_info};

use super::{Ledger, PATIENCE};

/// Ends the OS process with code 2 when nothing has moved for [`PATIENCE`].
#[derive(Debug)]
pub(crate) struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub(crate) fn start(handle: Handle, ledger: Arc<Ledger>) -> Watchdog {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let (mut seen, mut since) = (ledger.progress(), Instant::now());
            while stopped.recv_timeout(Duration::from_millis(500)) == Err(RecvTimeoutError::Timeout)
            {
                if ledger.progress() != seen {
                    (seen, since) = (ledger.progress(), Instant::now());
                } else if since.elapsed() > PATIENCE {
                    eprintln!("HANG: no progress for {} s", PATIENCE.as_secs());
                    who_waits(&handle);
                    process::exit(2);
                }
            }
        });
        Watchdog {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It panics only if a process could not be asked, which it has printed then.
            let _ = thread.join();
        }
    }
}

/// Asking a process wakes it, so what is printed is the state before anything that this sets going.
fn who_waits(handle: &Handle) {
    let processes = handle.processes();
    eprintln!("{} processes alive; the first 64:", processes.len());
    let (told, telling) = mpsc::channel();
    for &pid in processes.iter().take(64) {
        let told = told.clone();
        // One process each: one that never answers must not hide the others.
        handle.spawn(async move {
            let info = process_info(pid).await;
            // The receiver is gone once it has waited long enough.
            let _ = told.send((pid, info));
        });
    }
    drop(told);
    let end = Instant::now() + Duration::from_secs(5);
    let mut answered = Vec::new();
    while let Ok((pid, info)) = telling.recv_timeout(end.saturating_duration_since(Instant::now()))
    {
        answered.push(pid);
        match info {
            Some(info) => eprintln!(
                "  {pid}: {:?}, {} messages waiting, spawned at {}, links {:?}",
                info.status, info.message_queue_len, info.spawned_at, info.links,
            ),
            None => eprintln!("  {pid}: gone"),
        }
    }
    for pid in processes
        .iter()
        .take(64)
        .filter(|pid| !answered.contains(pid))
    {
        eprintln!("  {pid}: does not answer");
    }
}
