//! A runtime without I/O: its driver sleeps, is interrupted, and has the events that a test loads.

#[allow(dead_code, reason = "not every test file uses all of the support")]
pub(crate) mod random;

pub(crate) mod driver;

use driver::TestDriver;
use shopfloor_scheduler::{Config, Driver, Flavor, Scheduler};
use std::sync::Arc;

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
    Scheduler::start(config, vec![driver()]).expect("threads can be started")
}

/// The driver of such a runtime.
pub(crate) fn driver() -> Arc<dyn Driver> {
    Arc::new(TestDriver::default())
}

/// Current-thread, one, two and four workers.
#[allow(dead_code, reason = "not every test file uses all of the support")]
pub(crate) const WIDTHS: [usize; 4] = [0, 1, 2, 4];
