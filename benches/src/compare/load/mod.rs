//! `compare load`: one thread, one epoll, closed loop: each connection sends its next request when the reply to the
//! last one has come. Every byte of every reply is checked.
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use connection::Connection;

use super::session::{FromLoad, LoadFigures};
use crate::os::Usage;

mod connection;

/// Events taken from the kernel at a time.
const EVENTS: usize = 1024;
/// What to do to a server.
#[derive(Clone, Copy, Debug)]
pub struct LoadPlan {
    /// Where it listens.
    pub address: SocketAddr,
    /// How many connections to keep busy.
    pub connections: usize,
    /// Time before the window.
    pub warm_up: Duration,
    /// Time that counts.
    pub window: Duration,
    /// How long all connections together may be silent before the server counts as stuck.
    pub silence_max: Duration,
}

/// Connects, calls `say(Connected)`, then `go`, then runs the plan and announces both ends of the window.
///
/// Errors of single connections are counted in the result.
///
/// # Errors
/// If a connection cannot be made, the server falls silent, or `say` or `go` fails.
pub fn run(
    plan: &LoadPlan,
    mut say: impl FnMut(FromLoad) -> Result<(), String>,
    go: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let mut load = Load::connect(plan)?;
    say(FromLoad::Connected)?;
    go()?;
    let warm_up_end = load.send_first() + plan.warm_up;
    let window_begin = load.turn_until(warm_up_end)?;
    say(FromLoad::WindowBegins)?;
    let usage_begin = Usage::of_this_process();
    load.begin_window();
    let window_end = load.turn_until(window_begin + plan.window)?;
    let usage = Usage::of_this_process().since(&usage_begin);
    say(FromLoad::WindowEnds)?;
    load.drain()?;
    say(FromLoad::Done(load.figures(window_end - window_begin, usage)))
}

struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// Time from request to reply, ns, of the replies that count.
    latency: Histogram<u64>,
    requests_total: u64,
    errors: u64,
    first_error: Option<String>,
    is_draining: bool,
    open: usize,
    silence_max: Duration,
}

impl Load {
    fn connect(plan: &LoadPlan) -> Result<Self, String> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(|error| error.to_string())?;
        let mut connections = Vec::with_capacity(plan.connections);
        for index in 0..plan.connections {
            let connection = Connection::open(plan.address, index)
                .and_then(|connection| {
                    let stream = connection.stream.as_ref().expect("just opened");
                    epoll::add(&epoll, stream, EventData::new_u64(index as u64), EventFlags::IN)?;
                    Ok(connection)
                })
                .map_err(|error| format!("connection {index}: {error}"))?;
            connections.push(connection);
        }
        // A minute is beyond every deadline, so nothing is clipped.
        let latency = Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(|error| error.to_string())?;
        Ok(Self {
            epoll,
            open: connections.len(),
            connections,
            latency,
            requests_total: 0,
            errors: 0,
            first_error: None,
            is_draining: false,
            silence_max: plan.silence_max,
        })
    }

    fn send_first(&mut self) -> Instant {
        for index in 0..self.connections.len() {
            let result = self.connections[index].send(Instant::now());
            self.note(index, result.map(|()| None), Instant::now());
        }
        Instant::now()
    }

    fn begin_window(&mut self) {
        self.latency.reset();
        for connection in &mut self.connections {
            connection.replies = 0;
        }
    }

    /// Serves replies until the clock shows `end`; returns what it showed.
    fn turn_until(&mut self, end: Instant) -> Result<Instant, String> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        let mut last_event = Instant::now();
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(now);
            }
            if self.open == 0 {
                let error = self.first_error.as_deref().unwrap_or("no reason known");
                return Err(format!("all connections have failed: {error}"));
            }
            if self.is_draining && self.connections.iter().all(|connection| !connection.is_waiting) {
                return Ok(now);
            }
            if now - last_event > self.silence_max {
                return Err(format!("no reply within {} s", self.silence_max.as_secs_f64()));
            }
            events.clear();
            let patience = (end - now).min(self.silence_max);
            let timeout = Timespec::try_from(patience).expect("seconds fit");
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.to_string()),
            }
            for event in &events {
                let index = usize::try_from(event.data.u64()).expect("indices are small");
                let result = self.connections[index].receive();
                last_event = Instant::now();
                self.note(index, result, last_event);
                if last_event >= end {
                    // The events left are reported again: the registration is level-triggered.
                    break;
                }
            }
        }
    }

    /// Enters what happened on a connection and lets it go on.
    fn note(&mut self, index: usize, result: io::Result<Option<Instant>>, now: Instant) {
        let connection = &mut self.connections[index];
        let result = result.and_then(|reply| {
            if let Some(sent_at) = reply {
                self.requests_total += 1;
                if !self.is_draining {
                    connection.replies += 1;
                    let nanos = u64::try_from((now - sent_at).as_nanos()).unwrap_or(u64::MAX);
                    self.latency.saturating_record(nanos);
                    connection.send(now)?;
                }
            }
            Ok(())
        });
        if let Err(error) = result {
            self.errors += 1;
            self.first_error.get_or_insert_with(|| format!("connection {index}: {error}"));
            connection.stream = None;
            connection.is_waiting = false;
            self.open -= 1;
        }
    }

    /// Takes the replies still under way, sends no more, then closes all connections.
    fn drain(&mut self) -> Result<(), String> {
        self.is_draining = true;
        let end = Instant::now() + self.silence_max;
        if self.open > 0 && self.turn_until(end)? >= end {
            return Err(self.missing());
        }
        for connection in &mut self.connections {
            connection.stream = None;
        }
        Ok(())
    }

    /// Which connections still wait for a reply.
    fn missing(&self) -> String {
        let waiting: Vec<(usize, u64)> = self
            .connections
            .iter()
            .enumerate()
            .filter(|(_, connection)| connection.is_waiting)
            .map(|(index, connection)| (index, connection.replies))
            .collect();
        let first = waiting.first().map_or_else(String::new, |(index, replies)| {
            format!("; connection {index} stopped after {replies} replies within the window")
        });
        let (waiting, all, patience) =
            (waiting.len(), self.connections.len(), self.silence_max.as_secs_f64());
        format!("{waiting} of {all} connections had no reply for {patience} s after the window{first}")
    }

    fn figures(&self, window: Duration, usage: Usage) -> LoadFigures {
        let micros = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1000.0;
        LoadFigures {
            requests: self.latency.len(),
            requests_total: self.requests_total,
            seconds: window.as_secs_f64(),
            p50_us: micros(0.5),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
            max_us: self.latency.max() as f64 / 1000.0,
            slowest_connection: self
                .connections
                .iter()
                .map(|connection| connection.replies)
                .min()
                .unwrap_or(0),
            usage,
            errors: self.errors,
            first_error: self.first_error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::time::Duration;

    use super::{LoadPlan, run};
    use crate::compare::echo::{self, MESSAGE};
    use crate::compare::session::{FromLoad, LoadFigures};

    /// A server that handles each connection with `handle` on a thread of its own.
    fn server(connections: usize, handle: fn(TcpStream)) -> SocketAddr {
        let listener = echo::listen().unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for _ in 0..connections {
                let (stream, _) = listener.accept().unwrap();
                std::thread::spawn(move || handle(stream));
            }
        });
        address
    }

    fn measure(address: SocketAddr, connections: usize) -> (Result<(), String>, Vec<FromLoad>) {
        let (warm_up, window) = (Duration::from_millis(10), Duration::from_millis(50));
        let mut said = Vec::new();
        let plan = LoadPlan { address, connections, warm_up, window, silence_max: Duration::from_secs(1) };
        let result = run(
            &plan,
            |word| {
                said.push(word);
                Ok(())
            },
            || Ok(()),
        );
        (result, said)
    }

    fn figures(said: &[FromLoad]) -> &LoadFigures {
        match said {
            [FromLoad::Connected, FromLoad::WindowBegins, FromLoad::WindowEnds, FromLoad::Done(figures)] => {
                figures
            }
            other => panic!("said {other:?}"),
        }
    }

    #[test]
    fn honest_server_is_measured_without_errors() {
        let address = server(3, |mut stream| {
            let mut buffer = [0; MESSAGE];
            // One byte first: replies in pieces count once.
            while stream.read_exact(&mut buffer).is_ok() {
                if stream.write_all(&buffer[..1]).and_then(|()| stream.write_all(&buffer[1..])).is_err() {
                    return;
                }
            }
        });
        let (result, said) = measure(address, 3);
        result.unwrap();
        let figures = figures(&said);
        assert_eq!(figures.errors, 0, "{figures:?}");
        assert!(figures.requests > 0 && figures.requests <= figures.requests_total, "{figures:?}");
        assert!(figures.p50_us > 0.0 && figures.p50_us <= figures.p99_us && figures.p99_us <= figures.max_us);
        assert!(figures.seconds >= 0.05);
    }

    #[test]
    fn changed_byte_is_an_error() {
        let address = server(1, |mut stream| {
            let mut buffer = [0; MESSAGE];
            while stream.read_exact(&mut buffer).is_ok() {
                buffer[MESSAGE - 1] ^= 1;
                if stream.write_all(&buffer).is_err() {
                    return;
                }
            }
        });
        let (result, _) = measure(address, 1);
        assert!(result.unwrap_err().contains("other bytes came back"));
    }

    #[test]
    fn surplus_byte_is_an_error() {
        let address = server(1, |mut stream| {
            let mut buffer = [0; MESSAGE + 1];
            while stream.read_exact(&mut buffer[..MESSAGE]).is_ok() {
                if stream.write_all(&buffer).is_err() {
                    return;
                }
            }
        });
        let (result, _) = measure(address, 1);
        assert!(result.unwrap_err().contains("more bytes came back"));
    }

    #[test]
    fn connection_that_falls_silent_is_named() {
        let address = server(2, |mut stream| {
            let mut buffer = [0; MESSAGE];
            while stream.read_exact(&mut buffer).is_ok() {
                // The sixth request of connection 1 is never answered, though the connection stays open.
                if (buffer[8] == 1 && buffer[0] > 5) || stream.write_all(&buffer).is_ok() {
                    continue;
                }
                return;
            }
        });
        let (result, _) = measure(address, 2);
        let error = result.unwrap_err();
        assert!(error.starts_with("1 of 2 connections had no reply"), "{error}");
        assert!(error.contains("connection 1 stopped"), "{error}");
    }

    #[test]
    fn lost_connection_is_counted_and_the_others_go_on() {
        let address = server(2, |mut stream| {
            let mut buffer = [0; MESSAGE];
            while stream.read_exact(&mut buffer).is_ok() {
                // Connection 1 is hung up on.
                if buffer[8] == 1 || stream.write_all(&buffer).is_err() {
                    return;
                }
            }
        });
        let (result, said) = measure(address, 2);
        result.unwrap();
        let figures = figures(&said);
        assert_eq!(figures.errors, 1);
        assert!(figures.first_error.as_deref().is_some_and(|error| error.starts_with("connection 1:")));
        assert_eq!(figures.slowest_connection, 0);
        assert!(figures.requests > 0);
    }
}
