//! One shop to a database: two would each work on every order.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// Held as long as the program lives; the system lets go of it whatever ends that.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[error("cannot use database `{path}`: {why}")]
pub(crate) struct LockError {
    path: String,
    why: String,
}

impl Lock {
    /// Takes the lock of a database that is there. It is a file beside it: to open and close the
    /// database itself would end the locks that SQLite has on it.
    pub(crate) fn of(database: &Path) -> Result<Lock, LockError> {
        let failed = |why: String| LockError {
            path: database.display().to_string(),
            why,
        };
        // The same for whoever comes by a link.
        let real = database
            .canonicalize()
            .map_err(|error| failed(error.to_string()))?;
        let mut name = real.into_os_string();
        name.push(".lock");
        let path = PathBuf::from(name);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed(format!("its lock `{}`: {error}", path.display())))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(failed("another shop works on it".into())),
            Err(TryLockError::Error(error)) => Err(failed(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_has_the_lock_also_by_a_link_and_the_next_when_it_is_gone() {
        let folder = std::env::temp_dir().join(format!("order-lock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (database, link) = (folder.join("db"), folder.join("link"));
        File::create(&database).unwrap();
        let _ = std::os::unix::fs::symlink(&database, &link);
        let lock = Lock::of(&database).unwrap();
        for path in [&database, &link] {
            let error = Lock::of(path).unwrap_err().to_string();
            assert!(error.ends_with("another shop works on it"), "{error}");
        }
        drop(lock);
        Lock::of(&link).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
