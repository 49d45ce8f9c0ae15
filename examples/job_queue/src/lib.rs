//! A durable job queue that speaks the beanstalkd protocol.
#![forbid(unsafe_code)]
