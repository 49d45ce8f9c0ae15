//! What the end of a child comes to, by its restart type: pure.

use regrow_runtime::ExitReason;

#[cfg(test)]
mod tests;

/// Whether a child that ended by itself is started again.
///
/// | restart | `Normal`, `Shutdown`, `ShutdownWith` | any other reason |
/// |---|---|---|
/// | `Permanent` | started again | started again |
/// | `Transient` | stays down, its spec is kept | started again |
/// | `Temporary` | forgotten | forgotten |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Restart {
    /// Always started again. The default.
    #[default]
    Permanent,
    /// Started again only if it ended abnormally.
    Transient,
    /// Never started again.
    Temporary,
}

impl std::fmt::Display for Restart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Restart::Permanent => "permanent",
            Restart::Transient => "transient",
            Restart::Temporary => "temporary",
        })
    }
}

/// What to do with a child that ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterExit {
    /// Report it and start it again, if the intensity allows.
    Restart,
    /// Keep its spec, without a process.
    Keep,
    /// Drop its spec; `report` if the end was abnormal.
    Forget { report: bool },
}

/// What follows from a child's end.
pub(crate) fn after_exit(restart: Restart, reason: &ExitReason) -> AfterExit {
    match (restart, reason.is_normal_like()) {
        (Restart::Permanent, _) | (Restart::Transient, false) => AfterExit::Restart,
        (Restart::Transient, true) => AfterExit::Keep,
        (Restart::Temporary, normal) => AfterExit::Forget { report: !normal },
    }
}
