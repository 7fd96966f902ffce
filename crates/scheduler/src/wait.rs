//! What a task waits for: one word, left by the leaf future that returned Pending, shown by the runtime.

use crate::context;
use std::fmt;

/// Why a task waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// Nothing that the runtime knows of: a channel, a lock, a foreign future.
    Unknown,
    /// A file descriptor to become readable.
    Read {
        /// The descriptor.
        fd: i32,
    },
    /// A file descriptor to become writable.
    Write {
        /// The descriptor.
        fd: i32,
    },
    /// A connection to arrive.
    Accept {
        /// The listening descriptor.
        fd: i32,
    },
    /// A connection to be made.
    Connect {
        /// The connecting descriptor.
        fd: i32,
    },
    /// A point in time.
    Timer,
    /// The end of another task.
    Join,
    /// The end of a blocking job.
    Blocking,
    /// A signal of the operating system.
    Signal {
        /// Its number.
        number: i32,
    },
}

/// Says why the future that is about to return Pending waits. The last word of a poll counts. One store;
/// without effect outside a task.
#[inline]
pub fn note(reason: WaitReason) {
    context::set_wait_word(reason.pack());
}

impl WaitReason {
    pub(crate) fn pack(self) -> u64 {
        let (kind, detail) = match self {
            Self::Unknown => (0, 0),
            Self::Read { fd } => (1, fd),
            Self::Write { fd } => (2, fd),
            Self::Accept { fd } => (3, fd),
            Self::Connect { fd } => (4, fd),
            Self::Timer => (5, 0),
            Self::Join => (6, 0),
            Self::Blocking => (7, 0),
            Self::Signal { number } => (8, number),
        };
        kind << 32 | u64::from(detail.cast_unsigned())
    }

    pub(crate) fn unpack(word: u64) -> Self {
        let detail = (word as u32).cast_signed();
        match word >> 32 {
            1 => Self::Read { fd: detail },
            2 => Self::Write { fd: detail },
            3 => Self::Accept { fd: detail },
            4 => Self::Connect { fd: detail },
            5 => Self::Timer,
            6 => Self::Join,
            7 => Self::Blocking,
            8 => Self::Signal { number: detail },
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(f, "unknown"),
            Self::Read { fd } => write!(f, "read of fd {fd}"),
            Self::Write { fd } => write!(f, "write to fd {fd}"),
            Self::Accept { fd } => write!(f, "accept on fd {fd}"),
            Self::Connect { fd } => write!(f, "connect of fd {fd}"),
            Self::Timer => write!(f, "timer"),
            Self::Join => write!(f, "another task"),
            Self::Blocking => write!(f, "blocking job"),
            Self::Signal { number } => write!(f, "signal {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_its_word() {
        let reasons = [
            WaitReason::Unknown,
            WaitReason::Read { fd: 7 },
            WaitReason::Write { fd: i32::MAX },
            WaitReason::Accept { fd: 0 },
            WaitReason::Connect { fd: -1 },
            WaitReason::Timer,
            WaitReason::Join,
            WaitReason::Blocking,
            WaitReason::Signal { number: 2 },
        ];
        for reason in reasons {
            assert_eq!(WaitReason::unpack(reason.pack()), reason);
        }
    }
}
