//! The vocabulary static and dynamic supervisors share: what a child is, how it is started and
//! stopped, when it is started again.

mod backoff;
mod info;
mod restart;
mod retry;
mod spec;
mod started;
mod stop;

pub use backoff::Backoff;
pub use info::{ChildInfo, ChildState, Counts};
pub use restart::Restart;
pub use spec::{ChildSpec, ChildType, SpecError};
pub use started::Child;
pub use stop::Shutdown;

pub(crate) use restart::{AfterExit, after_exit};
pub(crate) use retry::{Attempt, Retries, Retry};
pub(crate) use stop::{is_expected, stop_one};
