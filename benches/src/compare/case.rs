//! A row of the server contest: what the clients do, how many of them, and where everybody runs.
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::stats::count;

/// What the clients do with their connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// Each sends its next message when the last one has come back.
    PingPong,
    /// Each keeps many messages under way.
    Streaming,
    /// Ping-pong on a few connections beside many that say nothing.
    Idle,
    /// Ping-pong, but every other client hands its message out in pieces with pauses between them.
    Mixed,
    /// Each message has a connection of its own.
    Storm,
    /// Messages come at a fixed mean rate, whether the server keeps up or not.
    Held,
    /// HTTP/1.1 requests on connections that stay open, the next one when the last one is answered.
    Http,
}

impl Traffic {
    /// Name on the command line and in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::PingPong => "ping-pong",
            Self::Streaming => "streaming",
            Self::Idle => "idle",
            Self::Mixed => "mixed",
            Self::Storm => "storm",
            Self::Held => "held",
            Self::Http => "http",
        }
    }

    /// What is done, for the legend.
    pub fn about(self) -> &'static str {
        match self {
            Self::PingPong => {
                "ping-pong: each connection sends its next message when the last one has come back"
            }
            Self::Streaming => {
                "streaming: each connection keeps 256 KiB of messages, four at least, under way; latency is the time through that window"
            }
            Self::Idle => "idle: ping-pong on the busy connections; the others are open and say nothing",
            Self::Mixed => {
                "mixed: every other client hands its message out in four pieces with 1 ms between them; latency and min/max are of the others, the last column is of the slow ones from their last piece on"
            }
            Self::Storm => {
                "storm: each message has a connection of its own, so many of them at a time; latency begins before the connection is made"
            }
            Self::Held => {
                "held: messages come at random at a fixed mean rate, a part of what the reference does in ping-pong; latency begins when a message is due, so waiting for a slow server counts"
            }
            Self::Http => {
                "http: hyper's HTTP/1.1 with keep-alive and one service for all runtimes; latency as in ping-pong"
            }
        }
    }
}

/// Where server and client run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// The kernel decides, and may change its mind between two rounds.
    #[value(alias = "unpinned")]
    None,
    /// The server on core 0, the client on core 1.
    Split,
    /// Both on core 0.
    #[value(alias = "same-core")]
    Same,
}

impl Placement {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Split, Self::Same];

    /// Name in tables and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "unpinned",
            Self::Split => "split",
            Self::Same => "same-core",
        }
    }

    /// What the name means.
    pub fn about(self) -> &'static str {
        match self {
            Self::None => "unpinned: the kernel places server and client",
            Self::Split => "split: server on core 0, client on core 1",
            Self::Same => "same core: server and client on core 0",
        }
    }

    /// The core of the server.
    pub fn server_core(self) -> Option<usize> {
        (self != Self::None).then_some(0)
    }

    /// The core of the client.
    pub fn client_core(self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Split => Some(1),
            Self::Same => Some(0),
        }
    }

    /// Cores the server can use if it is given `workers` workers.
    pub fn workers(self, workers: usize) -> usize {
        if self == Self::None { workers } else { 1 }
    }
}

/// The conditions under which all contestants are compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Case {
    /// What the clients do.
    pub traffic: Traffic,
    /// Where they and the server run.
    pub placement: Placement,
    /// Connections kept busy.
    pub connections: usize,
    /// Further connections that are open and say nothing.
    pub idle: usize,
    /// Bytes of a message, or of the body of a response.
    pub size: usize,
    /// CPU time that a handler spends on each message, µs.
    pub work_us: u64,
    /// Workers of a server that has a choice.
    pub workers: usize,
    /// For held traffic: the rate, as a part of what the reference does in ping-pong.
    pub load_percent: u32,
}

impl Case {
    /// Connections that are open at a time.
    pub fn open_at_once(&self) -> usize {
        self.connections + self.idle
    }

    /// The same conditions in a closed loop, to find out what a server can do.
    pub fn flat_out(&self) -> Self {
        Self { traffic: Traffic::PingPong, load_percent: 0, ..*self }
    }

    /// Everything but the placement, as the title of a table.
    pub fn title(&self) -> String {
        let connections = count(self.connections as u64);
        let plural = if self.connections == 1 { "" } else { "s" };
        let who = match self.traffic {
            Traffic::PingPong | Traffic::Http => format!("{connections} connection{plural}"),
            Traffic::Streaming => format!("{connections} connection{plural}, streaming"),
            Traffic::Idle => {
                format!("{connections} busy connection{plural} and {} idle ones", count(self.idle as u64))
            }
            Traffic::Mixed => format!("{connections} connection{plural}, half of the clients slow"),
            Traffic::Storm => format!("a connection per message, {connections} at a time"),
            Traffic::Held => {
                format!("{connections} connection{plural}, held at {} %", self.load_percent)
            }
        };
        let what = match self.traffic {
            Traffic::Http => format!("HTTP/1.1, {} body", bytes(self.size)),
            _ => format!("{} echo", bytes(self.size)),
        };
        let work = if self.work_us == 0 { String::new() } else { format!(", {} µs of work", self.work_us) };
        format!("{who} · {what}{work}")
    }

    /// What tells this case from the others in one plot.
    pub fn label(&self, beside: &[Self]) -> String {
        let differs = |pick: fn(&Self) -> u64| beside.iter().any(|other| pick(other) != pick(self));
        let mut parts = vec![count(self.connections as u64)];
        if differs(|case| case.size as u64) {
            parts.push(bytes(self.size));
        }
        if differs(|case| case.work_us) {
            parts.push(format!("{} µs", self.work_us));
        }
        if differs(|case| u64::from(case.load_percent)) {
            parts.push(format!("{} %", self.load_percent));
        }
        if differs(|case| case.placement.workers(case.workers) as u64) {
            parts.push(format!("{}w", self.placement.workers(self.workers)));
        }
        parts.join(" · ")
    }
}

/// `64 B`, `4 KiB`.
fn bytes(size: usize) -> String {
    if size >= 1024 && size.is_multiple_of(1024) {
        format!("{} KiB", size / 1024)
    } else {
        format!("{size} B")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Case, Placement, Traffic};

    pub(crate) fn case(traffic: Traffic, connections: usize) -> Case {
        Case {
            traffic,
            placement: Placement::None,
            connections,
            idle: 0,
            size: 64,
            work_us: 0,
            workers: 2,
            load_percent: 0,
        }
    }

    #[test]
    fn pinned_servers_have_one_worker() {
        assert_eq!(Placement::None.workers(4), 4);
        assert_eq!(Placement::Split.workers(4), 1);
        assert_eq!((Placement::Same.server_core(), Placement::Same.client_core()), (Some(0), Some(0)));
    }

    #[test]
    fn titles_say_what_differs_between_rows() {
        let one = case(Traffic::PingPong, 1);
        assert_eq!(one.title(), "1 connection · 64 B echo");
        let idle = Case { idle: 8000, ..case(Traffic::Idle, 8) };
        assert_eq!(idle.title(), "8 busy connections and 8,000 idle ones · 64 B echo");
        assert_eq!(idle.open_at_once(), 8008);
        let held = Case { load_percent: 80, work_us: 20, size: 4096, ..case(Traffic::Held, 64) };
        assert_eq!(held.title(), "64 connections, held at 80 % · 4 KiB echo, 20 µs of work");
        assert_eq!(held.flat_out().title(), "64 connections · 4 KiB echo, 20 µs of work");
        assert_eq!(case(Traffic::Http, 1000).title(), "1,000 connections · HTTP/1.1, 64 B body");
    }

    #[test]
    fn labels_name_only_what_differs_in_their_plot() {
        let small = case(Traffic::PingPong, 64);
        let large = Case { size: 65_536, ..small };
        let single = Case { workers: 1, ..small };
        assert_eq!(small.label(&[small, case(Traffic::PingPong, 8)]), "64");
        assert_eq!(large.label(&[small, large]), "64 · 64 KiB");
        assert_eq!(single.label(&[small, single]), "64 · 1w");
    }
}
