//! Registration at the first wait: one registrar, and nobody who depends on it sleeps for ever.

use protocol_loom::interest::{Direction, Interest, Ready};
use protocol_loom::readiness::Observed;
use protocol_loom::registration::{Kernel, SourceState, WaitError};
use protocol_loom::registry::Token;
use protocol_loom::sync::{AtomicBool, Ordering, UnsafeCell};
use std::sync::Arc;
use std::task::Poll;

use super::io_task::{Registered, Socket, block_on, deliver, operate, silent_waker};
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "registration::each_half_meets_its_own_error",
        property: "When registering fails, both halves of a source return an error of their own.",
        outcomes: &["2 attempts"],
        preemption_bound: None,
        body: both_fail,
    },
    Model {
        name: "registration::half_woken_by_a_failure_registers_itself",
        property: "A half that relied on a registrar that failed becomes the next registrar.",
        outcomes: &["read half failed", "write half failed"],
        preemption_bound: None,
        body: first_fails,
    },
    Model {
        name: "registration::rearm_comes_after_add",
        property: "Nobody arms a source that is not registered yet.",
        outcomes: &["1 rearmed", "2 rearmed"],
        preemption_bound: None,
        body: rearm_after_add,
    },
    Model {
        name: "registration::data_before_during_or_after_add_is_seen",
        property: "A reader that would block and registers sees data that arrives at any moment.",
        outcomes: &["read at once", "read after a wait"],
        preemption_bound: None,
        body: data_against_add,
    },
    Model {
        name: "registration::data_before_during_or_after_rearm_is_seen",
        property: "A reader that arms a source which an event has disarmed sees data that arrives at any moment.",
        outcomes: &["read after a wait", "read at once"],
        preemption_bound: None,
        body: data_against_rearm,
    },
    Model {
        name: "registration::two_halves_that_arm_at_once_miss_no_event",
        property: "Two halves of a disarmed source arm it while an event for one arrives: that one sees it or is woken.",
        outcomes: &["saw it", "woken"],
        preemption_bound: Some(3),
        body: event_against_two_halves,
    },
    Model {
        name: "registration::disarmed_reader_is_armed_again",
        property: "Where an event disarms a source, a reader is not left unarmed by the writer's event.",
        outcomes: &["woken"],
        preemption_bound: None,
        body: |order, outcomes| oneshot_halves(order, outcomes, [Ready::WRITABLE, Ready::READABLE]),
    },
    Model {
        name: "registration::disarmed_writer_is_armed_again",
        property: "Where an event disarms a source, a writer is not left unarmed by the reader's event.",
        outcomes: &["woken"],
        preemption_bound: None,
        body: |order, outcomes| oneshot_halves(order, outcomes, [Ready::READABLE, Ready::WRITABLE]),
    },
    Model {
        name: "registration::an_operation_is_tried_exactly_while_it_may_succeed",
        property: "A try against the event it needs: it or the next one succeeds; one disproved is not tried, but waited for.",
        outcomes: &["at the first try", "at the second try"],
        preemption_bound: None,
        body: event_against_try,
    },
];

/// Refuses the first `failures` calls of `add`.
struct Refusing {
    attempts: UnsafeCell<u32>,
    failures: u32,
}

impl Refusing {
    fn attempts(&self) -> u32 {
        // SAFETY: called when the threads are joined.
        self.attempts.with(|attempts| unsafe { *attempts })
    }
}

impl Kernel for Refusing {
    type Error = u32;

    fn add(&self) -> Result<Token, u32> {
        let attempt = self.attempts.with_mut(|attempts| {
            // SAFETY: one registrar at a time; loom fails the model if there are two.
            let attempts = unsafe { &mut *attempts };
            *attempts += 1;
            *attempts
        });
        if attempt <= self.failures { Err(attempt) } else { Ok(Token::from_usize(0)) }
    }

    fn disarms(&self) -> bool {
        false
    }

    fn rearm(&self, _: Token, _: Interest) -> Result<(), u32> {
        panic!("nothing is ever disarmed")
    }
}

/// Waits in one half until there is an error, or the source is registered.
fn error_of_half(shared: &(SourceState, Refusing), direction: Direction) -> Option<u32> {
    block_on(|waker| match shared.0.poll_slot(direction, waker, &shared.1) {
        Poll::Ready(Err(WaitError::Kernel(error))) => Poll::Ready(Some(error)),
        Poll::Pending if shared.0.token().is_some() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
        Poll::Ready(other) => panic!("nothing was reported, but the wait ended: {other:?}"),
    })
}

fn run_halves(order: Order, failures: u32) -> (Option<u32>, Option<u32>, u32) {
    let kernel = Refusing { attempts: UnsafeCell::new(0), failures };
    let shared = Arc::new((SourceState::new(), kernel));
    let (reader, writer) = (Arc::clone(&shared), Arc::clone(&shared));
    let (read, write) = order.run2(
        move || error_of_half(&reader, Direction::Read),
        move || error_of_half(&writer, Direction::Write),
    );
    (read, write, shared.1.attempts())
}

fn both_fail(order: Order, outcomes: &Outcomes) {
    let (read, write, attempts) = run_halves(order, u32::MAX);
    assert!(read.is_some() && write.is_some() && read != write, "{read:?} {write:?}");
    outcomes.saw(format!("{attempts} attempts"));
}

fn first_fails(order: Order, outcomes: &Outcomes) {
    let (read, write, attempts) = run_halves(order, 1);
    assert_eq!(attempts, 2);
    outcomes.saw(match (read, write) {
        (Some(1), None) => "read half failed",
        (None, Some(1)) => "write half failed",
        other => panic!("{other:?}"),
    });
}

/// Notes that `add` came before `rearm`.
struct Arming {
    is_added: UnsafeCell<bool>,
}

impl Kernel for Arming {
    type Error = ();

    fn add(&self) -> Result<Token, ()> {
        // SAFETY: one registrar; loom fails the model if anybody reads at the same time.
        self.is_added.with_mut(|added| unsafe { *added = true });
        Ok(Token::from_usize(0))
    }

    fn disarms(&self) -> bool {
        true
    }

    fn rearm(&self, _: Token, _: Interest) -> Result<(), ()> {
        // SAFETY: the token was loaded after `add`; loom fails the model if that is not an edge.
        assert!(self.is_added.with(|added| unsafe { *added }));
        Err(())
    }
}

fn rearm_after_add(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((SourceState::new(), Arming { is_added: UnsafeCell::new(false) }));
    let poll = |shared: Arc<(SourceState, Arming)>, direction| {
        move || {
            let (_silent, waker) = silent_waker();
            shared.0.poll_slot(direction, &waker, &shared.1).is_ready()
        }
    };
    let (read, write) =
        order.run2(poll(Arc::clone(&shared), Direction::Read), poll(Arc::clone(&shared), Direction::Write));
    outcomes.saw(format!("{} rearmed", u32::from(read) + u32::from(write)));
}

fn data_against_add(order: Order, outcomes: &Outcomes) {
    let source = Arc::new(SourceState::new());
    let socket = Socket::new(false, 1);
    let (reader, reader_socket) = (Arc::clone(&source), socket.clone());
    let (polls, ()) = order.run2(
        move || operate(&reader, &reader_socket, Direction::Read),
        move || {
            socket.arrive(Ready::READABLE);
            socket.drive(&source);
        },
    );
    outcomes.saw(if polls == 1 { "read at once" } else { "read after a wait" });
}

fn oneshot_halves(order: Order, outcomes: &Outcomes, arrivals: [Ready; 2]) {
    let source = Arc::new(SourceState::new());
    let socket = Socket::new(true, 2);
    // Both wait, and the first event has woken both and disarmed the source.
    let (silent, waker) = silent_waker();
    for direction in [Direction::Read, Direction::Write] {
        assert!(source.poll_slot(direction, &waker, &socket).is_pending());
    }
    let [first, second] = arrivals;
    socket.arrive(first);
    socket.drive_once(&source);
    drop(waker);
    assert_eq!(Arc::strong_count(&silent), 1, "both wakers were taken");
    // Both try again: one succeeds, the other has to wait once more.
    let half = |direction: Direction| {
        let (source, socket) = (Arc::clone(&source), socket.clone());
        move || {
            let (silent, waker) = silent_waker();
            let wait = || source.poll_slot(direction, &waker, &socket);
            let polled = source.poll_op(direction.interest(), || socket.try_op(direction), wait);
            (polled.is_ready(), silent)
        }
    };
    let halves: [_; 2] = order.run2(half(Direction::Read), half(Direction::Write)).into();
    let [(true, _), (false, waiting)] = (match first == Ready::READABLE {
        true => halves,
        false => {
            let [read, write] = halves;
            [write, read]
        }
    }) else {
        panic!("the half of the first event succeeds, and no other");
    };
    socket.arrive(second);
    socket.drive_once(&source);
    assert_eq!(Arc::strong_count(&waiting), 1, "the half that waits was left unarmed");
    outcomes.saw("woken");
}

fn event_against_two_halves(order: Order, outcomes: &Outcomes) {
    let source = Arc::new(SourceState::new());
    let socket = Socket::new(true, 1);
    let (silent, waker) = silent_waker();
    // An event of the other half has disarmed the source.
    assert!(source.poll_slot(Direction::Write, &waker, &socket).is_pending());
    socket.arrive(Ready::WRITABLE);
    socket.drive_once(&source);
    drop(waker);
    assert_eq!(Arc::strong_count(&silent), 1, "the waker was taken");
    let half = |direction: Direction| {
        let (source, socket) = (Arc::clone(&source), socket.clone());
        move || {
            let (silent, waker) = silent_waker();
            let wait = || source.poll_slot(direction, &waker, &socket);
            let polled = source.poll_op(direction.interest(), || socket.try_op(direction), wait);
            (polled.is_ready(), silent)
        }
    };
    let (driven, driver_socket) = (Arc::clone(&source), socket.clone());
    let ((saw_it, waiting), (wrote, _silent), ()) =
        order.run3(half(Direction::Read), half(Direction::Write), move || {
            driver_socket.arrive(Ready::READABLE);
            driver_socket.drive_once(&driven);
        });
    assert!(wrote, "it is writable all the time");
    if !saw_it {
        // What the reader's own arming has queued is for the next turn.
        if Arc::strong_count(&waiting) > 1 {
            socket.drive_once(&source);
        }
        assert_eq!(Arc::strong_count(&waiting), 1, "the reader was left unarmed");
    }
    outcomes.saw(if saw_it { "saw it" } else { "woken" });
}

fn data_against_rearm(order: Order, outcomes: &Outcomes) {
    let source = Arc::new(SourceState::new());
    let socket = Socket::new(true, 1);
    let (_silent, waker) = silent_waker();
    // An event of the other half has disarmed the source.
    assert!(source.poll_slot(Direction::Write, &waker, &socket).is_pending());
    socket.arrive(Ready::WRITABLE);
    socket.drive_once(&source);
    let (reader, reader_socket) = (Arc::clone(&source), socket.clone());
    let (polls, ()) = order.run2(
        move || operate(&reader, &reader_socket, Direction::Read),
        move || {
            socket.arrive(Ready::READABLE);
            socket.drive(&source);
        },
    );
    outcomes.saw(if polls == 1 { "read at once" } else { "read after a wait" });
}

fn event_against_try(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((SourceState::new(), AtomicBool::new(false)));
    shared.0.register(&Registered).expect("this kernel refuses nothing");
    let (driver, task) = (Arc::clone(&shared), Arc::clone(&shared));
    let ((), first) = order.run2(
        move || {
            driver.1.swap(true, Ordering::Release);
            deliver(&driver.0, Ready::READABLE);
        },
        move || task.0.try_op(Interest::READABLE, || task.1.swap(false, Ordering::Acquire).then_some(())),
    );
    let (source, is_there) = &*shared;
    let take = || is_there.swap(false, Ordering::Acquire).then_some(());
    if first.is_none() {
        assert_eq!(source.try_op(Interest::READABLE, take), Some(()), "a newer event is not disproved");
    }
    // A success disproves nothing, so the next try is made.
    let may_try =
        source.poll_op(Interest::READABLE, || Some(7), || -> Waited { panic!("nothing to wait for") });
    assert!(matches!(may_try, Poll::Ready(Ok((7, _)))));
    assert!(source.readiness().observe().ready().is_readable());
    assert_eq!(source.try_op(Interest::READABLE, take), None);
    assert_eq!(source.try_op(Interest::READABLE, || -> Option<()> { panic!("it was disproved") }), None);
    let disproved = source.poll_op(
        Interest::READABLE,
        || -> Option<()> { panic!("it was disproved") },
        || -> Waited { Poll::Pending },
    );
    assert!(disproved.is_pending());
    outcomes.saw(if first.is_some() { "at the first try" } else { "at the second try" });
}

type Waited = Poll<Result<Observed, WaitError<()>>>;
