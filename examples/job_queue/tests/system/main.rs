//! The job queue from outside: a process, its TCP port, its log, its exit code and its database
//! file. Every test has a server, a port and a directory of its own, so they run side by side.

#![forbid(unsafe_code)]

mod bad_input;
mod crashes;
mod disk;
mod endings;
mod support;
mod workers;
