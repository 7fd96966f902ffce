//! Many tasks that wait, each for its own wake-up: what one costs in memory.
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::{Memory, PATIENCE, TaskFigures};
use crate::runtimes::Runtime;

/// Where the tasks leave their wakers: allocated, and touched, before the first look at the memory.
struct Shelf {
    wakers: Vec<Mutex<Option<Waker>>>,
    parked: AtomicU64,
    finished: AtomicU64,
    is_open: AtomicBool,
}

/// Waits until the shelf opens. Two words, so that the task's own cost is what is seen.
struct Waiting {
    shelf: &'static Shelf,
    index: u32,
    has_parked: bool,
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shelf = self.shelf;
        let mut place = shelf.wakers[self.index as usize].lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: whoever opens the shelf takes this lock afterwards and finds the waker.
        if shelf.is_open.load(Ordering::Relaxed) {
            drop(place);
            shelf.finished.fetch_add(1, Ordering::Relaxed);
            return Poll::Ready(());
        }
        *place = Some(cx.waker().clone());
        drop(place);
        if !self.has_parked {
            self.has_parked = true;
            shelf.parked.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Pending
    }
}

/// Parks `count` detached tasks, looks at the memory, and makes all of them finish.
pub(super) async fn measure<R: Runtime>(count: u64) -> Result<TaskFigures, String> {
    let size = usize::try_from(count).map_err(|error| error.to_string())?;
    // Leaked: a reference would otherwise be part of each task, and the process ends soon.
    let shelf: &'static Shelf = Box::leak(Box::new(Shelf {
        wakers: (0..size).map(|_| Mutex::new(None)).collect(),
        parked: AtomicU64::new(0),
        finished: AtomicU64::new(0),
        is_open: AtomicBool::new(false),
    }));
    let before = Memory::now()?;
    for index in 0..u32::try_from(count).map_err(|error| error.to_string())? {
        R::spawn_detached(Waiting { shelf, index, has_parked: false });
        // A server's tasks arrive over time: the queue must not be what is measured.
        if index % 64 == 63 {
            R::yield_now().await;
        }
    }
    until::<R>("were polled", &shelf.parked, count).await?;
    let parked = Memory::now()?.grown_since(
        &before,
        count,
        format!("the number asked for, {}", crate::stats::count(count)),
        size_of::<Waiting>(),
    );
    shelf.is_open.store(true, Ordering::Relaxed);
    for (index, place) in shelf.wakers.iter().enumerate() {
        let waker = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
        if index % 64 == 63 {
            R::yield_now().await;
        }
    }
    until::<R>("finished", &shelf.finished, count).await?;
    Ok(TaskFigures::Parked(parked))
}

async fn until<R: Runtime>(what: &str, counter: &AtomicU64, count: u64) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let now = counter.load(Ordering::Relaxed);
        if now == count {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("only {now} of {count} tasks {what} within {} s", PATIENCE.as_secs()));
        }
        R::yield_now().await;
    }
}
