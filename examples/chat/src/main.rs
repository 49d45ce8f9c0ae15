//! The chat server's program; everything is in the library.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    chat::run(&chat::Args::parse())
}
