//! One connection of the load generator: its requests in order, and how much of them has been handed to the kernel.
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::wire::{Replies, Wire};

/// How long one connection attempt may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A slow client hands out its message in so many pieces.
pub(super) const PIECES: usize = 4;
/// Closed connections keep their ports for a while: with so many own addresses, nobody runs out of them.
const SOURCES: u64 = 250;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Option<TcpStream>,
    pub(super) replies: u64,
    /// Whether the epoll is asked to say when the socket takes more.
    pub(super) is_told_of_room: bool,
    wire: Wire,
    index: u64,
    /// Requests that the kernel has not taken are `outgoing[written..]`.
    outgoing: Vec<u8>,
    written: usize,
    /// A slow client may write no further than this.
    allowed: usize,
    has_no_room: bool,
    sent: u64,
    received: Replies,
    /// Since when each reply is waited for, oldest first.
    waits: VecDeque<Instant>,
}

impl Connection {
    pub(super) fn new(wire: Wire, index: usize) -> Self {
        let index = index as u64;
        Self {
            stream: None,
            replies: 0,
            is_told_of_room: false,
            wire,
            index,
            outgoing: Vec::new(),
            written: 0,
            allowed: usize::MAX,
            has_no_room: false,
            sent: 0,
            received: Replies::new(wire, index),
            waits: VecDeque::new(),
        }
    }

    /// Connects and waits for it.
    pub(super) fn open(&mut self, address: SocketAddr) -> io::Result<&TcpStream> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(self.stream.insert(stream))
    }

    /// Begins to connect anew, as the `attempt`th of all; the socket has room once the connection stands.
    pub(super) fn begin_to_open(&mut self, address: SocketAddr, attempt: u64) -> io::Result<&TcpStream> {
        // Closed before the next one takes its place.
        self.stream = None;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        let source = Ipv4Addr::new(127, 0, 1, (attempt % SOURCES) as u8 + 1);
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        (self.has_no_room, self.is_told_of_room) = (true, true);
        Ok(self.stream.insert(socket.into()))
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waits.is_empty()
    }

    /// A request more, whose reply is waited for since `since`. It goes out with the next flush.
    pub(super) fn ask(&mut self, since: Instant) {
        self.sent += 1;
        self.wire.write_request(self.index, self.sent, &mut self.outgoing);
        self.waits.push_back(since);
    }

    /// The same of a slow client: only the first piece may go out.
    pub(super) fn ask_in_pieces(&mut self, now: Instant) {
        self.ask(now);
        self.allowed = self.outgoing.len() / PIECES;
    }

    /// The next piece of the message may go out; true if it was the last.
    pub(super) fn allow_piece(&mut self, now: Instant) -> bool {
        let piece = self.outgoing.len() / PIECES;
        self.allowed += piece;
        // The last piece has what the division left over.
        let is_last = self.allowed + piece > self.outgoing.len();
        if is_last {
            self.allowed = usize::MAX;
            if let Some(since) = self.waits.back_mut() {
                *since = now;
            }
        }
        is_last
    }

    /// Hands to the kernel what it takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let end = self.outgoing.len().min(self.allowed);
        while self.written < end && !self.has_no_room {
            match stream.write(&self.outgoing[self.written..end]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.has_no_room = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.written == self.outgoing.len() {
            self.outgoing.clear();
            self.written = 0;
        }
        Ok(())
    }

    /// The kernel takes more.
    pub(super) fn has_room(&mut self) {
        self.has_no_room = false;
    }

    pub(super) fn wants_room(&self) -> bool {
        self.has_no_room
    }

    /// Reads once into `buffer`; since when each reply that it completes was waited for goes to `waited`.
    pub(super) fn receive(&mut self, buffer: &mut [u8], waited: &mut Vec<Instant>) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let length = match stream.read(buffer) {
            Ok(0) => return Err(io::Error::other("the server closed the connection")),
            Ok(length) => length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let whole = self.received.take(&buffer[..length], self.sent)?;
        waited.extend(self.waits.drain(..whole));
        Ok(())
    }

    /// Ends it, with whatever was under way.
    pub(super) fn close(&mut self) {
        self.stream = None;
        self.waits.clear();
    }
}
