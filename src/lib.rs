#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub use regrow_runtime::*;
pub use regrow_supervisor::*;
