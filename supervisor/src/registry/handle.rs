//! What registries with unique and with duplicate keys have in common.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use regrow_runtime::{Pid, link, seems_alive, self_pid, unlink};

use super::table::{Refused, Then};
use super::{Keys, RegisterKeyError, Registry, RegistryEvent, StartRegistry};
use crate::ChildSpec;
use crate::name::Text;

/// Starting one, and what all registries can do.
impl<K, V, M> Registry<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: Keys,
{
    /// A registry with a name made at run time; its type says of which kind.
    ///
    /// ```
    /// use regrow_supervisor::{Duplicate, Registry};
    ///
    /// let topics: Registry<String, (), Duplicate> = Registry::from_string(format!("topics_{}", 1));
    /// assert_eq!(topics.name(), "topics_1");
    /// ```
    pub fn from_string(name: String) -> Self {
        Registry {
            name: Text::Shared(name.into()),
            shared: None,
        }
    }

    /// Starts the registry, linked to the calling process, in the runtime of that. The supervisor
    /// has the name of the registry.
    #[track_caller]
    pub fn start_link(&self) -> StartRegistry<K, V, M> {
        StartRegistry::new(self.clone())
    }

    /// A child that is this registry, with its name for an id and without settings. With settings it
    /// is
    ///
    /// ```
    /// # use regrow_supervisor::{ChildSpec, Registry};
    /// # const ROOMS: Registry<String> = Registry::unique("rooms");
    /// ChildSpec::supervisor("rooms", || ROOMS.start_link().partitions(4))
    /// # ;
    /// ```
    pub fn child_spec(&self) -> ChildSpec {
        let registry = self.clone();
        let id: Arc<str> = self.name.clone().into();
        ChildSpec::supervisor(id, move || registry.start_link())
    }

    /// Gives the calling process an entry.
    ///
    /// # Errors
    ///
    /// With unique keys, if a process that is alive has the key, be it the caller; and if the
    /// registry is not running.
    ///
    /// # Panics
    ///
    /// Outside a process.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// use regrow_runtime::self_pid;
    /// use regrow_supervisor::{RegisterKeyError, Registry};
    ///
    /// const DESKS: Registry<u32, &str> = Registry::unique("desks");
    /// DESKS.start_link().await.unwrap();
    /// DESKS.register(4, "by the window").unwrap();
    /// assert_eq!(DESKS.lookup(&4), Some((self_pid(), "by the window")));
    /// let again = DESKS.register(4, "by the door");
    /// assert_eq!(again, Err(RegisterKeyError::AlreadyRegistered(self_pid())));
    /// # });
    /// ```
    #[track_caller]
    pub fn register(&self, key: K, value: V) -> Result<(), RegisterKeyError> {
        let me = self_pid();
        let shared = self.find().ok_or_else(|| self.not_running())?;
        let listeners = shared.listeners();
        let told = listeners.map(|to| (to, key.clone(), value.clone()));
        match shared
            .table
            .register(me, key, value, M::UNIQUE, seems_alive)
        {
            Ok(Then::Link(server)) => link(server),
            Ok(_) => {}
            Err(Refused::Taken(pid)) => return Err(RegisterKeyError::AlreadyRegistered(pid)),
            Err(Refused::Closed) => return Err(self.not_running().into()),
        }
        if let Some((listeners, key, value)) = told {
            let registry = shared.name.clone();
            let event = RegistryEvent::Register {
                registry,
                key,
                pid: me,
                value,
            };
            listeners.tell(event);
        }
        Ok(())
    }

    /// Takes all entries of the calling process under a key. That there are none is no error.
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn unregister<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.unregister_chosen(key, |numbers| numbers);
    }

    /// Takes those entries of the calling process under a key whose value fits. Listeners are told
    /// if none is left.
    ///
    /// # Panics
    ///
    /// Outside a process.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// use regrow_runtime::self_pid;
    /// use regrow_supervisor::{Duplicate, Registry};
    ///
    /// const TOPICS: Registry<&str, u32, Duplicate> = Registry::duplicate("topics");
    /// TOPICS.start_link().await.unwrap();
    /// for level in [1, 2, 3] {
    ///     TOPICS.register("news", level).unwrap();
    /// }
    /// TOPICS.unregister_match(&"news", |level| *level > 1);
    /// assert_eq!(TOPICS.values(&"news", self_pid()), [1]);
    /// # });
    /// ```
    #[track_caller]
    pub fn unregister_match<Q>(&self, key: &Q, mut fits: impl FnMut(&V) -> bool)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let me = self_pid();
        let Some(shared) = self.find() else { return };
        let mine = shared.table.of_key(key).into_iter();
        let mine = mine.filter(|(_, owner, value)| *owner == me && fits(value));
        let chosen: Vec<u64> = mine.map(|(number, ..)| number).collect();
        self.unregister_chosen(key, |_| chosen);
    }

    #[track_caller]
    fn unregister_chosen<Q>(&self, key: &Q, choose: impl FnOnce(Vec<u64>) -> Vec<u64>)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let me = self_pid();
        let Some(shared) = self.find() else { return };
        let (last, then) = shared.table.unregister(me, key, choose);
        if let Then::Unlink(server) = then {
            unlink(server);
        }
        if let (Some(key), Some(listeners)) = (last, shared.listeners()) {
            let registry = shared.name.clone();
            listeners.tell(RegistryEvent::<K, V>::Unregister {
                registry,
                key,
                pid: me,
            });
        }
    }

    /// The keys of a process, in the order of registration: one for each entry, so with duplicate
    /// keys the same may come again.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// # use regrow_runtime::self_pid;
    /// # use regrow_supervisor::Registry;
    /// const ROOMS: Registry<String> = Registry::unique("rooms");
    /// ROOMS.start_link().await.unwrap();
    /// ROOMS.register("lobby".into(), ()).unwrap();
    /// ROOMS.register("attic".into(), ()).unwrap();
    /// assert_eq!(ROOMS.keys(self_pid()), ["lobby", "attic"]);
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a process, unless found with [`on`](Registry::on); so do all that follow.
    #[track_caller]
    pub fn keys(&self, pid: Pid) -> Vec<K> {
        let shared = self.find();
        shared.map(|it| it.table.keys(pid)).unwrap_or_default()
    }

    /// The values that a process has registered under a key, oldest first.
    #[track_caller]
    pub fn values<Q>(&self, key: &Q, pid: Pid) -> Vec<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(shared) = self.find() else {
            return Vec::new();
        };
        let entries = shared.table.of_key(key).into_iter();
        let values = entries.filter_map(|(_, owner, value)| (owner == pid).then_some(value));
        values.collect()
    }

    /// Calls a function with the processes that have entries under a key, and the values; not at
    /// all if there is none. It is called by the caller: if it panics, the caller does.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// use regrow_runtime::{receive, send};
    /// use regrow_supervisor::{Duplicate, Registry};
    ///
    /// const TOPICS: Registry<&str, (), Duplicate> = Registry::duplicate("topics");
    /// TOPICS.start_link().await.unwrap();
    /// TOPICS.register("weather", ()).unwrap();
    /// TOPICS.dispatch(&"weather", |listeners| {
    ///     for (pid, ()) in listeners {
    ///         send(*pid, "it rains");
    ///     }
    /// });
    /// assert_eq!(receive::<&str>().await, "it rains");
    /// # });
    /// ```
    #[track_caller]
    pub fn dispatch<Q>(&self, key: &Q, to: impl FnOnce(&[(Pid, V)]))
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entries = self.entries_of(key);
        if !entries.is_empty() {
            to(&entries);
        }
    }

    /// The entries under a key whose value fits, oldest first (Elixir: `Registry.match/3`).
    #[doc(alias = "match")]
    #[track_caller]
    pub fn matching<Q>(&self, key: &Q, mut fits: impl FnMut(&V) -> bool) -> Vec<(Pid, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut entries = self.entries_of(key);
        entries.retain(|(_, value)| fits(value));
        entries
    }

    /// How many entries under a key have a value that fits.
    #[track_caller]
    pub fn count_match<Q>(&self, key: &Q, mut fits: impl FnMut(&V) -> bool) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entries = self.entries_of(key);
        entries.iter().filter(|(_, value)| fits(value)).count()
    }

    /// What a function makes of each entry, in no order. Entries that come or go meanwhile may or
    /// may not be among them.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// use regrow_supervisor::Registry;
    ///
    /// const SHELVES: Registry<u32, &str> = Registry::unique("shelves");
    /// SHELVES.start_link().await.unwrap();
    /// SHELVES.register(1, "nails").unwrap();
    /// SHELVES.register(2, "screws").unwrap();
    /// let of_screws = SHELVES.select(|number, _, &what| (what == "screws").then_some(*number));
    /// assert_eq!(of_screws, [2]);
    /// # });
    /// ```
    #[track_caller]
    pub fn select<T>(&self, mut make: impl FnMut(&K, Pid, &V) -> Option<T>) -> Vec<T> {
        let Some(shared) = self.find() else {
            return Vec::new();
        };
        let entries = shared.table.entries();
        let selected = entries.filter_map(|(key, pid, value)| make(&key, pid, &value));
        selected.collect()
    }

    /// How many entries fit.
    #[track_caller]
    pub fn count_select(&self, mut fits: impl FnMut(&K, Pid, &V) -> bool) -> usize {
        let Some(shared) = self.find() else { return 0 };
        let entries = shared.table.entries();
        let fitting = entries.filter(|(key, pid, value)| fits(key, *pid, value));
        fitting.count()
    }

    /// How many entries there are.
    #[track_caller]
    pub fn count(&self) -> usize {
        self.find().map_or(0, |shared| shared.table.count())
    }

    #[track_caller]
    pub(super) fn entries_of<Q>(&self, key: &Q) -> Vec<(Pid, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(shared) = self.find() else {
            return Vec::new();
        };
        let entries = shared.table.of_key(key).into_iter();
        entries.map(|(_, pid, value)| (pid, value)).collect()
    }
}
