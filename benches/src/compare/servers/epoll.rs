//! A bare epoll loop: what the kernel costs without any runtime. Level-triggered, connections in a vector.
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use crate::compare::echo::{Session, Terms};

/// Events taken from the kernel at a time.
const EVENTS: usize = 256;
/// Event data of the listener; connections have the index of their slot.
const LISTENER: u64 = u64::MAX;
/// Event data of the pipe through which the other loop announces a connection.
const HANDED_OVER: u64 = u64::MAX - 1;

/// Accepts and serves on the calling thread.
pub(super) fn serve_with_one_thread(listener: TcpListener, terms: Terms) -> io::Result<()> {
    Loop::new(terms)?.run(Some(&listener), None, None)
}

/// Accepts on the calling thread, and serves every other connection there, the rest on a second thread.
pub(super) fn serve_with_two_threads(listener: TcpListener, terms: Terms) -> io::Result<()> {
    let (sender, connections) = channel();
    let (bell, ring) = io::pipe()?;
    let second = Loop::new(terms.clone())?;
    let hand_over = HandOver { sender, ring: Arc::new(ring) };
    let second =
        std::thread::Builder::new().spawn(move || second.run(None, Some((bell, connections)), None))?;
    let result = Loop::new(terms)?.run(Some(&listener), None, Some(hand_over));
    // The first loop ends by an error only; the hang-up of the pipe then ends the second one.
    result.and(second.join().unwrap_or_else(|_| Err(io::Error::other("the second loop panicked"))))
}

struct HandOver {
    sender: Sender<TcpStream>,
    ring: Arc<io::PipeWriter>,
}

struct Loop {
    epoll: OwnedFd,
    terms: Terms,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    accepted: u64,
}

struct Connection {
    stream: TcpStream,
    session: Session,
    buffer: Box<[u8]>,
    /// The reply not yet written is `buffer[written..length]`.
    written: usize,
    length: usize,
}

enum Next {
    Same,
    Wait(EventFlags),
    Close,
}

impl Loop {
    fn new(terms: Terms) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, terms, connections: Vec::new(), free: Vec::new(), accepted: 0 })
    }

    fn run(
        mut self,
        listener: Option<&TcpListener>,
        incoming: Option<(io::PipeReader, Receiver<TcpStream>)>,
        hand_over: Option<HandOver>,
    ) -> io::Result<()> {
        if let Some(listener) = listener {
            listener.set_nonblocking(true)?;
            epoll::add(&self.epoll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        }
        if let Some((bell, _)) = &incoming {
            epoll::add(&self.epoll, bell, EventData::new_u64(HANDED_OVER), EventFlags::IN)?;
        }
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                match (event.data.u64(), listener, &incoming) {
                    (LISTENER, Some(listener), _) => self.accept(listener, hand_over.as_ref())?,
                    (HANDED_OVER, _, Some((bell, queue))) => self.take_over(bell, queue)?,
                    (slot, ..) => self.serve(usize::try_from(slot).expect("slots are small"))?,
                }
            }
        }
    }

    fn accept(&mut self, listener: &TcpListener, hand_over: Option<&HandOver>) -> io::Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            self.accepted += 1;
            match hand_over {
                Some(other) if self.accepted.is_multiple_of(2) => {
                    other.sender.send(stream).map_err(|_| io::Error::other("the second loop has ended"))?;
                    other.ring.as_ref().write_all(&[1])?;
                }
                _ => self.add(stream)?,
            }
        }
    }

    fn take_over(&mut self, mut bell: &io::PipeReader, queue: &Receiver<TcpStream>) -> io::Result<()> {
        let mut rings = [0; 64];
        if bell.read(&mut rings)? == 0 {
            return Err(io::Error::other("the first loop has ended"));
        }
        while let Ok(stream) = queue.try_recv() {
            self.add(stream)?;
        }
        Ok(())
    }

    fn add(&mut self, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let session = Session::open(&self.terms, &stream)?;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        epoll::add(&self.epoll, &stream, EventData::new_u64(slot as u64), EventFlags::IN)?;
        let buffer = self.terms.buffer();
        self.connections[slot] = Some(Connection { stream, session, buffer, written: 0, length: 0 });
        Ok(())
    }

    fn serve(&mut self, slot: usize) -> io::Result<()> {
        // Closing removes the events of a connection, but one may already be in this batch.
        let Some(connection) = &mut self.connections[slot] else { return Ok(()) };
        match connection.step() {
            Ok(Next::Same) => Ok(()),
            Ok(Next::Wait(flags)) => {
                epoll::modify(&self.epoll, &connection.stream, EventData::new_u64(slot as u64), flags)?;
                Ok(())
            }
            Ok(Next::Close) => {
                self.close(slot);
                Ok(())
            }
            Err(error) => {
                connection.session.failed(&error);
                self.close(slot);
                Ok(())
            }
        }
    }

    fn close(&mut self, slot: usize) {
        self.connections[slot] = None;
        self.free.push(slot);
    }
}

impl Connection {
    /// Finishes the reply under way, else reads a request and begins the next one.
    fn step(&mut self) -> io::Result<Next> {
        let was_writing = self.written < self.length;
        if !was_writing {
            match self.stream.read(&mut self.buffer[..]) {
                Ok(0) => return Ok(Next::Close),
                Ok(length) => {
                    self.session.received(length);
                    (self.written, self.length) = (0, length);
                }
                Err(error) if would_block(&error) => return Ok(Next::Same),
                Err(error) => return Err(error),
            }
        }
        match self.stream.write(&self.buffer[self.written..self.length]) {
            Ok(written) => {
                self.session.returned(written);
                self.written += written;
            }
            Err(error) if would_block(&error) => {}
            Err(error) => return Err(error),
        }
        let is_writing = self.written < self.length;
        Ok(match (was_writing, is_writing) {
            (false, true) => Next::Wait(EventFlags::OUT),
            (true, false) => Next::Wait(EventFlags::IN),
            _ => Next::Same,
        })
    }
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
