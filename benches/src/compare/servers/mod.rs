//! The contestants of the server table, each in a file of its own.
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;

use super::echo::Terms;
use crate::syscalls::SyscallCounter;

mod epoll;
mod go;
mod http;
mod monoio;
mod shopfloor;
mod smol;
mod threads;
mod tokio;

/// A server that echoes whatever its clients send.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Name on the command line and in tables.
    pub name: &'static str,
    /// How it uses threads, in a few words.
    pub about: &'static str,
    /// The least number of cores on which it makes sense.
    pub cores_min: usize,
    /// When it takes part.
    pub presence: Presence,
    /// Gets ready what it needs, once for a run; an error says why it cannot take part.
    pub prepare: fn() -> Result<(), String>,
    /// Echoes.
    pub echo: Serve,
    /// Speaks HTTP, if it can.
    pub http: Option<Serve>,
}

/// When a contestant takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// In every run.
    Quick,
    /// In a full run, or if it is named.
    Full,
    /// If it is named.
    Named,
}

/// How a contestant serves: until an error of the listener.
#[derive(Clone, Copy, Debug)]
pub enum Serve {
    /// In this process; the calling thread may be used as it likes.
    Here(fn(TcpListener, Terms) -> io::Result<()>),
    /// As another program that takes over this process; it returns if it cannot.
    Program(fn(TcpListener, Terms, Option<SyscallCounter>) -> io::Result<Infallible>),
}

/// All contestants, in the order of the tables.
pub const SERVERS: &[Server] = &[
    Server {
        name: "shopfloor",
        about: "work-stealing runtime",
        cores_min: 1,
        presence: Presence::Quick,
        prepare: ready,
        echo: Serve::Here(shopfloor::serve),
        http: Some(Serve::Here(shopfloor::serve_http)),
    },
    Server {
        name: "shopfloor-no-spin",
        about: "the same, whose workers sleep in the driver at once",
        cores_min: 1,
        presence: Presence::Named,
        prepare: ready,
        echo: Serve::Here(shopfloor::serve_without_spin),
        http: None,
    },
    Server {
        name: "shopfloor-grouped",
        about: "the same, with a driver for each worker",
        cores_min: 1,
        presence: Presence::Named,
        prepare: ready,
        echo: Serve::Here(shopfloor::serve_in_groups),
        http: None,
    },
    Server {
        name: "threads",
        about: "std, one OS thread per connection",
        cores_min: 1,
        presence: Presence::Quick,
        prepare: ready,
        echo: Serve::Here(threads::serve),
        http: None,
    },
    Server {
        name: "tokio",
        about: "multi-threaded runtime",
        cores_min: 1,
        presence: Presence::Quick,
        prepare: ready,
        echo: Serve::Here(tokio::serve),
        http: Some(Serve::Here(tokio::serve_http)),
    },
    Server {
        name: "smol",
        about: "one executor thread per worker",
        cores_min: 1,
        presence: Presence::Quick,
        prepare: ready,
        echo: Serve::Here(smol::serve),
        http: None,
    },
    Server {
        name: "monoio",
        about: "a thread per worker with an epoll of its own, which all accept from one listener; no stealing",
        cores_min: 1,
        presence: Presence::Full,
        prepare: ready,
        echo: Serve::Here(monoio::serve_by_epoll),
        http: None,
    },
    Server {
        name: "monoio-uring",
        about: "the same on io_uring",
        cores_min: 1,
        presence: Presence::Full,
        prepare: monoio::has_uring,
        echo: Serve::Here(monoio::serve_by_uring),
        http: None,
    },
    Server {
        name: "go",
        about: "goroutines, GOMAXPROCS as many as workers; HTTP by its own net/http",
        cores_min: 1,
        presence: Presence::Full,
        prepare: go::build,
        echo: Serve::Program(go::become_echo),
        http: Some(Serve::Program(go::become_http)),
    },
    Server {
        name: "epoll-1",
        about: "no runtime: one thread in an epoll loop",
        cores_min: 1,
        presence: Presence::Quick,
        prepare: ready,
        echo: Serve::Here(epoll::serve_with_one_thread),
        http: None,
    },
    Server {
        name: "epoll-2",
        about: "no runtime: two threads, each with its own epoll loop",
        cores_min: 2,
        presence: Presence::Quick,
        prepare: ready,
        echo: Serve::Here(epoll::serve_with_two_threads),
        http: None,
    },
];

fn ready() -> Result<(), String> {
    Ok(())
}

/// The contestant called `name`.
pub fn server(name: &str) -> Option<&'static Server> {
    SERVERS.iter().find(|server| server.name == name)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::{SERVERS, Serve};
    use crate::compare::echo::{self, Ledger, Terms};

    #[test]
    fn every_server_echoes_whatever_the_pieces_and_closes_its_books() {
        for server in SERVERS {
            // Another program cannot take over the tests: a run of `compare` tries that one.
            let Serve::Here(serve) = server.echo else { continue };
            if (server.prepare)().is_err() {
                continue;
            }
            let ledger = Arc::new(Ledger::default());
            let terms = Terms { workers: 2, message: 64, work_steps: 10, ledger: Arc::clone(&ledger) };
            let listener = echo::listen().unwrap();
            let address = listener.local_addr().unwrap();
            // Serves until the test process ends: a server has no other way to stop.
            std::thread::spawn(move || serve(listener, terms));
            // More than the socket buffers hold, so that replies back up and writes are cut short.
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let sent: Vec<u8> = (0..8 << 20).map(|index: u32| (index % 251) as u8).collect();
            let mut writer = stream.try_clone().unwrap();
            let copy = sent.clone();
            let writing = std::thread::spawn(move || writer.write_all(&copy));
            let mut received = vec![0; sent.len()];
            stream.read_exact(&mut received).unwrap_or_else(|error| panic!("{}: {error}", server.name));
            writing.join().unwrap().unwrap();
            assert!(received == sent, "{} changed the bytes", server.name);
            drop(stream);
            let until = Instant::now() + Duration::from_secs(20);
            while ledger.totals().closed == 0 {
                assert!(Instant::now() < until, "{} does not notice the end", server.name);
                std::thread::yield_now();
            }
            let totals = ledger.totals();
            assert_eq!(totals.errors, 0, "{}: {:?}", server.name, totals.first_error);
            assert_eq!(totals.requests as usize, sent.len() / 64, "{}", server.name);
        }
    }
}
