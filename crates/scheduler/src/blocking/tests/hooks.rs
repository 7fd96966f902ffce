//! Hooks, names and the context around a thread's life.

use super::super::{BlockingConfig, BlockingPool, SubmitError, ThreadHook, on_blocking_thread};
use super::{config, doomed, job, pool, shut_down, wait_until, wait_until_idle};
use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::sync::Mutex;
use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

fn counting(count: &Arc<Counter>, panics: bool) -> Option<ThreadHook> {
    let count = Arc::clone(count);
    Some(Arc::new(move || {
        count.add(1);
        assert!(!panics, "this hook panics on purpose");
    }))
}

#[test]
fn start_and_stop_hooks_are_called_in_pairs_whatever_panics() {
    for (start_panics, stop_panics) in [(false, false), (true, false), (false, true), (true, true)] {
        let (starts, stops, runs) = (Arc::default(), Arc::default(), Arc::<Counter>::default());
        let pool = BlockingPool::new(BlockingConfig {
            keep_alive: Duration::from_micros(10),
            on_start: counting(&starts, start_panics),
            on_stop: counting(&stops, stop_panics),
            ..config(2, 8)
        });
        for round in 0..8 {
            let runs = Arc::clone(&runs);
            let panics = move || {
                runs.add(1);
                assert!(round % 2 == 0, "this job panics on purpose");
            };
            pool.submit(job(panics)).expect("there is room");
        }
        wait_until(|| runs.get() == 8);
        shut_down(&pool);
        assert!(starts.get() >= 1, "a thread runs the jobs");
        assert_eq!(starts.get(), stops.get());
    }
}

#[test]
fn hooks_and_jobs_run_inside_the_context_of_the_runtime() {
    thread_local! {
        static ENTERED: Cell<bool> = const { Cell::new(false) };
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let seen = Arc::clone(&seen);
        move || seen.lock().push((what, ENTERED.get(), on_blocking_thread()))
    };
    let pool = BlockingPool::new(BlockingConfig {
        on_start: Some(Arc::new(note("start"))),
        on_stop: Some(Arc::new(note("stop"))),
        enter: Arc::new(|life| {
            ENTERED.set(true);
            life();
            ENTERED.set(false);
        }),
        ..config(1, 4)
    });
    pool.submit(job(note("job"))).expect("there is room");
    wait_until_idle(&pool, 1);
    shut_down(&pool);
    assert_eq!(*seen.lock(), [("start", true, true), ("job", true, true), ("stop", true, true)]);
    assert!(!on_blocking_thread());
}

#[test]
fn context_that_fails_a_thread_strands_no_job() {
    for panics in [false, true] {
        let cancelled = Arc::default();
        let pool = BlockingPool::new(BlockingConfig {
            enter: Arc::new(move |_life| assert!(!panics, "this context panics on purpose")),
            ..config(1, 4)
        });
        pool.submit(doomed(&cancelled)).expect("there is room");
        wait_until(|| cancelled.get() == 1);
        shut_down(&pool);
    }
}

#[test]
fn threads_have_the_chosen_name_and_stack() {
    /// More than the default of 2 MiB.
    const STACK: usize = 8 << 20;
    let pool = BlockingPool::new(BlockingConfig {
        thread_name: Arc::new(|| "chosen".to_owned()),
        stack_size: Some(STACK),
        ..config(1, 4)
    });
    let (named, names) = channel();
    pool.submit(job(move || {
        let mut deep = [0_u8; STACK / 2];
        std::hint::black_box(&mut deep);
        named.send(thread::current().name().map(str::to_owned)).expect("the test waits for it");
    }))
    .expect("there is room");
    assert_eq!(names.recv().expect("the job runs"), Some("chosen".to_owned()));
    wait_until_idle(&pool, 1);
    shut_down(&pool);
}

#[test]
fn panicking_name_hook_leaves_the_default_name() {
    let unnamed = BlockingPool::new(BlockingConfig {
        thread_name: Arc::new(|| panic!("this hook panics on purpose")),
        ..config(1, 4)
    });
    let default = pool(1, 4);
    let (named, names) = channel();
    for pool in [&unnamed, &default] {
        let named = named.clone();
        pool.submit(job(move || {
            named.send(thread::current().name().map(str::to_owned)).expect("the test waits for it");
        }))
        .expect("there is room");
        wait_until_idle(pool, 1);
        shut_down(pool);
    }
    assert_eq!(names.recv().expect("the job ran"), names.recv().expect("the job ran"));
}

#[test]
fn name_that_no_thread_can_have_is_an_error() {
    let pool = BlockingPool::new(BlockingConfig {
        thread_name: Arc::new(|| "zero\0byte".to_owned()),
        ..config(1, 4)
    });
    let refused = pool.submit(job(|| {}));
    let Err(SubmitError::ThreadSpawn(error, _)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    shut_down(&pool);
}
