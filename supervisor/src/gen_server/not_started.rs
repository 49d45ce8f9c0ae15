//! What `init` may answer besides a state and a failure.
//!
//! It travels as the error in a reason, so that `?` carries it out of whatever `init` calls. Only
//! the server's own start looks for it; a process that ends with it anywhere else has failed with
//! what it reads as.

use regrow_runtime::ExitReason;

/// Why there is no server although nothing has crashed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NotStarted {
    /// OTP: `ignore`.
    #[error("init has chosen not to start the server")]
    Ignored,
    /// OTP: `{error, Reason}`, an error without a noise.
    #[error("{0}")]
    Failed(ExitReason),
}

impl NotStarted {
    pub(super) fn of(reason: &ExitReason) -> Option<&NotStarted> {
        match reason {
            ExitReason::Error(error) => error.downcast_ref(),
            _ => None,
        }
    }
}

/// What the starter is told, and what the process ends with, when `init` gave no state.
pub(crate) fn outcome(reason: ExitReason) -> (ExitReason, ExitReason) {
    let told = match NotStarted::of(&reason) {
        None => return (reason.clone(), reason),
        Some(NotStarted::Ignored) => reason.clone(),
        Some(NotStarted::Failed(error)) => error.clone(),
    };
    (told, ExitReason::Normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_init_says_on_purpose_ends_the_process_as_normal() {
        let failed = ExitReason::error("no");
        assert_eq!(outcome(failed.clone()), (failed.clone(), failed.clone()));
        let said = ExitReason::from(NotStarted::Failed(failed.clone()));
        assert_eq!(outcome(said), (failed, ExitReason::Normal));
        let (told, end) = outcome(NotStarted::Ignored.into());
        assert!(matches!(NotStarted::of(&told), Some(NotStarted::Ignored)));
        assert_eq!(end, ExitReason::Normal);
    }
}
