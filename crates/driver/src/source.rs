//! An I/O object that a driver watches.

use crate::driver::Driver;
use crate::shutdown_error::shutdown_error;
use polling::AsSource;
use shopfloor_protocol::interest::{Direction, Interest, Ready};
use shopfloor_protocol::readiness::Observed;
use shopfloor_protocol::registration::{Kernel, SourceState, WaitError, Waiter};
use shopfloor_protocol::registry::Token;
use shopfloor_protocol::sync::Arc;
use shopfloor_protocol::waiters::wake_all;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

/// What a short read or write of a source means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A TCP stream: a read that returns less than was asked for has emptied the buffer, a write that takes less
    /// has filled it. True for plain reads and writes only, and told to the source by
    /// [`poll_read_io`](Source::poll_read_io) and [`poll_write_io`](Source::poll_write_io).
    TcpStream,
    /// Nothing: a datagram is shorter than its buffer, a Unix stream ends a read at a message with descriptors.
    Other,
}

const TAKEN: &str = "only `into_inner` takes the object out, and it consumes the source";

/// `None` if the operation would block.
fn unless_blocked<R>(result: io::Result<R>) -> Option<io::Result<R>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        result => Some(result),
    }
}

/// Owns a non-blocking I/O object and waits for it.
///
/// The object is registered with the driver at the first operation that has to wait, once, and deregistered
/// before it is closed or handed back.
///
/// Each `poll_*` method has one place per direction for a waker: the task that called last is woken. The `async`
/// methods take a place in a list: any number of tasks may wait at once, and an event wakes all that it concerns.
#[derive(Debug)]
pub struct Source<T: AsSource> {
    /// `None` only while `into_inner` takes it out.
    io: Option<T>,
    driver: Arc<Driver>,
    state: Arc<SourceState>,
    kind: SourceKind,
}

impl<T: AsSource> Source<T> {
    /// Wraps an object that is in non-blocking mode. No system call is made.
    pub fn new(io: T, driver: &Arc<Driver>, kind: SourceKind) -> Source<T> {
        let state = Arc::new(SourceState::new());
        Source { io: Some(io), driver: Arc::clone(driver), state, kind }
    }

    /// Registers the object now, rather than at the first wait. Returns at once if that was or is being done.
    ///
    /// # Errors
    /// What the operating system says: an object that has no readiness (a regular file), no memory, no more
    /// watches; or the driver was shut down.
    pub fn register_now(&self) -> io::Result<()> {
        self.state.register(&Registrar(self))
    }

    /// The object.
    #[inline]
    pub fn get_ref(&self) -> &T {
        self.object()
    }

    /// The object. Where the selector demands it, it is deregistered first, and again registered when it has to wait; else
    /// it stays registered, so it must not be replaced by one with another descriptor: that one's events
    /// would not be seen.
    pub fn get_mut(&mut self) -> &mut T {
        if self.driver.holds_on_to_sources() {
            // An error says that it was not in there.
            let _ = self.deregister();
        }
        self.object_mut()
    }

    /// Deregisters the object and hands it back.
    ///
    /// # Errors
    /// What the operating system says when it is deregistered; the object is closed then.
    pub fn into_inner(mut self) -> io::Result<T> {
        self.deregister()?;
        Ok(self.take_object())
    }

    /// As [`into_inner`](Self::into_inner), and hands the object back also if the operating system does not know it, because
    /// its descriptor was closed: then it is not watched either.
    pub fn release(mut self) -> T {
        // The token is taken back in any case.
        let _ = self.deregister();
        self.take_object()
    }

    /// The driver that watches the object.
    pub fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Tries `op` until it does not block, waiting in the `poll_*` place of `direction`. An interrupted `op` is
    /// repeated.
    ///
    /// # Errors
    /// What `op` fails with, what registering fails with, or the driver was shut down and `op` would wait.
    pub fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let (result, _) = ready!(self.poll_op(cx, direction, op))?;
        Poll::Ready(Ok(result))
    }

    /// As [`poll_io`](Self::poll_io) for a plain read into `want` bytes (no peek). If the kind of the source
    /// allows that conclusion, a short read counts as "the next would block".
    ///
    /// # Errors
    /// As [`poll_io`](Self::poll_io).
    pub fn poll_read_io(
        &self,
        cx: &mut Context<'_>,
        want: usize,
        op: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let (count, seen) = ready!(self.poll_op(cx, Direction::Read, op))?;
        self.conclude_from_count(count, want, seen, Ready::READABLE);
        Poll::Ready(Ok(count))
    }

    /// As [`poll_io`](Self::poll_io) for a plain write of `want` bytes. If the kind of the source allows that
    /// conclusion, a short write counts as "the next would block".
    ///
    /// # Errors
    /// As [`poll_io`](Self::poll_io).
    pub fn poll_write_io(
        &self,
        cx: &mut Context<'_>,
        want: usize,
        op: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let (count, seen) = ready!(self.poll_op(cx, Direction::Write, op))?;
        self.conclude_from_count(count, want, seen, Ready::WRITABLE);
        Poll::Ready(Ok(count))
    }

    /// Tries `op` until it does not block, waiting in the list for `interest`. An interrupted `op` is repeated.
    /// With several interests, `op` may only say "would block" when it has tried them all.
    ///
    /// # Errors
    /// As [`poll_io`](Self::poll_io).
    ///
    /// # Cancel safety
    /// Nothing is lost: the future either has the result of `op` or waits.
    pub async fn io<R>(&self, interest: Interest, mut op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let mut waiter = Waiter::new(&self.state, interest);
        let result = poll_fn(|cx| {
            self.until_unblocked(interest, &mut op, || waiter.poll(cx.waker(), &Registrar(self)))
        });
        let (result, _) = result.await?;
        Ok(result)
    }

    /// Waits in the list until a fact answers `interest`. Registers the object first, and reports only what the
    /// operating system has said since.
    ///
    /// # Errors
    /// What registering fails with, or the driver was shut down.
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until it is cleared.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        Ok(self.observe_ready(interest).await?.ready() & interest.answers())
    }

    /// As [`ready`](Self::ready), for the caller who will clear it: hand the result to
    /// [`clear_ready`](Self::clear_ready).
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// As [`ready`](Self::ready).
    pub async fn observe_ready(&self, interest: Interest) -> io::Result<Observed> {
        let mut waiter = Waiter::new(&self.state, interest);
        poll_fn(|cx| waiter.poll(cx.waker(), &Registrar(self)).map_err(into_io_error)).await
    }

    /// Waits in the `poll_*` place of `direction` until a fact answers it. Registers the object first, and
    /// reports only what the operating system has said since.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<Ready>> {
        let seen = ready!(self.poll_observe_ready(cx, direction))?;
        Poll::Ready(Ok(seen.ready() & direction.interest().answers()))
    }

    /// As [`poll_ready`](Self::poll_ready), for the caller who will clear it.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_observe_ready(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Observed>> {
        self.state.poll_slot(direction, cx.waker(), &Registrar(self)).map_err(into_io_error)
    }

    /// Tries `op` once, without waiting; not even once if the source is known not to be ready.
    ///
    /// # Errors
    /// `WouldBlock` if the source is not ready, and what `op` fails with.
    pub fn try_io<R>(&self, interest: Interest, op: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        let attempt = self.state.try_op(interest, || unless_blocked(op(self.object())));
        attempt.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    /// Clears `facts`, unless an event came after `seen` was observed. That one direction was closed stays.
    pub fn clear_ready(&self, seen: Observed, facts: Ready) {
        self.state.readiness().clear(seen, facts - Ready::READ_CLOSED - Ready::WRITE_CLOSED);
    }

    #[inline]
    fn object(&self) -> &T {
        self.io.as_ref().expect(TAKEN)
    }

    fn object_mut(&mut self) -> &mut T {
        self.io.as_mut().expect(TAKEN)
    }

    fn take_object(&mut self) -> T {
        self.io.take().expect(TAKEN)
    }

    /// Tries `op` in the `poll_*` place of `direction`.
    fn poll_op<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<(R, Observed)>> {
        self.until_unblocked(direction.interest(), &mut op, || {
            self.state.poll_slot(direction, cx.waker(), &Registrar(self))
        })
    }

    /// The result comes with what was observed before the try.
    fn until_unblocked<R>(
        &self,
        interest: Interest,
        op: &mut impl FnMut(&T) -> io::Result<R>,
        wait: impl FnMut() -> Poll<Result<Observed, WaitError<io::Error>>>,
    ) -> Poll<io::Result<(R, Observed)>> {
        let object = self.object();
        let attempt = || {
            loop {
                match op(object) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return unless_blocked(result),
                }
            }
        };
        let (result, seen) = ready!(self.state.poll_op(interest, attempt, wait)).map_err(into_io_error)?;
        Poll::Ready(result.map(|result| (result, seen)))
    }

    /// A short count means that the next operation would block, if no event says that the end of the stream, an
    /// error or the mark of urgent data may have cut it short.
    #[inline]
    fn conclude_from_count(&self, count: usize, want: usize, seen: Observed, fact: Ready) {
        const CUTS_SHORT: Ready =
            Ready::READ_CLOSED.union(Ready::WRITE_CLOSED).union(Ready::ERROR).union(Ready::PRIORITY);
        if 0 < count
            && count < want
            && self.kind == SourceKind::TcpStream
            && self.driver.reports_half_close()
            && !seen.ready().intersects(CUTS_SHORT)
        {
            self.state.readiness().clear(seen, fact);
        }
    }

    /// Back to an unregistered source. Whoever still has a waker in a `poll_*` place is woken.
    fn deregister(&mut self) -> io::Result<()> {
        let Some(token) = self.state.token() else { return Ok(()) };
        let deregistered = self.driver.deregister(self.object().source(), token);
        let former = std::mem::replace(&mut self.state, Arc::new(SourceState::new()));
        let mut wakers = Vec::new();
        former.shut_down(&mut wakers);
        wake_all(wakers);
        deregistered
    }
}

impl<T: AsSource> Drop for Source<T> {
    fn drop(&mut self) {
        if self.io.is_some() {
            // The descriptor is closed next, and the token is taken back in any case: an error changes nothing.
            let _ = self.deregister();
        }
    }
}

/// What the readiness protocol needs the outside world for.
struct Registrar<'a, T: AsSource>(&'a Source<T>);

impl<T: AsSource> Kernel for Registrar<'_, T> {
    type Error = io::Error;

    fn add(&self) -> io::Result<Token> {
        self.0.driver.register(self.0.object().source(), &self.0.state)
    }

    fn disarms(&self) -> bool {
        self.0.driver.disarms()
    }

    fn rearm(&self, token: Token, interest: Interest) -> io::Result<()> {
        self.0.driver.rearm(self.0.object().source(), token, interest)
    }
}

fn into_io_error(error: WaitError<io::Error>) -> io::Error {
    match error {
        WaitError::ShutDown => shutdown_error(),
        WaitError::Kernel(error) => error,
    }
}
