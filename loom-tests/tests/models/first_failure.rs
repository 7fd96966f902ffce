//! Runs models until the first one fails, for who changes the code to see whether a model notices.
//!
//! The runs that took the fewest executions come first. Another number of executions is no failure here. A run that
//! takes too long says nothing, and the next one is tried; a run of which one execution does not end fails.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::{env, iter};

use super::arguments::Arguments;
use super::child::Way;
use super::golden::Golden;
use super::mutants::Finding;
use super::run::Run;
use super::runner::{Suite, time_limit};
use super::support::Model;

/// Starts the last line but one: what failed, or what came to no end.
const VERDICT: &str = "first failure:";
/// Runs that may take too long before the rest is left.
const LATE_MAX: usize = 2;

/// Runs the selected models and ends like them: successfully if none has failed.
///
/// # Errors
/// If the outside world fails: no child can be started, the counts cannot be read.
pub fn run(suite: &Suite, arguments: &Arguments) -> io::Result<ExitCode> {
    let golden = Golden::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(suite.golden))?;
    let executable = env::current_exe()?;
    let limit = time_limit()?;
    let mut out = io::stdout().lock();

    let models = suite.models().filter(|model| arguments.selects(model.name));
    let mut runs: Vec<(&Model, Way)> = models.flat_map(|model| iter::repeat(model).zip(Way::ALL)).collect();
    // One without a count is new, and may be long.
    runs.sort_by_key(|(model, way)| golden.get(model.name, way.name()).unwrap_or(u64::MAX));
    if runs.is_empty() {
        return Err(io::Error::other("no model is selected"));
    }
    writeln!(out, "\nrunning {} explorations until one fails", runs.len())?;

    let mut seen: Vec<(&Model, Run)> = Vec::new();
    let mut late = 0;
    for (model, way) in runs {
        let run = Run::of(&executable, model, way, limit, None);
        let fault = match Finding::of(&run, model) {
            Finding::Fails(fault) => Some(fault),
            Finding::Holds(_) => None,
            Finding::Late => {
                writeln!(out, "{} {}: no result within {} s", model.name, way.name(), limit.as_secs())?;
                late += 1;
                None
            }
            Finding::Error(error) => return Err(io::Error::other(error)),
        };
        seen.push((model, run));
        if let Some(fault) = fault.or_else(|| never_seen(model, &seen)) {
            writeln!(out, "{VERDICT} {} ({}): {fault}", model.name, way.name())?;
            return Ok(ExitCode::from(101));
        }
        if late == LATE_MAX {
            break;
        }
    }
    if late > 0 {
        writeln!(out, "{VERDICT} none; {late} took too long")?;
        return Ok(ExitCode::from(101));
    }
    writeln!(out, "{VERDICT} none")?;
    Ok(ExitCode::SUCCESS)
}

/// An outcome that the model lists and no way has shown, once every way has come to its end.
fn never_seen(model: &Model, seen: &[(&Model, Run)]) -> Option<String> {
    let of_model = || seen.iter().filter(|(other, _)| other.name == model.name).map(|(_, run)| run);
    if of_model().filter_map(Run::seen).count() < Way::ALL.len() {
        return None;
    }
    let shows = |outcome: &str| of_model().filter_map(Run::seen).flatten().any(|it| it == outcome);
    let outcome = model.outcomes.iter().find(|outcome| !shows(outcome))?;
    Some(format!("outcome never seen: {outcome}"))
}
