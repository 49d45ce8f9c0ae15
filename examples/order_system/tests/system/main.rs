//! The program as a whole: its HTTP side, its ends and its recoveries.

mod api;
mod bad_input;
mod chaos;
mod endings;
mod load;
mod support;
