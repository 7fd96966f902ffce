//! The driver: one turn waits for events, records them, and hands out the wakers.

#[cfg(target_os = "linux")]
use crate::selector::Epoll;
use crate::selector::{BorrowedSource, EVENTS_PER_WAIT_MAX, Event, Portable, Selector};
use crate::shutdown_error::shutdown_error;
use shopfloor_protocol::interest::Interest;
use shopfloor_protocol::interrupt::Interrupt;
use shopfloor_protocol::registration::SourceState;
use shopfloor_protocol::registry::{InsertError, Registry, Token};
use shopfloor_protocol::sync::{Arc, Mutex};
use std::io;
use std::num::NonZeroUsize;
use std::task::Waker;
use std::time::Duration;

/// Which of the operating system's interfaces a driver uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// `polling`'s own calls, in the best mode of the platform.
    Portable,
    /// The portable backend as on a platform where each event disarms its source: the reference for those that
    /// have nothing better, testable everywhere.
    PortableOneshot,
    /// epoll, called directly.
    #[cfg(target_os = "linux")]
    Epoll,
}

/// Knows the sources, waits for their events and says whom to wake.
///
/// Dropping a driver is nothing special: each [`Source`](crate::Source) shares it.
#[derive(Debug)]
pub struct Driver {
    selector: Box<dyn Selector>,
    registry: Registry<SourceState>,
    interrupt: Interrupt,
    /// The buffer of the turn. Who takes it out has the turn.
    events: Mutex<Option<Vec<Event>>>,
}

impl Driver {
    /// A driver on the best backend of the platform.
    ///
    /// # Errors
    /// The operating system has no descriptors or memory left.
    pub fn new() -> io::Result<Driver> {
        #[cfg(target_os = "linux")]
        let backend = Backend::Epoll;
        #[cfg(not(target_os = "linux"))]
        let backend = Backend::Portable;
        Driver::with_backend(backend)
    }

    /// A driver on the backend of your choice.
    ///
    /// # Errors
    /// The operating system has no descriptors or memory left.
    pub fn with_backend(backend: Backend) -> io::Result<Driver> {
        Ok(Driver::with_selector(match backend {
            Backend::Portable => Box::new(Portable::new()?),
            Backend::PortableOneshot => Box::new(Portable::oneshot()?),
            #[cfg(target_os = "linux")]
            Backend::Epoll => Box::new(Epoll::new()?),
        }))
    }

    pub(crate) fn with_selector(selector: Box<dyn Selector>) -> Driver {
        Driver {
            selector,
            registry: Registry::new(),
            interrupt: Interrupt::new(),
            events: Mutex::new(Some(Vec::with_capacity(EVENTS_PER_WAIT_MAX))),
        }
    }

    /// One turn: waits for events for at most `timeout` (`None`: for ever; zero: looks), records what the whole
    /// batch says, and appends the wakers of all whom it concerns. Returns the number of events of sources.
    ///
    /// It takes `events_max` events at most (zero counts as one) and never more than 1024, those of its own interrupt and timer
    /// among them. The others stay with the kernel, in their order where it has one, and are the next turn's.
    ///
    /// It may return early, with no event and no waker: an interrupt, a signal, a wait that the kernel ended together with
    /// another timer. It runs no user code: the caller wakes, once it has given back whatever right it holds to call this.
    ///
    /// One thread at a time: while another is in its turn, this returns 0 at once.
    ///
    /// # Errors
    /// What the operating system refuses. Events are not lost by it.
    pub fn turn(
        &self,
        timeout: Option<Duration>,
        events_max: usize,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<usize> {
        let at_most = NonZeroUsize::new(events_max.min(EVENTS_PER_WAIT_MAX)).unwrap_or(NonZeroUsize::MIN);
        let Some(mut events) = self.events.lock().take() else { return Ok(0) };
        let result = self.selector.wait(timeout, at_most, &mut events);
        self.interrupt.acknowledge();
        let count = events.len();
        if count > 0 {
            let disarmed = self.selector.disarms();
            self.registry.deliver(events.drain(..), |source, ready| source.deliver(ready, disarmed, wakers));
        }
        *self.events.lock() = Some(events);
        result.map(|()| count)
    }

    /// Makes the current turn return soon, or the next one if there is none. What the calling thread did before
    /// is seen by the thread that makes the turn once it has returned. Costs a system call only if no interrupt
    /// is pending.
    ///
    /// # Panics
    /// If the operating system refuses to signal a descriptor of our own; the runtime could not be woken any
    /// more.
    pub fn interrupt(&self) {
        self.interrupt.interrupt(|| {
            self.selector.signal().expect("the driver's own wake-up descriptor takes a signal");
        });
    }

    /// From now on an operation that would wait fails (see [`is_shutdown_error`](crate::is_shutdown_error)); one
    /// that need not wait still works. Appends the wakers of all who wait now.
    pub fn shutdown(&self, wakers: &mut Vec<Waker>) {
        self.registry.close(|source| source.shut_down(wakers));
    }

    /// Gives a source a token and makes it known to the operating system.
    pub(crate) fn register(&self, source: BorrowedSource<'_>, state: &Arc<SourceState>) -> io::Result<Token> {
        let token = self.registry.insert(state).map_err(|error| match error {
            InsertError::Closed => shutdown_error(),
            InsertError::Full => io::Error::other("no more I/O sources can be named"),
        })?;
        if let Err(error) = self.selector.add(source, token) {
            drop(self.registry.remove(token));
            return Err(error);
        }
        Ok(token)
    }

    /// Takes a source out again, before its descriptor is closed. It is gone from the registry also if the
    /// operating system reports an error.
    pub(crate) fn deregister(&self, source: BorrowedSource<'_>, token: Token) -> io::Result<()> {
        let deleted = self.selector.delete(source);
        drop(self.registry.remove(token));
        deleted
    }

    /// Arms a source for the next event, where each event disarms it.
    pub(crate) fn rearm(
        &self,
        source: BorrowedSource<'_>,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.selector.rearm(source, token, interest)
    }

    pub(crate) fn disarms(&self) -> bool {
        self.selector.disarms()
    }

    pub(crate) fn holds_on_to_sources(&self) -> bool {
        self.selector.holds_on_to_sources()
    }

    pub(crate) fn reports_half_close(&self) -> bool {
        self.selector.reports_half_close()
    }
}
