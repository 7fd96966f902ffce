//! What a run of `compare` leaves behind: every round of every contestant, failures included. Tables, Markdown and
//! plots are computed from it, so nothing is shown that is not in the JSON.
use serde::{Deserialize, Serialize};

use super::case::Case;
use super::options::Plan;
use super::session::{LoadFigures, Sample};
use super::tasks::{Measure, TaskFigures};
use crate::machine::Machine;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where and when.
    pub machine: Machine,
    /// What was asked for.
    pub plan: Plan,
    /// Contestants that cannot take part here, each with the reason.
    pub left_out: Vec<(String, String)>,
    /// Table 1, round by round.
    pub servers: Vec<ServerRecord>,
    /// Table 2, round by round.
    pub tasks: Vec<TaskRecord>,
}

/// The outcome of one measurement: figures or the reason why there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<T> {
    /// It went well.
    Measured(T),
    /// It did not.
    Failed(String),
}

impl<T> From<Result<T, String>> for Outcome<T> {
    fn from(result: Result<T, String>) -> Self {
        match result {
            Ok(figures) => Self::Measured(figures),
            Err(error) => Self::Failed(error),
        }
    }
}

/// One contestant in one round of the server table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerRecord {
    /// What the clients did, and where.
    pub case: Case,
    /// Messages per second that were sent, if their rate was held.
    pub rate: Option<f64>,
    /// Who.
    pub contestant: String,
    /// Rounds with the same number ran side by side and are compared with each other.
    pub round: u32,
    /// Figures or error.
    pub outcome: Outcome<ServerFigures>,
}

/// One contestant in one round of the task table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// What.
    pub measure: Measure,
    /// Who.
    pub contestant: String,
    /// Rounds with the same number ran side by side.
    pub round: u32,
    /// Figures or error.
    pub outcome: Outcome<TaskFigures>,
}

/// By what factor the kernel's count of CPU time may exceed what the clock allows.
const USAGE_ERROR: f64 = 1.1;

/// Figures of one server in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerFigures {
    /// Replies per second.
    pub requests_per_s: f64,
    /// Median latency, µs.
    pub p50_us: f64,
    /// 99th percentile, µs.
    pub p99_us: f64,
    /// 99.9th percentile, µs.
    pub p999_us: f64,
    /// Slowest reply, µs.
    pub max_us: f64,
    /// Server CPU in user mode per request, µs.
    pub user_us: f64,
    /// Server CPU in the kernel per request, µs.
    pub system_us: f64,
    /// Context switches of the server per request because a thread waited.
    pub voluntary: f64,
    /// Context switches of the server per request because the kernel took the core away.
    pub involuntary: f64,
    /// System calls of the server per request, if they were counted.
    pub syscalls: Option<f64>,
    /// Most threads seen.
    pub threads: u64,
    /// Largest resident size of the server, bytes.
    pub memory_peak: u64,
    /// Replies within the window.
    pub requests: u64,
    /// Length of the window, seconds.
    pub seconds: f64,
    /// The 99th percentile of slow clients, µs, if there were any.
    pub slow_p99_us: Option<f64>,
    /// Replies on the connection that had the fewest, divided by those on the one that had the most.
    pub fairness: f64,
    /// CPU of the load generator per request, µs.
    pub client_us: f64,
}

impl ServerFigures {
    /// Combines what the load generator saw with the server's resources at both ends of the window.
    ///
    /// The server's samples are taken a few µs to ms after the window's ends; dividing rates by rates instead of
    /// sums by sums keeps that delay out of the figures.
    ///
    /// # Errors
    /// If there is nothing to divide by, a connection failed, or the server had used more than all of its `cores`.
    pub fn new(
        load: &LoadFigures,
        begin: &Sample,
        end: &Sample,
        connections: usize,
        cores: usize,
    ) -> Result<Self, String> {
        if let Some(error) = &load.first_error {
            return Err(format!("{} of {connections} connections failed; {error}", load.errors));
        }
        let server_seconds = end.at_us.saturating_sub(begin.at_us) as f64 / 1e6;
        if load.requests == 0 || load.seconds <= 0.0 || server_seconds <= 0.0 {
            return Err(String::from("no reply within the window"));
        }
        let requests_per_s = load.requests as f64 / load.seconds;
        let used = end.usage.since(&begin.usage);
        let used_cores = (used.user_us + used.system_us) as f64 / 1e6 / server_seconds;
        if used_cores > cores as f64 * USAGE_ERROR {
            return Err(format!(
                "the server used {used_cores:.2} of {cores} cores: its clock or usage is wrong"
            ));
        }
        let per_request = |amount: u64| amount as f64 / server_seconds / requests_per_s;
        Ok(Self {
            requests_per_s,
            p50_us: load.p50_us,
            p99_us: load.p99_us,
            p999_us: load.p999_us,
            max_us: load.max_us,
            user_us: per_request(used.user_us),
            system_us: per_request(used.system_us),
            voluntary: per_request(used.voluntary),
            involuntary: per_request(used.involuntary),
            syscalls: end
                .syscalls
                .zip(begin.syscalls)
                .map(|(end, begin)| per_request(end.saturating_sub(begin))),
            threads: begin.threads.max(end.threads),
            memory_peak: end.memory_peak,
            requests: load.requests,
            seconds: load.seconds,
            slow_p99_us: load.slow_p99_us,
            fairness: load.replies_min as f64 / load.replies_max.max(1) as f64,
            client_us: (load.usage.user_us + load.usage.system_us) as f64 / load.requests as f64,
        })
    }

    /// The part of a core that the load generator was on. It is one thread: near 1 it asks as fast as it can.
    pub fn client_cores(&self) -> f64 {
        self.client_us * self.requests_per_s / 1e6
    }

    /// Server CPU per request, user and system together, µs.
    pub fn cpu_us(&self) -> f64 {
        self.user_us + self.system_us
    }
}

impl Report {
    /// All errors, each with the measurement it spoiled.
    pub fn failures(&self) -> Vec<String> {
        let servers = self.servers.iter().filter_map(|record| match &record.outcome {
            Outcome::Failed(error) => Some(format!(
                "{}, {}, {}, round {}: {error}",
                record.contestant,
                record.case.title(),
                record.case.placement.name(),
                record.round
            )),
            Outcome::Measured(_) => None,
        });
        let tasks = self.tasks.iter().filter_map(|record| match &record.outcome {
            Outcome::Failed(error) => Some(format!(
                "{}, {}, round {}: {error}",
                record.contestant,
                record.measure.name(),
                record.round
            )),
            Outcome::Measured(_) => None,
        });
        servers.chain(tasks).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Outcome, Report, ServerFigures, ServerRecord, TaskRecord};
    use crate::compare::case::{Traffic, tests::case};
    use crate::compare::options::Options;
    use crate::compare::session::{LoadFigures, Sample};
    use crate::compare::tasks::{Measure, Parked, TaskFigures};
    use crate::machine::Machine;
    use crate::os::Usage;

    fn load(requests: u64) -> LoadFigures {
        LoadFigures {
            requests,
            requests_total: requests + 10,
            seconds: 2.0,
            p50_us: 10.0,
            p99_us: 20.0,
            p999_us: 30.0,
            max_us: 40.0,
            connections_made: 2,
            slow_p99_us: None,
            replies_min: requests / 4,
            replies_max: requests / 2,
            usage: Usage { user_us: requests, system_us: requests, voluntary: 0, involuntary: 0 },
            errors: 0,
            first_error: None,
        }
    }

    fn sample(at_us: u64, user_us: u64) -> Sample {
        let usage = Usage { user_us, system_us: 3 * user_us, voluntary: user_us / 10, involuntary: 0 };
        Sample { at_us, usage, syscalls: Some(3 * user_us), threads: 3, memory_peak: 5 << 20 }
    }

    /// A report with two contestants, the second of which failed in round 2.
    pub(crate) fn example() -> Report {
        let server = |contestant: &str, round, outcome| ServerRecord {
            case: case(Traffic::PingPong, 64),
            rate: None,
            contestant: contestant.into(),
            round,
            outcome,
        };
        let figures = |requests| {
            let figures =
                ServerFigures::new(&load(requests), &sample(0, 0), &sample(2_000_000, requests), 2, 2)
                    .unwrap();
            Outcome::Measured(figures)
        };
        let task = |measure, contestant: &str, figures| TaskRecord {
            measure,
            contestant: contestant.into(),
            round: 1,
            outcome: Outcome::Measured(figures),
        };
        let parked = Parked {
            made: 1000,
            stopped_by: "the number asked for, 1,000".into(),
            resident: 100_000,
            kernel: 0,
            future: 16,
        };
        Report {
            machine: Machine::look(),
            plan: Options::default().plan().unwrap(),
            left_out: vec![("go".into(), "there is no `go`".into())],
            servers: vec![
                server("threads", 1, figures(1000)),
                server("tokio", 1, figures(2000)),
                server("threads", 2, figures(1000)),
                server("tokio", 2, Outcome::Failed("killed".into())),
            ],
            tasks: vec![
                task(Measure::Switch, "tokio", TaskFigures::Each { ns: 50.0, count: 10 }),
                task(Measure::Switch, "threads", TaskFigures::Each { ns: 3000.0, count: 10 }),
                task(Measure::Memory, "tokio", TaskFigures::Parked(parked)),
            ],
        }
    }

    #[test]
    fn cpu_per_request_is_a_ratio_of_rates() {
        // The samples span 4 s, the window 2 s: half of the CPU belongs to the window.
        let figures = ServerFigures::new(&load(1000), &sample(0, 0), &sample(4_000_000, 2000), 2, 2).unwrap();
        assert_eq!(figures.requests_per_s, 500.0);
        assert_eq!((figures.user_us, figures.system_us, figures.cpu_us()), (1.0, 3.0, 4.0));
        assert_eq!((figures.voluntary, figures.syscalls), (0.1, Some(3.0)));
        assert_eq!(figures.client_us, 2.0);
        assert_eq!(figures.fairness, 0.5);
    }

    #[test]
    fn errors_of_connections_leave_no_figures() {
        let mut spoiled = load(1000);
        (spoiled.errors, spoiled.first_error) = (1, Some("connection 3: reset".into()));
        let error = ServerFigures::new(&spoiled, &sample(0, 0), &sample(1, 1), 4, 8).unwrap_err();
        assert_eq!(error, "1 of 4 connections failed; connection 3: reset");
        assert!(ServerFigures::new(&load(0), &sample(0, 0), &sample(1, 1), 4, 8).is_err());
    }

    #[test]
    fn a_server_that_used_more_than_its_cores_has_no_figures() {
        let figures =
            |used: u64| ServerFigures::new(&load(1000), &sample(0, 0), &sample(1_000_000, used / 4), 2, 1);
        assert!(figures(1_000_000).is_ok());
        let error = figures(1_200_000).unwrap_err();
        assert!(error.starts_with("the server used 1.20 of 1 cores"), "{error}");
    }

    #[test]
    fn report_survives_json() {
        let report = example();
        let text = serde_json::to_string_pretty(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }

    #[test]
    fn failures_name_the_measurement() {
        assert_eq!(example().failures(), ["tokio, 64 connections · 64 B echo, unpinned, round 2: killed"]);
    }
}
