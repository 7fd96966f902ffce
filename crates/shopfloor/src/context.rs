//! What the leaf futures of this crate need from the runtime that they run in.

use std::io;

use polling::AsSource;
use shopfloor_driver::Driver;
use shopfloor_protocol::sync::Arc;
use shopfloor_scheduler::{Handle, WaitReason, wait};

use crate::io_driver::IoDriver;

/// What an I/O operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IoWait {
    Read,
    Write,
    Accept,
    Connect,
    /// A signal, by its number.
    #[cfg(unix)]
    Signal(i32),
}

/// The driver of the current runtime.
///
/// # Panics
/// Outside a runtime.
#[track_caller]
pub(crate) fn current_driver() -> Arc<Driver> {
    let driver = Handle::current().driver::<IoDriver>().expect("the runtimes of this crate do I/O");
    Arc::clone(&driver.0)
}

/// Runs `job` on the blocking pool of the current runtime.
///
/// # Panics
/// Outside a runtime.
pub(crate) async fn run_blocking<R: Send + 'static>(
    job: impl FnOnce() -> R + Send + 'static,
) -> io::Result<R> {
    Handle::current().spawn_blocking(job).await.map_err(|error| io::Error::other(error.to_string()))
}

/// Records, for the task table, what the task that is being polled waits for.
pub(crate) fn note_wait(wait: IoWait, io: &impl AsSource) {
    let fd = descriptor_number(io);
    wait::note(match wait {
        IoWait::Read => WaitReason::Read { fd },
        IoWait::Write => WaitReason::Write { fd },
        IoWait::Accept => WaitReason::Accept { fd },
        IoWait::Connect => WaitReason::Connect { fd },
        #[cfg(unix)]
        IoWait::Signal(number) => WaitReason::Signal { number },
    });
}

#[cfg(unix)]
fn descriptor_number(io: &impl AsSource) -> i32 {
    use std::os::fd::AsRawFd;
    io.as_fd().as_raw_fd()
}

/// A socket on Windows is named by a number too; all that are in use fit.
#[cfg(windows)]
fn descriptor_number(io: &impl AsSource) -> i32 {
    use std::os::windows::io::AsRawSocket;
    io.as_socket().as_raw_socket() as i32
}
