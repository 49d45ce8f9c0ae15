//! A durable job queue that speaks the beanstalkd protocol.
//!
//! | module | what it is |
//! |---|---|
//! | [`protocol`] | commands and answers as data |
//! | [`queue`] | tubes, jobs and clients: what a command does, without clock and I/O |
//! | [`trial`] | what the programs that check and measure share |

#![forbid(unsafe_code)]

pub mod protocol;
pub mod queue;
pub mod trial;
