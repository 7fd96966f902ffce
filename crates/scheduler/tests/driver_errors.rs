//! What becomes of a turn of the driver that fails.

use shopfloor_protocol::sync::{Condvar, Mutex};
use shopfloor_scheduler::{Config, Driver, Flavor, Scheduler};
use std::fmt;
use std::io;
use std::sync::{Arc, mpsc};
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// After so long a wait has failed.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A driver in which only sleep takes place; the sleep fails once, when it is told to.
#[derive(Default)]
struct FailingDriver {
    state: Mutex<DriverState>,
    changed: Condvar,
}

#[derive(Default)]
struct DriverState {
    interrupted: bool,
    fails: bool,
    sleeper: Option<ThreadId>,
}

impl FailingDriver {
    /// Whether a thread other than this one sleeps here before the watchdog barks.
    fn somebody_else_comes(&self) -> bool {
        let mut state = self.state.lock();
        while state.sleeper.is_none_or(|sleeper| sleeper == thread::current().id()) {
            let (again, timed_out) = self.changed.wait_timeout(state, WATCHDOG);
            state = again;
            if timed_out {
                return false;
            }
        }
        true
    }

    fn fail(&self) {
        self.state.lock().fails = true;
        self.changed.notify_all();
    }
}

impl Driver for FailingDriver {
    fn turn(&self, timeout: Option<Duration>, _: &mut Vec<Waker>) -> io::Result<usize> {
        let mut state = self.state.lock();
        if timeout != Some(Duration::ZERO) {
            state.sleeper = Some(thread::current().id());
            self.changed.notify_all();
            while !state.interrupted && !state.fails {
                state = self.changed.wait(state);
            }
            state.sleeper = None;
            if std::mem::take(&mut state.fails) {
                return Err(io::Error::from_raw_os_error(12));
            }
        }
        state.interrupted = false;
        Ok(0)
    }

    fn interrupt(&self) {
        self.state.lock().interrupted = true;
        self.changed.notify_all();
    }

    fn shutdown(&self, _: &mut Vec<Waker>) {}
}

/// On an error it waits until somebody else is in the driver, and tells whether somebody came.
struct Patient {
    driver: Arc<FailingDriver>,
    came: mpsc::Sender<bool>,
}

/// What an event says.
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Patient {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words(String::new());
        event.record(&mut words);
        // The foreman may say something, too, and has to go on.
        if !words.0.contains("a turn of the I/O driver failed") {
            return;
        }
        // The test listens until it is told once.
        let _ = self.came.send(self.driver.somebody_else_comes());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_failed_turn_is_reported_when_the_driver_is_free_for_others() {
    let driver = Arc::new(FailingDriver::default());
    let (tell, told) = mpsc::channel();
    let subscriber = Patient { driver: Arc::clone(&driver), came: tell };
    tracing::subscriber::set_global_default(subscriber).expect("this process has no other subscriber");
    let config = Config::new(Flavor::MultiThread, 2);
    let runtime = Scheduler::start(config, Arc::clone(&driver) as _).expect("threads start");
    assert!(driver.somebody_else_comes());
    driver.fail();
    assert!(
        told.recv().expect("the failure is reported"),
        "the driver is held while its failure is reported"
    );
    assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).expect("the workers go on"), 7);
}
