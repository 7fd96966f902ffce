//! The contestants of the server table, each in a file of its own.
use std::io;
use std::net::TcpListener;

use super::echo::Terms;

mod epoll;
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
    /// Whether it takes part when it is not named.
    pub by_default: bool,
    /// Serves until an error of the listener; the calling thread may be used as it likes.
    pub serve: fn(TcpListener, Terms) -> io::Result<()>,
}

/// All contestants, in the order of the tables.
pub const SERVERS: &[Server] = &[
    Server {
        name: "shopfloor",
        about: "work-stealing runtime",
        cores_min: 1,
        by_default: true,
        serve: shopfloor::serve,
    },
    Server {
        name: "shopfloor-no-spin",
        about: "the same, whose workers sleep in the driver at once",
        cores_min: 1,
        by_default: false,
        serve: shopfloor::serve_without_spin,
    },
    Server {
        name: "threads",
        about: "std, one OS thread per connection",
        cores_min: 1,
        by_default: true,
        serve: threads::serve,
    },
    Server {
        name: "tokio",
        about: "multi-threaded runtime",
        cores_min: 1,
        by_default: true,
        serve: tokio::serve,
    },
    Server {
        name: "smol",
        about: "one executor thread per worker",
        cores_min: 1,
        by_default: true,
        serve: smol::serve,
    },
    Server {
        name: "epoll-1",
        about: "no runtime: one thread in an epoll loop",
        cores_min: 1,
        by_default: true,
        serve: epoll::serve_with_one_thread,
    },
    Server {
        name: "epoll-2",
        about: "no runtime: two threads, each with its own epoll loop",
        cores_min: 2,
        by_default: true,
        serve: epoll::serve_with_two_threads,
    },
];

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

    use super::SERVERS;
    use crate::compare::echo::{self, Ledger, Terms};

    #[test]
    fn every_server_echoes_whatever_the_pieces_and_closes_its_books() {
        for server in SERVERS {
            let ledger = Arc::new(Ledger::default());
            let terms = Terms { workers: 2, work_steps: 10, ledger: Arc::clone(&ledger) };
            let listener = echo::listen().unwrap();
            let address = listener.local_addr().unwrap();
            let serve = server.serve;
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
            assert_eq!(totals.requests as usize, sent.len() / echo::MESSAGE, "{}", server.name);
        }
    }
}
