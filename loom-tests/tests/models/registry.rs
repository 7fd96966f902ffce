//! The registry of sources: tokens of the past reach nobody, shutdown reaches everybody.

use protocol_loom::interest::{Direction, Interest, Ready};
use protocol_loom::registration::{Kernel, SourceState, WaitError};
use protocol_loom::registry::{InsertError, Registry, Token};
use protocol_loom::sync::Arc;
use std::task::Waker;

use super::io_task::{Registered, block_on, silent_waker};
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "registry::late_event_of_a_reused_slot_is_rejected",
        property: "An event of a source that is gone never reaches the one that has its slot now.",
        outcomes: &["delivered in time", "rejected"],
        preemption_bound: None,
        body: late_event,
    },
    Model {
        name: "registry::shutdown_reaches_a_source_that_registers",
        property: "A task that registers while the driver is shut down gets an error, before or after.",
        outcomes: &["not taken", "shut down"],
        preemption_bound: None,
        body: shutdown_against_register,
    },
];

fn late_event(order: Order, outcomes: &Outcomes) {
    let registry = Arc::new(Registry::new());
    let (silent, waker) = silent_waker();
    let old_source = Arc::new(SourceState::new());
    old_source.register(&Registered).expect("this kernel refuses nothing");
    assert!(old_source.poll_slot(Direction::Read, &waker, &Registered).is_pending());
    let old = registry.insert(&old_source).expect("an open registry");
    drop(waker);
    let driver = Arc::clone(&registry);
    let (wakers, new_source) = order.run2(
        move || {
            let mut wakers = Vec::new();
            let batch = [(old, Ready::READABLE)].into_iter();
            driver.deliver(batch, |source: &SourceState, ready| source.deliver(ready, false, &mut wakers));
            wakers.len()
        },
        move || {
            drop(old_source);
            drop(registry.remove(old).expect("it is registered"));
            let new_source = Arc::new(SourceState::new());
            let new = registry.insert(&new_source).expect("an open registry");
            assert_ne!(new, old, "the generation tells them apart");
            drop(registry.remove(new));
            new_source
        },
    );
    assert!(new_source.readiness().observe().ready().is_empty(), "it is not the new source's event");
    assert_eq!(std::sync::Arc::strong_count(&silent), 1, "the waker was dropped once");
    outcomes.saw(if wakers == 1 { "delivered in time" } else { "rejected" });
}

struct Inserting {
    registry: Arc<Registry<SourceState>>,
    source: Arc<SourceState>,
}

impl Kernel for Inserting {
    type Error = InsertError;

    fn add(&self) -> Result<Token, InsertError> {
        self.registry.insert(&self.source)
    }

    fn disarms(&self) -> bool {
        false
    }

    fn rearm(&self, _: Token, _: Interest) -> Result<(), InsertError> {
        panic!("nothing is ever disarmed")
    }
}

fn shutdown_against_register(order: Order, outcomes: &Outcomes) {
    let registry = Arc::new(Registry::new());
    let kernel = Inserting { registry: Arc::clone(&registry), source: Arc::new(SourceState::new()) };
    let (error, ()) = order.run2(
        move || {
            let wait = |waker: &Waker| kernel.source.poll_slot(Direction::Read, waker, &kernel);
            let error = block_on(wait).expect_err("the driver is shut down");
            if let Some(token) = kernel.source.token() {
                drop(kernel.registry.remove(token));
            }
            error
        },
        move || {
            let mut wakers = Vec::new();
            registry.close(|source| source.shut_down(&mut wakers));
            wakers.into_iter().for_each(Waker::wake);
        },
    );
    outcomes.saw(match error {
        WaitError::Kernel(_) => "not taken",
        WaitError::ShutDown => "shut down",
    });
}
