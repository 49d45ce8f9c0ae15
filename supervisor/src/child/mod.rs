//! The vocabulary static and dynamic supervisors share: what a child is, how it is started and
//! stopped, when it is started again.

mod info;
mod restart;
mod spec;
mod stop;

pub use info::{ChildInfo, ChildState, Counts};
pub use restart::Restart;
pub use spec::{Child, ChildSpec, ChildType, SpecError};
pub use stop::Shutdown;

pub(crate) use restart::{AfterExit, after_exit};
pub(crate) use stop::{is_expected, stop_one};
