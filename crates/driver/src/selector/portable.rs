//! The portable selector: `polling`'s own calls. Edge-triggered where the platform has such a mode, else each
//! event disarms its source.
//!
//! It is the plain one, the reference for the other, and tested beside it on Linux in both modes. `polling` asks
//! for no event at a half-close, so a short read proves nothing here: sources are read until they would block.

use super::{BorrowedSource, Event, Selector};
use polling::{Events, PollMode, Poller};
use shopfloor_protocol::interest::{Interest, Ready};
use shopfloor_protocol::registry::Token;
use shopfloor_protocol::sync::Mutex;
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Portable {
    poller: Poller,
    mode: PollMode,
    /// Uncontended: one thread waits at a time.
    buffer: Mutex<Buffer>,
}

/// `polling` fills it up in a wait, so its size is the limit of that wait, where the platform's call has one. Sizes are powers of two, so
/// that few waits need another buffer than the one before.
#[derive(Debug)]
struct Buffer {
    size: NonZeroUsize,
    events: Events,
}

impl Buffer {
    fn new(size: NonZeroUsize) -> Self {
        Self { size, events: Events::with_capacity(size) }
    }
}

impl Portable {
    /// In the best mode that the platform has.
    pub(crate) fn new() -> io::Result<Self> {
        let poller = Poller::new()?;
        let mode = if poller.supports_edge() { PollMode::Edge } else { PollMode::Oneshot };
        Ok(Self::with_mode(poller, mode))
    }

    /// As on a platform without an edge-triggered mode.
    pub(crate) fn oneshot() -> io::Result<Self> {
        Ok(Self::with_mode(Poller::new()?, PollMode::Oneshot))
    }

    fn with_mode(poller: Poller, mode: PollMode) -> Self {
        Self { poller, mode, buffer: Mutex::new(Buffer::new(NonZeroUsize::MIN)) }
    }
}

impl Selector for Portable {
    fn add(&self, source: BorrowedSource<'_>, token: Token) -> io::Result<()> {
        let everything = polling::Event::all(token.to_usize());
        // SAFETY: the source has to be deleted before it is closed. It is borrowed here from a `Source`, which
        // - owns the I/O object, so nobody else closes it;
        // - deletes it before the object leaves: `into_inner`, `release` and `Drop` do so first;
        // - gives out `&mut` to the object only after it has deleted it (`Source::get_mut`, because of
        //   `holds_on_to_sources`), so it cannot be replaced by one with another descriptor while it is registered.
        // An object that changes its descriptor through `&self` breaks this; epoll, kqueue and event ports then
        // forget the closed descriptor by themselves.
        unsafe { self.poller.add_with_mode(&source, everything, self.mode) }
    }

    fn delete(&self, source: BorrowedSource<'_>) -> io::Result<()> {
        self.poller.delete(source)
    }

    fn disarms(&self) -> bool {
        self.mode == PollMode::Oneshot
    }

    fn rearm(&self, source: BorrowedSource<'_>, token: Token, interest: Interest) -> io::Result<()> {
        // Priority data and errors come with readability: `polling` has no interest of their own for them.
        let readable = interest.is_readable() || interest.is_priority() || interest.is_error();
        let event = polling::Event::new(token.to_usize(), readable, interest.is_writable());
        self.poller.modify_with_mode(source, event, self.mode)
    }

    fn holds_on_to_sources(&self) -> bool {
        true
    }

    fn reports_half_close(&self) -> bool {
        false
    }

    fn wait(
        &self,
        timeout: Option<Duration>,
        at_most: NonZeroUsize,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        let mut buffer = self.buffer.lock();
        let size = NonZeroUsize::new(1 << at_most.ilog2()).unwrap_or(NonZeroUsize::MIN);
        if buffer.size != size {
            *buffer = Buffer::new(size);
        }
        buffer.events.clear();
        self.poller.wait(&mut buffer.events, timeout)?;
        events.extend(buffer.events.iter().map(|event| (Token::from_usize(event.key), ready(&event))));
        Ok(())
    }

    fn signal(&self) -> io::Result<()> {
        self.poller.notify()
    }
}

fn ready(event: &polling::Event) -> Ready {
    let mut ready = Ready::EMPTY;
    let facts = [
        (event.readable, Ready::READABLE),
        (event.writable, Ready::WRITABLE),
        (event.is_interrupt(), Ready::READ_CLOSED | Ready::WRITE_CLOSED),
        (event.is_priority(), Ready::READABLE | Ready::PRIORITY),
        (event.is_err() == Some(true), Ready::READABLE | Ready::WRITABLE | Ready::ERROR),
    ];
    for (_, facts) in facts.into_iter().filter(|(is_reported, _)| *is_reported) {
        ready |= facts;
    }
    ready
}
