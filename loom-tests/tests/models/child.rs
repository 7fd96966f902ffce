//! One model in one order: the whole life of a child process.
//!
//! A failing model often ends in an abort, because the panic unwinds through values whose drop panics
//! again; in a process of its own it takes no other model along.

#![allow(clippy::disallowed_types, reason = "executions are counted across executions, outside loom's view")]

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use protocol_loom::sync::probe;

use super::alteration::SPURIOUS;
use super::support::{Model, Order, Outcomes};
use super::watchdog;

/// Branch points that one execution may have; a protocol that needs more is spinning.
const BRANCHES_MAX: usize = 10_000;

/// Overrides the bound of the models that have one: another number of preemptions.
pub const PREEMPTIONS: &str = "LOOM_TESTS_PREEMPTIONS";

/// The preemptions up to which `model` is explored; `None` for all.
///
/// # Errors
/// If the environment asks for something that is no number.
pub fn preemption_bound(model: &Model) -> io::Result<Option<usize>> {
    match (model.preemption_bound, env::var(PREEMPTIONS)) {
        (Some(_), Ok(other)) => Ok(Some(other.parse().map_err(io::Error::other)?)),
        (bound, _) => Ok(bound),
    }
}

/// One of the ways in which a model is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// In which order its threads are spawned.
    pub order: Order,
    /// Whether a load reads the newest store only, and in exchange no interleaving is lost. The facade says
    /// more about it.
    pub fresh: bool,
}

impl Way {
    /// All, in the order in which they are run.
    pub const ALL: [Self; 4] = [
        Self { order: Order::Forward, fresh: false },
        Self { order: Order::Reverse, fresh: false },
        Self { order: Order::Forward, fresh: true },
        Self { order: Order::Reverse, fresh: true },
    ];

    /// Its name in messages and in the file of counts.
    pub fn name(self) -> &'static str {
        match (self.order, self.fresh) {
            (Order::Forward, false) => "forward",
            (Order::Reverse, false) => "reverse",
            (Order::Forward, true) => "forward-fresh",
            (Order::Reverse, true) => "reverse-fresh",
        }
    }
}

/// Explores `model` and writes the [`Report`] to stdout. A panic or an abort of the model is left to kill
/// the process: its message is on stderr, and the parent reads the exit status.
pub fn explore(model: &'static Model, order: Order) -> io::Result<ExitCode> {
    let mut builder = loom::model::Builder::new();
    // The counts are compared with recorded ones, so nothing is taken from the environment; and loom ends
    // a search that hits a time or permutation limit as if it had succeeded.
    builder.max_threads = 5;
    builder.max_branches = BRANCHES_MAX;
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.preemption_bound = preemption_bound(model)?;
    builder.checkpoint_file = None;

    let outcomes = Outcomes::default();
    let executions = Arc::new(Mutex::new(0_u64));
    watchdog::start(Arc::clone(&executions))?;
    builder.check({
        let outcomes = outcomes.clone();
        let executions = Arc::clone(&executions);
        move || {
            *executions.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            probe::start_execution();
            (model.body)(order, &outcomes);
        }
    });

    let report = Report {
        executions: *executions.lock().unwrap_or_else(PoisonError::into_inner),
        seen: outcomes.seen().into_iter().collect(),
        sites: probe::sites(),
        calls: SPURIOUS
            .iter()
            .filter(|(_, call)| probe::called(*call))
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        altered: probe::altered(),
    };
    write!(io::stdout().lock(), "{report}")?;
    Ok(ExitCode::SUCCESS)
}

/// What a child that came to its end tells its parent, as lines on stdout.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Interleavings run.
    pub executions: u64,
    /// The outcomes that they showed, sorted.
    pub seen: Vec<String>,
    /// The orderings that they reached.
    pub sites: BTreeSet<String>,
    /// Functions that may come back spuriously and were called.
    pub calls: BTreeSet<String>,
    /// How often the alteration took effect, if there was one.
    pub altered: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for outcome in &self.seen {
            writeln!(f, "seen {outcome}")?;
        }
        for site in &self.sites {
            writeln!(f, "site {site}")?;
        }
        for function in &self.calls {
            writeln!(f, "calls {function}")?;
        }
        writeln!(f, "altered {}", self.altered)?;
        writeln!(f, "executions {}", self.executions)
    }
}

impl Report {
    /// Reads what `Display` wrote; `None` if the count, which is written last, is not there.
    pub fn parse(text: &str) -> Option<Self> {
        let mut report = Self::default();
        let mut complete = false;
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("seen", outcome)) => report.seen.push(outcome.to_owned()),
                Some(("site", site)) => drop(report.sites.insert(site.to_owned())),
                Some(("calls", function)) => drop(report.calls.insert(function.to_owned())),
                Some(("altered", count)) => report.altered = count.parse().ok()?,
                Some(("executions", count)) => {
                    report.executions = count.parse().ok()?;
                    complete = true;
                }
                _ => {}
            }
        }
        complete.then_some(report)
    }
}
