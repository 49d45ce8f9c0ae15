//! The job queue's program; everything is in the library.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    job_queue::run(&job_queue::Args::parse())
}
