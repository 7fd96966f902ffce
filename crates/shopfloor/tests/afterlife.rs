//! What is left of a runtime when it is gone: wakers, handles, timers and sets of tasks are used, cloned and
//! dropped on another thread. Nothing hangs, nothing panics, and nothing of a task stays in memory.

use shopfloor::runtime::{Builder, Handle, Runtime};
use shopfloor::task::{JoinHandle, JoinSet, State};
use shopfloor::time::{Duration, Instant, sleep};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

/// Far beyond what any test needs on a busy machine.
const HANG: Duration = Duration::from_secs(60);
/// A deadline that no test lives to see.
const LATER: Duration = Duration::from_secs(3600);

/// Held by whatever has to be dropped in the end.
type Alive = mpsc::Sender<()>;

/// For what a shutdown that waits for nothing brings about a little later.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let hang = Instant::now() + HANG;
    while !holds() {
        assert!(Instant::now() < hang, "in vain: {what}");
        thread::yield_now();
    }
}

/// Makes something on a runtime of each kind, ends the runtime in each way, and hands what was made to `after` on
/// another thread. What is made holds senders of `Alive`; all of them have to be dropped in the end, and no cell of
/// a task may be left.
fn outlives<T: Send + 'static>(make: fn(&Runtime, Alive) -> T, after: fn(T, &Handle)) {
    let ends: [fn(Runtime); 3] =
        [drop, |runtime| drop(runtime.shutdown_timeout(LATER)), Runtime::shutdown_background];
    for end in ends {
        for runtime in [
            Builder::new_current_thread().build().expect("a runtime"),
            Builder::new_multi_thread().worker_threads(2).build().expect("threads start"),
        ] {
            let (alive, all_dropped) = mpsc::channel();
            let made = make(&runtime, alive);
            let handle = runtime.handle().clone();
            end(runtime);
            let (done, finished) = mpsc::channel::<()>();
            let elsewhere = thread::spawn(move || {
                let _done = done;
                after(made, &handle);
                handle
            });
            let hangs = finished.recv_timeout(HANG) == Err(mpsc::RecvTimeoutError::Timeout);
            assert!(!hangs, "what outlives its runtime hangs");
            let handle = elsewhere.join().expect("no panic");
            // A shutdown that waits for nothing may still be under way.
            let left = all_dropped.recv_timeout(HANG);
            assert_eq!(left, Err(mpsc::RecvTimeoutError::Disconnected), "a future or an output leaks");
            wait_until("the memory of every task is given back", || handle.metrics().tasks == 0);
        }
    }
}

/// A task that waits for ever, and has been polled.
fn waiting(runtime: &Runtime, alive: &Alive) -> JoinHandle<Alive> {
    let alive = alive.clone();
    let task = runtime.spawn(async move {
        pending::<()>().await;
        alive
    });
    run_until(runtime, &task, State::Waiting);
    task
}

/// A task that is done and has not been joined.
fn done(runtime: &Runtime, alive: &Alive) -> JoinHandle<Alive> {
    let alive = alive.clone();
    let task = runtime.spawn(async move { alive });
    run_until(runtime, &task, State::Done);
    task
}

fn run_until<T>(runtime: &Runtime, task: &JoinHandle<T>, state: State) {
    runtime.block_on(async {
        while task.state() != state {
            shopfloor::task::yield_now().await;
        }
    });
}

/// Polls once.
fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// The waker of a task that is `ready`, or waits, after it has given it away.
fn waker_of(runtime: &Runtime, alive: &Alive, ready: bool) -> Waker {
    let (give, take) = mpsc::channel();
    let alive = alive.clone();
    let task = runtime.spawn(poll_fn(move |cx| {
        let _held = &alive;
        // Nobody takes the waker of a second poll.
        let _ = give.send(cx.waker().clone());
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }));
    run_until(runtime, &task, if ready { State::Done } else { State::Waiting });
    take.recv().expect("it was polled")
}

#[test]
fn a_waker_is_used_cloned_and_dropped_after_its_runtime() {
    outlives(
        |runtime, alive| [waker_of(runtime, &alive, false), waker_of(runtime, &alive, true)],
        |wakers, _| {
            for waker in wakers {
                waker.wake_by_ref();
                let clone = waker.clone();
                assert!(clone.will_wake(&waker));
                waker.wake();
                clone.wake_by_ref();
                drop(clone);
            }
        },
    );
}

#[test]
fn a_join_handle_is_joined_or_dropped_after_its_runtime() {
    outlives(
        |runtime, alive| {
            let suspended = waiting(runtime, &alive);
            suspended.suspend();
            let mut joined = done(runtime, &alive);
            drop(runtime.block_on(&mut joined).expect("it is done"));
            let waiting = [(); 3].map(|()| waiting(runtime, &alive));
            (waiting, suspended, joined, [(); 2].map(|()| done(runtime, &alive)))
        },
        |([waiting, aborted, dropped], mut suspended, joined, [done, dropped_done]), handle| {
            drop((dropped, dropped_done, joined));
            aborted.abort();
            assert_eq!(aborted.abort_handle().id(), aborted.id());
            suspended.resume();
            suspended.suspend();
            for unfinished in [waiting, aborted] {
                assert!(handle.block_on(unfinished).expect_err("it waited for ever").is_cancelled());
            }
            assert!(handle.block_on(&mut suspended).expect_err("it waited for ever").is_cancelled());
            assert!(suspended.is_finished());
            assert_eq!(suspended.resume(), State::Done);
            drop(handle.block_on(done).expect("it was done before the shutdown"));
        },
    );
}

#[test]
fn an_abort_handle_is_used_cloned_and_dropped_after_its_runtime() {
    outlives(
        |runtime, alive| [waiting(runtime, &alive).abort_handle(), done(runtime, &alive).abort_handle()],
        |aborts, _| {
            for abort in aborts {
                abort.suspend();
                abort.clone().resume();
                abort.abort();
                wait_until("the task is done", || abort.is_finished());
                assert_eq!([abort.suspend(), abort.resume(), abort.state()], [State::Done; 3]);
                abort.abort();
            }
        },
    );
}

/// Does nothing; its drop is seen.
struct Ignore(#[expect(dead_code, reason = "held until the timers have let go of it")] Alive);

impl Wake for Ignore {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_sleep_is_polled_reset_and_dropped_after_its_runtime() {
    outlives(
        |runtime, alive| {
            let _inside = runtime.enter();
            let unfiled = [sleep(LATER), sleep(LATER)];
            let mut filed = [(); 4].map(|()| sleep(LATER));
            for sleep in &mut filed {
                let waker = Waker::from(Arc::new(Ignore(alive.clone())));
                assert!(poll(sleep, &waker).is_pending());
            }
            let mut elapsed = sleep(Duration::ZERO);
            runtime.block_on(&mut elapsed);
            (unfiled, filed, elapsed)
        },
        |([unfiled, unfiled_dropped], [filed, filed_dropped, mut sooner, mut later], mut elapsed), handle| {
            drop((unfiled_dropped, filed_dropped));
            handle.block_on(&mut elapsed);
            Pin::new(&mut sooner).reset(Instant::now());
            handle.block_on(sooner);
            Pin::new(&mut later).reset(Instant::now() + 2 * LATER);
            assert!(!later.is_elapsed());
            for mut sleep in [unfiled, filed, later] {
                let panic = catch_unwind(AssertUnwindSafe(|| handle.block_on(&mut sleep)));
                let panic = panic.expect_err("nobody would wake it");
                let sentence = panic.downcast_ref::<&str>().expect("a sentence");
                assert!(sentence.contains("was shut down before the deadline"), "{sentence}");
            }
        },
    );
}

#[test]
fn a_join_set_is_joined_filled_and_dropped_after_its_runtime() {
    outlives(
        |runtime, alive| {
            [(); 3].map(|()| {
                let mut set = JoinSet::new();
                for n in 0..6 {
                    let alive = alive.clone();
                    let wait = async move {
                        if n % 2 == 0 {
                            pending::<()>().await;
                        }
                        alive
                    };
                    set.spawn_on(wait, runtime.handle());
                }
                let first = runtime.block_on(set.join_next()).expect("three of them end");
                drop(first.expect("nobody aborts it"));
                set
            })
        },
        |[mut joined, mut detached, dropped], handle| {
            drop(dropped);
            detached.detach_all();
            assert!(detached.try_join_next().is_none());
            assert_eq!(joined.len(), 5);
            drop(joined.spawn_on(pending(), handle));
            joined.abort_all();
            let (mut outputs, mut cancelled) = (0, 0);
            while let Some(joined) = handle.block_on(joined.join_next()) {
                match joined {
                    Ok(_) => outputs += 1,
                    Err(error) => cancelled += usize::from(error.is_cancelled()),
                }
            }
            assert_eq!(outputs + cancelled, 6);
            assert!(cancelled >= 4 && joined.is_empty(), "{cancelled} were cancelled");
        },
    );
}
