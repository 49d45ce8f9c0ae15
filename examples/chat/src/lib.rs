//! An IRC server that heals itself: regrow's chat example.
//!
//! Every room and every connection is a process, the database side has a supervisor of its own,
//! and what crashes is started again while everybody goes on talking. The README beside this
//! crate tells what is promised and how to watch it.
//!
//! | module | what it is |
//! |---|---|
//! | `irc` | the protocol as data |
//! | `connection` | one process for each client |
//! | `room` | one process for each room |
//! | `db`, `cache` | what is kept |
//! | `listener`, `tree` | who starts whom |

#![forbid(unsafe_code)]

mod args;
mod cache;
mod clock;
mod connection;
mod db;
mod irc;
mod listener;
mod log;
mod room;
mod server;
mod start;
mod tree;

pub use args::Args;
pub use start::run;
