//! What the tests stand on: a directory, a server process, an IRC client, a look into the database.

mod client;
mod database;
mod directory;
mod line;
mod server;
mod tree;

use std::time::Duration;

pub(crate) use client::Client;
pub(crate) use database::{Stored, stored};
pub(crate) use directory::Directory;
pub(crate) use line::Line;
pub(crate) use server::{Launch, Server, copy_program};
pub(crate) use tree::Tree;

/// How long anything that must happen may take. Only a failing test waits as long as this.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
