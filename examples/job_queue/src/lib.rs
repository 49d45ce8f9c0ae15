//! A durable job queue that speaks the beanstalkd protocol.
//!
//! | module | what it is |
//! |---|---|
//! | [`protocol`] | commands and answers as data |

#![forbid(unsafe_code)]

pub mod protocol;
