//! Registries in which a key may have many entries.

use std::borrow::Borrow;
use std::hash::Hash;

use regrow_runtime::Pid;

use super::{Duplicate, Registry};
use crate::name::Text;

impl<K, V> Registry<K, V, Duplicate>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A registry in which a key may have any number of entries, several of one process among them.
    ///
    /// It cannot say which of them is meant, so it has neither `via` nor `whereis`:
    ///
    /// ```compile_fail,E0599
    /// # use regrow_supervisor::{Duplicate, Registry};
    /// const TOPICS: Registry<u8, (), Duplicate> = Registry::duplicate("topics");
    /// TOPICS.via(1);
    /// ```
    pub const fn duplicate(name: &'static str) -> Self {
        Registry {
            name: Text::Static(name),
            shared: None,
        }
    }

    /// The entries under a key, oldest first. Some owners may have ended just before.
    ///
    /// # Panics
    ///
    /// Outside a process, unless found with [`on`](Registry::on).
    ///
    /// ```
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// use regrow_runtime::self_pid;
    /// use regrow_supervisor::{Duplicate, Registry};
    ///
    /// const TOPICS: Registry<&str, u8, Duplicate> = Registry::duplicate("topics");
    /// TOPICS.start_link().await.unwrap();
    /// TOPICS.register("news", 1).unwrap();
    /// TOPICS.register("news", 2).unwrap();
    /// assert_eq!(TOPICS.lookup(&"news"), [(self_pid(), 1), (self_pid(), 2)]);
    /// # });
    /// ```
    #[track_caller]
    pub fn lookup<Q>(&self, key: &Q) -> Vec<(Pid, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries_of(key)
    }
}
