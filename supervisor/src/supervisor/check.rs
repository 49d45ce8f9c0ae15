//! What may be wrong with settings: pure.

use std::collections::HashSet;

use super::{AutoShutdown, Supervisor};
use crate::{ChildSpec, Restart, SpecError};

/// Looks for mistakes in child specs without starting anything (OTP:
/// `supervisor:check_childspecs/2`).
///
/// What depends on the supervisor's auto-shutdown is only looked at if that is given.
///
/// ```
/// use regrow_runtime::ExitReason;
/// use regrow_supervisor::{AutoShutdown, Child, ChildSpec, SpecError, check_childspecs};
///
/// let spec = |id| ChildSpec::new(id, || async { Ok::<_, ExitReason>(Child::ignored()) });
/// assert_eq!(check_childspecs(&[spec("a"), spec("b")], None), Ok(()));
/// let twice = check_childspecs(&[spec("a"), spec("a")], AutoShutdown::Never);
/// assert!(matches!(twice, Err(SpecError::DuplicateId { .. })));
/// ```
///
/// # Errors
///
/// The first mistake found. The specs are looked at in their order, each by itself, then for an
/// id that an earlier one has.
pub fn check_childspecs(
    specs: &[ChildSpec],
    auto_shutdown: impl Into<Option<AutoShutdown>>,
) -> Result<(), SpecError> {
    let auto_shutdown = auto_shutdown.into();
    let mut ids = HashSet::new();
    for spec in specs {
        check_spec(spec, auto_shutdown)?;
        if !ids.insert(&spec.id) {
            let id = spec.id.clone();
            return Err(SpecError::DuplicateId { id });
        }
    }
    Ok(())
}

/// What is wrong with a spec by itself, in a supervisor with this auto-shutdown.
pub(super) fn check_spec(spec: &ChildSpec, mode: Option<AutoShutdown>) -> Result<(), SpecError> {
    spec.check()?;
    let id = || spec.id.clone();
    if spec.significant && mode == Some(AutoShutdown::Never) {
        return Err(SpecError::SignificantWithoutAutoShutdown { id: id() });
    }
    if spec.significant && spec.restart == Restart::Permanent {
        return Err(SpecError::SignificantPermanent { id: id() });
    }
    Ok(())
}

impl Supervisor {
    pub(super) fn check(&self) -> Result<(), SpecError> {
        if self.intensity.is_some_and(|(_, period)| period.is_zero()) {
            return Err(SpecError::ZeroPeriod);
        }
        check_childspecs(&self.children, self.auto_shutdown)
    }
}
