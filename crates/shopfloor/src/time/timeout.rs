//! A future that is given so much time.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use shopfloor_scheduler::coop;

use super::error::Elapsed;
use super::{Duration, Instant, Sleep, sleep, sleep_until};

/// Waits for `future`, for `duration` at most. A duration that no deadline can express is no limit.
///
/// The future is polled before the time is looked at: one that is ready at its first poll succeeds even if
/// `duration` is zero. When the time runs out the future is not dropped; the [`Timeout`] holds it until it
/// is dropped itself.
///
/// # Errors
/// If the time has run out.
///
/// # Cancel safety
/// That of `future`: dropping the timeout drops it. This is also what happens, right after the await, when
/// the time has run out.
///
/// # Panics
/// Outside a runtime. When polled, if that runtime was shut down before the deadline.
///
/// ```
/// use shopfloor::time::{Duration, timeout};
///
/// # shopfloor::runtime::Runtime::new()?.block_on(async {
/// let (sender, receiver) = shopfloor::sync::oneshot::channel::<u8>();
/// assert!(timeout(Duration::from_millis(2), receiver).await.is_err(), "nothing was sent");
/// assert!(sender.send(1).is_err(), "the receiver was dropped by the timeout");
/// assert_eq!(timeout(Duration::ZERO, async { 7 }).await, Ok(7));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout { future: future.into_future(), delay: sleep(duration) }
}

/// Waits for `future`, until `deadline` at most; otherwise as [`timeout`].
///
/// # Errors
/// If the deadline has passed.
///
/// # Cancel safety
/// That of `future`: dropping the timeout drops it.
///
/// # Panics
/// Outside a runtime. When polled, if that runtime was shut down before the deadline.
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { future: future.into_future(), delay: sleep_until(deadline) }
}

pin_project! {
    /// The future of [`timeout()`] and [`timeout_at`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        delay: Sleep,
    }
}

impl<F> Timeout<F> {
    /// The future that is waited for.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future that is waited for.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// The future, without the limit.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let had_budget = coop::has_budget_remaining();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let mut look = || Pin::new(&mut *this.delay).poll(cx).map(|()| Err(Elapsed::new()));
        if had_budget && !coop::has_budget_remaining() {
            // A future that always uses up its budget must not keep its own limit from being looked at.
            coop::with_unconstrained(look)
        } else {
            look()
        }
    }
}
