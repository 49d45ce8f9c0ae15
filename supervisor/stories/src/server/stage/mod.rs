//! Tells stories of servers to regrow: what `otp/servers.erl` does in Erlang, in the same parts.
//!
//! The *director* carries out the steps, the *recorder* is told by everybody what happens,
//! `server.rs` are the callbacks, `client.rs` those who use them.

mod client;
mod director;
mod names;
mod recorder;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, self_pid};

use super::story::{Server, Time, To};
use recorder::{Flags, Part, Request, ask};

pub(crate) use director::direct;

/// A moment, longer than nothing and over soon.
const SOON: Duration = Duration::from_millis(3);

/// Longer than any story lasts.
const NEVER: Duration = Duration::from_secs(600);

fn duration(time: Time) -> Duration {
    match time {
        Time::Zero => Duration::ZERO,
        Time::Soon => SOON,
        Time::Never => NEVER,
    }
}

/// What everybody in a story knows.
#[derive(Clone)]
struct World {
    recorder: Pid,
    /// What the names of its servers begin with: stories are told at the same time.
    prefix: Arc<str>,
    /// Whether time goes by when nobody has anything to do.
    simulated: bool,
}

impl World {
    fn new(recorder: Pid, simulated: bool) -> Self {
        static STORIES: AtomicU64 = AtomicU64::new(0);
        let number = STORIES.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("story{number}_").into();
        World {
            recorder,
            prefix,
            simulated,
        }
    }

    fn name(&self, server: Server) -> String {
        format!("{}{}", self.prefix, names::server(server))
    }

    /// The reference, and the pid if there is one; nothing if the server has never been started.
    async fn reach(&self, to: To) -> Option<server::Ref> {
        match to {
            To::Name(server) => Some(server::Ref::named(self.name(server))),
            To::Pid(server) => {
                let id = names::server(server);
                let pid = ask(self.recorder, |reply| Request::Latest(id, reply)).await?;
                Some(server::Ref::from_pid(pid))
            }
        }
    }

    /// The process of this name that is alive.
    async fn find(&self, id: &'static str) -> Option<Pid> {
        ask(self.recorder, |reply| Request::Find(id, reply)).await
    }

    async fn flags(&self, pid: Pid) -> Flags {
        ask(self.recorder, |reply| Request::Flags(pid, reply)).await
    }

    /// Whether a server does not come to its messages until something else happens.
    async fn is_stuck(&self, pid: Option<Pid>) -> bool {
        match pid {
            Some(pid) => {
                let flags = self.flags(pid).await;
                flags.gated || flags.asking || flags.suspended
            }
            None => false,
        }
    }

    /// Tells what the process that is running does.
    async fn event(&self, parts: Vec<Part>) {
        let this = self_pid();
        ask(self.recorder, |reply| Request::Event(this, parts, reply)).await;
    }

    /// An end that a process has heard of.
    async fn heard(&self, what: &str, pid: Pid, why: ExitReason) {
        let what = Part::Text(format!("heard {what} "));
        self.event(vec![what, Part::Who(pid), text(" "), Part::Why(why)])
            .await;
    }

    async fn change(&self, pid: Pid, change: impl FnOnce(&mut Flags) + Send + 'static) {
        let change = Box::new(change);
        ask(self.recorder, |reply| Request::Flag(pid, change, reply)).await;
    }
}

fn text(text: impl Into<String>) -> Part {
    Part::Text(text.into())
}
