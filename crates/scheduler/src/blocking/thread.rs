//! The life of one thread of the pool.

use super::config::ThreadHook;
use super::{Contained, Job, PoolCore};
use crate::os::{Instant, thread_local};
use crate::spin_policy::{Round, SpinPolicy};
use shopfloor_protocol::blocking_queue::Seat;
use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static ON_BLOCKING_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread belongs to a blocking pool, of whichever runtime: it must not wait for one to end.
pub fn on_blocking_thread() -> bool {
    // Also true while the locals of such a thread are destroyed: the cell needs no destructor.
    ON_BLOCKING_THREAD.with(Cell::get)
}

/// From the first instruction to the last that concerns the pool.
pub(super) fn run<J: Job>(core: PoolCore<J>, mut seat: Seat) {
    let PoolCore { queue, config, contained, .. } = &core;
    let spawn = |seat| core.spawn(seat);
    ON_BLOCKING_THREAD.with(|on| on.set(true));
    queue.arrive(&mut seat, spawn);
    contained.call("the context of a blocking thread", || {
        (config.enter)(&mut || {
            call_hook(contained, "the start hook of a blocking thread", config.on_start.as_ref());
            let spin = SpinPolicy::new();
            let look_out = |has_news: &dyn Fn() -> bool| {
                spin.spin(config.spin, || if has_news() { Round::Call } else { Round::Empty });
            };
            queue.work(&mut seat, || countdown(config.keep_alive), look_out, spawn, contained);
            call_hook(contained, "the stop hook of a blocking thread", config.on_stop.as_ref());
        });
    });
    // It may be the last reference: what the hooks have captured is dropped before the pool is told that
    // this thread no longer uses anything.
    let PoolCore { queue, config, contained, spawner } = core;
    contained.call("dropping the hooks of a blocking pool", || drop((config, spawner)));
    queue.leave(seat, &contained);
}

fn call_hook(contained: &Contained, what: &'static str, hook: Option<&ThreadHook>) {
    if let Some(hook) = hook {
        contained.call(what, || hook());
    }
}

/// A clock that says how much of `time` is left.
pub(super) fn countdown(time: Duration) -> impl FnMut() -> Option<Duration> {
    /// Where the end is beyond what the clock can express: look again after this long.
    const NO_END: Duration = Duration::from_secs(3600);
    let end = Instant::now().checked_add(time);
    move || match end {
        Some(end) => end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()),
        None => Some(NO_END),
    }
}
