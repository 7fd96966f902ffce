//! The wheels of a runtime under a virtual clock.

use std::sync::Arc;
use std::task::{Wake, Waker};

use shopfloor_protocol::cells::Counter;
use shopfloor_scheduler::timer::{FIRE_MAX, TICK_NS, Timer, TimerState, Wheels};

#[derive(Default)]
struct CountingWaker(Counter);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.add(1);
    }
}

fn counting() -> (Arc<CountingWaker>, Waker) {
    let counter = Arc::new(CountingWaker::default());
    (Arc::clone(&counter), Waker::from(counter))
}

/// Fires what is due and wakes it, as the scheduler does.
fn turn(wheels: &Wheels, wheel: usize, now: u64) -> usize {
    let mut wakers = Vec::new();
    let fired = wheels.fire_due(wheel, now, FIRE_MAX, &mut wakers);
    assert_eq!(fired, wakers.len());
    wakers.into_iter().for_each(Waker::wake);
    fired
}

#[test]
fn every_timer_fires_within_a_tick_after_its_deadline() {
    const US: u64 = 1_000;
    const MS: u64 = 1_000 * US;
    const S: u64 = 1_000 * MS;
    // (filed at, deadline)
    let table = [
        (0, 0),
        (0, 1),
        (0, TICK_NS - 1),
        (0, TICK_NS),
        (0, TICK_NS + 1),
        (0, 100 * US),
        (17, MS),
        (12_345, 10 * MS),
        (12_345, 4 * MS + TICK_NS / 2),
        (63 * TICK_NS, 64 * TICK_NS),
        (63 * TICK_NS + 1, 64 * TICK_NS + 1),
        (S, 3 * S / 2),
        (S + 1, 60 * S),
        (3600 * S, 24 * 3600 * S),
        (3600 * S, 365 * 24 * 3600 * S),
        (1, 400 * 365 * 24 * 3600 * S),
    ];
    for (filed_at, deadline) in table {
        let wheels = Wheels::new(1);
        turn(&wheels, 0, filed_at);
        let timer = wheels.file(0, deadline, Waker::noop());
        let mut now = filed_at;
        while timer.poll(Waker::noop()) == TimerState::Armed {
            assert!(now < deadline + TICK_NS, "{deadline} filed at {filed_at} is late at {now}");
            now = wheels.earliest().max(now);
            turn(&wheels, 0, now);
        }
        assert!(now >= deadline, "{deadline} filed at {filed_at} fired early at {now}");
        assert!(now - deadline < TICK_NS, "{deadline} filed at {filed_at} fired late at {now}");
    }
}

#[test]
fn a_timer_fires_once_and_says_so() {
    let wheels = Wheels::new(2);
    let (count, waker) = counting();
    let timer = wheels.file(1, 5 * TICK_NS, &waker);
    assert_eq!(wheels.earliest(), 5 * TICK_NS);
    assert!(!wheels.is_due(1, 5 * TICK_NS - 1));
    assert_eq!(turn(&wheels, 1, 5 * TICK_NS - 1), 0);
    assert_eq!(timer.poll(&waker), TimerState::Armed);
    assert!(wheels.is_due(1, 5 * TICK_NS) && !wheels.is_due(0, 5 * TICK_NS));
    assert_eq!(turn(&wheels, 1, 5 * TICK_NS), 1);
    assert_eq!(turn(&wheels, 1, 6 * TICK_NS), 0);
    assert_eq!((count.0.get(), timer.poll(&waker)), (1, TimerState::Fired));
    assert_eq!(wheels.earliest(), u64::MAX);
    timer.cancel(1, &wheels);
}

#[test]
fn the_newest_waker_is_the_one_that_is_woken() {
    let wheels = Wheels::new(1);
    let ((old, first), (new, second)) = (counting(), counting());
    let timer = wheels.file(0, 10, &first);
    assert_eq!(timer.poll(&second), TimerState::Armed);
    turn(&wheels, 0, TICK_NS);
    assert_eq!((old.0.get(), new.0.get()), (0, 1));
    timer.cancel(0, &wheels);
}

#[test]
fn cancelling_the_only_timer_here_leaves_nothing_to_wake_for() {
    let wheels = Wheels::new(1);
    wheels.file(0, TICK_NS, Waker::noop()).cancel(0, &wheels);
    assert_eq!((wheels.timer_count(0), wheels.earliest()), (0, u64::MAX));
}

#[test]
fn a_postponed_timer_keeps_its_place_and_fires_at_its_new_deadline() {
    let wheels = Wheels::new(2);
    let (count, waker) = counting();
    let timer = wheels.file(0, TICK_NS, &waker);
    let timer = timer.reset(9 * TICK_NS, 1, &wheels).expect("it is armed");
    assert_eq!((wheels.timer_count(0), wheels.timer_count(1)), (1, 0), "the wheel was not touched");
    assert_eq!(turn(&wheels, 0, 8 * TICK_NS), 0);
    assert_eq!(timer.poll(&waker), TimerState::Armed);
    assert_eq!(turn(&wheels, 0, 9 * TICK_NS), 1);
    assert_eq!(count.0.get(), 1);
    timer.cancel(1, &wheels);
}

#[test]
fn a_timer_reset_to_earlier_moves_to_the_wheel_of_the_caller() {
    for here in [0, 1, 2] {
        let wheels = Wheels::new(2);
        let (count, waker) = counting();
        let timer = wheels.file(0, 9 * TICK_NS, &waker);
        let timer = timer.reset(2 * TICK_NS, here, &wheels).expect("it is armed");
        assert_eq!(wheels.earliest(), 2 * TICK_NS);
        assert_eq!(turn(&wheels, here, 2 * TICK_NS), 1);
        assert_eq!(timer.poll(&waker), TimerState::Fired);
        assert_eq!(turn(&wheels, 0, 9 * TICK_NS), 0, "the old place does not fire");
        assert_eq!(count.0.get(), 1);
        assert!(timer.reset(20 * TICK_NS, here, &wheels).is_none(), "it has fired");
    }
}

#[test]
fn what_others_cancel_is_gone_after_one_turn() {
    // A lazy mark would keep a million entries until their deadline, an hour ahead.
    const TIMERS: u64 = 1_000_000;
    const HOUR: u64 = 3_600_000_000_000;
    let wheels = Wheels::new(2);
    let kept = wheels.file(0, 2 * HOUR, Waker::noop());
    let timers: Vec<Timer> =
        (0..TIMERS).map(|number| wheels.file(0, HOUR + number * 1_000, Waker::noop())).collect();
    let capacity = wheels.timer_capacity(0);
    assert!(capacity < 2 * TIMERS as usize + 8);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for timer in timers {
                let timer = timer.reset(3 * HOUR, 1, &wheels).expect("it is armed");
                timer.cancel(1, &wheels);
            }
        });
    });
    assert_eq!(wheels.timer_count(0), TIMERS as usize + 1);
    assert_eq!(turn(&wheels, 0, TICK_NS), 0);
    assert_eq!(wheels.timer_count(0), 1);
    assert_eq!(wheels.earliest(), (2 * HOUR).next_multiple_of(TICK_NS), "of the one that is left");
    let reused: Vec<Timer> = (0..TIMERS).map(|_| wheels.file(0, HOUR, Waker::noop())).collect();
    assert_eq!(wheels.timer_capacity(0), capacity, "the places of dead entries are used again");
    for timer in reused.into_iter().chain([kept]) {
        timer.cancel(0, &wheels);
    }
    assert_eq!((wheels.timer_count(0), wheels.timer_capacity(0)), (0, 0));
}

#[test]
fn one_turn_fires_a_bounded_number_and_leaves_the_rest_due() {
    let wheels = Wheels::new(1);
    let (count, waker) = counting();
    let timers: Vec<Timer> = (0..FIRE_MAX + 1).map(|_| wheels.file(0, 1, &waker)).collect();
    assert_eq!(turn(&wheels, 0, TICK_NS), FIRE_MAX);
    assert!(wheels.is_due(0, TICK_NS));
    assert_eq!(turn(&wheels, 0, TICK_NS), 1);
    assert!(!wheels.is_due(0, u64::MAX - 1));
    assert_eq!(count.0.get(), FIRE_MAX as u64 + 1);
    timers.into_iter().for_each(|timer| timer.cancel(0, &wheels));
}

#[test]
fn closing_wakes_what_is_armed_and_refuses_what_comes() {
    let wheels = Wheels::new(1);
    let (count, waker) = counting();
    let (inside, outside) = (wheels.file(0, 10, &waker), wheels.file(wheels.outside(), 10, &waker));
    let mut wakers = Vec::new();
    wheels.close(&mut wakers);
    wakers.into_iter().for_each(Waker::wake);
    assert_eq!(count.0.get(), 2);
    let late = wheels.file(0, 10, &waker);
    for timer in [&inside, &outside, &late] {
        assert_eq!(timer.poll(&waker), TimerState::Gone);
    }
    assert_eq!(turn(&wheels, 0, TICK_NS), 0);
    assert!(inside.reset(20, 0, &wheels).is_none());
    outside.cancel(0, &wheels);
    late.cancel(0, &wheels);
    assert_eq!((wheels.timer_count(0), wheels.timer_count(1), wheels.earliest()), (0, 0, u64::MAX));
}

#[test]
fn a_sleeper_in_the_driver_is_interrupted_for_an_earlier_deadline_only() {
    let wheels = Wheels::new(1);
    let outside = wheels.outside();
    let own = wheels.file(0, 5 * TICK_NS, Waker::noop());
    wheels.sleep(|until| {
        assert_eq!(until, 5 * TICK_NS);
        let later = wheels.file(outside, 6 * TICK_NS, Waker::noop());
        assert!(!wheels.must_interrupt(outside));
        let earlier = wheels.file(outside, TICK_NS, Waker::noop());
        assert!(wheels.must_interrupt(outside));
        assert!(!wheels.must_interrupt(outside), "one interrupt is enough");
        later.cancel(outside, &wheels);
        earlier.cancel(outside, &wheels);
    });
    own.cancel(0, &wheels);
}
