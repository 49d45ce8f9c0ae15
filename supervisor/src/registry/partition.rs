//! The process of a partition: owners are linked to it, and it takes the entries of the dead out.

use std::hash::Hash;
use std::sync::Arc;

use regrow_runtime::{ExitReason, Pid, seems_alive, trap_exit};

use super::shared::Shared;
use crate::report::{contained, discard};
use crate::{Context, GenServer, Info, Next};

pub(super) struct Partition<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: 'static,
{
    shared: Arc<Shared<K, V, M>>,
    pid: Pid,
}

pub(super) struct Args<K: Send + Sync + 'static, V, M> {
    pub(super) shared: Arc<Shared<K, V, M>>,
    pub(super) index: usize,
    /// How many there are.
    pub(super) of: usize,
}

/// A partition is told nothing but who has ended.
pub(super) enum Never {}

impl<K, V, M> GenServer for Partition<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: 'static,
{
    type Args = Args<K, V, M>;
    type Message = Never;

    async fn init(args: Self::Args, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true);
        let Args { shared, index, of } = args;
        let pid = cx.pid();
        shared.table.open(pid, |shard| shard % of == index);
        Ok(Partition { shared, pid })
    }

    async fn handle(&mut self, message: Never, _: &mut Context<Self>) -> Next {
        match message {}
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        match &info {
            // A process may send an exit signal and live on.
            Info::Exit(exit) if !seems_alive(exit.pid) => self.shared.table.owner_ended(exit.pid),
            Info::Exit(_) => {}
            _ => contained(|| {
                tracing::warn!(
                    target: "regrow::registry",
                    registry = %self.shared.name,
                    pid = %self.pid,
                    ?info,
                    "unexpected message dropped"
                );
            }),
        }
        discard(info);
        Next::Continue
    }
}

impl<K, V, M> Drop for Partition<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: 'static,
{
    /// However it ends: the owners are told by their links after this.
    fn drop(&mut self) {
        self.shared.table.close(self.pid);
    }
}
