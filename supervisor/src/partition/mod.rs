//! Many of the same: a supervisor of one child for each partition of the keys.
//!
//! `table.rs` knows which process each partition has; the start functions of the children write
//! it, in the supervisor's process, and whoever sends to a partition reads it.

mod table;

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{ExitReason, Handle, system_info};

use crate::call::wait_here;
use crate::hash::mixed;
use crate::{ChildSpec, ServerRef, SpecError, StartError, Strategy, Supervisor, SupervisorRef};
use table::{Slot, Table, Tables};

/// Elixir's defaults: three restarts in five seconds.
const INTENSITY_DEFAULT: u32 = 3;
const PERIOD_DEFAULT: Duration = Duration::from_secs(5);

/// A supervisor of several processes that do the same, each for a part of the keys, about to be
/// started (Elixir's `PartitionSupervisor`).
///
/// For a server that all the others wait for: instead of one there are as many as the runtime has
/// scheduler threads, or as [`partitions`](PartitionSupervisor::partitions) says, and
/// [`Partitions`] finds the one that a key belongs to.
///
/// Apart from that it is a [`Supervisor`], one_for_one with 3 restarts in 5 seconds unless told
/// otherwise, and started as a reference to one.
///
/// ```
/// use regrow_runtime::{ExitReason, ReplyTo, Runtime};
/// use regrow_supervisor::{ChildSpec, Context, GenServer, Next, PartitionSupervisor, Partitions};
/// use std::collections::HashMap;
///
/// /// Counts the visits of some of the users.
/// #[derive(Default)]
/// struct Visits(HashMap<String, u64>);
///
/// enum Request { Visit(String, ReplyTo<u64>) }
///
/// impl GenServer for Visits {
///     type Args = ();
///     type Message = Request;
///
///     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
///         Ok(Visits::default())
///     }
///
///     async fn handle(&mut self, Request::Visit(user, reply): Request, _: &mut Context<Self>) -> Next {
///         let visits = self.0.entry(user).or_default();
///         *visits += 1;
///         reply.send(*visits);
///         Next::Continue
///     }
/// }
///
/// Runtime::new().unwrap().block_on(async {
///     PartitionSupervisor::new("visits", |_| ChildSpec::new("visits", || Visits::start_link(())))
///         .partitions(4)
///         .start_link()
///         .await
///         .unwrap();
///
///     let visits = Partitions::<Request>::named("visits");
///     for n in 1..4 {
///         let joe = visits.server_ref("joe"); // always the same of the four
///         assert_eq!(joe.call(|reply| Request::Visit("joe".into(), reply)).await, Ok(n));
///     }
/// });
/// ```
#[must_use = "nothing is started before `start_link`"]
pub struct PartitionSupervisor {
    name: Arc<str>,
    partitions: Option<usize>,
    strategy: Strategy,
    intensity: (u32, Duration),
    child: Box<dyn FnMut(usize) -> ChildSpec + Send>,
}

impl PartitionSupervisor {
    /// A partition supervisor of this name, which both the process and the [`Partitions`] have.
    /// `child` makes the spec of each partition, which are numbered from 0; to its id the number
    /// is added: the fourth `cache` is `cache/3`.
    pub fn new(
        name: impl Into<Arc<str>>,
        child: impl FnMut(usize) -> ChildSpec + Send + 'static,
    ) -> Self {
        PartitionSupervisor {
            name: name.into(),
            partitions: None,
            strategy: Strategy::OneForOne,
            intensity: (INTENSITY_DEFAULT, PERIOD_DEFAULT),
            child: Box::new(child),
        }
    }

    /// Sets how many partitions there are, at least one; by default as many as the runtime has
    /// scheduler threads.
    pub fn partitions(mut self, partitions: usize) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Sets what happens to the other partitions when one is restarted; nothing by default.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Allows `restarts` restarts within `period`; see [`Supervisor::intensity`].
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.intensity = (restarts, period);
        self
    }

    /// Starts the supervisor, linked to the calling process, and its partitions.
    ///
    /// # Errors
    ///
    /// As [`Supervisor::start_link`], and [`SpecError::NoPartitions`].
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn start_link(self) -> impl Future<Output = Result<SupervisorRef, StartError>> + Send {
        let name = self.name.clone();
        // In the new process, which has the name by then: nobody else writes this table.
        let init = Supervisor::init(|| async move { self.settings() });
        wait_here(init.name(name).start_link())
    }

    fn settings(mut self) -> Result<Supervisor, ExitReason> {
        let partitions = match self.partitions {
            Some(0) => return Err(SpecError::NoPartitions.into()),
            Some(partitions) => partitions,
            None => {
                let workers = system_info().workers;
                workers
                    .iter()
                    .filter(|worker| !worker.surplus)
                    .count()
                    .max(1)
            }
        };
        let table = tables().named(&self.name);
        table.reset(partitions);
        let mut settings = Supervisor::new(self.strategy);
        settings = settings.intensity(self.intensity.0, self.intensity.1);
        for partition in 0..partitions {
            let mut spec = (self.child)(partition);
            spec.id = format!("{}/{partition}", spec.id).into();
            let table = table.clone();
            settings = settings.child(spec.noting(move |pid| table.set(partition, pid)));
        }
        Ok(settings)
    }
}

impl fmt::Debug for PartitionSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionSupervisor")
            .field("name", &self.name)
            .field("partitions", &self.partitions)
            .field("strategy", &self.strategy)
            .field("intensity", &self.intensity)
            .finish_non_exhaustive()
    }
}

fn tables() -> Arc<Tables> {
    Handle::current().extension::<Tables>()
}

/// The processes of a [`PartitionSupervisor`], to find the one that a key belongs to. They take
/// messages of type `M`. Cheap to clone.
///
/// It stays valid when partitions, or their supervisor, are restarted, and may be made before
/// they are started. Nothing checks that the partitions take messages of type `M`.
pub struct Partitions<M> {
    table: Arc<Table>,
    message: PhantomData<fn(M)>,
}

impl<M: Send + 'static> Partitions<M> {
    /// The partitions of the supervisor of this name, in this runtime.
    ///
    /// # Panics
    ///
    /// Outside a process: which runtime is meant is not known there.
    pub fn named(name: &str) -> Self {
        Partitions {
            table: tables().named(name),
            message: PhantomData,
        }
    }

    /// The process that has this key (Elixir: `{:via, PartitionSupervisor, {name, key}}`), looked up
    /// for each message.
    ///
    /// The same key has the same partition as long as their number does not change. Which one
    /// that is may differ from one version of this crate to the next.
    pub fn server_ref<K: Hash + ?Sized>(&self, key: &K) -> ServerRef<M> {
        self.slot(Slot::Hash(mixed(key)))
    }

    /// The process of the partition of this number, from 0; of none if there are not so many.
    pub fn partition(&self, partition: usize) -> ServerRef<M> {
        self.slot(Slot::Index(partition))
    }

    /// How many partitions there are (Elixir: `PartitionSupervisor.partitions/1`); none before
    /// they are first started.
    pub fn count(&self) -> usize {
        self.table.len()
    }

    fn slot(&self, slot: Slot) -> ServerRef<M> {
        ServerRef::via(Arc::new(table::Partition {
            table: self.table.clone(),
            slot,
        }))
    }
}

impl<M> Clone for Partitions<M> {
    fn clone(&self) -> Self {
        Partitions {
            table: self.table.clone(),
            message: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Partitions<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partitions({:?})", self.table.name())
    }
}
