//! Servers and clients for the tests.

mod client;
mod directory;
mod server;

use std::time::Duration;

pub(crate) use client::Client;
pub(crate) use directory::Directory;
pub(crate) use server::{Launch, Server};

/// Longer than anything takes that works, on a busy machine too.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
