//! How the scheduler begins: with what the store and its last incarnation have left.

use std::collections::HashMap;
use std::sync::Arc;

use regrow::{DynamicSupervisorRef, ExitReason, monitor, self_pid, send, yield_now};
use rustc_hash::FxHashMap;

use super::pool::Pool;
use super::turn::Turn;
use super::{Client, Scheduler, SchedulerIsUp};
use crate::host;
use crate::queue::{ClientKind, Config, Lease, Queue};
use crate::shared::{Holder, Let, Shared};
use crate::store::{STORE, StoreMessage, StoreRef};
use crate::tree::CONNECTION_SUP;

/// Jobs that are read at once.
const CHUNK: usize = 10_000;

impl Scheduler {
    pub(super) async fn restore(shared: Arc<Shared>) -> Result<Scheduler, ExitReason> {
        let store = STORE.call(StoreMessage::Open).await;
        let store = store.map_err(ExitReason::error)?;
        let mut queue = Queue::new(Config {
            job_size_max: shared.settings.job_size_max,
            started: shared.started(),
            host: host::describe(),
        });
        let on_disk = read_all(&store, &mut queue).await?;
        // The last incarnation may have given ids that never reached the disk.
        let next_id = on_disk.max(shared.next_job());
        queue.ids_from(next_id);
        if shared.is_draining() {
            queue.drain();
        }
        let mut scheduler = Scheduler {
            pool: Pool::new(&shared.settings.pool),
            shared,
            store,
            queue,
            clients: FxHashMap::default(),
            by_pid: FxHashMap::default(),
            effects: Vec::new(),
            turn: Turn::default(),
            turn_ends: false,
            next_id,
            armed: None,
        };
        scheduler.take_leases();
        scheduler.take_pauses();
        scheduler.fill_pool();
        scheduler.collect();
        Ok(scheduler)
    }

    /// Lets the jobs that were reserved to those who had them.
    fn take_leases(&mut self) {
        let leases: HashMap<_, Let> = self.shared.leases().drain().collect();
        for (job, lease) in leases {
            let client = lease.client;
            match &lease.holder {
                Holder::Connection(pid) => {
                    if self.by_pid.insert(*pid, client).is_none() {
                        // If it is gone this says so at once, and the job is free.
                        monitor(*pid);
                        self.queue.client_joined(client, &ClientKind::Connection);
                        self.clients.insert(
                            client,
                            Client {
                                pid: *pid,
                                number: 0,
                            },
                        );
                    }
                }
                Holder::Worker(assignment) => {
                    let tube = self.shared.settings.pool.tube.clone();
                    self.queue.client_joined(client, &ClientKind::Worker(tube));
                    self.pool.take_back(assignment, lease.until);
                }
            }
            let until = lease.until;
            let relet = Lease { job, client, until };
            if self.queue.relet(relet, &mut self.effects) {
                self.shared.leases().insert(job, lease);
            } else if let Holder::Worker(_) = lease.holder {
                self.pool.free(client);
            }
        }
    }

    /// Tubes that were paused are so until the same time.
    fn take_pauses(&mut self) {
        let now = self.shared.now();
        let mut pauses = self.shared.pauses();
        pauses.retain(|_, paused| paused.until > now);
        for paused in pauses.values() {
            self.queue.repause(paused);
        }
    }

    /// Tells the connections that there is a scheduler again. Those that begin later ask.
    pub(super) async fn announce(&self) {
        let supervisor = DynamicSupervisorRef::named(CONNECTION_SUP);
        if supervisor.pid().is_none() {
            return;
        }
        for connection in supervisor.which_children().await.unwrap_or_default() {
            if let Some(pid) = connection.state.pid() {
                send(pid, SchedulerIsUp(self_pid()));
            }
        }
    }
}

/// Fills the queue, and says which id is new.
async fn read_all(store: &StoreRef, queue: &mut Queue) -> Result<u64, ExitReason> {
    let mut from = 0;
    loop {
        let chunk = store.load(from, CHUNK).await.map_err(ExitReason::error)?;
        let is_last = chunk.rows.len() < CHUNK;
        for row in chunk.rows {
            from = row.id + 1;
            queue.restore(row);
        }
        if is_last {
            return Ok(chunk.next_id);
        }
        yield_now().await;
    }
}
