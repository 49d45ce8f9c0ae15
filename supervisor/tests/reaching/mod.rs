//! The ways to reach a server, and what each of them says of one that is not there.

mod via;
