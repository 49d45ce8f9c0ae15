//! Locks by key, for whoever wants to do something alone: no process is asked for them.

use std::collections::VecDeque;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use regrow_runtime::{Reply, ReplyTo, reply_channel};
use rustc_hash::FxHashMap;

/// Who waits for which key, the next first. A key that is here is locked.
pub(super) struct Locks<K>(Mutex<FxHashMap<K, VecDeque<ReplyTo<KeyLock<K>>>>>)
where
    K: Send + Sync + 'static;

/// A key that nobody else has locked, from [`Registry::lock`](crate::Registry::lock). Dropping it
/// unlocks the key; so does the end of the process that has it.
#[must_use = "the key is unlocked when this is dropped"]
pub struct KeyLock<K: Send + Sync + 'static> {
    /// What the locks are part of, which is so kept in existence.
    of: Arc<dyn HasLocks<K>>,
    /// `None` once it is unlocked.
    key: Option<K>,
}

pub(super) trait HasLocks<K: Send + Sync + 'static>: Send + Sync {
    fn locks(&self) -> &Locks<K>;
    /// Unlocks a key, for the next that waits for it.
    fn unlock(self: Arc<Self>, key: K);
}

impl<K: Send + Sync + 'static> Default for Locks<K> {
    fn default() -> Self {
        Locks(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Locks<K> {
    /// The lock now, or when those who came before have let go of it.
    pub(super) fn lock(of: Arc<dyn HasLocks<K>>, key: K) -> Result<KeyLock<K>, Reply<KeyLock<K>>> {
        let mut waiting = of.locks().0.lock();
        if let Some(queue) = waiting.get_mut(&key) {
            let (reply_to, reply) = reply_channel();
            queue.push_back(reply_to);
            return Err(reply);
        }
        waiting.insert(key.clone(), VecDeque::new());
        drop(waiting);
        let key = Some(key);
        Ok(KeyLock { of, key })
    }

    /// See [`HasLocks::unlock`].
    pub(super) fn unlock(of: Arc<dyn HasLocks<K>>, key: K) {
        loop {
            let mut waiting = of.locks().0.lock();
            let Some(queue) = waiting.get_mut(&key) else {
                return;
            };
            let Some(next) = queue.pop_front() else {
                let unlocked = waiting.remove_entry(&key);
                drop(waiting);
                drop(unlocked);
                return;
            };
            drop(waiting);
            // Whoever has given up, or died, is passed over. If it does so right now, the lock that
            // it does not take is dropped, and so goes to the next.
            if next.is_wanted() {
                let key = Some(key);
                next.send(KeyLock { of, key });
                return;
            }
        }
    }
}

impl<K: Send + Sync + 'static> Drop for KeyLock<K> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.of.clone().unlock(key);
        }
    }
}

impl<K: fmt::Debug + Send + Sync + 'static> fmt::Debug for KeyLock<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLock")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
