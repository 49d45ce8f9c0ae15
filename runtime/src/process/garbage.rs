//! Giving memory back before a long wait.

use super::links::with_header;

/// Gives back the memory that the current process has in reserve: room in its tables of links,
/// monitors and aliases (OTP: `erlang:garbage_collect/0`). The mailbox has none: each message is
/// an allocation of its own, freed when it is received.
///
/// The tables give most of their room back by themselves when they get nearly empty, so
/// this is for a process that is about to wait for long, among many.
///
/// # Panics
///
/// Outside a process.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{alias, garbage_collect, process_info, self_pid, unalias};
///
/// for alias in (0..20).map(|_| alias()).collect::<Vec<_>>() {
///     unalias(alias);
/// }
/// let before = process_info(self_pid()).await.unwrap().memory;
/// garbage_collect();
/// assert!(process_info(self_pid()).await.unwrap().memory < before);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn garbage_collect() {
    with_header("garbage_collect", |header| {
        header.with_relations(|relations| relations.shrink());
    });
}
