//! A `tracing` subscriber that waits for whoever ends the runtime. Alone in its process, whose only subscriber it is.

mod support;

use shopfloor_protocol::sync::Mutex;
use std::thread;
use std::time::Duration;
use support::{WIDTHS, runtime};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static HELD: Mutex<()> = Mutex::new(());

/// Takes a lock for each event.
struct Waits;

impl Subscriber for Waits {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        drop(HELD.lock());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_shutdown_does_not_wait_for_ever_for_a_subscriber_that_waits_for_it() {
    tracing::subscriber::set_global_default(Waits).expect("this process has no other subscriber");
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let handle = runtime.handle().clone();
        let stalled = runtime.spawn(async move {
            while handle.metrics().stalls == 0 {
                thread::yield_now();
            }
        });
        // The foreman counts, and then waits for this lock.
        let _held = HELD.lock();
        runtime.block_on(stalled).expect("the foreman counts");
        runtime.shutdown_timeout(Duration::from_millis(100));
    }
}
