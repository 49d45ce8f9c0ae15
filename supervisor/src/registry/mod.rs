//! Registry: processes found by keys that are more than names.
//!
//! `table.rs` (with `shard.rs`) keeps the entries and is pure; `partition.rs` is the process
//! that takes out those of the dead; `shared.rs` is what handles and processes share. `handle.rs`,
//! `whole.rs`, `unique.rs` and `duplicate.rs` are what users call.

mod duplicate;
mod error;
mod event;
mod handle;
mod locks;
mod partition;
mod shard;
mod shared;
mod start;
mod table;
mod unique;
mod via;
mod whole;

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use regrow_runtime::Handle;

use crate::directory;
use crate::name::Text;
use shared::Shared;

pub use error::{RegisterKeyError, RegistryNotRunning, SendToKeyError, UpdateValueError};
pub use event::RegistryEvent;
pub use locks::KeyLock;
pub use start::StartRegistry;

/// A name for each of many processes: of any type, found without asking anybody (Elixir:
/// `Registry`).
///
/// The names of the runtime are texts, and a process has one at most. A registry has keys of
/// type `K` with a value of type `V` beside each; a process may have many. With
/// [unique](Registry::unique) keys it is for finding *the* process that has a key: the room of
/// that name, the order with that number. With [duplicate](Registry::duplicate) keys it is for
/// reaching *all* that have it: those who listen to a topic.
///
/// This type is a handle: the name of a registry and the types of what is in it, cheap to clone, good for
/// a `const`. The registry itself is a supervisor, which has that name and belongs in a
/// supervision tree, before those who use it: [`child_spec`](Registry::child_spec).
///
/// ```
/// use regrow_runtime::{ExitReason, ReplyTo, Runtime};
/// use regrow_supervisor::{
///     ChildSpec, Context, DynamicSupervisor, GenServer, Next, Registry, ServerRef, Strategy,
///     Supervisor,
/// };
///
/// const ORDERS: Registry<u64> = Registry::unique("orders");
///
/// struct Order { items: u32 }
///
/// enum Command { Add(u32), Items(ReplyTo<u32>) }
///
/// impl GenServer for Order {
///     type Args = ();
///     type Message = Command;
///
///     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
///         Ok(Order { items: 0 })
///     }
///
///     async fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Next {
///         match command {
///             Command::Add(items) => self.items += items,
///             Command::Items(reply) => reply.send(self.items),
///         }
///         Next::Continue
///     }
/// }
///
/// /// The order with this number, whichever process that is.
/// fn order(number: u64) -> ServerRef<Command> {
///     ServerRef::via(ORDERS.via(number))
/// }
///
/// Runtime::new().unwrap().block_on(async {
///     Supervisor::new(Strategy::RestForOne)
///         .child(ORDERS.child_spec())
///         .child(ChildSpec::supervisor("processors", || {
///             DynamicSupervisor::new().name("processors").start_link()
///         }))
///         .start_link()
///         .await
///         .unwrap();
///     Order::start_link(()).via(ORDERS.via(17)).await.unwrap();
///     order(17).cast(Command::Add(3));
///     assert_eq!(order(17).call(Command::Items).await, Ok(3));
///     assert_eq!(ORDERS.whereis(&18), None);
/// });
/// ```
///
/// # Owners
///
/// A process registers itself; nobody can do it for another. Its entries go when it ends, a little
/// after its links and monitors are told: until then [`lookup`](Registry::lookup) may
/// still find them, but nobody is kept from a key by a dead owner. It is linked to a process of
/// the registry as long as it has entries: should that fail, its entries are gone, and so
/// is the process, unless it traps exits.
///
/// # Where it works
///
/// Used in a process, the handle means the registry of that name in the runtime of the process.
/// A thread, or a task of another executor, asks for the registry of a runtime, with
/// [`on`](Registry::on). That also spares finding it by name each time. A registry that does not run has no
/// entries.
///
/// Entries are read and written by those who look up and register, and kept in shards with a lock
/// each; a lookup waits for no process. So `K::hash`, `K::eq`, `K::clone` and `V::clone` run under a lock
/// and must not use the registry. Closures given to its functions may.
///
/// # When not to use one
///
/// For a few servers that exist once: they have a [`Name`](crate::Name). For values without
/// processes: these belong in a map.
pub struct Registry<K, V = (), M = Unique>
where
    K: Send + Sync + 'static,
{
    name: Text,
    shared: Option<Arc<Shared<K, V, M>>>,
}

/// A registry in which a key has one owner at most. See [`Registry::unique`].
#[derive(Debug)]
pub enum Unique {}

/// A registry in which a key may have any number of entries. See [`Registry::duplicate`].
#[derive(Debug)]
pub enum Duplicate {}

/// How many entries a key may have: [`Unique`] or [`Duplicate`].
pub trait Keys: sealed::Keys {}

impl Keys for Unique {}
impl Keys for Duplicate {}

mod sealed {
    use crate::Strategy;

    pub trait Keys: Send + Sync + 'static {
        const UNIQUE: bool;
        /// What becomes of the other partitions when one fails.
        const STRATEGY: Strategy;
    }

    impl Keys for super::Unique {
        const UNIQUE: bool = true;
        // A process of one partition may have a key that those of another want.
        const STRATEGY: Strategy = Strategy::OneForAll;
    }

    impl Keys for super::Duplicate {
        const UNIQUE: bool = false;
        const STRATEGY: Strategy = Strategy::OneForOne;
    }
}

impl<K, V, M> Registry<K, V, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    M: Keys,
{
    /// Its name, which its supervisor has.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The registry of this name in that runtime: this handle works anywhere, not in processes
    /// only, and finds its entries at once. It may be made before the registry runs, and outlives it.
    ///
    /// ```
    /// use regrow_runtime::{Runtime, self_pid};
    /// use regrow_supervisor::Registry;
    ///
    /// const ROOMS: Registry<String> = Registry::unique("rooms");
    ///
    /// let runtime = Runtime::new()?;
    /// let rooms = ROOMS.on(&runtime.handle());
    /// runtime.block_on(async move {
    ///     ROOMS.start_link().await.unwrap();
    ///     ROOMS.register("lobby".to_owned(), ()).unwrap();
    ///     let this = self_pid();
    ///     let found = std::thread::spawn(move || rooms.whereis("lobby"));
    ///     assert_eq!(found.join().unwrap(), Some(this));
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on(&self, runtime: &Handle) -> Self {
        Registry {
            name: self.name.clone(),
            shared: Some(self.find_or_make(runtime)),
        }
    }

    fn find_or_make(&self, runtime: &Handle) -> Arc<Shared<K, V, M>> {
        let name = self.name.as_str();
        directory::find_or_make(runtime, name, || Shared::new(name.into()))
    }

    /// The registry meant, if it exists.
    #[track_caller]
    fn find(&self) -> Option<Arc<Shared<K, V, M>>> {
        if let Some(shared) = &self.shared {
            return Some(shared.clone());
        }
        let Some(runtime) = Handle::try_current() else {
            let name = self.name.as_str();
            panic!("the registry `{name}` can only be used in a process, or with `on`");
        };
        directory::find(&runtime, self.name.as_str())
    }

    fn not_running(&self) -> RegistryNotRunning {
        let registry = self.name.clone().into();
        RegistryNotRunning { registry }
    }
}

impl<K: Send + Sync + 'static, V, M> Clone for Registry<K, V, M> {
    fn clone(&self) -> Self {
        Registry {
            name: self.name.clone(),
            shared: self.shared.clone(),
        }
    }
}

impl<K: Send + Sync + 'static, V, M> fmt::Debug for Registry<K, V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("name", &self.name.as_str())
            .field("is_found", &self.shared.is_some())
            .finish_non_exhaustive()
    }
}
