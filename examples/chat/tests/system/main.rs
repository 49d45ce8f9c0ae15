//! The chat server from outside: a process, its TCP port, its log, its exit code and its database
//! file. Every test has a server, a port and a directory of its own, so they run side by side.

#![forbid(unsafe_code)]

mod bad_input;
mod bounds;
mod conversation;
mod disk;
mod endings;
mod failures;
mod idle;
mod load;
mod support;
