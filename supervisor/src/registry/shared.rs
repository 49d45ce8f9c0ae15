//! What the handles of a registry share with its processes.

use std::any::Any;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use regrow_runtime::{Pid, send, whereis};
use rustc_hash::FxHashMap;

use super::locks::{HasLocks, Locks};
use super::table::Table;

/// A value that belongs to the registry as a whole.
pub(super) type Meta = Arc<dyn Any + Send + Sync>;

pub(super) struct Shared<K: Send + Sync + 'static, V, M> {
    pub(super) name: Arc<str>,
    pub(super) table: Table<K, V, Pid>,
    locks: Locks<K>,
    settings: RwLock<Settings>,
    next: AtomicU64,
    keys: PhantomData<fn() -> M>,
}

/// The names of those who want to know.
#[derive(Clone)]
pub(super) struct Listeners(Arc<[Arc<str>]>);

impl Listeners {
    pub(super) fn tell<E: Clone + Send + 'static>(&self, event: E) {
        for listener in &*self.0 {
            if let Some(pid) = whereis(listener) {
                send(pid, event.clone());
            }
        }
    }
}

/// What one start of the registry has brought, and what goes with it.
#[derive(Default)]
struct Settings {
    /// Which start; 0 is none.
    start: u64,
    listeners: Option<Listeners>,
    meta: FxHashMap<Arc<str>, Meta>,
}

impl<K, V, M> Shared<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: 'static,
{
    pub(super) fn new(name: Arc<str>) -> Self {
        Shared {
            name,
            table: Table::default(),
            locks: Locks::default(),
            settings: RwLock::default(),
            next: AtomicU64::new(1),
            keys: PhantomData,
        }
    }

    /// The registry has been started, with this.
    pub(super) fn begin(
        self: &Arc<Self>,
        listeners: Vec<Arc<str>>,
        meta: FxHashMap<Arc<str>, Meta>,
    ) -> Run<K, V, M> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let settings = Settings {
            start,
            listeners: (!listeners.is_empty()).then(|| Listeners(listeners.into())),
            meta,
        };
        let before = std::mem::replace(&mut *self.settings.write(), settings);
        drop(before);
        let shared = self.clone();
        Run { shared, start }
    }

    fn end(&self, start: u64) {
        let mut settings = self.settings.write();
        if settings.start == start {
            let before = std::mem::take(&mut *settings);
            drop(settings);
            drop(before);
        }
    }

    /// Whom to tell, if anybody.
    pub(super) fn listeners(&self) -> Option<Listeners> {
        self.settings.read().listeners.clone()
    }

    pub(super) fn meta(&self, key: &str) -> Option<Meta> {
        self.settings.read().meta.get(key).cloned()
    }

    /// Whether the registry runs, and so has taken it.
    pub(super) fn put_meta(&self, key: Arc<str>, value: Meta) -> bool {
        let mut settings = self.settings.write();
        if settings.start == 0 {
            return false;
        }
        let before = settings.meta.insert(key, value);
        drop(settings);
        drop(before);
        true
    }

    pub(super) fn delete_meta(&self, key: &str) {
        let before = self.settings.write().meta.remove(key);
        drop(before);
    }
}

impl<K, V, M> HasLocks<K> for Shared<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    M: 'static,
{
    fn locks(&self) -> &Locks<K> {
        &self.locks
    }

    fn unlock(self: Arc<Self>, key: K) {
        Locks::unlock(self, key);
    }
}

/// A registry that has been started. It is kept by its supervisor and ends with that.
pub(super) struct Run<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: 'static,
{
    shared: Arc<Shared<K, V, M>>,
    start: u64,
}

impl<K, V, M> Drop for Run<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: 'static,
{
    fn drop(&mut self) {
        self.shared.end(self.start);
    }
}
