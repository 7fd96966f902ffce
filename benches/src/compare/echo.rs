//! The terms of the echo contest, equal for all servers, and the books each server keeps.
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};

use super::work;

/// Bytes of the buffer that each server keeps per connection, unless a message is larger.
pub const BUFFER_MIN: usize = 4096;
/// What messages and bodies consist of, behind what makes each of them differ from the others.
pub const FILLER: u8 = b'Z';
/// Length of the accept queue: std's 128 drops the SYNs of a burst and stalls its clients for seconds. The kernel
/// shortens it to `net.core.somaxconn`.
const BACKLOG: i32 = 32_768;

/// What a server is given.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Number of workers, where the contestant has a choice.
    pub workers: usize,
    /// Bytes of a request and of its reply, or of the body of a response.
    pub message: usize,
    /// CPU work per request, in steps of [`work::spend`].
    pub work_steps: u64,
    /// Where finished connections are entered.
    pub ledger: Arc<Ledger>,
}

impl Terms {
    /// The buffer of a connection: room for a whole message.
    pub fn buffer(&self) -> Box<[u8]> {
        vec![0; self.message.max(BUFFER_MIN)].into_boxed_slice()
    }
}

/// A listener on a free loopback port.
///
/// # Errors
/// If the kernel refuses one of the calls.
pub fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sum over all connections that a server has seen.
#[derive(Debug, Default)]
pub struct Ledger {
    opened: AtomicU64,
    closed: AtomicU64,
    requests: AtomicU64,
    errors: AtomicU64,
    first_error: OnceLock<String>,
}

/// A copy of the ledger, as sent to the parent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Connections accepted.
    pub opened: u64,
    /// Connections finished.
    pub closed: u64,
    /// Whole requests answered on finished connections.
    pub requests: u64,
    /// Finished connections that had an I/O error or whose bytes did not add up.
    pub errors: u64,
    /// What was wrong with the first of them.
    pub first_error: Option<String>,
}

impl Ledger {
    /// The sums so far. A connection enters them when its session is dropped.
    pub fn totals(&self) -> Totals {
        // Acquire: pairs with the release of `closed`, so that whoever counts a connection as closed sees its sums.
        let closed = self.closed.load(Ordering::Acquire);
        Totals {
            opened: self.opened.load(Ordering::Relaxed),
            closed,
            requests: self.requests.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            first_error: self.first_error.get().cloned(),
        }
    }
}

/// The books of one connection. A contestant reports what it read and wrote; dropping the session closes the books.
#[derive(Debug)]
pub struct Session {
    ledger: Arc<Ledger>,
    message: u64,
    work_steps: u64,
    received: u64,
    returned: u64,
    error: Option<String>,
}

impl Session {
    /// Opens the books of a connection just accepted, and sets its socket options.
    ///
    /// # Errors
    /// If the kernel refuses an option.
    pub fn open(terms: &Terms, stream: &TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::begin(terms))
    }

    /// Opens the books of a connection whose options the contestant sets itself.
    pub fn begin(terms: &Terms) -> Self {
        terms.ledger.opened.fetch_add(1, Ordering::Relaxed);
        Self {
            ledger: Arc::clone(&terms.ledger),
            message: terms.message as u64,
            work_steps: terms.work_steps,
            received: 0,
            returned: 0,
            error: None,
        }
    }

    /// `bytes` have been read: does the handler's work for each request that they complete.
    pub fn received(&mut self, bytes: usize) {
        let before = self.received / self.message;
        self.received += bytes as u64;
        if self.work_steps > 0 {
            for _ in before..self.received / self.message {
                work::spend(self.work_steps);
            }
        }
    }

    /// `bytes` have been written back.
    pub fn returned(&mut self, bytes: usize) {
        self.returned += bytes as u64;
    }

    /// Reading or writing failed.
    pub fn failed(&mut self, error: &io::Error) {
        self.error = Some(error.to_string());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.error.is_none()
            && (self.received != self.returned || !self.received.is_multiple_of(self.message))
        {
            self.error = Some(format!("{} bytes received, {} returned", self.received, self.returned));
        }
        if let Some(error) = self.error.take() {
            self.ledger.errors.fetch_add(1, Ordering::Relaxed);
            // The first one wins.
            let _ = self.ledger.first_error.set(error);
        }
        self.ledger.requests.fetch_add(self.returned / self.message, Ordering::Relaxed);
        // Release: publishes the sums above to whoever counts this connection as closed.
        self.ledger.closed.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::{Ledger, Session, Terms};

    const MESSAGE: usize = 64;

    fn terms() -> Terms {
        Terms { workers: 1, message: MESSAGE, work_steps: 0, ledger: Arc::new(Ledger::default()) }
    }

    #[test]
    fn requests_are_entered_when_the_connection_ends() {
        let terms = terms();
        let mut session = Session::begin(&terms);
        for piece in [MESSAGE, 10, MESSAGE - 10] {
            session.received(piece);
            session.returned(piece);
        }
        assert_eq!(terms.ledger.totals().requests, 0);
        drop(session);
        let totals = terms.ledger.totals();
        assert_eq!((totals.opened, totals.closed, totals.requests, totals.errors), (1, 1, 2, 0));
    }

    #[test]
    fn bytes_that_do_not_add_up_are_an_error() {
        let terms = terms();
        let mut short = Session::begin(&terms);
        short.received(MESSAGE);
        short.returned(MESSAGE - 1);
        drop(short);
        let mut partial = Session::begin(&terms);
        partial.received(5);
        partial.returned(5);
        drop(partial);
        let totals = terms.ledger.totals();
        assert_eq!(totals.errors, 2);
        assert_eq!(totals.first_error.as_deref(), Some("64 bytes received, 63 returned"));
    }

    #[test]
    fn io_error_of_a_connection_is_entered() {
        let terms = terms();
        let mut session = Session::begin(&terms);
        session.failed(&io::Error::from(io::ErrorKind::ConnectionReset));
        drop(session);
        assert_eq!(terms.ledger.totals().errors, 1);
    }
}
