//! Two tasks on one worker hand a baton to each other: each hand-over is a wake, a suspension and a switch.
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::TaskFigures;
use crate::runtimes::Runtime;

/// Hand-overs between two looks at the clock.
const LAP: u64 = 1000;

/// The smallest thing two tasks can hand over, so that the runtime is measured and not a channel.
struct Baton(Mutex<BatonState>);

struct BatonState {
    holder: usize,
    is_over: bool,
    waiting: [Option<Waker>; 2],
}

impl Baton {
    /// Waits until `me` holds the baton; false once the game is over.
    async fn take(&self, me: usize) -> bool {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.is_over {
                Poll::Ready(false)
            } else if state.holder == me {
                Poll::Ready(true)
            } else {
                state.waiting[me] = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    fn pass(&self, to: usize, is_over: bool) {
        let waiting = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.holder = to;
            state.is_over = is_over;
            state.waiting[to].take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// Hands over for at least `time`.
pub(super) async fn measure<R: Runtime>(time: Duration) -> TaskFigures {
    let state = BatonState { holder: 0, is_over: false, waiting: [None, None] };
    let baton = Arc::new(Baton(Mutex::new(state)));
    let theirs = Arc::clone(&baton);
    let other = R::spawn(async move {
        while theirs.take(1).await {
            theirs.pass(0, false);
        }
    });
    // A first lap, so that both tasks are warm and known to the worker.
    lap(&baton).await;
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < time {
        count += lap(&baton).await;
    }
    let figures = TaskFigures::each(start.elapsed(), count);
    baton.pass(1, true);
    other.await;
    figures
}

/// One lap; returns the number of switches.
async fn lap(baton: &Baton) -> u64 {
    for _ in 0..LAP / 2 {
        baton.pass(1, false);
        baton.take(0).await;
    }
    LAP
}
