//! A future that is ready when a point in time has passed.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use shopfloor_scheduler::timer::{Timer, TimerState};
use shopfloor_scheduler::{Handle, WaitReason, coop, wait};

use super::{Duration, Instant};

/// A sleep that is made so long before its deadline is filed by its first poll without another look at the clock.
/// If the deadline has passed by then, the next turn of the wheels wakes it.
const SURELY_AHEAD: Duration = Duration::from_millis(1);

/// Waits until `duration` has passed. A duration that no deadline can express waits for decades.
///
/// # Cancel safety
/// Nothing is lost when the future is dropped.
///
/// # Panics
/// Outside a runtime. When polled, if that runtime was shut down before the deadline.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let stage = if duration >= SURELY_AHEAD { Stage::Ahead } else { Stage::Unfiled };
    Sleep {
        runtime: Handle::current_nearby(),
        deadline: Instant::now().saturating_add(duration),
        stage,
        unfired_polls: 0,
    }
}

/// Waits until `deadline`; ready at once if that has passed.
///
/// # Cancel safety
/// Nothing is lost when the future is dropped.
///
/// # Panics
/// Outside a runtime. When polled, if that runtime was shut down before the deadline.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { runtime: Handle::current_nearby(), deadline, stage: Stage::Unfiled, unfired_polls: 0 }
}

/// The future of [`sleep`] and [`sleep_until`].
///
/// It is woken by the runtime in which it was made, wherever it is polled. It may be moved between polls
/// (it is [`Unpin`]), reset at any time, and polled again after it was ready.
///
/// ```
/// use shopfloor::time::{Duration, Instant, sleep};
/// use std::pin::pin;
///
/// # shopfloor::runtime::Runtime::new()?.block_on(async {
/// // The end of a quiet time: every message puts it off.
/// let (sender, mut messages) = shopfloor::sync::mpsc::channel(8);
/// # drop(shopfloor::spawn(async move { for n in 0..3 { sender.send(n).await.unwrap(); } std::future::pending::<()>().await; drop(sender) }));
/// const QUIET: Duration = Duration::from_millis(10);
/// let mut quiet = pin!(sleep(QUIET));
/// let mut received = 0;
/// loop {
///     shopfloor::select! {
///         () = &mut quiet => break,
///         Some(_) = messages.recv() => {
///             received += 1;
///             quiet.as_mut().reset(Instant::now() + QUIET);
///         }
///     }
/// }
/// assert_eq!(received, 3);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    runtime: Arc<Handle>,
    deadline: Instant,
    stage: Stage,
    /// Polls of a filed timer since the clock was last read for one.
    unfired_polls: u8,
}

/// Only between polls of tasks does a worker look at its timers. A future that never ends its poll while others of its parts are
/// ready sees a deadline all the same, since one in so many polls of a filed timer reads the clock.
const CLOCK_INTERVAL: u8 = 64;

enum Stage {
    /// Not polled since it was made, [`SURELY_AHEAD`] or more before its deadline.
    Ahead,
    /// Not polled since it was made or reset, or ended by a reset after it had fired.
    Unfiled,
    Filed(Timer),
    Elapsed,
}

impl Sleep {
    /// When it will be, or has been, ready.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the deadline has passed. Unlike a poll, registers nothing.
    pub fn is_elapsed(&self) -> bool {
        matches!(self.stage, Stage::Elapsed) || Instant::now() >= self.deadline
    }

    /// Changes the deadline, before or after it was reached. The task that polled last is woken at the new
    /// one without being polled in between.
    ///
    /// The timer moves to the calling worker.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.get_mut();
        this.deadline = deadline;
        if let Stage::Filed(timer) = std::mem::replace(&mut this.stage, Stage::Unfiled) {
            let here = this.runtime.wheel();
            let nanos = this.runtime.clock().nanos_at(deadline.into_std());
            if let Some(timer) = timer.reset(nanos, here, this.runtime.timers()) {
                this.runtime.timer_filed(here);
                this.stage = Stage::Filed(timer);
            }
        }
    }

    fn poll_elapsed(&mut self, waker: &Waker) -> Poll<()> {
        if let Stage::Elapsed = self.stage {
            return Poll::Ready(());
        }
        if let Stage::Filed(timer) = &mut self.stage {
            match timer.poll(waker, self.runtime.timers()) {
                TimerState::Armed => return self.poll_armed(),
                TimerState::Fired => return self.elapse(),
                TimerState::Gone => self.stage = Stage::Unfiled,
            }
        }
        if !matches!(self.stage, Stage::Ahead) && Instant::now() >= self.deadline {
            return self.elapse();
        }
        let nanos = self.runtime.clock().nanos_at(self.deadline.into_std());
        let here = self.runtime.wheel();
        let Some(timer) = self.runtime.timers().file(here, nanos, waker) else {
            if Instant::now() >= self.deadline {
                return self.elapse();
            }
            panic!(
                "the shopfloor runtime of this timer was shut down before the deadline, so nobody would wake it"
            );
        };
        self.stage = Stage::Filed(timer);
        self.runtime.timer_filed(here);
        Poll::Pending
    }

    fn poll_armed(&mut self) -> Poll<()> {
        self.unfired_polls += 1;
        if self.unfired_polls < CLOCK_INTERVAL {
            return Poll::Pending;
        }
        self.unfired_polls = 0;
        if Instant::now() < self.deadline { Poll::Pending } else { self.elapse() }
    }

    fn elapse(&mut self) -> Poll<()> {
        self.end(Stage::Elapsed);
        Poll::Ready(())
    }

    fn end(&mut self, stage: Stage) {
        if let Stage::Filed(timer) = std::mem::replace(&mut self.stage, stage) {
            timer.cancel(self.runtime.timers());
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(coop::poll_proceed(cx));
        let elapsed = self.poll_elapsed(cx.waker());
        match elapsed {
            Poll::Ready(()) => unit.made_progress(),
            Poll::Pending => wait::note(WaitReason::Timer),
        }
        elapsed
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.end(Stage::Unfiled);
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
