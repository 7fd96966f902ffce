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
    Model {
        name: "registry::each_event_reaches_the_source_that_it_names",
        property: "Sources that register at once have tokens of their own, and an event reaches the one that it names.",
        outcomes: &["first before second", "second before first"],
        preemption_bound: None,
        body: two_registrations,
    },
    Model {
        name: "registry::a_full_registry_takes_one_for_each_that_goes",
        property: "As many sources as tokens can name are taken; one that goes makes room for one, by a new token.",
        outcomes: &["taken by the slot of the one that went"],
        preemption_bound: None,
        body: full,
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

/// What an event with this token reaches.
fn reached(registry: &Registry<u32>, token: Token) -> Vec<u32> {
    let mut reached = Vec::new();
    registry.deliver([(token, 7)].into_iter(), |source, event| {
        assert_eq!(event, 7);
        reached.push(*source);
    });
    reached
}

fn two_registrations(order: Order, outcomes: &Outcomes) {
    let registry = Arc::new(Registry::new());
    let oldest = registry.insert(&Arc::new(0)).expect("there is room");
    let insert = |source: u32| {
        let registry = Arc::clone(&registry);
        move || registry.insert(&Arc::new(source)).expect("there is room")
    };
    let (first, second) = order.run2(insert(1), insert(2));
    for (token, source) in [(oldest, 0), (first, 1), (second, 2)] {
        assert_eq!(reached(&registry, token), [source]);
        assert_eq!(Token::from_usize(token.to_usize()), token);
    }
    let mut sources = Vec::new();
    registry.close(|source| sources.push(*source));
    outcomes.saw(match sources.as_slice() {
        [0, 1, 2] => "first before second",
        [0, 2, 1] => "second before first",
        other => panic!("{other:?}"),
    });
    assert_eq!(registry.remove(second).as_deref(), Some(&2));
    assert!(registry.remove(second).is_none());
    assert_eq!((reached(&registry, second), reached(&registry, first)), (vec![], vec![1]));
}

/// One thread. Under loom a token names one of 16 slots, and its generation has one bit.
fn full(_: Order, outcomes: &Outcomes) {
    let registry = Registry::new();
    assert_eq!(reached(&registry, Token::from_usize(0)), []);
    assert!(registry.remove(Token::from_usize(0)).is_none());
    let tokens: Vec<Token> =
        (0..16).map(|source| registry.insert(&Arc::new(source)).expect("there is room")).collect();
    let one_more = || registry.insert(&Arc::new(16));
    assert_eq!(one_more(), Err(InsertError::Full));
    assert!(registry.remove(tokens[15]).is_some());
    let new = one_more().expect("one has gone");
    assert_ne!(new, tokens[15]);
    assert_eq!(one_more(), Err(InsertError::Full));
    assert_eq!((reached(&registry, new), reached(&registry, tokens[15])), (vec![16], vec![]));
    // The poller and the driver have words of their own.
    assert_eq!(usize::MAX - Token::RESERVED, 15);
    for word in Token::RESERVED..=usize::MAX {
        assert_eq!(reached(&registry, Token::from_usize(word)), []);
    }
    // After one full turn a token comes again.
    assert!(registry.remove(new).is_some());
    assert_eq!(one_more(), Ok(tokens[15]));
    outcomes.saw("taken by the slot of the one that went");
}
