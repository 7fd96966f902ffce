//! A driver source as a leaf future of the scheduler.
//!
//! The driver knows readiness, the scheduler knows budgets and what tasks wait for; neither knows the
//! other. Every operation on a socket goes through here, where the two meet: it spends a unit of the
//! budget, and when it has to wait it says so in the task table.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::pin;
use std::task::{Context, Poll, ready};

use polling::AsSource;
use shopfloor_driver::{Direction, Driver, Interest, Ready, Source, SourceKind};
use shopfloor_protocol::sync::Arc;
use shopfloor_scheduler::coop;
use tokio::io::ReadBuf;

use crate::context::{self, IoWait};

/// A [`Source`] whose operations spend budget and note what they wait for.
#[allow(unnameable_types, reason = "named only by sealed traits")]
pub struct LeafSource<T: AsSource> {
    source: Source<T>,
}

// A panic of the user's code leaves no source half changed: none runs while the driver's locks are held, and
// the rest of a source is a word of state.
impl<T: AsSource> UnwindSafe for LeafSource<T> {}
impl<T: AsSource> RefUnwindSafe for LeafSource<T> {}

impl IoWait {
    pub(crate) fn direction(self) -> Direction {
        match self {
            Self::Read | Self::Accept => Direction::Read,
            #[cfg(unix)]
            Self::Signal(_) => Direction::Read,
            Self::Write | Self::Connect => Direction::Write,
        }
    }

    pub(crate) fn interest(self) -> Interest {
        match self.direction() {
            Direction::Read => Interest::READABLE,
            Direction::Write => Interest::WRITABLE,
        }
    }
}

impl<T: AsSource> LeafSource<T> {
    /// A source on `driver`. It is registered when it first has to wait.
    pub(crate) fn new(io: T, driver: &Arc<Driver>, kind: SourceKind) -> Self {
        Self { source: Source::new(io, driver, kind) }
    }

    pub(crate) fn source(&self) -> &Source<T> {
        &self.source
    }

    pub(crate) fn driver(&self) -> &Arc<Driver> {
        self.source.driver()
    }

    pub(crate) fn get_ref(&self) -> &T {
        self.source.get_ref()
    }

    #[cfg(unix)]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.source.get_mut()
    }

    /// Deregisters the object and hands it back.
    pub(crate) fn into_inner(self) -> io::Result<T> {
        self.source.into_inner()
    }

    /// The same, also of an object that the system does not know any more.
    #[cfg(unix)]
    pub(crate) fn release(self) -> T {
        self.source.release()
    }

    fn note(&self, wait: IoWait) {
        context::note_wait(wait, self.source.get_ref());
    }

    /// One poll of an operation: a unit is spent if it completes, the wait is noted if it does not.
    pub(crate) fn poll_leaf<R>(
        &self,
        cx: &mut Context<'_>,
        wait: IoWait,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let unit = ready!(coop::poll_proceed(cx));
        let outcome = poll(cx);
        match outcome {
            Poll::Ready(_) => unit.made_progress(),
            Poll::Pending => self.note(wait),
        }
        outcome
    }

    /// The same for a future.
    pub(crate) async fn leaf<F: Future>(&self, wait: IoWait, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| self.poll_leaf(cx, wait, |cx| future.as_mut().poll(cx))).await
    }

    /// Runs `op` until it no longer says `WouldBlock`; the waker goes to the one slot of the direction.
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        wait: IoWait,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_leaf(cx, wait, |cx| self.source.poll_io(cx, wait.direction(), op))
    }

    /// Runs `op` until it no longer says `WouldBlock`; any number of tasks may wait at once.
    pub(crate) async fn io<R>(&self, wait: IoWait, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.leaf(wait, self.source.io(wait.interest(), op)).await
    }

    /// As [`io`](Self::io), for an operation of the user's that needs any of `interest`. If it says that it was interrupted, that
    /// is its result: it may mean something else by it than the system does.
    pub(crate) async fn io_any<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let op = |io: &T| match op(io) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Err(error)),
            result => result.map(Ok),
        };
        self.leaf(wait_of(interest), self.source.io(interest, op)).await?
    }

    /// Runs `op` on the unfilled part of `buf`, which is initialised for it, and advances `buf` by the length
    /// that `op` returns.
    pub(crate) fn poll_fill<R>(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        mut op: impl FnMut(&T, &mut [u8]) -> io::Result<(usize, R)>,
    ) -> Poll<io::Result<R>> {
        let unfilled = buf.initialize_unfilled();
        let (filled_len, rest) = ready!(self.poll_io(cx, IoWait::Read, |io| op(io, unfilled)))?;
        buf.advance(filled_len);
        Poll::Ready(Ok(rest))
    }

    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>, wait: IoWait) -> Poll<io::Result<()>> {
        self.poll_leaf(cx, wait, |cx| self.source.poll_ready(cx, wait.direction())).map_ok(drop)
    }

    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.leaf(wait_of(interest), self.source.ready(interest)).await
    }

    /// Waits for `wait` only, for the callers that do not want the readiness itself.
    pub(crate) async fn wait(&self, wait: IoWait) -> io::Result<()> {
        self.leaf(wait, self.source.ready(wait.interest())).await.map(drop)
    }

    pub(crate) fn try_io<R>(
        &self,
        interest: Interest,
        op: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.source.try_io(interest, op)
    }
}

/// The column of the task table for an interest: reading, unless only writing is asked for.
pub(crate) fn wait_of(interest: Interest) -> IoWait {
    if interest.is_readable() || !interest.is_writable() { IoWait::Read } else { IoWait::Write }
}

impl<T: AsSource + fmt::Debug> fmt::Debug for LeafSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}
