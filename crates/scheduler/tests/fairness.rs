//! No source of tasks waits longer for its turn than a named number of polls.
//!
//! On a current-thread runtime, where the order of polls is determined; every poll of a task is written to one
//! log, and what is asserted are distances in that log.

mod support;

use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::flag::Flag;
use shopfloor_protocol::sync::Mutex;
use shopfloor_scheduler::config::{
    EVENT_INTERVAL, EVENTS_PER_WORKER, INJECTOR_BATCH, INJECTOR_INTERVAL, LIFO_STREAK_MAX, POLLS_PER_EVENT,
};
use shopfloor_scheduler::timer::{FIRE_MAX, FIRE_MAX_IN_CROWD, Timer};
use shopfloor_scheduler::{Config, Driver, Flavor, Handle, JoinHandle, Scheduler, yield_now};
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;
use support::driver::TestDriver;
use support::{runtime, runtime_with};

/// Who was polled, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Who>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Busy,
    Observed(usize),
    Mark,
}

impl Log {
    fn note(&self, who: Who) {
        self.0.lock().push(who);
    }

    fn place_of(&self, who: Who) -> usize {
        let log = self.0.lock();
        log.iter().position(|polled| *polled == who).expect("it is in the log")
    }

    /// Polls of others between each two polls of `who`.
    fn gaps(&self, who: Who) -> Vec<usize> {
        let log = self.0.lock();
        let places: Vec<_> = (0..log.len()).filter(|place| log[*place] == who).collect();
        places.windows(2).map(|pair| pair[1] - pair[0] - 1).collect()
    }
}

/// Tasks that are always ready, until the flag is raised.
fn busy_tasks(runtime: &Scheduler, count: usize, log: &Log, stop: &Arc<Flag>) -> Vec<JoinHandle<()>> {
    let busy = |_| {
        let (log, stop) = (log.clone(), Arc::clone(stop));
        runtime.spawn(async move {
            while !stop.is_raised() {
                log.note(Who::Busy);
                yield_now().await;
            }
        })
    };
    (0..count).map(busy).collect()
}

fn join_all(runtime: &Scheduler, tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        runtime.block_on(task).expect("it does not panic");
    }
}

#[test]
fn the_local_queue_waits_for_a_streak_of_the_lifo_slot_at_most() {
    const ROUNDS: usize = 200;
    let runtime = runtime(0);
    let (log, stop) = (Log::default(), Arc::new(Flag::new(false)));
    // Two tasks that wake each other are always in the LIFO slot.
    let wakers = Arc::new(Mutex::new([None::<Waker>, None]));
    let ping_pong = [0, 1].map(|own| {
        let (log, stop, wakers) = (log.clone(), Arc::clone(&stop), Arc::clone(&wakers));
        runtime.spawn(poll_fn(move |cx| {
            log.note(Who::Busy);
            let peer = {
                let mut wakers = wakers.lock();
                wakers[own] = Some(cx.waker().clone());
                wakers[1 - own].clone()
            };
            peer.iter().for_each(Waker::wake_by_ref);
            if stop.is_raised() { Poll::Ready(()) } else { Poll::Pending }
        }))
    });
    let queued = {
        let log = log.clone();
        runtime.spawn(async move {
            for _ in 0..ROUNDS {
                log.note(Who::Observed(0));
                yield_now().await;
            }
            stop.raise();
        })
    };
    join_all(&runtime, [queued].into_iter().chain(ping_pong));
    let gaps = log.gaps(Who::Observed(0));
    // The first gap may hold the first poll of a task that came from the queue, too.
    assert!(gaps[0] <= LIFO_STREAK_MAX as usize + 1, "{gaps:?}");
    assert!(gaps[1..].iter().all(|gap| *gap == LIFO_STREAK_MAX as usize), "{gaps:?}");
}

#[test]
fn an_injected_task_waits_for_an_injector_interval_at_most() {
    const TASKS: usize = 100;
    let runtime = runtime(0);
    let (log, stop) = (Log::default(), Arc::new(Flag::new(false)));
    let busy = busy_tasks(&runtime, 8, &log, &stop);
    let handle = runtime.handle().clone();
    let injecting = {
        let log = log.clone();
        runtime.spawn(async move {
            for number in 0..TASKS {
                // Each time at another distance from the last look at the injector.
                for _ in 0..number % 5 {
                    yield_now().await;
                }
                log.note(Who::Observed(number));
                let (handle, log) = (handle.clone(), log.clone());
                let injected = thread::scope(|scope| {
                    let spawn = || handle.spawn(async move { log.note(Who::Mark) });
                    scope.spawn(spawn).join().expect("it only spawns")
                });
                injected.await.expect("it does not panic");
            }
            stop.raise();
        })
    };
    join_all(&runtime, [injecting].into_iter().chain(busy));
    let log = log.0.lock();
    let mut waits = Vec::new();
    let mut since = None;
    for (place, who) in log.iter().enumerate() {
        match who {
            Who::Observed(_) => since = Some(place),
            Who::Mark => waits.push(place - since.take().expect("one was injected") - 1),
            Who::Busy => {}
        }
    }
    assert_eq!(waits.len(), TASKS);
    let longest = *waits.iter().max().expect("there are some");
    assert!(longest <= INJECTOR_INTERVAL as usize, "{waits:?}");
    assert!(longest > INJECTOR_INTERVAL as usize / 2, "the interval was not seen: {waits:?}");
}

/// What is in the queue is overtaken by the one task per interval that a look at the injector runs at once; the
/// rest of its batch goes to the end.
#[test]
fn the_local_queue_is_overtaken_by_a_flood_once_per_injector_interval() {
    const LOCAL: usize = 300;
    const FLOOD: usize = 5_000;
    let runtime = runtime(0);
    let log = Log::default();
    let handle = runtime.handle().clone();
    let both = {
        let log = log.clone();
        runtime.spawn(async move {
            let injected: Vec<_> = thread::scope(|scope| {
                let flood = || {
                    let log = log.clone();
                    (0..FLOOD)
                        .map(|_| {
                            handle.spawn({
                                let log = log.clone();
                                async move { log.note(Who::Busy) }
                            })
                        })
                        .collect()
                };
                scope.spawn(flood).join().expect("it only spawns")
            });
            let local: Vec<_> = (0..LOCAL)
                .map(|number| {
                    let log = log.clone();
                    handle.spawn(async move { log.note(Who::Observed(number)) })
                })
                .collect();
            for task in local.into_iter().chain(injected) {
                task.await.expect("it does not panic");
            }
        })
    };
    join_all(&runtime, [both]);
    let last = (0..LOCAL).map(|number| log.place_of(Who::Observed(number))).max().expect("there are some");
    let overtaking = last + 1 - LOCAL;
    assert!(overtaking <= LOCAL / (INJECTOR_INTERVAL as usize - 1) + 1, "{overtaking} overtook");
    assert!(overtaking > 0, "the injector was not looked at");
}

/// A look at the injector puts one batch at most in front of what is queued after it.
#[test]
fn a_look_at_the_injector_moves_one_batch() {
    const FLOOD: usize = 1_000;
    let runtime = runtime(0);
    let log = Log::default();
    let flood: Vec<_> = (0..FLOOD)
        .map(|number| {
            let (handle, log) = (runtime.handle().clone(), log.clone());
            runtime.spawn(async move {
                log.note(Who::Busy);
                if number == 0 {
                    // The first of a batch: the rest of it is in the local queue. This would be the next in the
                    // LIFO slot, so it goes to the end of the queue.
                    handle.spawn(async move {
                        yield_now().await;
                        log.note(Who::Mark);
                    });
                }
            })
        })
        .collect();
    join_all(&runtime, flood);
    let before = log.place_of(Who::Mark);
    // Up to two looks by interval come before it is at the front.
    let looks = before.div_ceil(INJECTOR_INTERVAL as usize);
    assert!(before <= INJECTOR_BATCH + looks, "{before} polls before what was queued behind a batch");
    assert!(before > INJECTOR_BATCH / 2, "{before} polls: no batch was moved");
}

/// The longest time, in polls, that a task waits for what `arm` makes ready at once, behind `BUSY` tasks that are
/// always ready.
fn longest_wait(runtime: &Scheduler, mut arm: impl FnMut(&Waker) + Send + 'static) -> usize {
    let (log, stop) = (Log::default(), Arc::new(Flag::new(false)));
    let busy = busy_tasks(runtime, BUSY, &log, &stop);
    let waiting = {
        let log = log.clone();
        runtime.spawn(async move {
            for number in 0..50 {
                for _ in 0..number % 7 {
                    yield_now().await;
                }
                let mut armed = false;
                log.note(Who::Observed(number));
                poll_fn(|cx| {
                    if std::mem::replace(&mut armed, true) {
                        return Poll::Ready(());
                    }
                    arm(cx.waker());
                    Poll::Pending
                })
                .await;
                log.note(Who::Mark);
            }
            stop.raise();
        })
    };
    join_all(runtime, [waiting].into_iter().chain(busy));
    let log = log.0.lock();
    let mut since = 0;
    let waits = log.iter().enumerate().filter_map(|(place, who)| match who {
        Who::Observed(_) => {
            since = place;
            None
        }
        Who::Mark => Some(place - since - 1),
        Who::Busy => None,
    });
    waits.max().expect("it waited")
}

/// Raised by a wake.
struct Seen(Flag);

impl Wake for Seen {
    fn wake(self: Arc<Self>) {
        self.0.raise();
    }
}

const BUSY: usize = 8;

/// Settings by which polls are counted, however long they take here.
fn short_polls() -> Config {
    let mut config = Config::new(Flavor::CurrentThread, 1);
    config.event_time = Duration::ZERO..=Duration::MAX;
    config.timer_time = Duration::MAX;
    config
}

#[test]
fn an_event_behind_busy_tasks_waits_for_an_event_interval_and_the_queue() {
    let driver = Arc::new(TestDriver::default());
    let runtime = Scheduler::start(short_polls(), vec![Arc::clone(&driver) as _]);
    let runtime = runtime.expect("it starts no worker");
    let longest = longest_wait(&runtime, move |waker| driver.load([waker.clone()]));
    assert!(longest <= EVENT_INTERVAL as usize + BUSY, "{longest} polls");
    assert!(longest > EVENT_INTERVAL as usize / 2, "{longest} polls: the interval was not seen");
}

#[test]
fn a_timer_behind_busy_tasks_waits_for_an_event_interval_and_the_queue() {
    let runtime = runtime_with(short_polls());
    let handle = runtime.handle().clone();
    let mut filed = Vec::new();
    let longest = longest_wait(&runtime, move |waker| {
        // Its deadline has passed.
        filed.push(handle.timers().file(handle.wheel(), 0, waker));
    });
    assert!(longest <= EVENT_INTERVAL as usize + BUSY, "{longest} polls");
    assert!(longest > EVENT_INTERVAL as usize / 2, "{longest} polls: the interval was not seen");
}

/// Counts its turns, and has nothing.
#[derive(Default)]
struct CountingDriver(Counter);

impl Driver for CountingDriver {
    fn turn(&self, _: Option<Duration>, _: usize, _: &mut Vec<Waker>) -> io::Result<usize> {
        self.0.add(1);
        Ok(0)
    }

    fn interrupt(&self) {}

    fn shutdown(&self, _: &mut Vec<Waker>) {}
}

/// How often the driver is turned during so many event intervals of polls, if the time is not more than an event time.
fn turns_in(intervals: u32, shortest_event_time: Duration, timer_time: Duration) -> u64 {
    let mut config = short_polls();
    config.event_time = shortest_event_time..=Duration::MAX;
    config.timer_time = timer_time;
    let driver = Arc::new(CountingDriver::default());
    let runtime = Scheduler::start(config, vec![Arc::clone(&driver) as _]).expect("it starts no worker");
    let task = runtime.spawn(async move {
        let polls = async |count| {
            for _ in 0..count {
                yield_now().await;
            }
        };
        // The first look of a worker is at the driver in any case.
        polls(EVENT_INTERVAL).await;
        let before = driver.0.get();
        polls(intervals * EVENT_INTERVAL).await;
        driver.0.get() - before
    });
    runtime.block_on(task).expect("it ends")
}

#[test]
fn the_driver_is_looked_at_once_per_event_interval_however_often_the_timers_are() {
    let nanos = (0..20).map(|power| 1 << power).map(Duration::from_nanos);
    for timer_time in nanos.chain([Duration::ZERO, Duration::MAX]) {
        assert_eq!(turns_in(50, Duration::ZERO, timer_time), 50, "{timer_time:?}");
    }
}

#[test]
fn polls_that_take_less_than_an_event_time_put_off_the_look_at_the_driver() {
    assert_eq!(turns_in(10, Duration::MAX, Duration::MAX), 0);
}

#[test]
fn an_event_waits_for_the_queue_alone_behind_long_polls() {
    let mut config = short_polls();
    config.event_time = Duration::ZERO..=Duration::ZERO;
    let driver = Arc::new(TestDriver::default());
    let runtime = Scheduler::start(config, vec![Arc::clone(&driver) as _]).expect("it starts no worker");
    let longest = longest_wait(&runtime, move |waker| driver.load([waker.clone()]));
    assert!(longest <= BUSY + 1, "{longest} polls");
}

#[test]
fn a_timer_waits_for_one_poll_of_those_that_are_long() {
    // Every poll is longer than this.
    let mut config = short_polls();
    config.timer_time = Duration::ZERO;
    let runtime = runtime_with(config);
    let handle = runtime.handle().clone();
    let mut filed = Vec::new();
    let longest = longest_wait(&runtime, move |waker| {
        filed.push(handle.timers().file(handle.wheel(), 0, waker));
    });
    // One more when the queue has waited for the LIFO slot for long enough.
    assert!(longest <= 1, "{longest} polls");
}

/// Tasks that are pending at their first poll and write `who` at the second; and the wakers of those first polls.
fn waiting_tasks(
    runtime: &Scheduler,
    count: usize,
    log: &Log,
    who: Who,
) -> (Vec<JoinHandle<()>>, Arc<Mutex<Vec<Waker>>>) {
    let wakers = Arc::new(Mutex::new(Vec::new()));
    let wait = |_| {
        let (log, wakers) = (log.clone(), Arc::clone(&wakers));
        let mut is_first = true;
        runtime.spawn(poll_fn(move |cx| {
            if std::mem::replace(&mut is_first, false) {
                wakers.lock().push(cx.waker().clone());
                return Poll::Pending;
            }
            log.note(who);
            Poll::Ready(())
        }))
    };
    ((0..count).map(wait).collect(), wakers)
}

/// Files a timer for each of so many wakers, for a time that has passed, once they are there.
async fn file_due(handle: &Handle, wakers: &Mutex<Vec<Waker>>, count: usize) -> Vec<Timer> {
    while wakers.lock().len() < count {
        yield_now().await;
    }
    let file = |waker: &Waker| handle.timers().file(handle.wheel(), 0, waker).expect("it is open");
    wakers.lock().iter().map(file).collect()
}

#[test]
fn with_a_crowd_in_the_queue_a_look_fires_a_few_timers() {
    const LOOKS: usize = 5;
    const TIMERS: usize = LOOKS * FIRE_MAX_IN_CROWD;
    let runtime = runtime_with(short_polls());
    let (log, stop) = (Log::default(), Arc::new(Flag::new(false)));
    let crowd = busy_tasks(&runtime, FIRE_MAX + 1, &log, &stop);
    let (waiting, wakers) = waiting_tasks(&runtime, TIMERS, &log, Who::Mark);
    let handle = runtime.handle().clone();
    let filing = runtime.spawn(async move { file_due(&handle, &wakers, TIMERS).await });
    let filed = runtime.block_on(filing).expect("it does not panic");
    join_all(&runtime, waiting);
    stop.raise();
    join_all(&runtime, crowd);
    filed.into_iter().for_each(|timer| timer.cancel(runtime.handle().timers()));
    // Those of one look are run one after the other.
    let log = log.0.lock();
    let runs: Vec<usize> =
        log.chunk_by(|one, next| one == next).filter(|run| run[0] == Who::Mark).map(<[Who]>::len).collect();
    assert_eq!(runs, [FIRE_MAX_IN_CROWD; LOOKS]);
}

/// How many events each look brings that brings some, beside so many tasks that are always ready.
fn events_of_looks(crowd: usize, events: usize) -> Vec<usize> {
    let driver = Arc::new(TestDriver::default());
    let runtime = Scheduler::start(short_polls(), vec![Arc::clone(&driver) as _]);
    let runtime = runtime.expect("it starts no worker");
    let (log, stop) = (Log::default(), Arc::new(Flag::new(false)));
    let crowd = busy_tasks(&runtime, crowd, &log, &stop);
    let (waiting, wakers) = waiting_tasks(&runtime, events, &log, Who::Mark);
    let loading = runtime.spawn(async move {
        while wakers.lock().len() < events {
            yield_now().await;
        }
        driver.load(wakers.lock().drain(..));
    });
    join_all(&runtime, [loading].into_iter().chain(waiting));
    stop.raise();
    join_all(&runtime, crowd);
    // Those of one look are run one after the other.
    let log = log.0.lock();
    log.chunk_by(|one, next| one == next).filter(|run| run[0] == Who::Mark).map(<[Who]>::len).collect()
}

#[test]
fn a_look_brings_as_many_events_as_the_queue_has_room_for() {
    assert_eq!(events_of_looks(BUSY, 2 * EVENTS_PER_WORKER)[0], EVENTS_PER_WORKER - BUSY);
}

#[test]
fn with_a_crowd_in_the_queue_a_look_brings_an_event_for_each_two_polls() {
    const SHARE: usize = EVENT_INTERVAL as usize / POLLS_PER_EVENT;
    assert_eq!(events_of_looks(2 * EVENTS_PER_WORKER, 5 * SHARE), [SHARE; 5]);
}

#[test]
fn due_timers_put_a_bounded_number_of_tasks_in_front_of_the_others() {
    const TIMERS: usize = 3 * FIRE_MAX;
    let runtime = runtime(0);
    let log = Log::default();
    let (waiting, wakers) = waiting_tasks(&runtime, TIMERS, &log, Who::Busy);
    let (observed, handle) = (log.clone(), runtime.handle().clone());
    let always_ready = runtime.spawn(async move {
        let filed = file_due(&handle, &wakers, TIMERS).await;
        for _ in 0..2 * EVENT_INTERVAL {
            observed.note(Who::Observed(0));
            yield_now().await;
        }
        filed.into_iter().for_each(|timer| timer.cancel(handle.timers()));
    });
    join_all(&runtime, [always_ready].into_iter().chain(waiting));
    let gaps = log.gaps(Who::Observed(0));
    // Later ones are longer: what was due is in front of it then.
    let first = gaps.iter().find(|gap| **gap > 0).expect("the timers fired while it was ready");
    assert_eq!(*first, FIRE_MAX);
}

#[test]
fn an_event_waits_for_an_event_interval_of_a_root_that_wakes_itself_while_there_is_no_task() {
    let driver = Arc::new(TestDriver::default());
    let runtime = Scheduler::start(short_polls(), vec![Arc::clone(&driver) as _]);
    let runtime = runtime.expect("it starts no worker");
    let waits: Vec<u32> = runtime.block_on(async {
        let mut waits = Vec::new();
        for _ in 0..3 {
            let seen = Arc::new(Seen(Flag::new(false)));
            driver.load([Waker::from(Arc::clone(&seen))]);
            let mut polls = 0;
            while !seen.0.is_raised() && polls < 10 * EVENT_INTERVAL {
                yield_now().await;
                polls += 1;
            }
            waits.push(polls);
        }
        waits
    });
    assert!(waits[0] <= 1, "the first look is made at once: {waits:?}");
    assert!(waits.iter().all(|polls| *polls <= EVENT_INTERVAL + 1), "{waits:?}");
    assert!(waits[1] > EVENT_INTERVAL / 2, "the interval was not seen: {waits:?}");
}

#[test]
fn each_call_of_block_on_looks_at_the_driver_if_its_root_wakes_itself() {
    let driver = Arc::new(TestDriver::default());
    let runtime = Scheduler::start(short_polls(), vec![Arc::clone(&driver) as _]);
    let runtime = runtime.expect("it starts no worker");
    for _ in 0..3 {
        let seen = Arc::new(Seen(Flag::new(false)));
        driver.load([Waker::from(Arc::clone(&seen))]);
        runtime.block_on(yield_now());
        assert!(seen.0.is_raised());
    }
}

#[test]
fn the_root_waits_for_an_event_interval_at_most() {
    let runtime = runtime(0);
    let (log, stop) = (Log::default(), Arc::new(Flag::new(false)));
    let busy = busy_tasks(&runtime, BUSY, &log, &stop);
    runtime.block_on(async {
        for _ in 0..50 {
            log.note(Who::Mark);
            let mut polled = false;
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    });
    stop.raise();
    join_all(&runtime, busy);
    let gaps = log.gaps(Who::Mark);
    assert!(gaps.iter().all(|gap| *gap <= EVENT_INTERVAL as usize), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap > 0), "it was never behind a task: {gaps:?}");
}
