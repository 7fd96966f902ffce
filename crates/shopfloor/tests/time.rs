//! Timers in running runtimes. Upper bounds on time are in the benches; here only "never early" and "at all".

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use shopfloor::runtime::{Builder, Handle, Runtime};
use shopfloor::task;
use shopfloor::time::{
    Duration, Instant, MissedTickBehavior, Sleep, error::Elapsed, interval, interval_at, sleep, sleep_until,
    timeout, timeout_at,
};

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(3600);
/// When a test that waits for a wake gives up.
const PATIENCE: Duration = Duration::from_secs(20);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn workers(count: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(count).build().expect("threads can be started")
}

/// Sends a message at each wake.
struct Bell(mpsc::Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // The test may have ended and dropped the receiver.
        let _: Result<(), mpsc::SendError<()>> = self.0.send(());
    }
}

fn bell() -> (Waker, mpsc::Receiver<()>) {
    let (sender, receiver) = mpsc::channel();
    (Waker::from(Arc::new(Bell(sender))), receiver)
}

fn poll_once(sleep: &mut Sleep, waker: &Waker) -> Poll<()> {
    Pin::new(sleep).poll(&mut Context::from_waker(waker))
}

/// How many timers are filed in any wheel.
fn filed(handle: &Handle) -> usize {
    let wheels = handle.timers();
    (0..=wheels.outside()).map(|wheel| wheels.timer_count(wheel)).sum()
}

fn panic_message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().expect("panics carry text")).to_owned(),
    }
}

#[test]
fn no_sleep_ends_early() {
    for runtime in [workers(2), Builder::new_current_thread().build().expect("it starts no worker")] {
        runtime.block_on(async {
            let sleepers: Vec<_> = (0..500u64)
                .map(|number| {
                    shopfloor::spawn(async move {
                        let asked = Duration::from_nanos(number * 20_011);
                        let start = Instant::now();
                        sleep(asked).await;
                        (asked, start.elapsed())
                    })
                })
                .collect();
            for sleeper in sleepers {
                let (asked, slept) = sleeper.await.expect("it does not panic");
                assert!(slept >= asked, "slept {slept:?} instead of {asked:?}");
            }
        });
    }
}

#[test]
fn a_deadline_that_has_passed_is_ready_at_the_first_poll() {
    workers(1).block_on(async {
        let mut past = sleep_until(Instant::now());
        assert_eq!(poll_once(&mut past, Waker::noop()), Poll::Ready(()));
        assert_eq!(poll_once(&mut past, Waker::noop()), Poll::Ready(()), "and stays so");
        assert!(past.is_elapsed());
        assert_eq!(filed(&Handle::current()), 0);
    });
}

#[test]
fn a_sleep_first_polled_after_its_deadline_is_ready_or_woken_at_once() {
    let runtime = workers(2);
    // A thread that is no worker, so that nobody turns the wheels but for this timer.
    let _inside = runtime.enter();
    for millis in [0, 1, 5] {
        let (waker, rung) = bell();
        let mut late = sleep(ms(millis));
        while !late.is_elapsed() {}
        if poll_once(&mut late, &waker).is_pending() {
            rung.recv_timeout(PATIENCE).expect("the timer fires");
            assert_eq!(poll_once(&mut late, Waker::noop()), Poll::Ready(()));
        }
    }
}

#[test]
fn a_duration_without_end_is_no_overflow() {
    workers(1).block_on(async {
        let mut never = sleep(Duration::MAX);
        assert_eq!(poll_once(&mut never, Waker::noop()), Poll::Pending);
        assert!(!never.is_elapsed());
        assert_eq!(timeout(Duration::MAX, async { 1 }).await, Ok(1));
    });
}

#[test]
fn a_thread_that_is_no_worker_wakes_the_sleeping_driver_for_its_timer() {
    let runtime = workers(2);
    // Afterwards the workers have nothing to do and no deadline to sleep until.
    runtime.block_on(async { sleep(ms(5)).await });
    let _inside = runtime.enter();
    let (waker, rung) = bell();
    let mut sleep = sleep(ms(5));
    let deadline = sleep.deadline();
    assert_eq!(poll_once(&mut sleep, &waker), Poll::Pending);
    rung.recv_timeout(PATIENCE).expect("the timer fires");
    assert!(Instant::now() >= deadline);
    assert_eq!(poll_once(&mut sleep, &waker), Poll::Ready(()));
}

#[test]
fn the_timer_of_a_stuck_worker_is_fired_by_another() {
    let runtime = workers(2);
    let fired = runtime.spawn(async {
        let (waker, rung) = bell();
        let mut sleep = sleep(ms(2));
        assert_eq!(poll_once(&mut sleep, &waker), Poll::Pending);
        // Blocks the worker that has filed the timer until the timer has fired.
        rung.recv_timeout(PATIENCE).is_ok()
    });
    assert!(runtime.block_on(fired).expect("it does not panic"));
}

#[test]
fn a_timer_dropped_on_another_thread_leaves_its_wheel_at_once() {
    let runtime = workers(1);
    runtime.block_on(async {
        let sleeps = shopfloor::spawn(async {
            let mut sleeps: Vec<Sleep> = (0..1000).map(|_| sleep(LONG)).collect();
            for sleep in &mut sleeps {
                assert_eq!(poll_once(sleep, Waker::noop()), Poll::Pending);
            }
            sleeps
        });
        let sleeps = sleeps.await.expect("it does not panic");
        let handle = Handle::current();
        assert_eq!(filed(&handle), 1000);
        thread::spawn(move || drop(sleeps)).join().expect("it does not panic");
        assert_eq!(filed(&handle), 0);
    });
}

#[test]
fn a_timer_dropped_by_its_worker_leaves_the_wheel_at_once() {
    workers(1).block_on(async {
        let left = shopfloor::spawn(async {
            let mut sleep = sleep(LONG);
            assert_eq!(poll_once(&mut sleep, Waker::noop()), Poll::Pending);
            drop(sleep);
            filed(&Handle::current())
        });
        assert_eq!(left.await.expect("it does not panic"), 0);
    });
}

#[test]
fn a_reset_wakes_the_task_at_the_new_deadline_without_a_poll_between() {
    let runtime = workers(2);
    let _inside = runtime.enter();
    for reset_on_worker in [false, true] {
        let (waker, rung) = bell();
        let mut earlier = sleep(LONG);
        assert_eq!(poll_once(&mut earlier, &waker), Poll::Pending);
        let deadline = Instant::now() + ms(3);
        if reset_on_worker {
            let reset = runtime.spawn(async move {
                Pin::new(&mut earlier).reset(deadline);
                (earlier,)
            });
            (earlier,) = runtime.block_on(reset).expect("it does not panic");
        } else {
            Pin::new(&mut earlier).reset(deadline);
        }
        rung.recv_timeout(PATIENCE).expect("the timer fires at its new deadline");
        assert!(Instant::now() >= deadline);
        assert_eq!(poll_once(&mut earlier, &waker), Poll::Ready(()));
    }
}

#[test]
fn a_sleep_that_was_put_off_is_not_ready_before_its_new_deadline() {
    workers(2).block_on(async {
        let mut sleep = sleep(ms(1));
        assert_eq!(poll_once(&mut sleep, Waker::noop()), Poll::Pending);
        let deadline = Instant::now() + ms(10);
        Pin::new(&mut sleep).reset(deadline);
        assert_eq!(sleep.deadline(), deadline);
        (&mut sleep).await;
        assert!(Instant::now() >= deadline);
    });
}

#[test]
fn a_sleep_that_has_ended_can_be_reset_and_slept_again() {
    workers(1).block_on(async {
        let mut sleep = pin!(sleep(ms(1)));
        for _ in 0..5 {
            sleep.as_mut().await;
            let deadline = Instant::now() + ms(1);
            sleep.as_mut().reset(deadline);
            sleep.as_mut().await;
            assert!(Instant::now() >= deadline);
        }
    });
}

#[test]
fn a_root_that_is_always_ready_is_cut_off_by_its_timeout_on_one_thread_too() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let busy = async {
        loop {
            task::consume_budget().await;
        }
    };
    runtime.block_on(async { timeout(ms(5), busy).await }).expect_err("it does not end by itself");
    let sleeper = runtime.spawn(async { sleep(ms(1)).await });
    while !sleeper.is_finished() {
        // A program with a loop of its own.
        runtime.block_on(task::yield_now());
    }
}

#[test]
fn a_poll_that_does_not_end_before_a_deadline_of_its_own_sees_it_on_one_thread_too() {
    let runtime = Builder::new_current_thread().build().expect("it starts no worker");
    let mut sleep = {
        let _inside = runtime.enter();
        sleep(ms(5))
    };
    runtime.block_on(poll_fn(|cx| {
        // As a `select!` does whose other branch is always ready.
        while Pin::new(&mut sleep).poll(cx).is_pending() {}
        Poll::Ready(())
    }));
    assert!(Instant::now() >= sleep.deadline());
    assert_eq!(filed(runtime.handle()), 0, "its timer is gone");
}

#[test]
fn outside_a_runtime_a_timer_says_so_in_one_sentence() {
    for message in [
        panic_message(|| drop(sleep(ms(1)))),
        panic_message(|| drop(timeout(ms(1), async {}))),
        panic_message(|| drop(interval(ms(1)))),
    ] {
        assert!(message.starts_with("there is no shopfloor runtime here"), "{message}");
    }
}

#[test]
fn the_end_of_the_runtime_wakes_who_waits_and_tells_who_polls() {
    let runtime = workers(1);
    let (waker, rung) = bell();
    let (mut filed, mut unfiled, mut past, mut passing) = {
        let _inside = runtime.enter();
        (sleep(LONG), sleep(LONG), sleep_until(Instant::now()), sleep(ms(1)))
    };
    assert_eq!(poll_once(&mut filed, &waker), Poll::Pending);
    drop(runtime);
    rung.recv_timeout(PATIENCE).expect("the shutdown wakes it");
    for sleep in [&mut filed, &mut unfiled] {
        let message = panic_message(|| assert_eq!(poll_once(sleep, &waker), Poll::Pending));
        assert!(message.contains("was shut down before the deadline"), "{message}");
        Pin::new(&mut *sleep).reset(Instant::now() + LONG);
    }
    while Instant::now() < passing.deadline() {
        std::hint::spin_loop();
    }
    for sleep in [&mut past, &mut passing] {
        assert_eq!(poll_once(sleep, &waker), Poll::Ready(()), "its deadline has passed");
    }
    thread::spawn(move || drop((filed, unfiled))).join().expect("a drop after the end is quiet");
}

#[test]
fn a_timer_belongs_to_the_runtime_that_made_it() {
    let (maker, other) = (workers(1), workers(1));
    let mut sleep = {
        let _inside = maker.enter();
        sleep(ms(5))
    };
    other.block_on(async {
        assert_eq!(poll_once(&mut sleep, Waker::noop()), Poll::Pending);
        assert_eq!((filed(maker.handle()), filed(other.handle())), (1, 0));
        (&mut sleep).await;
    });
}

#[test]
fn a_timeout_gives_the_output_or_says_that_time_is_up() {
    workers(2).block_on(async {
        assert_eq!(timeout(LONG, async { 7 }).await, Ok(7));
        assert_eq!(timeout(Duration::ZERO, async { 7 }).await, Ok(7), "the future is polled first");
        let start = Instant::now();
        let late: Result<(), Elapsed> = timeout(ms(2), pending()).await;
        assert!(start.elapsed() >= ms(2));
        let error = std::io::Error::from(late.expect_err("nothing ends a pending future"));
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(timeout_at(start, pending::<()>()).await.is_err());
        assert_eq!(timeout_at(Instant::now() + LONG, sleep(ms(1))).await, Ok(()));
    });
}

#[test]
fn a_timeout_ends_a_future_that_uses_up_its_budget_at_every_poll() {
    let runtime = workers(1);
    let greedy = runtime.spawn(async {
        let greedy = async {
            loop {
                task::consume_budget().await;
            }
        };
        timeout(ms(2), greedy).await
    });
    let ended: Result<(), Elapsed> = runtime.block_on(greedy).expect("it does not panic");
    assert!(ended.is_err());
}

#[test]
fn timers_that_are_always_ready_spend_the_budget() {
    let runtime = workers(1);
    let polls = runtime.spawn(async {
        let past = Instant::now();
        let mut rounds = pin!(async {
            for _ in 0..1000 {
                sleep_until(past).await;
            }
        });
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            rounds.as_mut().poll(cx)
        })
        .await;
        polls
    });
    let polls: usize = runtime.block_on(polls).expect("it does not panic");
    assert_eq!(polls, 1000usize.div_ceil(128), "one poll in 128 ready timers");
}

#[test]
fn ticks_are_due_at_multiples_of_the_period_however_late_they_are_received() {
    workers(2).block_on(async {
        let start = Instant::now() + ms(1);
        let mut every = interval_at(start, ms(2));
        for number in 0..10 {
            let due = every.tick().await;
            assert_eq!(due, start + ms(2) * number);
            assert!(Instant::now() >= due);
        }
        assert_eq!((every.period(), every.missed_tick_behavior()), (ms(2), MissedTickBehavior::Burst));
    });
}

#[test]
fn an_interval_can_be_restarted_at_any_time() {
    workers(1).block_on(async {
        let mut every = interval(LONG);
        every.tick().await;
        every.reset_immediately();
        let due = every.tick().await;
        assert!(due <= Instant::now());
        every.reset_after(ms(2));
        assert!(every.tick().await >= due + ms(2));
        let at = Instant::now() + ms(1);
        every.reset_at(at);
        assert_eq!(every.tick().await, at);
        every.reset();
        assert_eq!(timeout(ms(1), every.tick()).await, Err(error()));
    });
}

fn error() -> Elapsed {
    let ended = pin!(timeout(Duration::ZERO, pending::<()>())).poll(&mut Context::from_waker(Waker::noop()));
    match ended {
        Poll::Ready(Err(error)) => error,
        other => panic!("a timeout of zero ends at once, not {other:?}"),
    }
}

#[test]
fn a_period_of_zero_is_refused() {
    let message = panic_message(|| drop(interval(Duration::ZERO)));
    assert!(message.contains("`period` must be non-zero"), "{message}");
}
