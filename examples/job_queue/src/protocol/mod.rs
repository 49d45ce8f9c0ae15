//! The beanstalkd protocol as data: bytes in, commands out, answers as bytes.
//!
//! Nothing here does I/O. A connection pushes what it read into a [`Decoder`], which hands out
//! [`Request`]s; a [`Response`] writes itself. What is accepted and what is refused follows
//! beanstalkd 1.12, and 1.13 where that is stricter; `DIFFERENCES.md` beside this package lists
//! where we answer otherwise, and why.

mod command;
mod decoder;
mod name;
mod number;
mod response;
pub mod yaml;

pub use command::Command;
pub use decoder::{Decoder, Request};
pub use name::{NameError, TubeName};
pub use response::Response;

/// Names a job. Given in ascending order, from 1; never given twice.
pub type JobId = u64;

/// The longest command line, its CRLF included.
pub const LINE_MAX: usize = 224;
/// The longest name of a tube, in bytes.
pub const NAME_MAX: usize = 200;
/// The largest body of a job unless configured otherwise, in bytes.
pub const JOB_SIZE_DEFAULT: usize = 65_535;
/// The largest body that may be configured, in bytes.
pub const JOB_SIZE_MAX: usize = 1 << 30;
