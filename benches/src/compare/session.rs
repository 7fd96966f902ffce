//! The words that the processes of a measurement say to each other.
use serde::{Deserialize, Serialize};

use super::echo::Totals;
use crate::os::Usage;

/// What a server is asked, one word per line.
pub const SAMPLE: &str = "sample";
/// Asks a server for the sums of its finished connections.
pub const TOTALS: &str = "totals";
/// Lets a load generator start.
pub const GO: &str = "go";

/// Said by a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromServer {
    /// It listens on this port.
    Ready {
        /// Loopback port.
        port: u16,
    },
    /// Its resources now.
    Sample(Sample),
    /// Its books now.
    Totals(Totals),
}

/// Resources of a server process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When, µs on the server's monotonic clock.
    pub at_us: u64,
    /// CPU time and context switches so far.
    pub usage: Usage,
    /// System calls so far, if they are counted.
    pub syscalls: Option<u64>,
    /// Threads, without the one that answers these questions.
    pub threads: u64,
    /// Largest resident size so far, bytes.
    pub memory_peak: u64,
}

/// Said by a load generator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromLoad {
    /// All connections stand.
    Connected,
    /// Warm-up is over: from now on every reply counts.
    WindowBegins,
    /// The last reply that counts has come.
    WindowEnds,
    /// All replies have come and all connections are closed.
    Done(LoadFigures),
}

/// What a load generator saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadFigures {
    /// Replies within the window.
    pub requests: u64,
    /// Replies from the first connection to the last, warm-up and end included.
    pub requests_total: u64,
    /// Connections made in all that time.
    pub connections_made: u64,
    /// Length of the window, seconds.
    pub seconds: f64,
    /// Median time from request to reply, µs.
    pub p50_us: f64,
    /// 99th percentile, µs.
    pub p99_us: f64,
    /// 99.9th percentile, µs.
    pub p999_us: f64,
    /// The slowest reply, µs.
    pub max_us: f64,
    /// The 99th percentile of slow clients, from their last piece to the reply, µs, if there are any.
    pub slow_p99_us: Option<f64>,
    /// Replies within the window on the connection that had the fewest of its kind.
    pub replies_min: u64,
    /// Replies within the window on the connection that had the most.
    pub replies_max: u64,
    /// CPU time of the load generator within the window.
    pub usage: Usage,
    /// Connections that failed or brought back wrong bytes.
    pub errors: u64,
    /// What was wrong with the first of them.
    pub first_error: Option<String>,
}
