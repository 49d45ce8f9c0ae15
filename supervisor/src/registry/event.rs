//! What listeners are told.

use std::sync::Arc;

use regrow_runtime::Pid;

/// A message to the [listeners](crate::StartRegistry::listener) of a registry, sent by the process
/// that has registered or unregistered, in the order in which it did.
///
/// There is none when an owner dies: whoever wants to know that monitors it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryEvent<K, V = ()> {
    /// A process has registered.
    #[non_exhaustive]
    Register {
        /// The name of the registry.
        registry: Arc<str>,
        /// The key.
        key: K,
        /// The process.
        pid: Pid,
        /// What it has registered under the key.
        value: V,
    },
    /// A process had entries under a key and has none any more.
    #[non_exhaustive]
    Unregister {
        /// The name of the registry.
        registry: Arc<str>,
        /// The key.
        key: K,
        /// The process.
        pid: Pid,
    },
}
