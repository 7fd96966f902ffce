//! What a task may ask of an I/O source, and what the kernel may answer. Names and meanings follow tokio's
//! `Interest` and `Ready`.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// One of the two ways through an I/O source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Towards us: read, receive, accept, peek.
    Read,
    /// Away from us: write, send, connect, shut down.
    Write,
}

impl Direction {
    /// The interest of an operation in this direction.
    #[inline]
    pub const fn interest(self) -> Interest {
        match self {
            Direction::Read => Interest::READABLE,
            Direction::Write => Interest::WRITABLE,
        }
    }
}

/// A set of readiness facts about an I/O source, as the kernel reported them last.
///
/// A bit says that an operation is worth trying, not that it will succeed: somebody else may be faster.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Ready(u8);

impl Ready {
    /// Nothing is known to be ready.
    pub const EMPTY: Ready = Ready(0);
    /// A read would not wait.
    pub const READABLE: Ready = Ready(0b00_0001);
    /// A write would not wait.
    pub const WRITABLE: Ready = Ready(0b00_0010);
    /// The peer will send no more. Not every platform says so; a read that returns zero bytes always does.
    pub const READ_CLOSED: Ready = Ready(0b00_0100);
    /// Nothing more can be written. Not every platform says so; the error of a write always does.
    pub const WRITE_CLOSED: Ready = Ready(0b00_1000);
    /// Out-of-band data has arrived.
    pub const PRIORITY: Ready = Ready(0b01_0000);
    /// An error waits to be fetched by an operation.
    pub const ERROR: Ready = Ready(0b10_0000);
    /// Every fact.
    pub const ALL: Ready = Ready(0b11_1111);

    /// True if no bit is set.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True if reading would not wait, be it for data or for the end of it.
    #[inline]
    pub const fn is_readable(self) -> bool {
        self.intersects(Ready::READABLE.union(Ready::READ_CLOSED))
    }

    /// True if writing would not wait, be it with success or an error.
    #[inline]
    pub const fn is_writable(self) -> bool {
        self.intersects(Ready::WRITABLE.union(Ready::WRITE_CLOSED))
    }

    /// True if the peer is known to send no more.
    #[inline]
    pub const fn is_read_closed(self) -> bool {
        self.contains(Ready::READ_CLOSED)
    }

    /// True if it is known that nothing more can be written.
    #[inline]
    pub const fn is_write_closed(self) -> bool {
        self.contains(Ready::WRITE_CLOSED)
    }

    /// True if out-of-band data has arrived.
    #[inline]
    pub const fn is_priority(self) -> bool {
        self.contains(Ready::PRIORITY)
    }

    /// True if an error waits to be fetched.
    #[inline]
    pub const fn is_error(self) -> bool {
        self.contains(Ready::ERROR)
    }

    /// True if every bit of `other` is set.
    #[inline]
    pub const fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if some bit of `other` is set.
    #[inline]
    pub const fn intersects(self, other: Ready) -> bool {
        self.0 & other.0 != 0
    }

    /// The bits of both.
    #[inline]
    pub const fn union(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0 as u64
    }

    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Ready {
        Ready((bits & Ready::ALL.bits()) as u8)
    }
}

impl BitOr for Ready {
    type Output = Ready;
    #[inline]
    fn bitor(self, other: Ready) -> Ready {
        self.union(other)
    }
}

impl BitOrAssign for Ready {
    #[inline]
    fn bitor_assign(&mut self, other: Ready) {
        *self = self.union(other);
    }
}

impl BitAnd for Ready {
    type Output = Ready;
    #[inline]
    fn bitand(self, other: Ready) -> Ready {
        Ready(self.0 & other.0)
    }
}

impl Sub for Ready {
    type Output = Ready;
    /// The bits of `self` that are not in `other`.
    #[inline]
    fn sub(self, other: Ready) -> Ready {
        Ready(self.0 & !other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Ready::READABLE, "READABLE"),
            (Ready::WRITABLE, "WRITABLE"),
            (Ready::READ_CLOSED, "READ_CLOSED"),
            (Ready::WRITE_CLOSED, "WRITE_CLOSED"),
            (Ready::PRIORITY, "PRIORITY"),
            (Ready::ERROR, "ERROR"),
        ];
        write_names(f, "Ready", names.iter().filter(|(bit, _)| self.contains(*bit)).map(|(_, name)| *name))
    }
}

/// A non-empty set of things to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(u8);

impl Interest {
    /// Wait until a read would not wait; the end of the stream counts.
    pub const READABLE: Interest = Interest(0b0001);
    /// Wait until a write would not wait; a closed peer counts.
    pub const WRITABLE: Interest = Interest(0b0010);
    /// Wait for out-of-band data; the end of the stream counts. Linux only.
    pub const PRIORITY: Interest = Interest(0b0100);
    /// Wait for an error, for example a timestamp in the error queue.
    pub const ERROR: Interest = Interest(0b1000);

    /// True if this includes [`READABLE`](Self::READABLE).
    #[inline]
    pub const fn is_readable(self) -> bool {
        self.0 & Interest::READABLE.0 != 0
    }

    /// True if this includes [`WRITABLE`](Self::WRITABLE).
    #[inline]
    pub const fn is_writable(self) -> bool {
        self.0 & Interest::WRITABLE.0 != 0
    }

    /// True if this includes [`PRIORITY`](Self::PRIORITY).
    #[inline]
    pub const fn is_priority(self) -> bool {
        self.0 & Interest::PRIORITY.0 != 0
    }

    /// True if this includes [`ERROR`](Self::ERROR).
    #[inline]
    pub const fn is_error(self) -> bool {
        self.0 & Interest::ERROR.0 != 0
    }

    /// Both interests.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "const, and tokio's name for it")]
    pub const fn add(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }

    /// What is left without `other`; `None` if that is nothing.
    #[inline]
    pub const fn remove(self, other: Interest) -> Option<Interest> {
        match self.0 & !other.0 {
            0 => None,
            rest => Some(Interest(rest)),
        }
    }

    /// The facts that answer this interest: those for which a waiter is woken.
    #[inline]
    pub const fn answers(self) -> Ready {
        let mut ready = self.own_facts();
        if self.is_priority() {
            ready = ready.union(Ready::READ_CLOSED);
        }
        ready
    }

    /// The facts that an operation with this interest disproves when it says "would block". The end of the
    /// stream answers a wait for priority data, but a failed read of such data does not disprove it.
    #[inline]
    pub const fn own_facts(self) -> Ready {
        let mut ready = Ready::EMPTY;
        if self.is_readable() {
            ready = ready.union(Ready::READABLE).union(Ready::READ_CLOSED);
        }
        if self.is_writable() {
            ready = ready.union(Ready::WRITABLE).union(Ready::WRITE_CLOSED);
        }
        if self.is_priority() {
            ready = ready.union(Ready::PRIORITY);
        }
        if self.is_error() {
            ready = ready.union(Ready::ERROR);
        }
        ready
    }
}

impl BitOr for Interest {
    type Output = Interest;
    #[inline]
    fn bitor(self, other: Interest) -> Interest {
        self.add(other)
    }
}

impl BitOrAssign for Interest {
    #[inline]
    fn bitor_assign(&mut self, other: Interest) {
        *self = self.add(other);
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.is_readable(), "READABLE"),
            (self.is_writable(), "WRITABLE"),
            (self.is_priority(), "PRIORITY"),
            (self.is_error(), "ERROR"),
        ];
        write_names(f, "Interest", names.iter().filter(|(set, _)| *set).map(|(_, name)| *name))
    }
}

fn write_names<'a>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    names: impl Iterator<Item = &'a str>,
) -> fmt::Result {
    let names: Vec<&str> = names.collect();
    write!(f, "{what}({})", if names.is_empty() { "EMPTY".to_owned() } else { names.join(" | ") })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_stream_answers_priority_but_is_not_disproved_by_it() {
        assert!(Interest::PRIORITY.answers().contains(Ready::READ_CLOSED));
        assert!(!Interest::PRIORITY.own_facts().intersects(Ready::READ_CLOSED));
        assert_eq!(Interest::READABLE.answers(), Interest::READABLE.own_facts());
    }

    #[test]
    fn sets_print_as_their_names() {
        assert_eq!(format!("{:?}", Ready::READABLE | Ready::ERROR), "Ready(READABLE | ERROR)");
        assert_eq!(format!("{:?}", Ready::EMPTY), "Ready(EMPTY)");
        let both = Interest::READABLE | Interest::WRITABLE;
        assert_eq!(format!("{both:?}"), "Interest(READABLE | WRITABLE)");
    }

    #[test]
    fn removing_everything_leaves_no_interest() {
        let both = Interest::READABLE.add(Interest::WRITABLE);
        assert_eq!(both.remove(Interest::READABLE), Some(Interest::WRITABLE));
        assert_eq!(both.remove(both), None);
    }
}
