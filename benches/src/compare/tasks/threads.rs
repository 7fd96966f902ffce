//! The same three measurements with OS threads.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::{BATCH, Memory, PATIENCE, TaskFigures};

/// Hand-overs between two looks at the clock.
const LAP: u64 = 200;
/// Memory mappings of one std thread: stack, its guard, signal stack, its guard.
const MAPPINGS_PER_THREAD: u64 = 4;
/// Mappings left to the rest of the process.
const MAPPINGS_RESERVED: u64 = 4000;

/// Holder of the baton: 0, 1, or over.
const OVER: usize = 2;

/// Two threads hand a baton to each other by parking, which is a futex.
pub(super) fn switch(time: Duration) -> TaskFigures {
    let holder = Arc::new(AtomicUsize::new(0));
    let first = thread::current();
    let other = {
        let holder = Arc::clone(&holder);
        thread::spawn(move || {
            while take(&holder, 1) {
                pass(&holder, 0, &first);
            }
        })
    };
    let lap = || {
        for _ in 0..LAP / 2 {
            pass(&holder, 1, other.thread());
            take(&holder, 0);
        }
    };
    lap();
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < time {
        lap();
        count += LAP;
    }
    let figures = TaskFigures::each(start.elapsed(), count);
    pass(&holder, OVER, other.thread());
    other.join().expect("the other thread only hands over");
    figures
}

fn take(holder: &AtomicUsize, me: usize) -> bool {
    loop {
        // Acquire: what the passer did before is visible to the taker, as with any hand-over.
        match holder.load(Ordering::Acquire) {
            OVER => return false,
            now if now == me => return true,
            _ => thread::park(),
        }
    }
}

fn pass(holder: &AtomicUsize, to: usize, thread: &Thread) {
    // Release: pairs with the load in `take`.
    holder.store(to, Ordering::Release);
    thread.unpark();
}

/// Starts and joins threads in batches.
pub(super) fn spawn(time: Duration) -> Result<TaskFigures, String> {
    spawn_batch()?;
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < time {
        spawn_batch()?;
        count += BATCH;
    }
    Ok(TaskFigures::each(start.elapsed(), count))
}

fn spawn_batch() -> Result<(), String> {
    let threads: Result<Vec<JoinHandle<()>>, _> =
        (0..BATCH).map(|_| thread::Builder::new().spawn(|| {})).collect();
    for thread in threads.map_err(|error| format!("thread: {error}"))? {
        thread.join().map_err(|_| String::from("an empty thread panicked"))?;
    }
    Ok(())
}

struct Gate {
    parked: AtomicU64,
    is_open: AtomicBool,
}

/// Parks up to `count` threads at the same time, as many as the machine allows, and makes all of them finish.
pub(super) fn park(count: u64) -> Result<TaskFigures, String> {
    let (limit, mut stopped_by) = limit(count);
    let gate = Arc::new(Gate { parked: AtomicU64::new(0), is_open: AtomicBool::new(false) });
    let mut threads = Vec::with_capacity(usize::try_from(limit).map_err(|error| error.to_string())?);
    let before = Memory::now()?;
    for number in 1..=limit {
        let gate = Arc::clone(&gate);
        match thread::Builder::new().spawn(move || wait(&gate)) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                stopped_by = format!("the machine, which refused number {number}: {error}");
                break;
            }
        }
    }
    let made = threads.len() as u64;
    let end = Instant::now() + PATIENCE;
    while gate.parked.load(Ordering::Relaxed) < made {
        if Instant::now() > end {
            return Err(format!("not all of {made} threads ran within {} s", PATIENCE.as_secs()));
        }
        thread::sleep(Duration::from_millis(1));
    }
    let parked = Memory::now()?.grown_since(&before, made, stopped_by, 0);
    gate.is_open.store(true, Ordering::Relaxed);
    for thread in threads {
        // Unparking makes the store above visible to the thread.
        thread.thread().unpark();
        thread.join().map_err(|_| String::from("a parked thread panicked"))?;
    }
    Ok(TaskFigures::Parked(parked))
}

fn wait(gate: &Gate) {
    gate.parked.fetch_add(1, Ordering::Relaxed);
    while !gate.is_open.load(Ordering::Relaxed) {
        thread::park();
    }
}

/// The number to stop at, and its reason. Beyond the kernel's limit of mappings std does not return an error but
/// aborts, so that limit is kept instead of tried.
fn limit(asked: u64) -> (u64, String) {
    let mappings = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    let mappings: Option<u64> = mappings.and_then(|text| text.trim().parse().ok());
    let most = mappings.map(|max| max.saturating_sub(MAPPINGS_RESERVED) / MAPPINGS_PER_THREAD);
    match most {
        Some(most) if most < asked => {
            (most, format!("vm.max_map_count, which allows for {}", crate::stats::count(most)))
        }
        _ => (asked, format!("the number asked for, {}", crate::stats::count(asked))),
    }
}
