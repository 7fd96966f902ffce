//! A million detached tasks that wait: what one of them costs in memory.
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::micro::row::{Effort, Kind, Measurement, Observation};
use crate::os::own_status;
use crate::runtimes::Runtime;

const TASKS: u64 = 1_000_000;
/// Tasks started, or woken, between two yields: a server's tasks arrive over time, and the queue is not measured.
const BURST: u64 = 64;

/// Tasks whose future has so many bytes.
pub(super) struct ParkedTasks<const SIZE: usize>;

impl<const SIZE: usize> Observation for ParkedTasks<SIZE> {
    const NAME: &str = match SIZE {
        0 => "parked_0",
        64 => "parked_64",
        _ => panic!("each has a name"),
    };
    const OPERATION: &str = match SIZE {
        0 => "resident memory of one of a million detached tasks that wait, their future without size",
        _ => "the same with a future of 64 bytes",
    };
    const KIND: Kind = Kind::Memory;

    fn observe<R: Runtime>(effort: Effort) -> Measurement {
        let tasks = effort.shrunk(TASKS);
        SHELF.clear(tasks);
        R::run(effort.workers, async move {
            let before = resident();
            for index in 0..tasks {
                R::spawn_detached(Waiting([0; SIZE]));
                if index % BURST == 0 {
                    R::yield_now().await;
                }
            }
            while SHELF.wakers().len() as u64 != tasks {
                R::yield_now().await;
            }
            let grown = resident().saturating_sub(before);
            SHELF.is_open.store(true, Ordering::Relaxed);
            // One at a time: while one is woken the others stay where they were counted.
            for index in 0..tasks {
                let waker = SHELF.wakers().pop().expect("one waker per task");
                waker.wake();
                if index % BURST == 0 {
                    R::yield_now().await;
                }
            }
            while SHELF.finished.load(Ordering::Relaxed) != tasks {
                R::yield_now().await;
            }
            Measurement { figures: vec![grown as f64 / tasks as f64], operations: tasks }
        })
    }
}

fn resident() -> u64 {
    1024 * own_status("VmRSS").expect("the kernel tells a process its memory")
}

/// Where the tasks leave their wakers. Static, so that a future need not refer to it.
struct Shelf {
    wakers: Mutex<Vec<Waker>>,
    is_open: AtomicBool,
    finished: AtomicU64,
}

static SHELF: Shelf =
    Shelf { wakers: Mutex::new(Vec::new()), is_open: AtomicBool::new(false), finished: AtomicU64::new(0) };

impl Shelf {
    fn wakers(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for so many wakers, allocated and touched before the first look at the memory.
    fn clear(&self, tasks: u64) {
        self.is_open.store(false, Ordering::Relaxed);
        self.finished.store(0, Ordering::Relaxed);
        let mut wakers = self.wakers();
        wakers.clear();
        wakers.extend((0..tasks).map(|_| Waker::noop().clone()));
        wakers.clear();
    }
}

/// Waits until the shelf opens.
struct Waiting<const SIZE: usize>([u8; SIZE]);

impl<const SIZE: usize> Future for Waiting<SIZE> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        std::hint::black_box(&mut self.0);
        // A task is woken by what it left on the shelf only, after the shelf was opened.
        if SHELF.is_open.load(Ordering::Relaxed) {
            SHELF.finished.fetch_add(1, Ordering::Relaxed);
            return Poll::Ready(());
        }
        SHELF.wakers().push(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::Waiting;

    #[test]
    fn a_future_has_the_size_that_its_row_is_called_after() {
        assert_eq!((size_of::<Waiting<0>>(), size_of::<Waiting<64>>()), (0, 64));
    }
}
