//! What the scheduler asks of a source of events. It knows no other: files, sockets and how they become
//! ready are the affair of the crate that implements this.

use std::any::Any;
use std::io;
use std::task::Waker;
use std::time::Duration;

/// A source of events in which one worker at a time may sleep.
pub trait Driver: Any + Send + Sync {
    /// One turn: waits at most `timeout` (`None`: until something happens; zero: not at all) and moves the
    /// wakers that the events call for to `wakers`, without calling any. Returns the number of events, at most
    /// `events_max`: those that came first, where the system keeps them in order. The others are for the next turn.
    ///
    /// # Errors
    /// Only what makes the turn useless; an interrupted system call is a turn without events.
    fn turn(
        &self,
        timeout: Option<Duration>,
        events_max: usize,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<usize>;

    /// Any thread. Ends the turn under way, or the next one, soon.
    fn interrupt(&self);

    /// The runtime is gone: what would wait fails from now on. Moves the wakers of those who wait to `wakers`.
    fn shutdown(&self, wakers: &mut Vec<Waker>);
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Driver, Duration, Waker, io};

    /// Has no events, and nobody sleeps in it.
    #[derive(Debug)]
    pub(crate) struct NoDriver;

    impl Driver for NoDriver {
        fn turn(&self, _: Option<Duration>, _: usize, _: &mut Vec<Waker>) -> io::Result<usize> {
            Ok(0)
        }

        fn interrupt(&self) {}

        fn shutdown(&self, _: &mut Vec<Waker>) {}
    }
}
