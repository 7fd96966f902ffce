//! The scheduler sleeps in the I/O driver: the adapter between the two, which do not know each other.

use std::io;
use std::task::Waker;
use std::time::Duration;

use shopfloor_protocol::sync::Arc;

#[cfg(unix)]
pub(crate) use crate::signal::relay::Relays;

/// There are no signals.
#[cfg(windows)]
pub(crate) type Relays = ();

/// A [`shopfloor_driver::Driver`] of a runtime, as the scheduler sees it.
#[derive(Debug)]
pub(crate) struct IoDriver {
    pub(crate) driver: Arc<shopfloor_driver::Driver>,
    /// Those of the runtime, if it is its first driver.
    pub(crate) relays: Relays,
}

impl shopfloor_scheduler::Driver for IoDriver {
    fn turn(
        &self,
        timeout: Option<Duration>,
        events_max: usize,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<usize> {
        self.driver.turn(timeout, events_max, wakers)
    }

    fn interrupt(&self) {
        self.driver.interrupt();
    }

    fn shutdown(&self, wakers: &mut Vec<Waker>) {
        self.driver.shutdown(wakers);
    }
}
