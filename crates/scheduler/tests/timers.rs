//! The wheels of a runtime under a virtual clock.

use std::sync::Arc;
use std::task::{Wake, Waker};

use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::groups::Groups;
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

/// Of one group.
fn wheels(slot_count: usize) -> Wheels {
    Wheels::new(slot_count, Groups::new(1))
}

fn file(wheels: &Wheels, here: usize, deadline: u64, waker: &Waker) -> Timer {
    wheels.file(here, deadline, waker).expect("it is open")
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
        let wheels = wheels(1);
        turn(&wheels, 0, filed_at);
        let mut timer = file(&wheels, 0, deadline, Waker::noop());
        let mut now = filed_at;
        while timer.poll(Waker::noop(), &wheels) == TimerState::Armed {
            assert!(now < deadline + TICK_NS, "{deadline} filed at {filed_at} is late at {now}");
            now = wheels.earliest(0).max(now);
            turn(&wheels, 0, now);
        }
        assert!(now >= deadline, "{deadline} filed at {filed_at} fired early at {now}");
        assert!(now - deadline < TICK_NS, "{deadline} filed at {filed_at} fired late at {now}");
    }
}

#[test]
fn a_timer_fires_once_and_says_so() {
    let wheels = wheels(2);
    let (count, waker) = counting();
    let mut timer = file(&wheels, 1, 5 * TICK_NS, &waker);
    assert_eq!(wheels.earliest(0), 5 * TICK_NS);
    assert_eq!(turn(&wheels, 0, 5 * TICK_NS), 0, "it is in the other wheel");
    assert_eq!(turn(&wheels, 1, 5 * TICK_NS - 1), 0);
    assert_eq!(timer.poll(&waker, &wheels), TimerState::Armed);
    assert_eq!(turn(&wheels, 1, 5 * TICK_NS), 1);
    assert_eq!(turn(&wheels, 1, 6 * TICK_NS), 0);
    assert_eq!((count.0.get(), timer.poll(&waker, &wheels)), (1, TimerState::Fired));
    assert_eq!(wheels.earliest(0), u64::MAX);
    timer.cancel(&wheels);
}

#[test]
fn the_newest_waker_is_the_one_that_is_woken() {
    let wheels = wheels(1);
    let ((old, first), (new, second)) = (counting(), counting());
    let mut timer = file(&wheels, 0, 10, &first);
    assert_eq!(timer.poll(&second, &wheels), TimerState::Armed);
    turn(&wheels, 0, TICK_NS);
    assert_eq!((old.0.get(), new.0.get()), (0, 1));
    timer.cancel(&wheels);
}

#[test]
fn cancelling_the_only_timer_here_leaves_nothing_to_wake_for() {
    let wheels = wheels(1);
    file(&wheels, 0, TICK_NS, Waker::noop()).cancel(&wheels);
    assert_eq!((wheels.timer_count(0), wheels.earliest(0)), (0, u64::MAX));
}

#[test]
fn a_reset_moves_a_timer_to_the_wheel_of_the_caller_and_to_its_new_deadline() {
    for (here, to) in [0, 1, 2].into_iter().flat_map(|here| [(here, 2), (here, 9), (here, 90)]) {
        let wheels = wheels(2);
        let (count, waker) = counting();
        let timer = file(&wheels, 0, 9 * TICK_NS, &waker);
        let mut timer = timer.reset(to * TICK_NS, here, &wheels).expect("it is armed");
        for wheel in [0, 1, 2] {
            assert_eq!(wheels.timer_count(wheel), usize::from(wheel == here));
            assert_eq!(turn(&wheels, wheel, (to - 1) * TICK_NS), 0);
        }
        assert_eq!(timer.poll(&waker, &wheels), TimerState::Armed);
        assert_eq!(wheels.earliest(0), to * TICK_NS);
        assert_eq!(turn(&wheels, here, to * TICK_NS), 1);
        assert_eq!(timer.poll(&waker, &wheels), TimerState::Fired);
        assert_eq!(turn(&wheels, 0, 99 * TICK_NS), 0, "the old place does not fire");
        assert_eq!(count.0.get(), 1);
        assert!(timer.reset(200 * TICK_NS, here, &wheels).is_none(), "it has fired");
    }
}

#[test]
fn what_others_cancel_is_gone_at_once_with_its_waker() {
    const TIMERS: u64 = 1_000_000;
    const HOUR: u64 = 3_600_000_000_000;
    let wheels = wheels(2);
    let (count, waker) = counting();
    let kept = file(&wheels, 0, 2 * HOUR, Waker::noop());
    let timers: Vec<Timer> =
        (0..TIMERS).map(|number| file(&wheels, 0, HOUR + number * 1_000, &waker)).collect();
    let capacity = wheels.timer_capacity(0);
    assert!(capacity < 2 * TIMERS as usize + 8);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for timer in timers {
                let timer = timer.reset(3 * HOUR, 1, &wheels).expect("it is armed");
                timer.cancel(&wheels);
            }
        });
    });
    assert_eq!((wheels.timer_count(0), wheels.timer_count(1)), (1, 0));
    assert_eq!(Arc::strong_count(&count), 2, "no waker is left");
    assert_eq!(turn(&wheels, 0, HOUR + TICK_NS), 0);
    assert_eq!(wheels.earliest(0), (2 * HOUR).next_multiple_of(TICK_NS), "of the one that is left");
    let reused: Vec<Timer> = (0..TIMERS).map(|_| file(&wheels, 0, 3 * HOUR, Waker::noop())).collect();
    assert_eq!(wheels.timer_capacity(0), capacity, "the places of dead timers are used again");
    for timer in reused.into_iter().chain([kept]) {
        timer.cancel(&wheels);
    }
    assert_eq!((wheels.timer_count(0), wheels.timer_capacity(0)), (0, 0));
}

#[test]
fn a_timer_filed_in_the_past_and_left_by_a_turn_is_cancelled() {
    let wheels = wheels(1);
    let (count, waker) = counting();
    let ahead = file(&wheels, 0, 100 * TICK_NS, &waker);
    assert_eq!(turn(&wheels, 0, 100 * TICK_NS), 1);
    let late: Vec<Timer> = (0..2).map(|_| file(&wheels, 0, 5 * TICK_NS, &waker)).collect();
    assert_eq!(wheels.earliest(0), 5 * TICK_NS);
    let mut wakers = Vec::new();
    assert_eq!(wheels.fire_due(0, 100 * TICK_NS, 1, &mut wakers), 1);
    for mut timer in late.into_iter().chain([ahead]) {
        assert_eq!(timer.poll(&waker, &wheels), TimerState::Fired, "its time has passed, wherever it is");
        timer.cancel(&wheels);
    }
    assert_eq!((wheels.timer_count(0), wheels.earliest(0)), (0, u64::MAX));
    assert_eq!((turn(&wheels, 0, 101 * TICK_NS), count.0.get()), (0, 1));
}

#[test]
fn one_turn_fires_a_bounded_number_and_leaves_the_rest_due() {
    let wheels = wheels(1);
    let (count, waker) = counting();
    let timers: Vec<Timer> = (0..FIRE_MAX + 1).map(|_| file(&wheels, 0, 1, &waker)).collect();
    assert_eq!(turn(&wheels, 0, TICK_NS), FIRE_MAX);
    assert!(wheels.earliest(0) <= TICK_NS);
    assert_eq!(turn(&wheels, 0, TICK_NS), 1);
    assert_eq!(wheels.earliest(0), u64::MAX);
    assert_eq!(count.0.get(), FIRE_MAX as u64 + 1);
    timers.into_iter().for_each(|timer| timer.cancel(&wheels));
}

#[test]
fn closing_wakes_what_is_armed_and_refuses_what_comes() {
    let wheels = wheels(1);
    let (count, waker) = counting();
    let (mut inside, mut outside) =
        (file(&wheels, 0, 10, &waker), file(&wheels, wheels.outside(), 10, &waker));
    let mut wakers = Vec::new();
    wheels.close(&mut wakers);
    wakers.into_iter().for_each(Waker::wake);
    assert_eq!(count.0.get(), 2);
    assert!(wheels.file(0, 10, &waker).is_none());
    for timer in [&mut inside, &mut outside] {
        assert_eq!(timer.poll(&waker, &wheels), TimerState::Gone);
    }
    assert_eq!(turn(&wheels, 0, TICK_NS), 0);
    assert!(inside.reset(20, 0, &wheels).is_none());
    outside.cancel(&wheels);
    assert_eq!((wheels.timer_count(0), wheels.timer_count(1), wheels.earliest(0)), (0, 0, u64::MAX));
}

#[test]
fn a_sleeper_in_the_driver_is_interrupted_for_an_earlier_deadline_only() {
    let wheels = wheels(1);
    let outside = wheels.outside();
    let own = file(&wheels, 0, 5 * TICK_NS, Waker::noop());
    wheels.sleep(0, |until| {
        assert_eq!(until, 5 * TICK_NS);
        let later = file(&wheels, outside, 6 * TICK_NS, Waker::noop());
        assert_eq!(wheels.must_interrupt(outside), None);
        let earlier = file(&wheels, outside, TICK_NS, Waker::noop());
        assert_eq!(wheels.must_interrupt(outside), Some(0));
        assert_eq!(wheels.must_interrupt(outside), None, "one interrupt is enough");
        later.cancel(&wheels);
        earlier.cancel(&wheels);
    });
    own.cancel(&wheels);
}

#[test]
fn each_group_sleeps_until_the_earliest_deadline_of_its_own_wheels() {
    let wheels = Wheels::new(4, Groups::new(2));
    let (_, waker) = counting();
    let first = file(&wheels, 3, 7 * TICK_NS, &waker);
    assert_eq!([0, 1].map(|group| wheels.earliest(group)), [u64::MAX, 7 * TICK_NS]);
    let outside = file(&wheels, wheels.outside(), 9 * TICK_NS, &waker);
    assert_eq!([0, 1].map(|group| wheels.earliest(group)), [9 * TICK_NS, 7 * TICK_NS]);
    wheels.sleep(1, |until| {
        assert_eq!(until, 7 * TICK_NS);
        let earlier = file(&wheels, 1, 5 * TICK_NS, &waker);
        assert_eq!(wheels.must_interrupt(1), Some(1));
        let of_another = file(&wheels, 2, 3 * TICK_NS, &waker);
        assert_eq!(wheels.must_interrupt(2), None, "nobody sleeps in the driver of its group");
        [earlier, of_another].into_iter().for_each(|timer| timer.cancel(&wheels));
    });
    let mut wakers = Vec::new();
    assert_eq!(wheels.fire_due_of(0, 8 * TICK_NS, FIRE_MAX, &mut wakers), 0);
    assert_eq!(wheels.fire_due_of(1, 8 * TICK_NS, FIRE_MAX, &mut wakers), 1);
    [first, outside].into_iter().for_each(|timer| timer.cancel(&wheels));
}
