//! The cooperative budget: how many ready operations one poll may use before it must yield.
//!
//! A task whose sockets, channels and timers are always ready never returns `Pending` by itself, and no
//! worker can take it off its thread. So each poll by a worker starts with [`UNITS`] units, every leaf
//! future of the runtime spends one when it makes progress, and at zero the leaf wakes its own task and
//! answers `Pending`: the task goes to the back of the queue and the others run.
//!
//! The budget belongs to a poll, not to a task, so it lives in the thread. `None` is the state outside a
//! budgeted poll (a plain thread, a foreign executor, inside [`unconstrained`] or [`with_unconstrained`]):
//! there is nobody to yield to, and nothing is counted. Whoever changes the state puts the previous one
//! back, also when it unwinds, so that a `block_on` inside a `block_in_place` inside a poll leaves the
//! outer poll with what it had.
#![forbid(unsafe_code)]

use crate::os::thread_local;
use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

/// Ready operations that one poll may use. The same number as tokio's, on which programs are tuned.
pub const UNITS: u8 = 128;

thread_local! {
    /// Units left in the poll that runs on this thread; `None` when nothing is counted.
    static LEFT: Cell<Option<u8>> = const { Cell::new(None) };
}

/// Units left here, `None` for unconstrained. Also the answer while the thread's locals are being
/// destroyed: a destructor that polls something has nobody to yield to.
fn left() -> Option<u8> {
    LEFT.try_with(Cell::get).unwrap_or(None)
}

fn set_left(units: Option<u8>) {
    // A thread without locals is unconstrained already.
    let _: Result<(), _> = LEFT.try_with(|left| left.set(units));
}

/// Puts the previous budget back when the scope that changed it ends, normally or by unwinding.
struct Restore(Option<u8>);

impl Restore {
    fn replace_with(units: Option<u8>) -> Self {
        let previous = left();
        set_left(units);
        Self(previous)
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        set_left(self.0);
    }
}

/// A worker begins to poll a task, with a fresh budget of [`UNITS`]. It was unconstrained before.
#[inline]
pub(crate) fn start_poll() {
    set_left(Some(UNITS));
}

/// The worker has polled the task, and is unconstrained again.
#[inline]
pub(crate) fn end_poll() {
    set_left(None);
}

/// Runs `f`, a poll that may be inside another one, with a fresh budget of [`UNITS`].
pub fn budget<R>(f: impl FnOnce() -> R) -> R {
    let _restore = Restore::replace_with(Some(UNITS));
    f()
}

/// Runs `f` without a budget: code that may block its thread anyway, such as the closure of
/// `block_in_place`. What is left of the surrounding poll's budget is there again afterwards.
pub fn with_unconstrained<R>(f: impl FnOnce() -> R) -> R {
    let _restore = Restore::replace_with(None);
    f()
}

/// Whether an operation would be allowed to proceed now. Always true outside a budgeted poll.
pub fn has_budget_remaining() -> bool {
    left() != Some(0)
}

/// Spends one unit, or says that the task has to yield.
///
/// A leaf future calls it before it tries its operation. At zero the task is woken and the answer is
/// `Pending`, which the leaf returns as it is. Otherwise the leaf holds the guard: if the operation turns
/// out to be pending, dropping the guard gives the unit back; if it completes,
/// [`made_progress`](RestoreOnPending::made_progress) makes the spending final.
///
/// ```
/// # use std::task::{Context, Poll, ready};
/// # fn try_operation(_cx: &mut Context<'_>) -> Poll<u8> { Poll::Ready(7) }
/// fn poll_operation(cx: &mut Context<'_>) -> Poll<u8> {
///     let unit = ready!(shopfloor_scheduler::coop::poll_proceed(cx));
///     let output = ready!(try_operation(cx));
///     unit.made_progress();
///     Poll::Ready(output)
/// }
/// # assert_eq!(poll_operation(&mut Context::from_waker(std::task::Waker::noop())), Poll::Ready(7));
/// ```
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<RestoreOnPending> {
    match left() {
        Some(0) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Some(units) => {
            set_left(Some(units - 1));
            Poll::Ready(RestoreOnPending { owed: Cell::new(true), _not_send: PhantomData })
        }
        None => Poll::Ready(RestoreOnPending { owed: Cell::new(false), _not_send: PhantomData }),
    }
}

/// A unit spent by [`poll_proceed`], given back on drop unless the operation made progress.
#[must_use = "dropping it at once gives the unit back"]
pub struct RestoreOnPending {
    owed: Cell<bool>,
    /// The unit belongs to the budget of this thread.
    _not_send: PhantomData<*const ()>,
}

impl RestoreOnPending {
    /// The operation completed: its unit stays spent.
    pub fn made_progress(&self) {
        self.owed.set(false);
    }
}

impl Drop for RestoreOnPending {
    fn drop(&mut self) {
        if self.owed.get() {
            // A guard kept beyond its poll must not raise another poll's budget above a full one.
            set_left(left().map(|units| (units + 1).min(UNITS)));
        }
    }
}

impl fmt::Debug for RestoreOnPending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestoreOnPending").field("owed", &self.owed.get()).finish_non_exhaustive()
    }
}

/// Spends one unit of the budget, and yields if there is none left.
///
/// For loops that compute for long between awaits, or that await only things which are always ready.
/// Costs a few nanoseconds when there is budget; yields about once in [`UNITS`] calls otherwise.
///
/// # Cancel safety
/// Nothing is lost when the future is dropped.
pub async fn consume_budget() {
    poll_fn(|cx| {
        let unit = ready!(poll_proceed(cx));
        unit.made_progress();
        Poll::Ready(())
    })
    .await;
}

/// Polls `future` without a budget: it never yields on behalf of others.
///
/// For an inner executor with a fairness of its own. A future that is always ready then owns its worker
/// until it ends.
pub fn unconstrained<F>(future: F) -> Unconstrained<F> {
    Unconstrained { future }
}

pin_project! {
    /// The future of [`unconstrained`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Unconstrained<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        with_unconstrained(|| future.poll(cx))
    }
}

/// Makes `future` take part in the budget: it spends one unit when it completes.
///
/// For leaf futures that know nothing of this runtime, above all those of `tokio::sync`: a loop over a
/// channel that is never empty yields only with it.
///
/// # Cancel safety
/// That of `future`; the wrapper holds nothing.
pub fn cooperative<F: Future>(future: F) -> Coop<F> {
    Coop { future }
}

pin_project! {
    /// The future of [`cooperative`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Coop<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Coop<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let unit = ready!(poll_proceed(cx));
        let output = ready!(self.project().future.poll(cx));
        unit.made_progress();
        Poll::Ready(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    /// A waker that counts.
    struct CountWakes(shopfloor_protocol::sync::Mutex<usize>);

    impl Wake for CountWakes {
        fn wake(self: Arc<Self>) {
            *self.0.lock() += 1;
        }
    }

    fn counting_waker() -> (Arc<CountWakes>, Waker) {
        let count = Arc::new(CountWakes(shopfloor_protocol::sync::Mutex::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        (count, waker)
    }

    /// Spends until the budget says no; the number of units spent, at most `limit`.
    fn spend(cx: &mut Context<'_>, limit: usize) -> usize {
        (0..limit)
            .take_while(|_| match poll_proceed(cx) {
                Poll::Ready(unit) => {
                    unit.made_progress();
                    true
                }
                Poll::Pending => false,
            })
            .count()
    }

    #[test]
    fn a_poll_gets_exactly_its_units_and_is_then_woken_once() {
        let (count, waker) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        budget(|| {
            assert_eq!(spend(&mut cx, 1000), usize::from(UNITS));
            assert!(!has_budget_remaining());
        });
        assert_eq!(*count.0.lock(), 1);
    }

    #[test]
    fn each_poll_starts_with_a_full_budget() {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            assert_eq!(budget(|| spend(&mut cx, 1000)), usize::from(UNITS));
        }
    }

    #[test]
    fn outside_a_budgeted_poll_nothing_is_counted() {
        let (count, waker) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        assert_eq!(spend(&mut cx, 1000), 1000);
        assert!(has_budget_remaining());
        assert_eq!(*count.0.lock(), 0);
    }

    #[test]
    fn a_pending_operation_gives_its_unit_back() {
        let mut cx = Context::from_waker(Waker::noop());
        budget(|| {
            for _ in 0..1000 {
                let unit = poll_proceed(&mut cx);
                assert!(unit.is_ready());
                drop(unit);
            }
            assert_eq!(spend(&mut cx, 1000), usize::from(UNITS));
        });
    }

    #[test]
    fn a_unit_given_back_late_does_not_raise_another_budget_above_a_full_one() {
        let mut cx = Context::from_waker(Waker::noop());
        let late = budget(|| poll_proceed(&mut cx));
        budget(|| {
            drop(late);
            assert_eq!(spend(&mut cx, 1000), usize::from(UNITS));
        });
        let late = budget(|| poll_proceed(&mut cx));
        drop(late);
        assert_eq!(spend(&mut cx, 1000), 1000, "and outside a poll it starts no counting");
    }

    #[test]
    fn nested_units_are_given_back_one_by_one() {
        let mut cx = Context::from_waker(Waker::noop());
        budget(|| {
            let outer = poll_proceed(&mut cx);
            assert_eq!(spend(&mut cx, 10), 10);
            drop(outer);
            assert_eq!(spend(&mut cx, 1000), usize::from(UNITS) - 10);
        });
    }

    #[test]
    fn blocking_code_inside_a_poll_is_unconstrained_and_gives_the_rest_back() {
        let mut cx = Context::from_waker(Waker::noop());
        budget(|| {
            assert_eq!(spend(&mut cx, 28), 28);
            with_unconstrained(|| {
                assert_eq!(spend(&mut cx, 1000), 1000);
                assert_eq!(budget(|| spend(&mut cx, 1000)), usize::from(UNITS), "a nested block_on");
                assert_eq!(spend(&mut cx, 1000), 1000);
            });
            assert_eq!(spend(&mut cx, 1000), usize::from(UNITS) - 28);
        });
    }

    #[test]
    fn a_panicking_poll_puts_the_outer_budget_back() {
        let mut cx = Context::from_waker(Waker::noop());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            budget(|| {
                spend(&mut cx, 5);
                std::panic::resume_unwind(Box::new("poll"));
            });
        }));
        assert!(panicked.is_err());
        assert_eq!(left(), None);
    }

    #[test]
    fn consume_budget_yields_when_the_budget_is_gone_and_only_then() {
        let (count, waker) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        let mut looping = pin!(async {
            for _ in 0..300 {
                consume_budget().await;
            }
        });
        let mut polls = 1;
        while budget(|| looping.as_mut().poll(&mut cx)).is_pending() {
            polls += 1;
        }
        assert_eq!((polls, *count.0.lock()), (3, 2), "300 units are two full budgets and a rest");
    }

    #[test]
    fn cooperative_spends_one_unit_per_output_and_none_while_pending() {
        let mut cx = Context::from_waker(Waker::noop());
        budget(|| {
            for _ in 0..1000 {
                assert!(pin!(cooperative(std::future::pending::<()>())).poll(&mut cx).is_pending());
            }
            let ready = (0..1000)
                .take_while(|_| pin!(cooperative(std::future::ready(()))).poll(&mut cx).is_ready())
                .count();
            assert_eq!(ready, usize::from(UNITS));
        });
    }

    #[test]
    fn an_unconstrained_future_neither_spends_nor_yields() {
        let mut cx = Context::from_waker(Waker::noop());
        budget(|| {
            let mut greedy = pin!(unconstrained(async {
                for _ in 0..1000 {
                    consume_budget().await;
                }
            }));
            assert!(greedy.as_mut().poll(&mut cx).is_ready());
            assert_eq!(spend(&mut cx, 1000), usize::from(UNITS));
        });
    }
}
