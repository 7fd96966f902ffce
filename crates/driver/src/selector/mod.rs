//! The interface between the driver and the operating system.

#[cfg(target_os = "linux")]
mod epoll;
mod portable;
#[cfg(target_os = "linux")]
mod pwait2;

#[cfg(target_os = "linux")]
pub(crate) use epoll::Epoll;
pub(crate) use portable::Portable;

use shopfloor_protocol::interest::{Interest, Ready};
use shopfloor_protocol::registry::Token;
use std::fmt::Debug;
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

#[cfg(unix)]
pub(crate) type BorrowedSource<'a> = std::os::fd::BorrowedFd<'a>;
#[cfg(windows)]
pub(crate) type BorrowedSource<'a> = std::os::windows::io::BorrowedSocket<'a>;

/// The most events that one wait returns, whatever it is asked for; the rest comes with the next. Many, because with many workers one of
/// them looks while the others do what it has found: see docs/SIMULATION.md.
pub(crate) const EVENTS_PER_WAIT_MAX: usize = 1024;

/// What one source reported in a wait.
pub(crate) type Event = (Token, Ready);

/// A kernel object that says which sources are ready. All methods may be called from any thread; `wait` by one
/// at a time.
pub(crate) trait Selector: Debug + Send + Sync {
    /// Asks for events of both directions. What is ready now is an event, too.
    fn add(&self, source: BorrowedSource<'_>, token: Token) -> io::Result<()>;

    /// Takes the source out, while it is still open: a duplicate of its descriptor would keep the registration
    /// alive.
    fn delete(&self, source: BorrowedSource<'_>) -> io::Result<()>;

    /// True if an event disarms its source.
    fn disarms(&self) -> bool;

    /// Arms a source that an event disarmed. What is ready now is an event, too.
    fn rearm(&self, source: BorrowedSource<'_>, token: Token, interest: Interest) -> io::Result<()>;

    /// True if a source has to be [deleted](Self::delete) before its owner may replace it.
    fn holds_on_to_sources(&self) -> bool;

    /// True if the end of a stream, an error and urgent data are each an event of their own, so that a short
    /// read shows that nothing is left.
    fn reports_half_close(&self) -> bool;

    /// Waits until there are events or a signal, or the time is over (`None`: for ever), and appends the events, `at_most`
    /// of them at most, where the platform can be told; that is no more than [`EVENTS_PER_WAIT_MAX`]. Those that have waited longest come
    /// first, where the kernel keeps them in order. May return early without one. An interrupted system call is no error.
    fn wait(
        &self,
        timeout: Option<Duration>,
        at_most: NonZeroUsize,
        events: &mut Vec<Event>,
    ) -> io::Result<()>;

    /// Ends the present wait, or the next one.
    fn signal(&self) -> io::Result<()>;
}
