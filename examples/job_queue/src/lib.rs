//! A durable job queue that speaks the beanstalkd protocol: regrow's job queue example.
//!
//! What decides is plain code; processes carry it out, and crash and come back without anybody
//! noticing. The README beside this crate tells what is promised and how to watch it.
//!
//! | module | what it is |
//! |---|---|
//! | [`protocol`] | commands and answers as data |
//! | [`queue`] | tubes, jobs and clients: what a command does, without clock and I/O |
//! | `scheduler` | the process around the queue |
//! | `store` | the jobs on disk |
//! | `workers` | one process for each job that this program does itself |
//! | `connection` | one process for each client |
//! | `listener`, `tree` | who starts whom |
//! | [`trial`] | what the programs that check and measure share |

#![forbid(unsafe_code)]

pub mod protocol;
pub mod queue;
pub mod trial;

mod answer;
mod args;
mod connection;
mod drain_signal;
mod host;
mod listener;
mod progress;
mod scheduler;
mod shared;
mod start;
mod store;
mod tree;
mod workers;

pub use args::Args;
pub use start::run;
