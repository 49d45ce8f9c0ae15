//! Orders that survive every crash.
#![forbid(unsafe_code)]
