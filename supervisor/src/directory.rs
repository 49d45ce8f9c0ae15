//! Tables that a process fills and that all others of its runtime read without asking it: as named
//! `ets` tables are found by name, so these are.
//!
//! Who fills a table keeps it, and so does who has it at hand; the directory only knows of it. So
//! a table that nobody uses any more is gone, and a process that comes back finds the table that
//! others still have.

use std::sync::{Arc, Weak};

use parking_lot::RwLock;
use regrow_runtime::Handle;
use rustc_hash::FxHashMap;

/// The tables of one type in one runtime.
pub(crate) struct Directory<T>(RwLock<Tables<T>>);

struct Tables<T> {
    by_name: FxHashMap<Arc<str>, Weak<T>>,
    /// At so many, look for tables that are gone.
    clean_at: usize,
}

impl<T> Default for Directory<T> {
    fn default() -> Self {
        Directory(RwLock::new(Tables {
            by_name: FxHashMap::default(),
            clean_at: 16,
        }))
    }
}

/// The table of that name, if anybody has it.
pub(crate) fn find<T: Send + Sync + 'static>(runtime: &Handle, name: &str) -> Option<Arc<T>> {
    let directory = runtime.extension::<Directory<T>>();
    let tables = directory.0.read();
    tables.by_name.get(name)?.upgrade()
}

/// The table of that name, made if nobody has it.
pub(crate) fn find_or_make<T: Send + Sync + 'static>(
    runtime: &Handle,
    name: &str,
    make: impl FnOnce() -> T,
) -> Arc<T> {
    let directory = runtime.extension::<Directory<T>>();
    let mut tables = directory.0.write();
    if let Some(table) = tables.by_name.get(name).and_then(Weak::upgrade) {
        return table;
    }
    if tables.by_name.len() >= tables.clean_at {
        tables.by_name.retain(|_, table| table.strong_count() > 0);
        tables.clean_at = 16.max(2 * tables.by_name.len());
    }
    let table = Arc::new(make());
    tables.by_name.insert(name.into(), Arc::downgrade(&table));
    table
}

#[cfg(test)]
mod tests {
    use regrow_runtime::Runtime;

    use super::*;

    #[test]
    fn a_table_is_there_as_long_as_somebody_has_it() {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle();
        let table = find_or_make(&handle, "one", || 1_u8);
        assert_eq!(find::<u8>(&handle, "one").as_deref(), Some(&1));
        assert!(Arc::ptr_eq(&table, &find_or_make(&handle, "one", || 2)));
        assert_eq!(find::<u16>(&handle, "one"), None, "another type");
        assert_eq!(find::<u8>(&handle, "two"), None);
        drop(table);
        assert_eq!(find::<u8>(&handle, "one"), None);
        assert_eq!(*find_or_make(&handle, "one", || 2), 2);
    }

    #[test]
    fn names_of_tables_that_are_gone_do_not_pile_up() {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle();
        let kept = find_or_make(&handle, "kept", || 0_u32);
        for n in 0..1_000 {
            find_or_make(&handle, &n.to_string(), || n);
        }
        let directory = handle.extension::<Directory<u32>>();
        assert!(directory.0.read().by_name.len() <= 32);
        assert!(find::<u32>(&handle, "kept").is_some_and(|it| Arc::ptr_eq(&it, &kept)));
    }
}
