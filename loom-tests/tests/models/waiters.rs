//! Waiting for readiness: whoever stored a waker is woken, whoever did not sees the event.

use protocol_loom::interest::{Direction, Interest, Ready};
use protocol_loom::registration::{SourceState, WaitError, Waiter};
use protocol_loom::sync::UnsafeCell;
use protocol_loom::waiters::Waiters;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::io_task::{Registered, Silent, block_on, deliver, silent_waker};
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "waiters::registering_waiter_sees_the_event_or_is_woken",
        property: "A waiter of the list never sleeps through an event, and sees what came before it.",
        outcomes: &["saw it", "was woken"],
        preemption_bound: None,
        body: |order, outcomes| event_against_wait(order, outcomes, false),
    },
    Model {
        name: "waiters::poll_slot_sees_the_event_or_is_woken",
        property: "The task in the slot of a `poll_*` method never sleeps through an event.",
        outcomes: &["saw it", "was woken"],
        preemption_bound: None,
        body: |order, outcomes| event_against_wait(order, outcomes, true),
    },
    Model {
        name: "waiters::event_wakes_the_waiter_that_stays",
        property: "A waiter that is cancelled takes no other waiter's wake-up with it, and drops its waker once.",
        outcomes: &["cancelled before the event", "cancelled after the event", "came after the event"],
        preemption_bound: Some(3),
        body: cancel_one,
    },
    Model {
        name: "waiters::one_event_wakes_all",
        property: "Two waiters of one direction both go on after one event.",
        outcomes: &["both saw it", "both were woken", "one saw it, one was woken"],
        preemption_bound: Some(3),
        body: two_waiters,
    },
    Model {
        name: "waiters::shutdown_reaches_every_waiter",
        property: "A task that waits, or is about to, gets an error when the driver is shut down.",
        outcomes: &["saw it", "was woken"],
        preemption_bound: None,
        body: shutdown_against_wait,
    },
    Model {
        name: "waiters::a_place_of_the_past_is_nobody_elses",
        property: "A waiter that an event took, dropped late, takes no wake-up from the one that has its place now.",
        outcomes: &["after both", "at the first event", "at the second event"],
        preemption_bound: None,
        body: late_cancel,
    },
    Model {
        name: "waiters::an_event_wakes_those_whom_it_answers",
        property: "An event takes the wakers that wait for it, in the slots and in the list, and leaves the others.",
        outcomes: &["answered alone"],
        preemption_bound: None,
        body: answered,
    },
    Model {
        name: "waiters::the_newest_waker_is_the_one_that_is_woken",
        property: "A wait that comes again with another waker is answered by that one, whether in a slot or the list.",
        outcomes: &["none, then the newest", "the first, then the newest", "the newest"],
        preemption_bound: None,
        body: other_waker,
    },
];

fn event_against_wait(order: Order, outcomes: &Outcomes, in_slot: bool) {
    let shared = Arc::new((SourceState::new(), UnsafeCell::new(0)));
    shared.0.register(&Registered).expect("this kernel refuses nothing");
    let (driver, task) = (Arc::clone(&shared), shared);
    let ((), polls) = order.run2(
        move || {
            // SAFETY: nobody reads before the event publishes it.
            driver.1.with_mut(|data| unsafe { *data = 7 });
            deliver(&driver.0, Ready::READABLE);
        },
        move || {
            let mut waiter = Waiter::new(&task.0, Interest::READABLE);
            let mut polls = 0;
            let seen = block_on(|waker| {
                polls += 1;
                match in_slot {
                    true => task.0.poll_slot(Direction::Read, waker, &Registered),
                    false => waiter.poll(waker, &Registered),
                }
            });
            assert!(seen.expect("no shutdown").ready().is_readable());
            // SAFETY: the event that was observed comes after the only write.
            assert_eq!(task.1.with(|data| unsafe { *data }), 7);
            polls
        },
    );
    outcomes.saw(if polls == 1 { "saw it" } else { "was woken" });
}

fn cancel_one(order: Order, outcomes: &Outcomes) {
    let source = Arc::new(SourceState::new());
    source.register(&Registered).expect("this kernel refuses nothing");
    let (silent, waker) = silent_waker();
    let (driver, stays, leaves) = (Arc::clone(&source), Arc::clone(&source), source);
    let (taken, stays, waited) = order.run3(
        move || {
            let mut wakers = Vec::new();
            driver.deliver(Ready::READABLE, false, &mut wakers);
            let taken = wakers.iter().filter(|taken| taken.will_wake(&waker)).count();
            wakers.into_iter().for_each(Waker::wake);
            taken
        },
        move || Waiting::start(stays),
        {
            let waker = Waker::from(Arc::clone(&silent));
            move || {
                let mut waiter = Waiter::new(&leaves, Interest::READABLE);
                let polled = waiter.poll(&waker, &Registered);
                assert!(matches!(polled, Poll::Pending | Poll::Ready(Ok(_))));
                polled.is_pending()
            }
        },
    );
    stays.assert_went_on();
    assert_eq!(Arc::strong_count(&silent), 1, "each copy of the waker was dropped once");
    outcomes.saw(match (waited, taken) {
        (true, 0) => "cancelled before the event",
        (true, _) => "cancelled after the event",
        (false, _) => "came after the event",
    });
}

fn two_waiters(order: Order, outcomes: &Outcomes) {
    let source = Arc::new(SourceState::new());
    source.register(&Registered).expect("this kernel refuses nothing");
    let (driver, first, second) = (Arc::clone(&source), Arc::clone(&source), source);
    let ((), first, second) = order.run3(
        move || deliver(&driver, Ready::READABLE),
        move || Waiting::start(first),
        move || Waiting::start(second),
    );
    let woken = usize::from(first.assert_went_on()) + usize::from(second.assert_went_on());
    outcomes.saw(["both saw it", "one saw it, one was woken", "both were woken"][woken]);
}

fn shutdown_against_wait(order: Order, outcomes: &Outcomes) {
    let source = Arc::new(SourceState::new());
    source.register(&Registered).expect("this kernel refuses nothing");
    let (driver, task) = (Arc::clone(&source), source);
    let ((), polls) = order.run2(
        move || {
            let mut wakers = Vec::new();
            driver.shut_down(&mut wakers);
            wakers.into_iter().for_each(Waker::wake);
        },
        move || {
            let mut polls = 0;
            let result = block_on(|waker| {
                polls += 1;
                task.poll_slot(Direction::Write, waker, &Registered)
            });
            assert_eq!(result, Err(WaitError::ShutDown));
            polls
        },
    );
    outcomes.saw(if polls == 1 { "saw it" } else { "was woken" });
}

/// A task that has been polled once: what the facade makes of a waiter. To look at the end whether it was woken takes
/// fewer steps than to sleep until then, and it keeps its waiter until then for the same reason.
struct Waiting {
    future: Pin<Box<dyn Future<Output = ()>>>,
    /// One copy is here, and one with the source until it wakes.
    waker: Arc<Silent>,
    sees_it: Rc<Cell<bool>>,
}

impl Waiting {
    fn start(source: Arc<SourceState>) -> Self {
        let sees_it = Rc::new(Cell::new(false));
        let note = Rc::clone(&sees_it);
        let future = async move {
            let mut waiter = Waiter::new(&source, Interest::READABLE);
            poll_fn(|cx| {
                if let Poll::Ready(seen) = waiter.poll(cx.waker(), &Registered) {
                    note.set(seen.expect("no shutdown").ready().is_readable());
                }
                Poll::Pending
            })
            .await
        };
        let (silent, waker) = silent_waker();
        let mut waiting = Self { future: Box::pin(future), waker: silent, sees_it };
        waiting.poll(&waker);
        waiting
    }

    fn poll(&mut self, waker: &Waker) {
        assert!(self.future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }

    /// When the event is over. Whether it was woken: it is, or it saw the event at once.
    fn assert_went_on(mut self) -> bool {
        let woken = !self.sees_it.get();
        if woken {
            assert_eq!(Arc::strong_count(&self.waker), 1, "it sleeps through the event");
            self.poll(Waker::noop());
            assert!(self.sees_it.get(), "it was woken for nothing");
        }
        woken
    }
}

/// The first thread drives the source, too.
fn late_cancel(order: Order, outcomes: &Outcomes) {
    let waiters = Arc::new(Waiters::new());
    let wakers: Vec<Waker> = (0..2).map(|_| silent_waker().1).collect();
    let (first, second, known) = (Arc::clone(&waiters), Arc::clone(&waiters), wakers.clone());
    let waker = wakers[1].clone();
    let ([in_time, late], ()) = order.run2(
        move || {
            let mut key = None;
            first.enlist(&mut key, Interest::READABLE, &known[0]);
            let in_time = taken(&first, Ready::READABLE, &known);
            first.cancel(key.expect("it is enlisted"));
            [in_time, taken(&first, Ready::READABLE, &known)]
        },
        move || second.enlist(&mut None, Interest::READABLE, &waker),
    );
    let never = taken(&waiters, Ready::READABLE, &wakers);
    outcomes.saw(match (in_time.as_slice(), late.as_slice(), never.as_slice()) {
        ([0, 1], [], []) => "at the first event",
        ([0], [1], []) => "at the second event",
        ([0], [], [1]) => "after both",
        other => panic!("taken: {other:?}"),
    });
}

/// Which of `known` an event takes.
fn taken(waiters: &Waiters, ready: Ready, known: &[Waker]) -> Vec<usize> {
    let mut taken = Vec::new();
    waiters.take(ready, &mut taken);
    let index = |waker: &Waker| known.iter().position(|known| known.will_wake(waker)).expect("it is known");
    let mut taken: Vec<usize> = taken.iter().map(index).collect();
    taken.sort_unstable();
    taken
}

/// Two threads begin to wait, in both slots and in the list.
fn answered(order: Order, outcomes: &Outcomes) {
    let waiters = Arc::new(Waiters::new());
    let wakers: Vec<Waker> = (0..5).map(|_| silent_waker().1).collect();
    let (slots, list) = (Arc::clone(&waiters), Arc::clone(&waiters));
    let (in_slots, in_list) = (wakers.clone(), wakers.clone());
    let ((), error) = order.run2(
        move || {
            slots.set_slot(Direction::Read, &in_slots[0]);
            slots.set_slot(Direction::Write, &in_slots[1]);
        },
        move || {
            list.enlist(&mut None, Interest::READABLE, &in_list[2]);
            list.enlist(&mut None, Interest::PRIORITY, &in_list[3]);
            let mut error = None;
            list.enlist(&mut error, Interest::ERROR, &in_list[4]);
            error.expect("it is enlisted")
        },
    );
    let all = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY | Interest::ERROR;
    waiters.with_interest(|interest| assert_eq!(interest, Some(all)));
    waiters.cancel(error);
    let mut again = None;
    waiters.enlist(&mut again, Interest::ERROR, &wakers[4]);
    // Its place is another one's by now.
    waiters.cancel(error);
    waiters.with_interest(|interest| assert_eq!(interest, Some(all)));
    waiters.cancel(again.expect("it is enlisted"));
    waiters.with_interest(|interest| assert_eq!(interest, all.remove(Interest::ERROR)));
    for (ready, expected) in [
        (Ready::ERROR, vec![]),
        (Ready::PRIORITY, vec![3]),
        (Ready::WRITABLE, vec![1]),
        (Ready::READABLE, vec![0, 2]),
        (Ready::ALL, vec![]),
    ] {
        assert_eq!(taken(&waiters, ready, &wakers), expected, "{ready:?}");
    }
    waiters.with_interest(|interest| assert_eq!(interest, None));
    outcomes.saw("answered alone");
}

fn other_waker(order: Order, outcomes: &Outcomes) {
    let waiters = Arc::new(Waiters::new());
    let silent: Vec<_> = (0..2).map(|_| silent_waker()).collect();
    let wakers: Vec<Waker> = silent.iter().map(|(_, waker)| waker.clone()).collect();
    let (task, driver) = (Arc::clone(&waiters), Arc::clone(&waiters));
    let (polling, known) = (wakers.clone(), wakers.clone());
    let ((), first) = order.run2(
        move || {
            let mut key = None;
            task.enlist(&mut key, Interest::READABLE, &polling[0]);
            task.enlist(&mut key, Interest::READABLE, &polling[1]);
        },
        move || taken(&driver, Ready::READABLE, &known),
    );
    waiters.set_slot(Direction::Write, &wakers[0]);
    waiters.set_slot(Direction::Write, &wakers[1]);
    waiters.set_slot(Direction::Write, &wakers[1]);
    assert_eq!(taken(&waiters, Ready::WRITABLE, &wakers), [1]);
    let then = taken(&waiters, Ready::READABLE, &wakers);
    drop(wakers);
    assert!(
        silent.iter().all(|(silent, _)| std::sync::Arc::strong_count(silent) == 2),
        "each copy is dropped once"
    );
    outcomes.saw(match (first.as_slice(), then.as_slice()) {
        ([], [1]) => "none, then the newest",
        ([0], [1]) => "the first, then the newest",
        ([1], []) => "the newest",
        other => panic!("taken: {other:?}"),
    });
}
