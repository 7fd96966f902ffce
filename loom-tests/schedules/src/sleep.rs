//! A timer as a future, as the facade makes it of the scheduler's wheels.

use shopfloor_scheduler::Handle;
use shopfloor_scheduler::timer::{Timer, TimerState};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Waits for `duration` of modelled time in the runtime of `handle`.
pub fn sleep(handle: &Handle, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Sleep { deadline: handle.clock().now().saturating_add(nanos), runtime: handle.clone(), timer: None }
}

struct Sleep {
    runtime: Handle,
    deadline: u64,
    timer: Option<Timer>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Some(timer) = &mut this.timer {
            if timer.poll(cx.waker(), this.runtime.timers()) == TimerState::Armed {
                return Poll::Pending;
            }
            this.end();
            return Poll::Ready(());
        }
        if self.runtime.clock().now() >= self.deadline {
            return Poll::Ready(());
        }
        let here = self.runtime.wheel();
        self.timer = self.runtime.timers().file(here, self.deadline, cx.waker());
        if self.timer.is_none() {
            return Poll::Ready(()); // the runtime is gone
        }
        self.runtime.timer_filed(here);
        Poll::Pending
    }
}

impl Sleep {
    fn end(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.cancel(self.runtime.timers());
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.end();
    }
}
