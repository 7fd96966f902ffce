//! Whom the tormented program talks to: clients, and a server that it dials. Plain threads and blocking sockets, in a
//! process that nobody torments.
//!
//! A call that is told "would block" though there was data waits for the next event. So whoever waits for an answer
//! says something more from time to time, as a peer that is alive does.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long a peer waits before it says something more.
const NUDGE: Duration = Duration::from_millis(150);
/// How long a peer waits in all.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the clients that come together ask for, one byte after the other.
const REQUESTS: [&[u8]; 3] = [b"ejen", b"edeje", b"nejd"];
/// How often.
const ROUNDS: usize = 3;

/// How a connection ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every request was answered.
    Answered,
    /// The server closed it before.
    Closed,
    /// Neither within the time.
    Stranded,
}

/// What the clients have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) opened: u64,
    pub(crate) answered: u64,
    pub(crate) closed: u64,
    pub(crate) stranded: u64,
    /// Connections that did nothing but say how many there were; the last ones may have come too late.
    pub(crate) last_words: u64,
}

impl Seen {
    fn note(&mut self, ending: Ending) {
        self.opened += 1;
        match ending {
            Ending::Answered => self.answered += 1,
            Ending::Closed => self.closed += 1,
            Ending::Stranded => self.stranded += 1,
        }
    }
}

/// All clients, and at last the one that says how many there were, until `has_ended`.
pub(crate) fn visit(server: SocketAddr, has_ended: impl Fn() -> bool) -> Seen {
    let mut seen = Seen::default();
    for _ in 0..ROUNDS {
        let mut clients: Vec<_> = REQUESTS.iter().map(|requests| client(server, requests)).collect();
        let mut next = Instant::now() + 2 * NUDGE;
        while clients.iter().any(|client| !client.is_finished()) {
            // An accept that was told "would block" has its next event when somebody else connects.
            if Instant::now() >= next {
                clients.push(client(server, b"e"));
                next += 2 * NUDGE;
            }
            thread::sleep(Duration::from_millis(1));
        }
        clients.into_iter().for_each(|client| seen.note(client.join().expect("a client does not panic")));
    }
    let give_up = Instant::now() + PATIENCE;
    let mut kept = Vec::new();
    while !has_ended() && Instant::now() < give_up {
        // Refused: the server has closed after the one before.
        let Ok(mut stream) = TcpStream::connect(server) else { break };
        seen.opened += 1;
        seen.last_words += 1;
        let mut request = vec![b'q'];
        request.extend(seen.opened.to_be_bytes());
        // Closed for the server, and kept here, so that its answer is no answer to a connection that is gone.
        let _ = stream.write_all(&request).and_then(|()| stream.shutdown(Shutdown::Write));
        kept.push(stream);
        let next = Instant::now() + 2 * NUDGE;
        while !has_ended() && Instant::now() < next {
            thread::sleep(Duration::from_millis(2));
        }
    }
    seen
}

fn client(server: SocketAddr, requests: &'static [u8]) -> thread::JoinHandle<Ending> {
    thread::spawn(move || TcpStream::connect(server).map_or(Ending::Stranded, |stream| ask(stream, requests)))
}

/// One byte and its echo at a time.
fn ask(mut stream: TcpStream, requests: &[u8]) -> Ending {
    let mut converse = || -> io::Result<Ending> {
        stream.set_read_timeout(Some(NUDGE))?;
        let give_up = Instant::now() + PATIENCE;
        let (mut asked, mut answered) = (0, 0);
        for request in requests {
            stream.write_all(&[*request])?;
            asked += 1;
            while answered < asked {
                match stream.read(&mut [0; 16]) {
                    Ok(0) => return Ok(Ending::Closed),
                    Ok(count) => answered += count,
                    Err(error) if !is_timeout(&error) => return Err(error),
                    Err(_) if Instant::now() >= give_up => return Ok(Ending::Stranded),
                    Err(_) => {
                        stream.write_all(b"e")?;
                        asked += 1;
                    }
                }
            }
        }
        Ok(Ending::Answered)
    };
    // A reset is the server's end of the connection, too.
    converse().unwrap_or(Ending::Closed)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The server that the tormented one dials, for as long as this process lives.
pub(crate) fn upstream() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    Ok(addr)
}

/// Says something at once, and again and again until the peer goes: it needs one byte.
fn answer(mut stream: TcpStream) {
    let give_up = Instant::now() + PATIENCE;
    let mut serve = || -> io::Result<()> {
        stream.set_read_timeout(Some(NUDGE))?;
        while Instant::now() < give_up {
            match stream.read(&mut [0; 16]) {
                Ok(0) => break,
                Ok(_) => stream.write_all(b"e")?,
                Err(error) if is_timeout(&error) => stream.write_all(b"e")?,
                Err(error) => return Err(error),
            }
        }
        stream.shutdown(Shutdown::Both)
    };
    // The peer has let go; what it made of that is in its own ledger.
    let _ = serve();
}
