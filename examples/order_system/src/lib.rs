//! Orders that survive every crash: an order-processing system on regrow, axum and SQLite.
//!
//! `order/` is what an order is and how it goes, pure. `repo/` has the database, and is the only one to
//! change an order. `services/` are what an order needs from others, `processing/` who works on it,
//! `http/` how it comes in. `tree.rs` says who watches over whom, `start.rs` how it all begins,
//! `chaos.rs` who spoils it. `bank/` is another company.
#![forbid(unsafe_code)]

mod args;
pub mod bank;
mod chaos;
mod config;
mod http;
pub mod order;
mod processing;
mod repo;
mod services;
mod start;
mod tree;

pub use args::Args;
pub use repo::schema::Sync;
pub use start::run;
