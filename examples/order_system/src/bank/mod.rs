//! A bank: what the shop charges cards at. It is no part of the shop, and nobody there can crash it.
//!
//! `client.rs` is the shop's side. `ledger.rs` and `server.rs` are a bank to try things with: it takes
//! money of every card but those that begin with `tok_declined`, and knows each charge by its
//! idempotency key, as real ones do.

pub mod client;
pub mod ledger;
pub mod server;
