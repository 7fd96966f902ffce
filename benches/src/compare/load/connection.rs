//! One connection of the load generator: one request under way at a time, every byte of its reply checked.
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::compare::echo::MESSAGE;

/// How long one connection attempt may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A closed loop of its own.
pub(super) struct Connection {
    pub(super) stream: Option<TcpStream>,
    request: [u8; MESSAGE],
    received: usize,
    pub(super) is_waiting: bool,
    sent_at: Instant,
    pub(super) replies: u64,
}

impl Connection {
    pub(super) fn open(address: SocketAddr, index: usize) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        // Each connection and each request has its own bytes, so that a mixed-up reply is noticed.
        let mut request = [0x5a; MESSAGE];
        request[8..16].copy_from_slice(&(index as u64).to_le_bytes());
        Ok(Self {
            stream: Some(stream),
            request,
            received: 0,
            is_waiting: false,
            sent_at: Instant::now(),
            replies: 0,
        })
    }

    pub(super) fn send(&mut self, now: Instant) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let number = u64::from_le_bytes(self.request[..8].try_into().expect("eight bytes")) + 1;
        self.request[..8].copy_from_slice(&number.to_le_bytes());
        self.sent_at = now;
        self.is_waiting = true;
        self.received = 0;
        // Nothing else is in the socket's buffer, so 64 bytes always fit.
        let written = stream.write(&self.request)?;
        if written == MESSAGE { Ok(()) } else { Err(io::Error::other("a request was cut short")) }
    }

    /// Reads what has come. A whole reply gives the time at which its request was sent.
    pub(super) fn receive(&mut self) -> io::Result<Option<Instant>> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        let mut buffer = [0; 2 * MESSAGE];
        let length = match stream.read(&mut buffer) {
            Ok(0) => return Err(io::Error::other("the server closed the connection")),
            Ok(length) => length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if !self.is_waiting || self.received + length > MESSAGE {
            return Err(io::Error::other("more bytes came back than were sent"));
        }
        if buffer[..length] != self.request[self.received..self.received + length] {
            return Err(io::Error::other("other bytes came back than were sent"));
        }
        self.received += length;
        if self.received < MESSAGE {
            return Ok(None);
        }
        self.is_waiting = false;
        Ok(Some(self.sent_at))
    }
}
