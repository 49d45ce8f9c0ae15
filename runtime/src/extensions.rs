//! Values that belong to a runtime, one for each type.

use std::any::{Any, TypeId};
use std::sync::Arc;

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::handle::Handle;
use crate::panic::discard;

type Value = Arc<dyn Any + Send + Sync>;

/// The extensions of one runtime.
#[derive(Default)]
pub(crate) struct Extensions {
    values: RwLock<FxHashMap<TypeId, Value>>,
}

impl Extensions {
    fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let found = |value: &Value| value.clone().downcast::<T>().ok();
        let id = TypeId::of::<T>();
        if let Some(value) = self.values.read().get(&id).and_then(found) {
            return value;
        }
        // Made without the lock, as it is the user's code; and if two make one, the first counts.
        let fresh = Arc::new(T::default());
        let kept = self
            .values
            .write()
            .entry(id)
            .or_insert(fresh.clone())
            .clone();
        kept.downcast().unwrap_or(fresh)
    }
}

impl Drop for Extensions {
    fn drop(&mut self) {
        for (_, value) in self.values.get_mut().drain() {
            discard("the drop of an extension", value);
        }
    }
}

impl Handle {
    /// What this runtime has of the type `T`, made when it is first asked for.
    ///
    /// This is where a library keeps what all processes of one runtime share and those of
    /// another, or of a [simulation](crate::simulation), must not see: tables that any process
    /// may read (OTP: a named table of `ets`). A type of the library's own keeps others away
    /// from it.
    ///
    /// It is dropped after the last process, when nobody has a handle of the runtime any more. So it
    /// should not have one itself.
    ///
    /// ```
    /// use regrow_runtime::{Handle, Runtime, spawn_monitor, receive_down};
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// #[derive(Default)]
    /// struct Visits(AtomicU32);
    ///
    /// fn visit() -> u32 {
    ///     Handle::current().extension::<Visits>().0.fetch_add(1, Ordering::Relaxed)
    /// }
    ///
    /// let runtime = Runtime::new()?;
    /// runtime.block_on(async {
    ///     let (_, end) = spawn_monitor(async { visit(); });
    ///     receive_down(end).await;
    ///     assert_eq!(visit(), 1);
    /// });
    /// let other = Runtime::new()?;
    /// assert_eq!(other.block_on(async { visit() }), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn extension<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.shared.extensions.get()
    }
}
