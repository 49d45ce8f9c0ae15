//! Random supervision trees, servers and faults, told to Erlang/OTP's `supervisor` and `gen_server` and
//! to regrow's.
//!
//! There are two kinds of stories. Those of servers are in [`server`], which says what is different; what
//! follows is about supervisors.
//!
//! A [`Story`] is a tree of supervisors and workers, with every option there is, and a script:
//! workers that end, kills, exit signals, all requests to supervisors, the end of the root's
//! parent. It is told to a real Erlang node (`otp/stories.erl`) and to regrow, there
//! simulated in several orders of things and with threads. Both write a *trace*, line by line:
//!
//! | line | meaning |
//! |---|---|
//! | `step 3.1` | what follows is what the step has led to |
//! | `try a 2` | the start function of `a` runs for the second time |
//! | `born a#2` | the second process of `a` is about to be ready; of a supervisor, to start its children |
//! | `up s#1` | the start of a supervisor is over |
//! | `stop a#2 shutdown` | it traps exits and was told to stop |
//! | `down a#2 boom` | it has ended |
//! | `free down a#2 boom` | the same, where OTP leaves the order open |
//! | `report root#1 child_terminated a#2 boom` | what a supervisor has reported (simulated only) |
//! | `result error running` | what a request was answered |
//! | `which root#1 b#1 a#2`, `count root#1 2 2 0 2` | what each supervisor says of itself then |
//!
//! The traces must be equal. One that is not is shrunk to the smallest story that is told
//! differently ([`shrink`]) and kept in `regressions/`.
//!
//! # No luck involved
//!
//! Every process of the tree tells a recorder what happens to it and waits for its answer; the
//! recorder first looks who has died. So the order of a trace is the order in which things have
//! happened. Before each step everything has come to rest: in two rounds, one after the other,
//! every process has seen the end of all its dead links and has answered, no supervisor was
//! restarting anybody, and nothing new was told. What shall happen *at the same time* happens
//! while the supervisor is held inside a start function: exits and requests queue up in its
//! mailbox in the order of the script, so the script also gets between a restart that
//! failed and its retry. Whether a child stops in time is never close: it has half a minute, or
//! never stops.
//!
//! # What OTP leaves open
//!
//! - The order in which several processes are seen dead, if nothing was told between: these lines are
//!   sorted. Whether they were stopped in the right order shows in those that trap exits.
//! - The order in which the children of a `simple_one_for_one` supervisor, and all below them,
//!   stop: it stops them all at once. Their `stop` and `down` lines are *free*.
//! - When the children of a killed supervisor end: they are told by their links, while others
//!   may already start it again. *Free* as well.
//! - The order of children in the answers of a `simple_one_for_one` supervisor: sorted.
//!
//! # Where we follow newer OTP, or Elixir, on purpose
//!
//! Stories are made so that these do not show, or the Erlang side writes what is right
//! (marked `[difference]` in the sources). The other side is OTP 25.
//!
//! - When a supervisor ends whose start has failed: before OTP 26 its starter does not wait for
//!   that. *Free*.
//! - A `simple_one_for_one` supervisor with auto-shutdown: refused by OTP 27; our dynamic
//!   supervisors have none.
//! - A `simple_one_for_one` restart that answers `ignore`: OTP 25 keeps a bogus instance that
//!   crashes the supervisor when it stops; newer OTP and we drop the instance.
//! - `count_children`: one spec under `simple_one_for_one`, as many as children with Elixir's and our
//!   dynamic supervisors, which also do not ask whether a child that has unlinked itself is alive.
//! - `active` under `simple_one_for_one`: OTP 25 does not count down when an instance is
//!   terminated that it tries to restart, and says too few from then on.
//! - `shutdown_error` reports of dynamic children: OTP groups them when the supervisor ends.
//! - `terminate_child` of a process that is dead and unknown: `ok` in OTP, not found in Elixir and
//!   here. Both are written `gone`.
//! - `stop` of a supervisor that ends by itself with the very reason asked for, before it
//!   sees the request: an exit in OTP, `Ok` here.

#![forbid(unsafe_code)]

mod any;
mod compare;
mod generate;
mod otp;
mod random;
pub mod server;
mod shrink;
mod stage;
mod story;
mod tally;
mod term;
mod text;

pub use any::AnyStory;
pub use compare::{Comparison, Difference, Stages};
pub use generate::generate;
pub use otp::{Otp, OtpError};
pub use random::Random;
pub use server::ServerStory;
pub use shrink::shrink;
pub use stage::{is_report, tell_in, tell_simulated, tell_with_threads};
pub use story::{
    Auto, Kind, Node, Outcome, Plan, Reason, Restart, Shutdown, Step, Stop, Story, Strategy, Target,
};
pub use tally::Tally;
pub use term::{Term, TermError};
