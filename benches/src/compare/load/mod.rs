//! `compare load`: one thread, one epoll. Each connection sends its next request when the reply to the last one has
//! come, or at a rate of its own, as the traffic wants it. Every byte of every reply is checked.
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use connection::Connection;
use pace::{Alarm, Arrivals, Pieces};
use wire::Wire;

use super::case::Traffic;
use super::session::{FromLoad, LoadFigures};
use crate::os::Usage;

mod connection;
mod pace;
#[cfg(test)]
mod tests;
mod wire;

/// Events taken from the kernel at a time.
const EVENTS: usize = 1024;
/// Event data of the alarm; connections have their index.
const ALARM: u64 = u64::MAX;
/// Bytes read from a connection at a time.
const READ: usize = 64 << 10;
/// Bytes that a streaming connection keeps under way, in messages.
const STREAM_WINDOW: usize = 256 << 10;
/// Messages that it keeps under way, at least.
const STREAM_DEPTH_MIN: usize = 4;
/// A minute is beyond every deadline, so nothing is clipped.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// What to do to a server.
#[derive(Clone, Copy, Debug)]
pub struct LoadPlan {
    /// Where it listens.
    pub address: SocketAddr,
    /// What to do with the connections.
    pub traffic: Traffic,
    /// How many connections to keep busy.
    pub connections: usize,
    /// How many more to open and leave alone.
    pub idle: usize,
    /// Bytes of a message, or of the body of a response.
    pub size: usize,
    /// Messages per second of held traffic.
    pub rate: f64,
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
    plan: LoadPlan,
    epoll: OwnedFd,
    /// The busy ones, then the idle ones.
    connections: Vec<Connection>,
    alarm: Alarm,
    is_alarmed: bool,
    arrivals: Option<Arrivals>,
    pieces: Pieces,
    buffer: Vec<u8>,
    /// Since when the replies of one event were waited for.
    waited: Vec<Instant>,
    /// Time from request to reply, ns, of the replies that count.
    latency: Histogram<u64>,
    /// The same of slow clients.
    slow_latency: Histogram<u64>,
    requests_total: u64,
    connections_made: u64,
    errors: u64,
    first_error: Option<String>,
    is_draining: bool,
    open: usize,
}

impl Load {
    fn connect(plan: &LoadPlan) -> Result<Self, String> {
        let histogram =
            || Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).map_err(|error| error.to_string());
        let wire = match plan.traffic {
            Traffic::Http => Wire::Http { size: plan.size },
            _ => Wire::Echo { size: plan.size },
        };
        let all = plan.connections + plan.idle;
        let mut load = Self {
            plan: *plan,
            epoll: epoll::create(CreateFlags::CLOEXEC).map_err(|error| error.to_string())?,
            connections: (0..all).map(|index| Connection::new(wire, index)).collect(),
            alarm: Alarm::new().map_err(|error| error.to_string())?,
            is_alarmed: false,
            arrivals: None,
            pieces: Pieces::default(),
            buffer: vec![0; READ],
            waited: Vec::new(),
            latency: histogram()?,
            slow_latency: histogram()?,
            requests_total: 0,
            connections_made: 0,
            errors: 0,
            first_error: None,
            is_draining: false,
            open: all,
        };
        epoll::add(&load.epoll, load.alarm.as_fd(), EventData::new_u64(ALARM), EventFlags::IN)
            .map_err(|error| error.to_string())?;
        if plan.traffic != Traffic::Storm {
            for index in 0..all {
                load.open(index).map_err(|error| format!("connection {index}: {error}"))?;
            }
        }
        Ok(load)
    }

    fn open(&mut self, index: usize) -> io::Result<()> {
        let stream = self.connections[index].open(self.plan.address)?;
        epoll::add(&self.epoll, stream, EventData::new_u64(index as u64), EventFlags::IN)?;
        self.connections_made += 1;
        Ok(())
    }

    /// What busy connections do first; the time is the begin of the warm-up.
    fn send_first(&mut self) -> Instant {
        match self.plan.traffic {
            Traffic::Held => {
                let start = Instant::now();
                self.arrivals = Some(Arrivals::new(self.plan.rate, self.plan.connections, start));
            }
            _ => {
                for index in 0..self.plan.connections {
                    self.attempt(index, |load| {
                        let depth = match load.plan.traffic {
                            Traffic::Streaming => (STREAM_WINDOW / load.plan.size).max(STREAM_DEPTH_MIN),
                            _ => 1,
                        };
                        (0..depth).try_for_each(|_| load.next_request(index, Instant::now()))
                    });
                }
            }
        }
        Instant::now()
    }

    /// A closed loop goes on; it does not flush.
    fn next_request(&mut self, index: usize, now: Instant) -> io::Result<()> {
        let connection = &mut self.connections[index];
        match self.plan.traffic {
            Traffic::Storm => {
                let stream = connection.begin_to_open(self.plan.address, self.connections_made)?;
                let flags = EventFlags::IN | EventFlags::OUT;
                epoll::add(&self.epoll, stream, EventData::new_u64(index as u64), flags)?;
                self.connections_made += 1;
                connection.ask(now);
            }
            Traffic::Mixed if is_slow(index) => {
                connection.ask_in_pieces(now);
                self.pieces.pause(index, now);
            }
            _ => connection.ask(now),
        }
        Ok(())
    }

    /// Does something on a connection, hands over what that gave it to send, and enters a failure.
    fn attempt(&mut self, index: usize, act: impl FnOnce(&mut Self) -> io::Result<()>) {
        let result = act(self).and_then(|()| self.flush(index));
        if let Err(error) = result {
            self.errors += 1;
            self.first_error.get_or_insert_with(|| format!("connection {index}: {error}"));
            self.connections[index].close();
            self.open -= 1;
        }
    }

    fn flush(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        connection.flush()?;
        let wants_room = connection.wants_room();
        if wants_room != connection.is_told_of_room
            && let Some(stream) = &connection.stream
        {
            let flags = if wants_room { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.epoll, stream, EventData::new_u64(index as u64), flags)?;
            connection.is_told_of_room = wants_room;
        }
        Ok(())
    }

    fn begin_window(&mut self) {
        self.latency.reset();
        self.slow_latency.reset();
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
            if self.is_draining && !self.connections.iter().any(Connection::is_waiting) {
                return Ok(now);
            }
            if now - last_event > self.plan.silence_max {
                return Err(format!("no reply within {} s", self.plan.silence_max.as_secs_f64()));
            }
            let next = self.act_of_itself(now);
            // The last alarm would go on telling of itself if there were none after it.
            if next.is_some() || self.is_alarmed {
                self.is_alarmed = next.is_some();
                self.alarm.set(next.unwrap_or(end)).map_err(|error| error.to_string())?;
            }
            events.clear();
            let patience = (end - now).min(self.plan.silence_max);
            let timeout = Timespec::try_from(patience).expect("seconds fit");
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.to_string()),
            }
            for event in events.iter().filter(|event| event.data.u64() != ALARM) {
                let index = usize::try_from(event.data.u64()).expect("indices are small");
                last_event = Instant::now();
                self.attempt(index, |load| load.answer(index, event.flags, last_event));
                if last_event >= end {
                    // The events left are reported again: the registration is level-triggered.
                    break;
                }
            }
        }
    }

    /// Sends what is due; returns when something will be.
    fn act_of_itself(&mut self, now: Instant) -> Option<Instant> {
        while let Some(index) = self.pieces.due(now) {
            self.attempt(index, |load| {
                if load.connections[index].stream.is_some() && !load.connections[index].allow_piece(now) {
                    load.pieces.pause(index, now);
                }
                Ok(())
            });
        }
        let mut next_arrival = None;
        if !self.is_draining
            && let Some(mut arrivals) = self.arrivals.take()
        {
            while let Some((due, index)) = arrivals.due(now) {
                if self.connections[index].stream.is_some() {
                    self.attempt(index, |load| {
                        load.connections[index].ask(due);
                        Ok(())
                    });
                }
            }
            next_arrival = Some(arrivals.next());
            self.arrivals = Some(arrivals);
        }
        [next_arrival, self.pieces.next()].into_iter().flatten().min()
    }

    /// Takes an event of a connection and lets it go on.
    fn answer(&mut self, index: usize, flags: EventFlags, now: Instant) -> io::Result<()> {
        let connection = &mut self.connections[index];
        if flags.contains(EventFlags::OUT) {
            connection.has_room();
        }
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return Ok(());
        }
        let mut waited = std::mem::take(&mut self.waited);
        connection.receive(&mut self.buffer, &mut waited)?;
        for since in waited.drain(..) {
            self.requests_total += 1;
            if !self.is_draining {
                self.replied(index, now - since);
                if self.arrivals.is_none() {
                    self.next_request(index, now)?;
                }
            } else if self.plan.traffic == Traffic::Storm {
                self.connections[index].close();
            }
        }
        self.waited = waited;
        Ok(())
    }

    fn replied(&mut self, index: usize, after: Duration) {
        let is_slow = self.plan.traffic == Traffic::Mixed && is_slow(index);
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        let latency = if is_slow { &mut self.slow_latency } else { &mut self.latency };
        latency.saturating_record(nanos);
        self.connections[index].replies += 1;
    }

    /// Takes the replies still under way, sends no more, then closes all connections.
    fn drain(&mut self) -> Result<(), String> {
        self.is_draining = true;
        let end = Instant::now() + self.plan.silence_max;
        if self.open > 0 && self.turn_until(end)? >= end {
            return Err(self.missing());
        }
        self.connections.iter_mut().for_each(Connection::close);
        Ok(())
    }

    /// Which connections still wait for a reply.
    fn missing(&self) -> String {
        let waiting: Vec<(usize, u64)> = self
            .connections
            .iter()
            .enumerate()
            .filter(|(_, connection)| connection.is_waiting())
            .map(|(index, connection)| (index, connection.replies))
            .collect();
        let first = waiting.first().map_or_else(String::new, |(index, replies)| {
            format!("; connection {index} stopped after {replies} replies within the window")
        });
        let (waiting, all, patience) =
            (waiting.len(), self.connections.len(), self.plan.silence_max.as_secs_f64());
        format!("{waiting} of {all} connections had no reply for {patience} s after the window{first}")
    }

    fn figures(&self, window: Duration, usage: Usage) -> LoadFigures {
        let micros = |nanos: u64| nanos as f64 / 1000.0;
        let quantile = |quantile| micros(self.latency.value_at_quantile(quantile));
        let is_mixed = self.plan.traffic == Traffic::Mixed;
        let busy = self.connections[..self.plan.connections].iter().enumerate();
        let of_equals = busy.filter(|&(index, _)| !(is_mixed && is_slow(index)));
        let replies: Vec<u64> = of_equals.map(|(_, connection)| connection.replies).collect();
        let slow = &self.slow_latency;
        LoadFigures {
            requests: self.latency.len() + slow.len(),
            requests_total: self.requests_total,
            connections_made: self.connections_made,
            seconds: window.as_secs_f64(),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            max_us: micros(self.latency.max()),
            slow_p99_us: is_mixed.then(|| micros(slow.value_at_quantile(0.99))),
            replies_min: replies.iter().copied().min().unwrap_or(0),
            replies_max: replies.iter().copied().max().unwrap_or(0),
            usage,
            errors: self.errors,
            first_error: self.first_error.clone(),
        }
    }
}

/// Of mixed clients every other one.
fn is_slow(index: usize) -> bool {
    index % 2 == 1
}
