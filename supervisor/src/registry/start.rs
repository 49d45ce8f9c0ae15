//! Starting a registry: a supervisor, and a process for each partition.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::hash::Hash;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use regrow_runtime::{Handle, wait_at};
use rustc_hash::FxHashMap;

use super::event::RegistryEvent;
use super::partition::{Args, Partition};
use super::shared::{Meta, Run, Shared};
use super::table::SHARDS;
use super::{Keys, Registry};
use crate::{ChildSpec, GenServer, Name, StartError, Supervisor, SupervisorRef};

/// Elixir's defaults for the restarts of partitions.
const RESTARTS: u32 = 3;
const PERIOD: std::time::Duration = std::time::Duration::from_secs(5);

/// A registry about to be started, from [`Registry::start_link`]; awaiting it starts it and gives a
/// reference to its supervisor.
///
/// # Errors
///
/// [`StartError::AlreadyStarted`] if the name is taken.
///
/// # Panics
///
/// When awaited outside a process.
#[must_use = "nothing is started until this is awaited"]
pub struct StartRegistry<K, V, M>
where
    K: Send + Sync + 'static,
{
    registry: Registry<K, V, M>,
    partitions: usize,
    listeners: Vec<Arc<str>>,
    meta: FxHashMap<Arc<str>, Meta>,
    place: &'static Location<'static>,
}

impl<K, V, M> StartRegistry<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: Keys,
{
    #[track_caller]
    pub(super) fn new(registry: Registry<K, V, M>) -> Self {
        StartRegistry {
            registry,
            partitions: 1,
            listeners: Vec::new(),
            meta: FxHashMap::default(),
            place: Location::caller(),
        }
    }

    /// How many processes share the work: taking out the entries of those that have died. One
    /// unless set, 64 at most. Looking up needs no process and is as fast with one.
    ///
    /// If one of them fails, those that registered with it end; with unique keys all do.
    ///
    /// # Panics
    ///
    /// If it is zero or more than 64.
    #[track_caller]
    pub fn partitions(mut self, partitions: usize) -> Self {
        assert!(
            (1..=SHARDS).contains(&partitions),
            "a registry has 1 to {SHARDS} partitions, not {partitions}"
        );
        self.partitions = partitions;
        self
    }

    /// Tells the process that has this name then of each registration; see [`RegistryEvent`].
    ///
    /// To a gen_server with messages of another type they come by
    /// [`handle_info`](GenServer::handle_info).
    pub fn listener(mut self, name: impl Into<Name<RegistryEvent<K, V>>>) -> Self {
        self.listeners.push(name.into().into());
        self
    }

    /// A value that [`Registry::meta`] finds from the start.
    pub fn meta<T: Send + Sync + 'static>(mut self, key: impl Into<Arc<str>>, value: T) -> Self {
        self.meta.insert(key.into(), Arc::new(value));
        self
    }

    async fn run(self) -> Result<SupervisorRef, StartError> {
        let shared = self.registry.find_or_make(&Handle::current());
        let (of, place) = (self.partitions, self.place);
        let name = shared.name.clone();
        let beginning = Arc::new(Mutex::new(Beginning::Settings {
            listeners: self.listeners,
            meta: self.meta,
        }));
        let child = |index| {
            let (shared, beginning) = (shared.clone(), beginning.clone());
            let label: Arc<str> = format!("{name}.PIDPartition{index}").into();
            ChildSpec::new(label.clone(), move || {
                beginning.lock().begin(&shared);
                let shared = shared.clone();
                let start = Partition::start_link(Args { shared, index, of });
                start.label(label.clone()).at(place)
            })
        };
        let children: Vec<ChildSpec> = (0..of).map(child).collect();
        Supervisor::new(M::STRATEGY)
            .name(name)
            .intensity(RESTARTS, PERIOD)
            .children(children)
            .start_link_at(place)
            .await
    }
}

/// The settings take effect when the supervisor has the name and starts its first child, not before:
/// another one may have it. Then they belong to that supervisor, which has the start functions.
enum Beginning<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: 'static,
{
    Settings {
        listeners: Vec<Arc<str>>,
        meta: FxHashMap<Arc<str>, Meta>,
    },
    Begun(#[expect(dead_code, reason = "kept for its drop")] Run<K, V, M>),
}

impl<K, V, M> Beginning<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: 'static,
{
    fn begin(&mut self, shared: &Arc<Shared<K, V, M>>) {
        if let Beginning::Settings { listeners, meta } = self {
            let (listeners, meta) = (std::mem::take(listeners), std::mem::take(meta));
            *self = Beginning::Begun(shared.begin(listeners, meta));
        }
    }
}

impl<K, V, M> IntoFuture for StartRegistry<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: Keys,
{
    type Output = Result<SupervisorRef, StartError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(wait_at(self.place, self.run()))
    }
}

impl<K, V, M> fmt::Debug for StartRegistry<K, V, M>
where
    K: Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartRegistry")
            .field("registry", &self.registry.name.as_str())
            .field("partitions", &self.partitions)
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}
