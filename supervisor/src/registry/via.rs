//! Servers that are known by a key.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use regrow_runtime::{ExitReason, Pid, exit_with};

use super::{RegisterKeyError, Registry, Unique};
use crate::name::Text;
use crate::{Via, ViaName};

struct ViaKey<K: Send + Sync + 'static, V> {
    registry: Registry<K, V, Unique>,
    name: Name<K>,
    value: V,
}

/// What makes two the same: the value does not.
#[derive(PartialEq, Eq, Hash)]
struct Name<K> {
    registry: Text,
    /// Which of that name, if it is bound to a runtime: where it is kept.
    bound: Option<usize>,
    key: K,
}

impl<K, V> Registry<K, V, Unique>
where
    K: Hash + Eq + Clone + fmt::Debug + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// This key as the name of a server: for [`Start::via`](crate::Start::via), which registers it, and
    /// [`ServerRef::via`](crate::ServerRef::via), which looks it up for each message.
    ///
    /// A server that is started while the registry is not running ends with
    /// [`RegistryNotRunning`](crate::RegistryNotRunning).
    ///
    /// ```
    /// # use regrow_runtime::{ExitReason, Runtime};
    /// # use regrow_supervisor::*;
    /// # struct Room;
    /// # impl GenServer for Room {
    /// #     type Args = ();
    /// #     type Message = ();
    /// #     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Room) }
    /// #     async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Next { Next::Continue }
    /// # }
    /// const ROOMS: Registry<String> = Registry::unique("rooms");
    ///
    /// # Runtime::new().unwrap().block_on(async {
    /// ROOMS.start_link().await.unwrap();
    /// let lobby = ROOMS.via("lobby".to_owned());
    /// let room = Room::start_link(()).via(lobby.clone()).await.unwrap();
    /// assert_eq!(ServerRef::<()>::via(lobby.clone()).pid(), room.pid());
    /// let again = Room::start_link(()).via(lobby).await.unwrap_err();
    /// assert_eq!(again, StartError::AlreadyStarted(room.pid().unwrap()));
    /// # });
    /// ```
    pub fn via(&self, key: K) -> Arc<dyn Via>
    where
        V: Default,
    {
        self.via_with(key, V::default())
    }

    /// As [`via`](Registry::via), with the value that the server is registered with.
    pub fn via_with(&self, key: K, value: V) -> Arc<dyn Via> {
        let name = Name {
            registry: self.name.clone(),
            bound: self.shared.as_ref().map(|it| Arc::as_ptr(it).addr()),
            key,
        };
        Arc::new(ViaKey {
            registry: self.clone(),
            name,
            value,
        })
    }
}

impl<K, V> Via for ViaKey<K, V>
where
    K: Hash + Eq + Clone + fmt::Debug + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn register(&self) -> Result<(), Pid> {
        match self
            .registry
            .register(self.name.key.clone(), self.value.clone())
        {
            Ok(()) => Ok(()),
            Err(RegisterKeyError::AlreadyRegistered(pid)) => Err(pid),
            Err(RegisterKeyError::NotRunning(error)) => exit_with(ExitReason::error(error)),
        }
    }

    fn whereis(&self) -> Option<Pid> {
        self.registry.whereis(&self.name.key)
    }

    fn name(&self) -> Option<&dyn ViaName> {
        Some(&self.name)
    }
}

impl<K: fmt::Debug + Send + Sync + 'static, V> fmt::Debug for ViaKey<K, V> {
    /// As `rooms["lobby"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{:?}]", self.name.registry.as_str(), self.name.key)
    }
}
