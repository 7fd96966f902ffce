//! I/O readiness: which sources (sockets, pipes, anything with a file descriptor) an operation is worth trying
//! on, and who is to be woken when that changes.
//!
//! A [`Driver`] has one thread at a time in its [`turn`](Driver::turn). A [`Source`] owns an I/O object and
//! registers it at the first operation that would block. What a turn learned is kept in a word per source
//! ([`shopfloor_protocol::readiness`]) until an operation disproves it.
//!
//! Two backends stand behind one private interface: epoll, called directly, and the portable one, which makes
//! `polling`'s own calls. The portable one is the plain one and the reference; every test of sockets runs on both.

mod driver;
#[cfg(test)]
mod scripted;
mod selector;
mod shutdown_error;
mod source;

pub use driver::{Backend, Driver};
pub use shopfloor_protocol::interest::{Direction, Interest, Ready};
pub use shopfloor_protocol::readiness::Observed;
pub use shutdown_error::is_shutdown_error;
pub use source::{Source, SourceKind};
