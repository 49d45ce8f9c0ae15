//! `chat-load`: many people talk on the chat server at once, and every message is accounted for.
//!
//! ```text
//! cargo run --release -p chat --bin chat-load -- --connections 1000 --rooms 100 --messages 20
//! cargo run --release -p chat --bin chat-load -- --connections 1000 --rooms 100 --messages 20 --crashes 200
//! ```
//!
//! It starts a server of its own on a free port with a fresh database (or uses the one that
//! `--connect` and `--database` name) and is itself a regrow program with one process per client.
//!
//! **Calm round.** Every member of every room says `--messages` things. Each must reach every other
//! member once, in its sender's order.
//!
//! **Stormy round**, with `--crashes N`. The same again while N `CRASH` commands hit rooms, the
//! database pool, the cache and connections at random. IRC does not echo, so a message counts as
//! *acknowledged* when any other member has seen it. No member whose own connection was not crashed
//! may lose it, and nobody may see anything twice or out of order. Members whose connection was
//! crashed come back and join again.
//!
//! **Roll call.** Everybody says one last thing, which everybody else must hear: all rooms live and
//! are whole. Then somebody new joins every room and must be shown its history, the server is
//! stopped with SIGTERM and must end with code 0, and the database file must hold every
//! acknowledged message once, in each sender's order.
//!
//! The exit code is 0 if all of this held and 1 if not.

#![forbid(unsafe_code)]

mod chaos;
mod checks;
mod conduct;
mod irc;
mod member;
mod options;
mod server;

use std::process::ExitCode;

use clap::Parser;
use regrow::Runtime;

use crate::options::Options;
use crate::server::Server;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(problem) = options.check() {
        eprintln!("chat-load: {problem}");
        return ExitCode::from(2);
    }
    match run(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("chat-load: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the whole program; `Ok(false)` if a check failed.
fn run(options: Options) -> Result<bool, Box<dyn std::error::Error>> {
    let mut server = Server::start(&options)?;
    println!(
        "{} connections in {} rooms, {} messages each, {} crashes; server {}, seed {}",
        options.connections,
        options.rooms,
        options.messages,
        options.crashes,
        server.address(),
        options.seed,
    );
    let runtime = Runtime::new()?;
    let address = server.address();
    let course = runtime.block_on(conduct::conduct(options.clone(), address));
    drop(runtime);

    let end = server.stop();
    let verdict = checks::check(&options, &course, &end, server.database());
    print!("{verdict}");
    let passed = verdict.passed();
    if !passed && let Some(directory) = server.keep_files() {
        eprintln!(
            "the server's database and log are kept in {}",
            directory.display()
        );
    }
    Ok(passed)
}
