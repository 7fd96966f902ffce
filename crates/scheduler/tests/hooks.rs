//! Hooks are the user's code: what they wake runs, and what they block silences nobody.

mod support;

use shopfloor_protocol::flag::Flag;
use shopfloor_protocol::sync::Mutex;
use shopfloor_scheduler::{Config, Flavor, Handle, Scheduler, block_in_place};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use support::{WIDTHS, runtime_with};

fn config(workers: usize) -> Config {
    match workers {
        0 => Config::new(Flavor::CurrentThread, 1),
        _ => Config::new(Flavor::MultiThread, workers),
    }
}

#[test]
fn a_task_that_the_park_hook_spawns_is_run() {
    for workers in WIDTHS {
        let (tell, told) = mpsc::channel();
        let tell = Mutex::new(Some(tell));
        let mut config = config(workers);
        config.on_thread_park = Some(Arc::new(move || {
            if let Some(tell) = tell.lock().take() {
                drop(Handle::current().spawn(async move { tell.send(7) }));
            }
        }));
        let runtime = runtime_with(config);
        // On a current-thread runtime this is what parks.
        let received = runtime.spawn_blocking(move || told.recv());
        assert_eq!(runtime.block_on(received).expect("no panic"), Ok(7));
    }
}

/// Blocks in the hook that `place` picks until the foreman has seen it.
fn is_seen_by_the_foreman(place: fn(&mut Config, Arc<dyn Fn() + Send + Sync>)) {
    let (give, handle) = mpsc::channel::<Handle>();
    let handle = Mutex::new(Some(handle));
    let (seen, is_seen) = mpsc::channel();
    let mut config = config(1);
    let hook = move || {
        let Some(handle) = handle.lock().take() else { return };
        let handle = handle.recv().expect("the test gives it");
        while handle.metrics().stalls == 0 {
            thread::yield_now();
        }
        seen.send(()).expect("the test waits");
    };
    place(&mut config, Arc::new(hook));
    let runtime: Scheduler = runtime_with(config);
    give.send(runtime.handle().clone()).expect("the hook waits for it");
    // Wakes, which end parks.
    while is_seen.try_recv().is_err() {
        drop(runtime.spawn(async {}));
        thread::yield_now();
    }
    assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).expect("the worker goes on"), 7);
}

#[test]
fn a_start_hook_that_waits_for_a_task_gets_it() {
    let is_first = Flag::new(true);
    let (tell, told) = mpsc::channel();
    let mut config = config(1);
    config.on_thread_start = Some(Arc::new(move || {
        if is_first.lower() {
            let handle = Handle::current();
            tell.send(handle.block_on(handle.spawn(async { 7 }))).expect("the test waits");
        }
    }));
    let _runtime = runtime_with(config);
    assert_eq!(told.recv().expect("a stand-in runs it").expect("no panic"), 7);
}

#[test]
fn a_park_hook_that_blocks_is_seen_by_the_foreman() {
    is_seen_by_the_foreman(|config, hook| config.on_thread_park = Some(hook));
}

#[test]
fn an_unpark_hook_that_blocks_is_seen_by_the_foreman() {
    is_seen_by_the_foreman(|config, hook| config.on_thread_unpark = Some(hook));
}

#[test]
fn block_in_place_in_a_hook_runs_where_it_is() {
    let mut config = config(2);
    config.on_thread_park = Some(Arc::new(|| block_in_place(|| ())));
    let (tell, started) = mpsc::channel();
    config.on_thread_start = Some(Arc::new(move || tell.send(()).expect("the test counts them")));
    let runtime = runtime_with(config);
    let tasks: Vec<_> = (0..100).map(|n| runtime.spawn(async move { n })).collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(runtime.block_on(task).expect("no panic"), n);
    }
    assert!(runtime.handle().metrics().workers_parked <= 2);
    let handle = runtime.handle().clone();
    assert!(runtime.shutdown_timeout(Duration::MAX).is_clean());
    assert_eq!(
        started.try_iter().count() as u64,
        2 + handle.metrics().stand_ins_started,
        "it starts no thread"
    );
}
