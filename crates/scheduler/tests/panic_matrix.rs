//! Panics of user code × what becomes of the handle: the right error, nothing leaked, no worker lost.

mod support;

use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::sync::Mutex;
use shopfloor_scheduler::{Config, Flavor, Handle, JoinError, JoinHandle, Scheduler, State, yield_now};
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use support::{WIDTHS, runtime, runtime_with};

/// Where the user's code panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Poll,
    FutureDrop,
    PollAndFutureDrop,
    OutputDrop,
    /// The output that panics when dropped meets a future that does so, too.
    FutureAndOutputDrop,
    /// The poll panics, and so does the drop of what it panicked with.
    PayloadDrop,
    /// The drop of the future panics, and so does the drop of what it panicked with.
    FutureDropPayloadDrop,
    /// The drop of the output panics, and so does the drop of what it panicked with.
    OutputDropPayloadDrop,
    /// All that can panic after a poll does.
    EveryDrop,
}

const PLACES: [Place; 10] = [
    Place::Nowhere,
    Place::Poll,
    Place::FutureDrop,
    Place::PollAndFutureDrop,
    Place::OutputDrop,
    Place::FutureAndOutputDrop,
    Place::PayloadDrop,
    Place::FutureDropPayloadDrop,
    Place::OutputDropPayloadDrop,
    Place::EveryDrop,
];

/// What becomes of the handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Awaited,
    DroppedBefore,
    DroppedAfter,
    AbortedWhileWaiting,
    AbortedAtOnce,
    AbortedAndDropped,
    Shutdown,
}

const FATES: [Fate; 7] = [
    Fate::Awaited,
    Fate::DroppedBefore,
    Fate::DroppedAfter,
    Fate::AbortedWhileWaiting,
    Fate::AbortedAtOnce,
    Fate::AbortedAndDropped,
    Fate::Shutdown,
];

impl Place {
    fn panics_in_poll(self) -> bool {
        matches!(self, Self::Poll | Self::PollAndFutureDrop | Self::PayloadDrop)
    }

    fn panics_in_future_drop(self) -> bool {
        matches!(
            self,
            Self::FutureDrop
                | Self::PollAndFutureDrop
                | Self::FutureAndOutputDrop
                | Self::FutureDropPayloadDrop
                | Self::EveryDrop
        )
    }

    fn panics_in_output_drop(self) -> bool {
        matches!(
            self,
            Self::OutputDrop | Self::FutureAndOutputDrop | Self::OutputDropPayloadDrop | Self::EveryDrop
        )
    }

    fn panics_in_payload_drop(self) -> bool {
        matches!(
            self,
            Self::PayloadDrop | Self::FutureDropPayloadDrop | Self::OutputDropPayloadDrop | Self::EveryDrop
        )
    }
}

#[derive(Debug, Default)]
struct Tally {
    futures_dropped: Counter,
    outputs_made: Counter,
    outputs_dropped: Counter,
    payloads_made: Counter,
    payloads_dropped: Counter,
    /// The waker of the task after its first poll.
    waker: Mutex<Option<Waker>>,
}

/// Waits once; then it is ready, or panics.
struct Probe {
    place: Place,
    tally: Arc<Tally>,
    polled: bool,
}

struct Output {
    place: Place,
    tally: Arc<Tally>,
}

struct Payload {
    panics: bool,
    tally: Arc<Tally>,
}

fn panic_with_payload(place: Place, tally: &Arc<Tally>) -> ! {
    tally.payloads_made.add(1);
    panic_any(Payload { panics: place.panics_in_payload_drop(), tally: Arc::clone(tally) })
}

impl Future for Probe {
    type Output = Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        if !std::mem::replace(&mut self.polled, true) {
            *self.tally.waker.lock() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.place.panics_in_poll() {
            panic_with_payload(self.place, &self.tally);
        }
        self.tally.outputs_made.add(1);
        Poll::Ready(Output { place: self.place, tally: Arc::clone(&self.tally) })
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.tally.futures_dropped.add(1);
        if self.place.panics_in_future_drop() && !thread::panicking() {
            panic_with_payload(self.place, &self.tally);
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.tally.outputs_dropped.add(1);
        if self.place.panics_in_output_drop() && !thread::panicking() {
            panic_with_payload(self.place, &self.tally);
        }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.tally.payloads_dropped.add(1);
        assert!(!self.panics || thread::panicking(), "the drop of the payload panics on purpose");
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

/// A runtime in which a lost worker stays lost.
fn without_stand_ins(workers: usize) -> Scheduler {
    match workers {
        0 => runtime(0),
        _ => {
            let mut config = Config::new(Flavor::MultiThread, workers);
            config.stand_ins = 0;
            runtime_with(config)
        }
    }
}

/// As many tasks as there are workers, each of which waits for all the others on its thread.
fn assert_all_workers_run(runtime: &Scheduler, workers: usize) {
    let all_here = Arc::new(Barrier::new(workers.max(1)));
    let tasks: Vec<_> = (0..workers.max(1))
        .map(|_| {
            let all_here = Arc::clone(&all_here);
            runtime.spawn(async move { all_here.wait() })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).expect("a barrier does not panic");
    }
}

/// Runs the runtime until something holds that its tasks bring about.
#[track_caller]
fn run_until(runtime: &Scheduler, mut reached: impl FnMut() -> bool) {
    /// By then it will not come any more.
    const PATIENCE: Duration = Duration::from_secs(30);
    let deadline = Instant::now() + PATIENCE;
    let reached = runtime.block_on(async {
        loop {
            if reached() || Instant::now() > deadline {
                return reached();
            }
            yield_now().await;
        }
    });
    assert!(reached, "it never comes");
}

fn wait_for_first_poll(runtime: &Scheduler, tally: &Tally) {
    run_until(runtime, || tally.waker.lock().is_some());
}

fn wake(tally: &Tally) {
    let waker = tally.waker.lock().take();
    waker.expect("the task was polled").wake();
}

/// Plays one cell of the matrix and returns what the handle said, if it was asked.
fn play(
    runtime: Scheduler,
    place: Place,
    fate: Fate,
    tally: &Arc<Tally>,
) -> (Option<Scheduler>, Option<Result<Output, JoinError>>) {
    let task = runtime.spawn(Probe { place, tally: Arc::clone(tally), polled: false });
    let said = match fate {
        Fate::Awaited => {
            wait_for_first_poll(&runtime, tally);
            wake(tally);
            Some(runtime.block_on(task))
        }
        Fate::DroppedBefore => {
            wait_for_first_poll(&runtime, tally);
            drop(task);
            wake(tally);
            None
        }
        Fate::DroppedAfter => {
            wait_for_first_poll(&runtime, tally);
            wake(tally);
            run_until(&runtime, || task.is_finished());
            drop(task);
            None
        }
        Fate::AbortedWhileWaiting => {
            wait_for_first_poll(&runtime, tally);
            task.abort();
            Some(runtime.block_on(task))
        }
        Fate::AbortedAtOnce => {
            task.abort();
            Some(runtime.block_on(task))
        }
        Fate::AbortedAndDropped => {
            task.abort();
            drop(task);
            None
        }
        Fate::Shutdown => {
            let report = runtime.shutdown_timeout(Duration::MAX);
            assert!(report.is_clean(), "{report:?}");
            assert!(task.is_finished());
            return (None, Some(finished(task)));
        }
    };
    (Some(runtime), said)
}

/// The output of a task that is done.
fn finished<T>(mut task: JoinHandle<T>) -> Result<T, JoinError> {
    match Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the task is done"),
    }
}

fn check_said(place: Place, fate: Fate, said: Result<Output, JoinError>) {
    let was_polled_twice = fate == Fate::Awaited;
    let expect_panic = place.panics_in_future_drop() || was_polled_twice && place.panics_in_poll();
    match said {
        Ok(output) => {
            assert!(was_polled_twice && !expect_panic, "{place:?} {fate:?}: an output");
            // On this thread its panic is ours.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(output)));
            assert_eq!(dropped.is_err(), place.panics_in_output_drop(), "{place:?} {fate:?}");
            if let Err(payload) = dropped {
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
                assert_eq!(dropped.is_err(), place.panics_in_payload_drop(), "{place:?} {fate:?}");
            }
        }
        Err(error) if expect_panic => {
            assert!(error.is_panic() && !error.is_cancelled(), "{place:?} {fate:?}: {error:?}");
            let payload = error.into_panic();
            assert!(payload.is::<Payload>(), "{place:?} {fate:?}");
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            assert_eq!(dropped.is_err(), place.panics_in_payload_drop(), "{place:?} {fate:?}");
        }
        Err(error) => {
            assert!(!was_polled_twice, "{place:?} {fate:?}: {error:?}");
            assert!(error.is_cancelled() && !error.is_panic(), "{place:?} {fate:?}: {error:?}");
        }
    }
}

#[test]
fn panic_anywhere_reaches_the_handle_and_costs_no_worker_and_no_memory() {
    for workers in WIDTHS {
        let mut shared = Some(without_stand_ins(workers));
        for place in PLACES {
            for fate in FATES {
                let tally = Arc::new(Tally::default());
                let runtime = match fate {
                    Fate::Shutdown => without_stand_ins(workers),
                    _ => shared.take().expect("the cell before gave it back"),
                };
                let (runtime, said) = play(runtime, place, fate, &tally);
                if let Some(said) = said {
                    check_said(place, fate, said);
                }
                tally.waker.lock().take();
                if let Some(runtime) = runtime {
                    // Whoever still has the tally is the future, the output or a payload.
                    run_until(&runtime, || Arc::strong_count(&tally) == 1);
                    run_until(&runtime, || runtime.handle().metrics().tasks == 0);
                    shared = Some(runtime);
                }
                assert_eq!(Arc::strong_count(&tally), 1, "{place:?} {fate:?}: something is kept");
                assert_eq!(tally.futures_dropped.get(), 1, "{place:?} {fate:?}");
                assert_eq!(tally.outputs_dropped.get(), tally.outputs_made.get(), "{place:?} {fate:?}");
                assert_eq!(tally.payloads_dropped.get(), tally.payloads_made.get(), "{place:?} {fate:?}");
            }
        }
        let runtime = shared.expect("the last cell gave it back");
        assert_all_workers_run(&runtime, workers);
        assert!(runtime.shutdown_timeout(Duration::MAX).is_clean());
    }
}

/// Panics when it is woken, dropped, or both.
struct RudeWaker {
    on_wake: bool,
    on_drop: bool,
    dropped: Arc<Counter>,
}

impl Wake for RudeWaker {
    fn wake(self: Arc<Self>) {
        assert!(!self.on_wake, "the waker panics on purpose");
    }
}

impl Drop for RudeWaker {
    fn drop(&mut self) {
        self.dropped.add(1);
        assert!(!self.on_drop || thread::panicking(), "the drop of the waker panics on purpose");
    }
}

fn rude(on_wake: bool, on_drop: bool) -> (Arc<Counter>, Waker) {
    let dropped = Arc::<Counter>::default();
    (Arc::clone(&dropped), Waker::from(Arc::new(RudeWaker { on_wake, on_drop, dropped })))
}

fn poll_once<T>(task: &mut JoinHandle<T>, waker: &Waker) -> Poll<Result<T, JoinError>> {
    Pin::new(task).poll(&mut Context::from_waker(waker))
}

/// A task that waits for its waker in the tally, joined by `waker` already.
fn joined_by(runtime: &Scheduler, tally: &Arc<Tally>, waker: &Waker) -> JoinHandle<Output> {
    let mut task = runtime.spawn(Probe { place: Place::Nowhere, tally: Arc::clone(tally), polled: false });
    wait_for_first_poll(runtime, tally);
    assert!(poll_once(&mut task, waker).is_pending());
    task
}

#[test]
fn panic_in_the_joiners_waker_is_counted_and_the_output_stays() {
    for workers in WIDTHS {
        let runtime = without_stand_ins(workers);
        for (on_wake, on_drop) in [(true, false), (false, true), (true, true)] {
            let before = runtime.handle().metrics().user_panics;
            let tally = Arc::new(Tally::default());
            let (dropped, waker) = rude(on_wake, on_drop);
            let task = joined_by(&runtime, &tally, &waker);
            // The cell's clone is the last one, so that its drop is the one that panics.
            std::mem::forget(catch_unwind(AssertUnwindSafe(|| drop(waker))));
            wake(&tally);
            run_until(&runtime, || dropped.get() == 1);
            assert!(runtime.block_on(task).is_ok());
            run_until(&runtime, || runtime.handle().metrics().user_panics == before + 1);
        }
        assert_all_workers_run(&runtime, workers);
    }
}

#[test]
fn panic_in_the_drop_of_the_joiners_waker_does_not_reach_who_drops_the_handle() {
    for workers in WIDTHS {
        let runtime = without_stand_ins(workers);
        let tally = Arc::new(Tally::default());
        let (dropped, waker) = rude(false, true);
        let task = joined_by(&runtime, &tally, &waker);
        drop(waker);
        drop(task);
        assert_eq!(dropped.get(), 1);
        assert_eq!(runtime.handle().metrics().user_panics, 1);
        wake(&tally);
        run_until(&runtime, || Arc::strong_count(&tally) == 1);
        assert_eq!((tally.futures_dropped.get(), tally.outputs_dropped.get()), (1, 1));
        assert_all_workers_run(&runtime, workers);
    }
}

#[test]
fn panic_while_a_waker_is_replaced_leaves_the_handle_usable() {
    for workers in WIDTHS {
        let runtime = without_stand_ins(workers);
        let tally = Arc::new(Tally::default());
        let (dropped, waker) = rude(false, true);
        let mut task = joined_by(&runtime, &tally, &waker);
        drop(waker);
        let replaced = catch_unwind(AssertUnwindSafe(|| poll_once(&mut task, Waker::noop()).is_pending()));
        assert!(replaced.is_err(), "the drop of the old waker is the poller's business");
        assert_eq!(dropped.get(), 1);
        wake(&tally);
        assert!(runtime.block_on(task).is_ok());
        assert_all_workers_run(&runtime, workers);
    }
}

static CLONE_PANICS: RawWakerVTable =
    RawWakerVTable::new(|_| panic!("the clone of the waker panics on purpose"), |_| {}, |_| {}, |_| {});

#[test]
fn panic_in_the_clone_of_a_waker_leaves_the_handle_usable() {
    // SAFETY: the functions of the vtable do nothing with the data.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &CLONE_PANICS)) };
    for workers in WIDTHS {
        let runtime = without_stand_ins(workers);
        let tally = Arc::new(Tally::default());
        let mut task = joined_by(&runtime, &tally, Waker::noop());
        let cloned = catch_unwind(AssertUnwindSafe(|| poll_once(&mut task, &waker).is_pending()));
        assert!(cloned.is_err(), "the clone is the poller's business");
        wake(&tally);
        assert!(runtime.block_on(task).is_ok());
        assert_all_workers_run(&runtime, workers);
    }
}

#[test]
fn panic_of_a_waker_inside_a_poll_is_the_panic_of_that_task() {
    for workers in WIDTHS {
        let runtime = without_stand_ins(workers);
        let (_, waker) = rude(true, false);
        let error = runtime.block_on(runtime.spawn(async move { waker.wake() })).expect_err("it panics");
        assert!(error.is_panic());
        assert_all_workers_run(&runtime, workers);
    }
}

#[test]
fn panic_of_a_blocking_closure_or_its_captures_reaches_its_handle() {
    struct RudeCapture(Arc<Counter>);
    impl Drop for RudeCapture {
        fn drop(&mut self) {
            self.0.add(1);
            assert!(thread::panicking(), "the drop of the capture panics on purpose");
        }
    }
    for workers in WIDTHS {
        let runtime = without_stand_ins(workers);
        let panics = runtime.spawn_blocking(|| panic!("this closure panics on purpose"));
        assert!(runtime.block_on(panics).expect_err("it panics").is_panic());

        let dropped = Arc::<Counter>::default();
        let capture = RudeCapture(Arc::clone(&dropped));
        let panics = runtime.spawn_blocking(move || drop(capture));
        assert!(runtime.block_on(panics).expect_err("it panics").is_panic());

        // Never run: the runtime is gone.
        let handle = runtime.handle().clone();
        assert_all_workers_run(&runtime, workers);
        drop(runtime);
        let capture = RudeCapture(Arc::clone(&dropped));
        let refused = handle.spawn_blocking(move || drop(capture));
        assert!(finished(refused).expect_err("there is no pool").is_panic());
        assert_eq!(dropped.get(), 2);
    }
}

#[test]
fn panic_in_the_root_future_reaches_the_caller_of_block_on_and_nobody_else() {
    for workers in WIDTHS {
        let runtime = without_stand_ins(workers);
        let beside = runtime.spawn(async {
            for _ in 0..100 {
                yield_now().await;
            }
        });
        let rooted = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                yield_now().await;
                panic!("the root panics on purpose");
            })
        }));
        assert!(rooted.is_err());
        assert!(Handle::try_current().is_err(), "the thread has left the runtime");
        runtime.block_on(beside).expect("it is another task");
        assert_all_workers_run(&runtime, workers);
    }
}

#[test]
fn panic_in_every_hook_stops_nothing() {
    for workers in WIDTHS {
        let mut config = match workers {
            0 => Config::new(Flavor::CurrentThread, 1),
            _ => Config::new(Flavor::MultiThread, workers),
        };
        let calls = Arc::<Counter>::default();
        let hook = || {
            let calls = Arc::clone(&calls);
            Some(Arc::new(move || {
                calls.add(1);
                assert!(calls.get() == 0, "this hook panics on purpose");
            }) as Arc<dyn Fn() + Send + Sync>)
        };
        config.stand_ins = 0;
        config.on_thread_start = hook();
        config.on_thread_stop = hook();
        config.on_thread_park = hook();
        config.on_thread_unpark = hook();
        config.thread_name = Arc::new(|| panic!("this hook panics on purpose"));
        let runtime = runtime_with(config);
        assert_eq!(runtime.block_on(runtime.spawn_blocking(|| 7)).expect("it runs"), 7);
        assert_all_workers_run(&runtime, workers);
        assert!(runtime.shutdown_timeout(Duration::MAX).is_clean());
        assert!(calls.get() > 0, "the hooks were called");
    }
}

#[test]
fn task_that_panics_while_it_is_suspended_or_aborts_itself_ends_once() {
    for workers in WIDTHS {
        let runtime = without_stand_ins(workers);
        let (give, own) = std::sync::mpsc::channel::<shopfloor_scheduler::AbortHandle>();
        let task = runtime.spawn(poll_fn(move |cx| -> Poll<()> {
            let Ok(own) = own.try_recv() else {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            };
            own.suspend();
            own.abort();
            panic!("the task panics on purpose");
        }));
        give.send(task.abort_handle()).expect("the task waits for it");
        let control = task.abort_handle();
        let error = runtime.block_on(task).expect_err("it panics");
        assert!(error.is_panic(), "the poll ended before the abort took effect");
        assert_eq!(control.state(), State::Done);
        assert_all_workers_run(&runtime, workers);
    }
}
