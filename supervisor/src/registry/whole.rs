//! What concerns a registry as a whole, and no entry of it.

use std::any::Any;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use super::locks::{KeyLock, Locks};
use super::{Keys, Registry, RegistryNotRunning};
use crate::call::wait_here;

impl<K, V, M> Registry<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: Keys,
{
    /// A value that belongs to the registry as a whole, if there is one of this type. It goes
    /// when the registry ends; see also [`meta`](crate::StartRegistry::meta) of a start.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// use regrow_supervisor::Registry;
    ///
    /// const ROOMS: Registry<String> = Registry::unique("rooms");
    /// ROOMS.start_link().meta("capacity", 30_u32).await.unwrap();
    /// assert_eq!(ROOMS.meta::<u32>("capacity"), Some(30));
    /// ROOMS.put_meta("capacity", 40_u32).unwrap();
    /// assert_eq!(ROOMS.meta::<u32>("capacity"), Some(40));
    /// assert_eq!(ROOMS.meta::<&str>("capacity"), None);
    /// # });
    /// ```
    #[track_caller]
    pub fn meta<T: Clone + Send + Sync + 'static>(&self, key: &str) -> Option<T> {
        let value: Arc<dyn Any + Send + Sync> = self.find()?.meta(key)?;
        value.downcast_ref::<T>().cloned()
    }

    /// Sets such a value.
    ///
    /// # Errors
    ///
    /// If the registry is not running.
    #[track_caller]
    pub fn put_meta<T: Send + Sync + 'static>(
        &self,
        key: impl Into<Arc<str>>,
        value: T,
    ) -> Result<(), RegistryNotRunning> {
        match self.find() {
            Some(shared) if shared.put_meta(key.into(), Arc::new(value)) => Ok(()),
            _ => Err(self.not_running()),
        }
    }

    /// Takes such a value away.
    #[track_caller]
    pub fn delete_meta(&self, key: &str) {
        if let Some(shared) = self.find() {
            shared.delete_meta(key);
        }
    }

    /// Waits until nobody else has this key locked, and locks it: for something that only one
    /// process must do at a time. Those that wait are served in their order.
    ///
    /// It has nothing to do with who has registered the key. Whoever locks a key that it has
    /// locked already waits for ever. Works from any executor, with [`on`](Registry::on).
    ///
    /// # Errors
    ///
    /// If the registry is not running. A lock that is held, or waited for, when it ends stays what
    /// it is.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// use regrow_supervisor::Registry;
    ///
    /// const ROOMS: Registry<String> = Registry::unique("rooms");
    /// ROOMS.start_link().await.unwrap();
    /// let lobby = ROOMS.lock("lobby".into()).await.unwrap();
    /// // Nobody else is here.
    /// drop(lobby);
    /// # });
    /// ```
    #[track_caller]
    pub fn lock(
        &self,
        key: K,
    ) -> impl Future<Output = Result<KeyLock<K>, RegistryNotRunning>> + Send + use<K, V, M> {
        let shared = self.find().filter(|shared| shared.table.is_open());
        let shared = shared.ok_or_else(|| self.not_running());
        wait_here(async move {
            let shared = shared?;
            loop {
                match Locks::lock(shared.clone(), key.clone()) {
                    Ok(lock) => return Ok(lock),
                    Err(waiting) => {
                        if let Ok(lock) = waiting.await {
                            return Ok(lock);
                        }
                    }
                }
            }
        })
    }
}
