//! What the programs that check and measure the queue share: they speak the protocol from the
//! client's side, to this queue and to `beanstalkd` alike, and use nothing of the server's code.
//!
//! - [`answer`]: where an answer ends, and what is in it;
//! - [`wire`]: a connection that sends and waits;
//! - [`server`]: a server in a process of its own, on a port that the system gives;
//! - [`chance`]: numbers that look random and are the same for the same seed;
//! - [`directory`]: a directory that is gone when it is dropped.

pub mod answer;
pub mod chance;
pub mod directory;
pub mod server;
pub mod wire;
