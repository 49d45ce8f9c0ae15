//! What the kinds of server have in common: how one is started.

use std::future::Future;
use std::time::Duration;

use regrow_runtime::proc_lib::InitAck;
use regrow_runtime::{ExitReason, Pid};

/// A kind of server, and what it is for a server of type `S`. One type can be told of several
/// kinds, where a trait that `S` itself has could not be.
pub trait Behaviour<S>: 'static {
    /// What its `init` gets.
    type Args: Send + 'static;
    /// What it can be told.
    type Message: Send + 'static;

    /// The body of its process.
    fn run(
        args: Self::Args,
        birth: Birth,
        starter: InitAck<()>,
    ) -> impl Future<Output = ExitReason> + Send + 'static;
}

/// What a server is born with, beside its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Birth {
    /// Whose exit is its end.
    pub(crate) parent: Option<Pid>,
    /// How long it is idle before it hibernates, if it is to.
    pub(crate) hibernate_after: Option<Duration>,
}

/// [`GenServer`](crate::GenServer)s.
#[derive(Debug)]
pub struct Server;
