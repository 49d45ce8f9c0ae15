//! How long to wait.

use std::time::Duration;

use regrow_runtime::monotonic_time;

/// How long to wait for responses (OTP: `response_timeout()`). A [`Duration`] is one, and so is
/// an `Option` of one, where `None` means without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseTimeout {
    /// This long, counted from the first poll of what waits.
    After(Duration),
    /// Until [`monotonic_time`] is this: one deadline for several waits. What has come by then
    /// is still taken when the deadline is past.
    At(Duration),
    /// Without limit.
    Infinity,
}

impl ResponseTimeout {
    /// What is left, now; `None` is without limit.
    pub(super) fn left(self) -> Option<Duration> {
        match self {
            ResponseTimeout::After(time) => Some(time),
            ResponseTimeout::At(time) => Some(time.saturating_sub(monotonic_time())),
            ResponseTimeout::Infinity => None,
        }
    }

    /// The same moment however often it is asked for.
    pub(super) fn fixed(self) -> Self {
        match self {
            ResponseTimeout::After(time) => match monotonic_time().checked_add(time) {
                Some(deadline) => ResponseTimeout::At(deadline),
                None => ResponseTimeout::Infinity,
            },
            fixed => fixed,
        }
    }
}

impl From<Duration> for ResponseTimeout {
    fn from(time: Duration) -> Self {
        ResponseTimeout::After(time)
    }
}

impl From<Option<Duration>> for ResponseTimeout {
    fn from(time: Option<Duration>) -> Self {
        time.map_or(ResponseTimeout::Infinity, ResponseTimeout::After)
    }
}
