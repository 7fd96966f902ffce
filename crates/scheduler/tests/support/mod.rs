//! A runtime without I/O: its driver only sleeps and is interrupted.

#[allow(dead_code, reason = "not every test file uses all of the support")]
pub(crate) mod random;

use shopfloor_protocol::sync::{Condvar, Mutex};
use shopfloor_scheduler::{Config, Driver, Flavor, Scheduler};
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

#[derive(Debug, Default)]
struct SleepingDriver {
    interrupted: Mutex<bool>,
    condvar: Condvar,
}

impl Driver for SleepingDriver {
    fn turn(&self, timeout: Option<Duration>, _: &mut Vec<Waker>) -> io::Result<usize> {
        let mut interrupted = self.interrupted.lock();
        if !*interrupted && timeout != Some(Duration::ZERO) {
            interrupted = match timeout {
                Some(timeout) => self.condvar.wait_timeout(interrupted, timeout).0,
                None => self.condvar.wait(interrupted),
            };
        }
        *interrupted = false;
        Ok(0)
    }

    fn interrupt(&self) {
        *self.interrupted.lock() = true;
        self.condvar.notify_one();
    }

    fn shutdown(&self, _: &mut Vec<Waker>) {}
}

/// A runtime with so many workers; 0 for a current-thread one.
#[allow(dead_code, reason = "not every test file uses all of the support")]
pub(crate) fn runtime(workers: usize) -> Scheduler {
    let config = match workers {
        0 => Config::new(Flavor::CurrentThread, 1),
        _ => Config::new(Flavor::MultiThread, workers),
    };
    runtime_with(config)
}

/// A runtime with these settings.
pub(crate) fn runtime_with(config: Config) -> Scheduler {
    Scheduler::start(config, driver()).expect("threads can be started")
}

/// The driver of such a runtime.
pub(crate) fn driver() -> Arc<dyn Driver> {
    Arc::new(SleepingDriver::default())
}

/// Current-thread, one, two and four workers.
#[allow(dead_code, reason = "not every test file uses all of the support")]
pub(crate) const WIDTHS: [usize; 4] = [0, 1, 2, 4];
