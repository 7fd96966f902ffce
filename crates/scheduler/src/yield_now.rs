//! Giving way.

use crate::context;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Lets the other ready tasks of this worker run first: the task goes to the back of its queue. In the task
/// itself this costs no atomic read-modify-write; inside a combinator that wakes its parts by wakers of its own
/// it is a wake.
///
/// # Cancel safety
/// Dropping the future undoes nothing; at most the task is polled once more.
pub fn yield_now() -> impl Future<Output = ()> {
    YieldNow { yielded: false }
}

struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        let flagged = context::yield_running(cx.waker());
        if !flagged {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
