//! Wakers of other executors that block, in a batch with wakers of tasks.

mod support;

use shopfloor_protocol::sync::Mutex;
use shopfloor_scheduler::{Config, Flavor, Scheduler, State};
use std::future::poll_fn;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;
use support::driver::TestDriver;

/// Calls a closure when it is woken, on the thread that wakes.
struct Foreign(Mutex<Box<dyn FnMut() + Send>>);

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        (*self.0.lock())();
    }
}

fn foreign(on_wake: impl FnMut() + Send + 'static) -> Waker {
    Waker::from(Arc::new(Foreign(Mutex::new(Box::new(on_wake)))))
}

/// A task that is served when it is woken, its waker, and where it then says so.
fn waiting(runtime: &Scheduler, served: &mpsc::Sender<()>) -> Waker {
    let (give, given) = mpsc::channel();
    let served = served.clone();
    let mut is_first = true;
    let task = runtime.spawn(poll_fn(move |cx: &mut Context<'_>| {
        if std::mem::replace(&mut is_first, false) {
            give.send(cx.waker().clone()).expect("the test waits for it");
            return Poll::Pending;
        }
        served.send(()).expect("somebody counts");
        Poll::Ready(())
    }));
    let waker = given.recv().expect("it is polled");
    while task.state() != State::Waiting {
        thread::yield_now();
    }
    waker
}

fn wait_until_parked(runtime: &Scheduler, workers: usize) {
    while runtime.handle().metrics().workers_parked < workers {
        thread::yield_now();
    }
}

fn runtime(workers: usize, stand_ins: usize) -> (Scheduler, Arc<TestDriver>) {
    let driver = Arc::new(TestDriver::default());
    let mut config = Config::new(Flavor::MultiThread, workers);
    config.stand_ins = stand_ins;
    (Scheduler::start(config, vec![Arc::clone(&driver) as _]).expect("threads can be started"), driver)
}

/// One with a second worker that is parked, and one with a stand-in that is not started yet.
const CREWS: [(usize, usize); 2] = [(2, 0), (1, 1)];

#[test]
fn a_waker_that_blocks_keeps_neither_its_batch_nor_the_driver_from_the_others() {
    const TASKS: usize = 98;
    for (workers, stand_ins) in CREWS {
        let (runtime, driver) = runtime(workers, stand_ins);
        let (served, serves) = mpsc::channel();
        let mut batch: Vec<_> = (0..TASKS).map(|_| waiting(&runtime, &served)).collect();
        let late = waiting(&runtime, &served);
        let (released, is_released) = mpsc::channel();
        let loading = Arc::clone(&driver);
        let blocking = foreign(move || {
            (0..TASKS).for_each(|_| serves.recv().expect("a task of this batch"));
            // The next turn is for somebody else.
            loading.load(vec![late.clone()]);
            serves.recv().expect("a task of the next turn");
            released.send(()).expect("the test waits");
        });
        let panicking = foreign(|| panic!("this waker panics on purpose"));
        batch.insert(TASKS / 2, blocking);
        batch.insert(TASKS / 3, panicking);
        wait_until_parked(&runtime, workers);
        driver.load(batch);
        is_released.recv_timeout(Duration::from_secs(30)).expect("the others are served");
        assert_eq!(runtime.handle().metrics().user_panics, 1);
        assert!(runtime.shutdown_timeout(Duration::MAX).is_clean());
    }
}

#[test]
fn a_joiner_whose_waker_blocks_keeps_no_task_waiting() {
    for (workers, stand_ins) in CREWS {
        let (runtime, driver) = runtime(workers, stand_ins);
        let (served, serves) = mpsc::channel();
        let late = waiting(&runtime, &served);
        let (end, ended) = mpsc::channel::<Waker>();
        let mut is_first = true;
        let mut task = runtime.spawn(poll_fn(move |cx| {
            if std::mem::replace(&mut is_first, false) {
                end.send(cx.waker().clone()).expect("the test waits for it");
                return Poll::Pending;
            }
            Poll::Ready(())
        }));
        let (released, is_released) = mpsc::channel();
        let loading = Arc::clone(&driver);
        let blocking = foreign(move || {
            loading.load(vec![late.clone()]);
            serves.recv().expect("the task is served");
            released.send(()).expect("the test waits");
        });
        let polled = std::pin::Pin::new(&mut task).poll(&mut Context::from_waker(&blocking));
        assert!(polled.is_pending());
        let waker = ended.recv().expect("it is polled");
        wait_until_parked(&runtime, workers);
        waker.wake();
        is_released.recv_timeout(Duration::from_secs(30)).expect("the other task is served");
        assert!(runtime.shutdown_timeout(Duration::MAX).is_clean());
    }
}
