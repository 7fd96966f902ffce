//! Which runtime a thread is inside of, and what is said where there is none.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use shopfloor::net::{TcpListener, TcpStream, UdpSocket};
use shopfloor::runtime::{Builder, Handle, Runtime};
use shopfloor::task::{JoinSet, block_in_place};
use shopfloor::time::timeout;

const NOWHERE: &str = "there is no shopfloor runtime here";

/// A runtime whose worker has this name.
fn named(name: &str) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name(name).build().expect("threads can be started")
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().build().expect("it starts no worker")
}

/// The name of the thread that runs a task of the runtime that this thread is inside of.
fn where_spawned() -> String {
    let task = shopfloor::spawn(async { thread::current().name().expect("workers have names").to_owned() });
    // On a thread that runs tasks, this would stop them.
    thread::scope(|scope| {
        let handle = Handle::current();
        let wait = move || handle.block_on(task).expect("it does not panic");
        scope.spawn(wait).join().expect("it does not panic")
    })
}

fn sentence<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(f()))) else { panic!("it does not panic") };
    match payload.downcast::<String>() {
        Ok(sentence) => *sentence,
        Err(payload) => (*payload.downcast::<&str>().expect("panics carry text")).to_owned(),
    }
}

fn poll_once(future: impl Future) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn outside_a_runtime_everything_that_needs_one_says_so_in_the_same_words() {
    assert!(Handle::try_current().expect_err("there is none").to_string().starts_with(NOWHERE));
    for sentence in [
        sentence(Handle::current),
        sentence(|| shopfloor::spawn(async {})),
        sentence(|| shopfloor::task::spawn_blocking(|| {})),
        sentence(|| JoinSet::new().spawn(async {})),
        sentence(|| JoinSet::new().spawn_blocking(|| {})),
        sentence(|| shopfloor::time::sleep(shopfloor::time::Duration::ZERO)),
        sentence(|| poll_once(TcpListener::bind("127.0.0.1:0"))),
        sentence(|| poll_once(UdpSocket::bind("127.0.0.1:0"))),
        sentence(|| poll_once(TcpStream::connect("127.0.0.1:1"))),
    ] {
        assert!(sentence.starts_with(NOWHERE), "{sentence}");
    }
}

/// Tells in which runtime it is dropped, if in any.
struct Tells(mpsc::Sender<Option<Handle>>);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.send(Handle::try_current().ok()).expect("the test listens");
    }
}

fn was_dropped_in(told: &mpsc::Receiver<Option<Handle>>, handle: &Handle) -> bool {
    told.recv().expect("it was dropped").is_some_and(|inside| inside.is_same(handle))
}

#[test]
fn the_root_future_is_dropped_inside_its_runtime() {
    for runtime in [named("x"), current_thread()] {
        let (tell, told) = mpsc::channel();
        let forever = async move {
            let _tells = Tells(tell);
            pending::<()>().await;
        };
        let root = {
            let _inside = runtime.enter();
            timeout(Duration::from_millis(1), forever)
        };
        let cut_off = runtime.block_on(root);
        cut_off.expect_err("it does not end by itself");
        assert!(was_dropped_in(&told, runtime.handle()));
    }
}

#[test]
fn a_blocking_job_that_a_shutdown_cancels_is_dropped_inside_its_runtime() {
    for mut builder in [Builder::new_multi_thread(), Builder::new_current_thread()] {
        let runtime =
            builder.worker_threads(1).max_blocking_threads(1).build().expect("threads can be started");
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        drop(runtime.spawn_blocking(move || {
            started.send(()).expect("the test listens");
            // Until the test lets go of the other end.
            released.recv().expect_err("it sends nothing");
        }));
        has_started.recv().expect("it starts");
        let (tell, told) = mpsc::channel();
        let tells = Tells(tell);
        drop(runtime.spawn_blocking(move || drop(tells)));
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        assert!(was_dropped_in(&told, &handle));
        drop(release);
    }
}

#[test]
fn nested_enters_of_two_runtimes_are_undone_in_order() {
    let (outer, inner) = (named("outer"), named("inner"));
    let is_in = |runtime: &Runtime| Handle::current().is_same(runtime.handle());
    {
        let _outside = outer.enter();
        assert!(is_in(&outer));
        {
            let _inside = inner.enter();
            assert!(is_in(&inner) && !is_in(&outer));
            assert_eq!(where_spawned(), "inner");
            {
                let _again = outer.handle().enter();
                assert_eq!(where_spawned(), "outer");
            }
            assert!(is_in(&inner));
        }
        assert!(is_in(&outer));
        assert_eq!(where_spawned(), "outer");
    }
    assert!(Handle::try_current().is_err());
}

#[test]
fn a_guard_that_is_dropped_before_an_inner_one_panics_and_changes_nothing() {
    let (outer, inner) = (named("outer"), named("inner"));
    let entered_outer = outer.enter();
    let entered_inner = inner.enter();
    let message = sentence(move || drop(entered_outer));
    assert!(message.contains("in the reverse order"), "{message}");
    assert!(Handle::current().is_same(inner.handle()));
    drop(entered_inner);
}

#[test]
fn a_panic_leaves_the_runtime_that_was_entered() {
    let runtime = named("left");
    catch_unwind(AssertUnwindSafe(|| {
        let _inside = runtime.enter();
        panic!("on purpose");
    }))
    .expect_err("it panics");
    assert!(Handle::try_current().is_err());
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(async { panic!("on purpose") })))
        .expect_err("it panics");
    assert!(Handle::try_current().is_err());
}

#[test]
fn a_task_lands_on_the_runtime_that_it_is_spawned_on_and_not_on_the_spawners() {
    let (home, other) = (named("home"), named("other"));
    let target = other.handle().clone();
    let places = home.block_on(home.spawn(async move {
        let name = async || thread::current().name().map(str::to_owned);
        let by_handle = target.spawn(async move { name().await });
        let by_enter = {
            let _inside = target.enter();
            shopfloor::spawn(async move { name().await })
        };
        let at_home = shopfloor::spawn(async move { name().await });
        [by_handle.await, by_enter.await, at_home.await].map(|place| place.expect("it does not panic"))
    }));
    let places = places.expect("it does not panic").map(|place| place.expect("workers have names"));
    assert_eq!(places, ["other", "other", "home"]);
}

#[test]
fn every_thread_of_a_runtime_is_inside_it() {
    for runtime in [named("inside"), current_thread()] {
        let own = runtime.handle().clone();
        let is_inside = move || Handle::current().is_same(&own);
        let (in_task, in_job) = (is_inside.clone(), is_inside.clone());
        assert!(runtime.block_on(async { is_inside() }));
        assert!(runtime.block_on(runtime.spawn(async move { in_task() })).expect("it does not panic"));
        assert!(runtime.block_on(runtime.spawn_blocking(in_job)).expect("it does not panic"));
    }
    assert!(Handle::try_current().is_err());
}

#[test]
fn block_on_where_tasks_run_panics_and_names_what_to_use() {
    let other = named("other");
    let target = other.handle().clone();
    for runtime in [named("home"), current_thread()] {
        let (own, target) = (runtime.handle().clone(), target.clone());
        let in_task = {
            let (own, target) = (own.clone(), target.clone());
            runtime.spawn(async move {
                [sentence(|| own.block_on(async {})), sentence(|| target.block_on(async {}))]
            })
        };
        let in_root = runtime.block_on(async { sentence(|| own.block_on(pending::<()>())) });
        let in_task = runtime.block_on(in_task).expect("it catches its panics");
        for sentence in in_task.into_iter().chain([in_root]) {
            assert!(sentence.starts_with("`block_on` would stop the tasks"), "{sentence}");
            assert!(sentence.contains("`block_in_place`"), "{sentence}");
        }
        let job = runtime.spawn_blocking(move || own.block_on(async { 7 }));
        assert_eq!(runtime.block_on(job).expect("a job may block"), 7);
    }
    let home = named("home");
    let task = home.spawn(async move { block_in_place(|| target.block_on(async { 7 })) });
    assert_eq!(home.block_on(task).expect("its worker was given away"), 7);
}

#[test]
fn a_runtime_may_end_with_the_locals_of_its_thread() {
    thread_local! {
        static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    for build in [current_thread, || named("local")] {
        let thread = thread::spawn(move || {
            RUNTIME.with(|local| {
                let runtime = local.borrow_mut().insert(build()).handle().clone();
                let (dropped, ends) = mpsc::channel::<()>();
                drop(runtime.spawn(async move {
                    let _dropped = dropped;
                    pending::<()>().await;
                }));
                local.borrow().as_ref().expect("just made").block_on(async {});
                ends
            })
        });
        let ends = thread.join().expect("the end of the runtime does not panic");
        assert!(ends.recv().is_err(), "the task ends with its runtime");
    }
}

#[test]
fn a_worker_in_block_in_place_ends_its_runtime_without_waiting_for_itself() {
    let other = named("other");
    for enters_another in [false, true] {
        let runtime = named("ends itself");
        let handle = runtime.handle().clone();
        let other = other.handle().clone();
        let (give, take) = mpsc::channel::<Runtime>();
        let (tell, told) = mpsc::channel();
        drop(handle.spawn(async move {
            block_in_place(|| {
                let _elsewhere = enters_another.then(|| other.enter());
                let runtime = take.recv().expect("the test gives it");
                let detached = runtime.shutdown_timeout(Duration::MAX).workers_detached;
                tell.send(detached).expect("the test waits");
            });
        }));
        give.send(runtime).expect("the task waits");
        let detached = told.recv_timeout(Duration::from_secs(60)).expect("it waits for nothing");
        assert!(detached >= 1, "it is itself one of the workers");
    }
}

#[test]
fn a_worker_that_entered_another_runtime_is_still_one_of_its_own() {
    let other = named("other");
    let refused = current_thread().block_on(async {
        let _elsewhere = other.enter();
        sentence(|| block_in_place(|| ()))
    });
    assert!(refused.contains("needs a multi-thread runtime"), "{refused}");
}

#[test]
fn a_thread_of_a_runtime_comes_to_its_end_whatever_its_tasks_did_with_guards() {
    let (home, other) = (named("home"), named("other"));
    let elsewhere = other.handle().clone();
    let leaks = home.spawn(async move { std::mem::forget(elsewhere.enter()) });
    home.block_on(leaks).expect("it does not panic");
    let handle = other.handle().clone();
    home.block_on(async { std::mem::forget(handle.enter()) });
    assert!(Handle::try_current().is_err());
    assert!(home.shutdown_timeout(Duration::from_secs(60)).is_clean());
}
