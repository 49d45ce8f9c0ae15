//! The order system's program; everything is in the library.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    order_system::run(&order_system::Args::parse())
}
