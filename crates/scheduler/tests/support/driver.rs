//! A driver whose events are what a test loads, and which shows who sleeps in it.

use shopfloor_protocol::sync::{Condvar, Mutex};
use shopfloor_scheduler::Driver;
use std::io;
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::Duration;

/// After so long a wait has failed.
const WATCHDOG: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct TestDriver {
    state: Mutex<DriverState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct DriverState {
    interrupted: bool,
    shut_down: bool,
    /// The next sleep fails.
    fails: bool,
    wakers: Vec<Waker>,
    sleeper: Option<ThreadId>,
    /// How often somebody has gone to sleep.
    sleeps: u32,
}

#[allow(dead_code, reason = "not every test file uses all of the support")]
impl TestDriver {
    /// The next turn returns these.
    pub(crate) fn load(&self, wakers: impl IntoIterator<Item = Waker>) {
        self.state.lock().wakers.extend(wakers);
        self.changed.notify_all();
    }

    /// The sleep under way, or the next one, ends with an error.
    pub(crate) fn fail(&self) {
        self.state.lock().fails = true;
        self.changed.notify_all();
    }

    /// Whether the runtime has said that it is gone.
    pub(crate) fn is_shut_down(&self) -> bool {
        self.state.lock().shut_down
    }

    /// Whether somebody sleeps here before the watchdog barks.
    pub(crate) fn somebody_comes(&self) -> bool {
        self.sleeps_after(0).is_some()
    }

    /// The same of a thread other than this one.
    pub(crate) fn somebody_else_comes(&self) -> bool {
        let here = thread::current().id();
        self.wait_until(|state| state.sleeper.is_some_and(|sleeper| sleeper != here)).is_some()
    }

    /// Waits until somebody sleeps here and has not slept since `sleeps` were counted, and counts again; `None` if the
    /// watchdog barks.
    pub(crate) fn sleeps_after(&self, sleeps: u32) -> Option<u32> {
        self.wait_until(|state| state.sleeper.is_some() && state.sleeps > sleeps).map(|(_, sleeps)| sleeps)
    }

    /// The thread that sleeps here, when there is one.
    pub(crate) fn sleeper(&self) -> Option<ThreadId> {
        self.wait_until(|state| state.sleeper.is_some())?.0
    }

    fn wait_until(&self, holds: impl Fn(&DriverState) -> bool) -> Option<(Option<ThreadId>, u32)> {
        let mut state = self.state.lock();
        while !holds(&state) {
            let (again, timed_out) = self.changed.wait_timeout(state, WATCHDOG);
            state = again;
            if timed_out {
                return None;
            }
        }
        Some((state.sleeper, state.sleeps))
    }
}

impl Driver for TestDriver {
    fn turn(
        &self,
        timeout: Option<Duration>,
        events_max: usize,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<usize> {
        let mut state = self.state.lock();
        if timeout != Some(Duration::ZERO) {
            state.sleeper = Some(thread::current().id());
            state.sleeps += 1;
            self.changed.notify_all();
            while !state.interrupted && !state.fails && state.wakers.is_empty() {
                let Some(timeout) = timeout else {
                    state = self.changed.wait(state);
                    continue;
                };
                let (again, timed_out) = self.changed.wait_timeout(state, timeout);
                state = again;
                if timed_out {
                    break;
                }
            }
            state.sleeper = None;
            if std::mem::take(&mut state.fails) {
                return Err(io::Error::from_raw_os_error(12));
            }
        }
        state.interrupted = false;
        let count = state.wakers.len().min(events_max);
        wakers.extend(state.wakers.drain(..count));
        Ok(count)
    }

    fn interrupt(&self) {
        self.state.lock().interrupted = true;
        self.changed.notify_all();
    }

    fn shutdown(&self, wakers: &mut Vec<Waker>) {
        let mut state = self.state.lock();
        state.shut_down = true;
        wakers.append(&mut state.wakers);
    }
}
