//! The rules of OTP's gen_server, supervisor and application, and of Elixir's DynamicSupervisor:
//! one file per noun, each test named after the rule that it proves.

mod common;

mod agent;
mod api;
mod application;
mod applications;
mod asking;
mod backoff;
mod drops;
mod dynamic;
mod gen_event;
mod gen_server;
mod gen_statem;
mod init;
mod intensity;
mod model;
mod one_for_one;
mod partition;
mod pg;
mod probe;
mod reaching;
mod references;
mod registry;
mod reports;
mod restart_types;
mod server_reports;
mod shutdown;
mod significant;
mod simulation;
mod start;
mod start_functions;
mod strategies;
mod sys;
mod task;
mod tree;
mod trees;
mod wait_sites;
