//! When a supervisor ends because its significant children have: pure.

#[cfg(test)]
mod tests;

/// Whether a supervisor stops itself when its significant children end by themselves.
///
/// Only a child that ends *by itself* and is *not restarted* counts: a transient one that ends
/// normally, a temporary one that ends for whatever reason. One stopped by
/// [`terminate_child`](crate::SupervisorRef::terminate_child) or because of a sibling never
/// does. The supervisor then stops the other children and exits with
/// [`ExitReason::Shutdown`](regrow_runtime::ExitReason::Shutdown).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum AutoShutdown {
    /// Never; no child may be significant then.
    #[default]
    Never,
    /// As soon as one significant child has ended.
    AnySignificant,
    /// When the last significant child has ended.
    AllSignificant,
}

/// Whether the end of a child (that is not restarted) ends the supervisor too. `others_active`
/// says whether any *other* significant child is running or being restarted.
pub(crate) fn is_due(
    mode: AutoShutdown,
    significant: bool,
    others_active: impl FnOnce() -> bool,
) -> bool {
    match mode {
        AutoShutdown::Never => false,
        AutoShutdown::AnySignificant => significant,
        AutoShutdown::AllSignificant => significant && !others_active(),
    }
}
