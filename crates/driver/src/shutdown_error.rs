//! The error of an operation that would wait for a driver that is gone.

use std::{fmt, io};

#[derive(Debug)]
struct ShutDown;

impl fmt::Display for ShutDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this operation would wait for I/O, but the runtime of its source was shut down")
    }
}

impl std::error::Error for ShutDown {}

pub(crate) fn shutdown_error() -> io::Error {
    io::Error::other(ShutDown)
}

/// Whether an operation failed because it would have waited and the driver of its source was shut down.
pub fn is_shutdown_error(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<ShutDown>())
}
