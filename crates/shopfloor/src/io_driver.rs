//! The scheduler sleeps in the I/O driver: the adapter between the two, which do not know each other.

use std::io;
use std::task::Waker;
use std::time::Duration;

use shopfloor_protocol::sync::Arc;

/// The [`shopfloor_driver::Driver`] of a runtime, as the scheduler sees it.
#[derive(Debug)]
pub(crate) struct IoDriver(pub(crate) Arc<shopfloor_driver::Driver>);

impl shopfloor_scheduler::Driver for IoDriver {
    fn turn(&self, timeout: Option<Duration>, wakers: &mut Vec<Waker>) -> io::Result<usize> {
        self.0.turn(timeout, wakers)
    }

    fn interrupt(&self) {
        self.0.interrupt();
    }

    fn shutdown(&self, wakers: &mut Vec<Waker>) {
        self.0.shutdown(wakers);
    }
}
