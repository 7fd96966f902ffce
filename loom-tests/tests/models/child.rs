//! One model in one order: the whole life of a child process.
//!
//! A failing model often ends in an abort, because the panic unwinds through values whose drop panics
//! again; in a process of its own it takes no other model along.

#![allow(clippy::disallowed_types, reason = "executions are counted across executions, outside loom's view")]

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use super::support::{Model, Order, Outcomes};

/// Branch points that one execution may have; a protocol that needs more is spinning.
const BRANCHES_MAX: usize = 10_000;

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
    builder.preemption_bound = model.preemption_bound;
    builder.checkpoint_file = None;

    let outcomes = Outcomes::default();
    let executions = Arc::new(Mutex::new(0_u64));
    builder.check({
        let outcomes = outcomes.clone();
        let executions = Arc::clone(&executions);
        move || {
            *executions.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            (model.body)(order, &outcomes);
        }
    });

    let seen = outcomes.seen();
    let expected: BTreeSet<String> = model.outcomes.iter().map(|&outcome| outcome.to_owned()).collect();
    let report = Report {
        executions: *executions.lock().unwrap_or_else(PoisonError::into_inner),
        missing: expected.difference(&seen).cloned().collect(),
        unexpected: seen.difference(&expected).cloned().collect(),
    };
    write!(io::stdout().lock(), "{report}")?;
    Ok(ExitCode::SUCCESS)
}

/// What a child that came to its end tells its parent, as lines on stdout.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Interleavings run.
    pub executions: u64,
    /// Expected outcomes that no execution showed.
    pub missing: Vec<String>,
    /// Outcomes that the model does not list.
    pub unexpected: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for outcome in &self.missing {
            writeln!(f, "missing {outcome}")?;
        }
        for outcome in &self.unexpected {
            writeln!(f, "unexpected {outcome}")?;
        }
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
                Some(("missing", outcome)) => report.missing.push(outcome.to_owned()),
                Some(("unexpected", outcome)) => report.unexpected.push(outcome.to_owned()),
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
