//! What becomes of a turn of the driver that fails.

mod support;

use shopfloor_scheduler::{Config, Driver, Flavor, Scheduler};
use std::fmt;
use std::sync::{Arc, mpsc};
use support::driver::TestDriver;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// On an error it waits until somebody else is in the driver, and tells whether somebody came.
struct Patient {
    driver: Arc<TestDriver>,
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
    let driver = Arc::new(TestDriver::default());
    let (tell, told) = mpsc::channel();
    let subscriber = Patient { driver: Arc::clone(&driver), came: tell };
    tracing::subscriber::set_global_default(subscriber).expect("this process has no other subscriber");
    let config = Config::new(Flavor::MultiThread, 2);
    let runtime = Scheduler::start(config, vec![Arc::clone(&driver) as _]).expect("threads start");
    assert!(driver.somebody_else_comes());
    driver.fail();
    assert!(
        told.recv().expect("the failure is reported"),
        "the driver is held while its failure is reported"
    );
    assert_eq!(runtime.handle().metrics().driver_errors, 1);
    // A turn that succeeds, after which the same error is news again.
    let sleeps = driver.sleeps_after(0).expect("somebody sleeps in the driver");
    driver.interrupt();
    driver.sleeps_after(sleeps).expect("and sleeps there again");
    driver.fail();
    assert!(told.recv().expect("the second one is reported"));
    assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).expect("the workers go on"), 7);
}
