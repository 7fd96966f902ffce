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

/// The driver of the current runtime for a new source. Where there are several, they take turns.
///
/// # Panics
/// Outside a runtime.
#[track_caller]
pub(crate) fn current_driver() -> Arc<Driver> {
    next_driver_of(&Handle::current())
}

/// The driver of the current runtime that has what it has once.
///
/// # Panics
/// Outside a runtime.
#[cfg(unix)]
#[track_caller]
pub(crate) fn first_io_driver() -> Arc<IoDriver> {
    Handle::current().first_driver().expect(DOES_IO)
}

/// The driver for a connection that was accepted by a listener on this one: of the same runtime, if it is the current
/// one; else the same.
pub(crate) fn driver_beside(listener: &Arc<Driver>) -> Arc<Driver> {
    let is_it = |driver: &IoDriver| Arc::ptr_eq(&driver.driver, listener);
    match Handle::try_current_nearby() {
        Some(handle) if handle.is_one_of_several_drivers(is_it) => next_driver_of(&handle),
        _ => Arc::clone(listener),
    }
}

const DOES_IO: &str = "the runtimes of this crate do I/O";

fn next_driver_of(handle: &Handle) -> Arc<Driver> {
    Arc::clone(&handle.next_driver::<IoDriver>().expect(DOES_IO).driver)
}

/// Runs `job` on the blocking pool of the current runtime.
///
/// # Panics
/// Outside a runtime.
pub(crate) async fn run_blocking<R: Send + 'static>(
    job: impl FnOnce() -> R + Send + 'static,
) -> io::Result<R> {
    let refused = |error| io::Error::other(format!("a job for the blocking pool: {error}"));
    Handle::current().spawn_blocking(job).await.map_err(refused)
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

#[cfg(test)]
mod tests {
    use super::{current_driver, driver_beside};
    use crate::runtime::Builder;
    use shopfloor_protocol::sync::Arc;

    #[test]
    fn an_accepted_connection_goes_to_the_drivers_of_its_listeners_runtime_in_turn() {
        let runtime =
            || Builder::new_multi_thread().worker_threads(2).io_drivers(2).build().expect("a runtime");
        let (runtime, other) = (runtime(), runtime());
        let listener = runtime.block_on(async { current_driver() });
        let is_listeners = || Arc::ptr_eq(&driver_beside(&listener), &listener);
        runtime.block_on(async {
            assert!(is_listeners() ^ is_listeners());
        });
        other.block_on(async {
            assert!(is_listeners() && is_listeners(), "the current runtime is another one")
        });
        assert!(is_listeners() && is_listeners(), "there is no current runtime");
    }

    #[cfg(unix)]
    #[test]
    fn to_listen_for_a_signal_between_two_connections_leaves_both_drivers_their_turn() {
        use crate::signal::unix::{SignalKind, signal};
        let runtime = Builder::new_multi_thread().worker_threads(2).io_drivers(2).build().expect("a runtime");
        runtime.block_on(async {
            let listener = current_driver();
            let accepted = [(); 2].map(|()| {
                drop(signal(SignalKind::user_defined2()).expect("a listener"));
                driver_beside(&listener)
            });
            assert!(!Arc::ptr_eq(&accepted[0], &accepted[1]));
        });
    }

    #[test]
    #[should_panic(expected = "at least one I/O driver")]
    fn a_runtime_without_a_driver_is_refused() {
        Builder::new_multi_thread().io_drivers(0);
    }

    #[test]
    fn there_are_no_more_drivers_than_workers() {
        let runtime = Builder::new_multi_thread().worker_threads(2).io_drivers(7).build().expect("a runtime");
        assert_eq!(runtime.block_on(async { 7 }), 7);
    }
}
