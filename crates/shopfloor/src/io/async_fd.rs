//! Readiness of file descriptors that this crate has no type for.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll, ready};

use shopfloor_driver::{Observed, SourceKind};

use super::leaf::{LeafSource, wait_of};
use super::{Interest, Ready};
use crate::context::{self, IoWait};

/// A file descriptor of any kind, made to wait without a thread: timers, notifications, devices, sockets
/// of another library.
///
/// The descriptor must be in non-blocking mode, and must stay the same for as long as it is in here. Reading
/// and writing are the caller's; this type says when they are worth trying. A [guard](AsyncFdReadyGuard)
/// carries the readiness that was seen: whoever meets `WouldBlock` clears it, and waits again.
///
/// It is registered when it is made, so that a descriptor that has no readiness, such as that of a regular
/// file, is an error there.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use shopfloor::io::AsyncFd;
///
/// # shopfloor::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// ours.set_nonblocking(true)?;
/// let ours = AsyncFd::new(ours)?;
/// theirs.write_all(b"hello")?;
///
/// let mut word = [0; 5];
/// let len = loop {
///     let mut guard = ours.readable().await?;
///     match guard.try_io(|fd| fd.get_ref().read(&mut word)) {
///         Ok(outcome) => break outcome?,
///         Err(_would_block) => continue,
///     }
/// };
/// assert_eq!(&word[..len], b"hello");
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct AsyncFd<T: AsFd> {
    leaf: LeafSource<T>,
    interest: Interest,
}

/// Readiness of an [`AsyncFd`] that was seen, with the right to clear it. See
/// [`AsyncFdReadyGuard`] and [`AsyncFdReadyMutGuard`].
#[must_use = "readiness that is not cleared is reported again at once"]
pub struct ReadyGuard<P> {
    async_fd: P,
    seen: Observed,
    /// The part of what was seen that answers the interest and has not been cleared.
    left: Ready,
}

/// A [`ReadyGuard`] that borrows its [`AsyncFd`].
pub type AsyncFdReadyGuard<'a, T> = ReadyGuard<&'a AsyncFd<T>>;
/// A [`ReadyGuard`] that borrows its [`AsyncFd`] mutably.
pub type AsyncFdReadyMutGuard<'a, T> = ReadyGuard<&'a mut AsyncFd<T>>;

/// The operation met `WouldBlock`; the readiness was cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TryIoError;

impl fmt::Display for TryIoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operation would block")
    }
}

impl Error for TryIoError {}

impl<T: AsFd> AsyncFd<T> {
    /// Takes a descriptor, for reading and writing.
    ///
    /// # Errors
    /// If it has no readiness (a regular file, a directory), or the system has no room for it.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn new(inner: T) -> io::Result<Self> {
        Self::with_interest(inner, Interest::READABLE | Interest::WRITABLE)
    }

    /// Takes a descriptor of which only `interest` is ever waited for.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn with_interest(inner: T, interest: Interest) -> io::Result<Self> {
        let leaf = LeafSource::new(inner, &context::current_driver(), SourceKind::Other);
        leaf.source().register_now()?;
        Ok(Self { leaf, interest })
    }

    /// What was taken.
    pub fn get_ref(&self) -> &T {
        self.leaf.get_ref()
    }

    /// What was taken. Must not be replaced by something with another descriptor.
    pub fn get_mut(&mut self) -> &mut T {
        self.leaf.get_mut()
    }

    /// Gives back what was taken, which nobody watches any more. That holds as well if its owner has closed the
    /// descriptor.
    pub fn into_inner(self) -> T {
        self.leaf.release()
    }

    /// The part of `interest` that was asked for when this was made.
    fn watched(&self, interest: Interest) -> io::Result<Interest> {
        let watched = match interest.remove(self.interest) {
            None => Some(interest),
            Some(unwatched) => interest.remove(unwatched),
        };
        let refusal = "waiting for what the descriptor was not registered for";
        watched.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, refusal))
    }

    /// With what was watched for, which may be less than what was asked for.
    async fn observe(&self, interest: Interest) -> io::Result<(Interest, Observed)> {
        let interest = self.watched(interest)?;
        let seen = self.leaf.leaf(wait_of(interest), self.leaf.source().observe_ready(interest)).await?;
        Ok((interest, seen))
    }

    fn poll_observe(&self, cx: &mut Context<'_>, wait: IoWait) -> Poll<io::Result<(Interest, Observed)>> {
        let interest = self.watched(wait.interest())?;
        let poll = |cx: &mut Context<'_>| self.leaf.source().poll_observe_ready(cx, wait.direction());
        self.leaf.poll_leaf(cx, wait, poll).map_ok(|seen| (interest, seen))
    }

    /// Waits until the descriptor is ready for any of `interest`.
    ///
    /// # Errors
    /// If `interest` was not asked for when this was made, or the runtime has shut down.
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until it is cleared.
    pub async fn ready(&self, interest: Interest) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        let seen = self.observe(interest).await?;
        Ok(ReadyGuard::new(self, seen))
    }

    /// As [`ready`](Self::ready), with a guard that gives mutable access.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until it is cleared.
    pub async fn ready_mut(&mut self, interest: Interest) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        let seen = self.observe(interest).await?;
        Ok(ReadyGuard::new(self, seen))
    }

    /// Waits until the descriptor is readable.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until it is cleared.
    pub async fn readable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::READABLE).await
    }

    /// As [`readable`](Self::readable), with a guard that gives mutable access.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until it is cleared.
    pub async fn readable_mut(&mut self) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        self.ready_mut(Interest::READABLE).await
    }

    /// Waits until the descriptor is writable.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until it is cleared.
    pub async fn writable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::WRITABLE).await
    }

    /// As [`writable`](Self::writable), with a guard that gives mutable access.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness stays until it is cleared.
    pub async fn writable_mut(&mut self) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        self.ready_mut(Interest::WRITABLE).await
    }

    /// Polls for readability. Of several callers only the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_read_ready<'a>(&'a self, cx: &mut Context<'_>) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let seen = ready!(self.poll_observe(cx, IoWait::Read))?;
        Poll::Ready(Ok(ReadyGuard::new(self, seen)))
    }

    /// As [`poll_read_ready`](Self::poll_read_ready), with a guard that gives mutable access.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_read_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let seen = ready!(self.poll_observe(cx, IoWait::Read))?;
        Poll::Ready(Ok(ReadyGuard::new(self, seen)))
    }

    /// Polls for writability. Of several callers only the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_write_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let seen = ready!(self.poll_observe(cx, IoWait::Write))?;
        Poll::Ready(Ok(ReadyGuard::new(self, seen)))
    }

    /// As [`poll_write_ready`](Self::poll_write_ready), with a guard that gives mutable access.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_write_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let seen = ready!(self.poll_observe(cx, IoWait::Write))?;
        Poll::Ready(Ok(ReadyGuard::new(self, seen)))
    }

    /// Tries an operation once. When it says `WouldBlock` the readiness of `interest` is cleared.
    ///
    /// # Errors
    /// `WouldBlock` if the descriptor is not ready; else the error of `op`.
    pub fn try_io<R>(&self, interest: Interest, op: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        self.leaf.try_io(interest, op)
    }

    /// Tries an operation until it does not say `WouldBlock`.
    ///
    /// # Errors
    /// That of `op`, `Interrupted` among them; or as [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// No result of `op` is lost: the future completes in the poll in which `op` does.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let interest = self.watched(interest)?;
        self.leaf.io_any(interest, op).await
    }

    /// As [`async_io`](Self::async_io), with mutable access.
    ///
    /// # Errors
    /// As [`async_io`](Self::async_io).
    ///
    /// # Cancel safety
    /// No result of `op` is lost: the future completes in the poll in which `op` does.
    pub async fn async_io_mut<R>(
        &mut self,
        interest: Interest,
        mut op: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            let mut guard = self.ready_mut(interest).await?;
            if let Ok(outcome) = guard.try_io(|fd| op(fd.get_mut())) {
                return outcome;
            }
        }
    }
}

impl<P> ReadyGuard<P> {
    fn new(async_fd: P, (interest, seen): (Interest, Observed)) -> Self {
        Self { async_fd, seen, left: seen.ready() & interest.answers() }
    }
}

impl<T: AsFd, P: Deref<Target = AsyncFd<T>>> ReadyGuard<P> {
    /// What the descriptor is ready for, of what was waited for.
    pub fn ready(&self) -> Ready {
        self.left
    }

    /// Clears the readiness that was waited for, unless the system has reported a new one meanwhile. That a direction was
    /// closed stays.
    ///
    /// Call it only after an operation has said `WouldBlock`: the next report comes when that changes, and
    /// not before.
    pub fn clear_ready(&mut self) {
        self.clear_ready_matching(Ready::ALL);
    }

    /// As [`clear_ready`](Self::clear_ready), for a part of the readiness.
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        self.async_fd.leaf.source().clear_ready(self.seen, ready & self.left);
        self.left = self.left - ready;
    }

    /// Leaves the readiness as it is, which is what dropping the guard does too.
    pub fn retain_ready(&mut self) {}

    /// Clears what was waited for if `outcome` is `WouldBlock`: nothing is known of the other direction.
    fn conclude<R>(&mut self, outcome: io::Result<R>) -> Result<io::Result<R>, TryIoError> {
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.clear_ready();
                Err(TryIoError)
            }
            outcome => Ok(outcome),
        }
    }
}

impl<'a, T: AsFd> ReadyGuard<&'a AsyncFd<T>> {
    /// Tries an operation. When it says `WouldBlock`, that is [`clear_ready`](Self::clear_ready).
    ///
    /// # Errors
    /// [`TryIoError`] stands for `WouldBlock`; every other outcome of `op` is inside the `Ok`.
    pub fn try_io<R>(
        &mut self,
        op: impl FnOnce(&'a AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        let outcome = op(self.async_fd);
        self.conclude(outcome)
    }

    /// The [`AsyncFd`].
    pub fn get_ref(&self) -> &'a AsyncFd<T> {
        self.async_fd
    }

    /// The descriptor's owner.
    pub fn get_inner(&self) -> &'a T {
        self.async_fd.get_ref()
    }
}

impl<T: AsFd> ReadyGuard<&mut AsyncFd<T>> {
    /// Tries an operation. When it says `WouldBlock`, that is [`clear_ready`](Self::clear_ready).
    ///
    /// # Errors
    /// [`TryIoError`] stands for `WouldBlock`; every other outcome of `op` is inside the `Ok`.
    pub fn try_io<R>(
        &mut self,
        op: impl FnOnce(&mut AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        let outcome = op(self.async_fd);
        self.conclude(outcome)
    }

    /// The [`AsyncFd`].
    pub fn get_ref(&self) -> &AsyncFd<T> {
        self.async_fd
    }

    /// The [`AsyncFd`].
    pub fn get_mut(&mut self) -> &mut AsyncFd<T> {
        self.async_fd
    }

    /// The descriptor's owner.
    pub fn get_inner(&self) -> &T {
        self.async_fd.get_ref()
    }

    /// The descriptor's owner.
    pub fn get_inner_mut(&mut self) -> &mut T {
        self.async_fd.get_mut()
    }
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd").field(self.get_ref()).finish()
    }
}

impl<P: fmt::Debug> fmt::Debug for ReadyGuard<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyGuard").field("async_fd", &self.async_fd).finish_non_exhaustive()
    }
}
