//! The IRC protocol as data: nothing here does input, output or waiting.

pub(crate) mod isupport;
pub(crate) mod line;
pub(crate) mod lines;
pub(crate) mod message;
pub(crate) mod mode;
pub(crate) mod names;
pub(crate) mod numeric;
