//! Registries in which a key has one owner.

use std::borrow::Borrow;
use std::hash::Hash;

use regrow_runtime::{Pid, seems_alive, self_pid, send};

use super::{Registry, SendToKeyError, Unique, UpdateValueError};
use crate::name::Text;

impl<K, V> Registry<K, V, Unique>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A registry in which a key has one owner at most.
    pub const fn unique(name: &'static str) -> Self {
        Registry {
            name: Text::Static(name),
            shared: None,
        }
    }

    /// Who has a key, and the value. It may have ended just before.
    ///
    /// # Panics
    ///
    /// Outside a process, unless found with [`on`](Registry::on); so do all that follow.
    #[track_caller]
    pub fn lookup<Q>(&self, key: &Q) -> Option<(Pid, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.find()?.table.first(key)
    }

    /// Who has a key, if that process is alive (Elixir: `Registry.whereis_name/1`).
    #[track_caller]
    pub fn whereis<Q>(&self, key: &Q) -> Option<Pid>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let owner = self.find()?.table.owner(key);
        owner.filter(|pid| seems_alive(*pid))
    }

    /// Sends a message to whoever has a key.
    ///
    /// # Errors
    ///
    /// If nobody has it; the message comes back.
    #[track_caller]
    pub fn send<Q, T>(&self, key: &Q, message: T) -> Result<(), SendToKeyError<T>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        T: Send + 'static,
    {
        match self.whereis(key) {
            Some(pid) => {
                send(pid, message);
                Ok(())
            }
            None => Err(SendToKeyError { message }),
        }
    }

    /// Puts what a function makes of the value under a key in the place of that: the new value and
    /// the old one. Only the process that has registered the key can do it.
    ///
    /// # Errors
    ///
    /// If the caller has not registered this key.
    ///
    /// # Panics
    ///
    /// Outside a process.
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// use regrow_supervisor::Registry;
    ///
    /// const LOADS: Registry<&str, u32> = Registry::unique("loads");
    /// LOADS.start_link().await.unwrap();
    /// LOADS.register("worker", 1).unwrap();
    /// assert_eq!(LOADS.update_value(&"worker", |load| load + 1), Ok((2, 1)));
    /// assert!(LOADS.update_value(&"nobody", |load| load + 1).is_err());
    /// # });
    /// ```
    #[track_caller]
    pub fn update_value<Q>(
        &self,
        key: &Q,
        make: impl FnOnce(&V) -> V,
    ) -> Result<(V, V), UpdateValueError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let me = self_pid();
        let shared = self.find().ok_or(UpdateValueError)?;
        let (number, old) = shared.table.own(me, key).ok_or(UpdateValueError)?;
        let new = make(&old);
        match shared.table.replace(key, number, new.clone()) {
            true => Ok((new, old)),
            false => Err(UpdateValueError),
        }
    }
}
