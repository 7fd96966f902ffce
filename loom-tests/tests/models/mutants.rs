//! Weakens every ordering that the models reach, one at a time, and sees which model notices.
//!
//! One run of each model in each way tells which sites it reaches and what it takes. Then each mutant is run
//! against the models that reach its site, the cheapest first, until two of them have failed: the first kills
//! it, the second shows that the first is not the only one. A run that takes too long says nothing. Last, each
//! model has to hold when a call comes back spuriously.
//!
//! Killed means that a run panics, deadlocks, races or shows an outcome that is not listed. Another number of
//! executions is no kill here, though it fails the ordinary run of the models.

#![allow(clippy::disallowed_types, reason = "the runner's own threads share a queue of runs, outside loom")]

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use super::alteration::{Mutant, SPURIOUS, Site, spurious};
use super::arguments::Arguments;
use super::child::Way;
use super::listed::{Entry, Listed};
use super::report;
use super::run::{End, Run};
use super::runner::{CHILDREN, MISUSED, Suite, time_limit};
use super::support::Model;
use super::watchdog::HANG;

/// Models that have to notice a mutant before the others are let off.
const KILLERS: usize = 2;
/// Up to which call of an execution one comes back spuriously.
const SPURIOUS_MAX: u32 = 3;

/// What became of one mutant.
#[derive(Debug)]
pub struct Trial {
    pub mutant: Mutant,
    pub kills: Vec<Kill>,
    /// Runs that took too long.
    pub late: Vec<String>,
    /// Its entry in the list of equivalents.
    pub listed: Option<Entry>,
    /// What kept a run from saying anything.
    errors: Vec<String>,
}

/// One model that noticed.
#[derive(Debug)]
pub struct Kill {
    pub model: &'static str,
    pub way: &'static str,
    pub how: String,
}

/// A model as it is without alterations.
struct Known {
    model: &'static Model,
    runs: [Run; 4],
}

impl Known {
    fn seconds(&self) -> f64 {
        self.runs.iter().map(|run| run.seconds).sum()
    }

    fn ways_to(&self, site: &str) -> impl Iterator<Item = Way> {
        let reaches =
            |run: &&Run| run.report().is_some_and(|report| site.is_empty() || report.sites.contains(site));
        self.runs.iter().filter(reaches).map(|run| run.way)
    }

    fn calls(&self, function: &str) -> bool {
        self.runs.iter().filter_map(Run::report).any(|report| report.calls.contains(function))
    }
}

/// What one altered run shows.
pub enum Finding {
    Fails(String),
    /// How often the alteration took effect.
    Holds(u64),
    Late,
    Error(String),
}

impl Finding {
    /// Holds the run against the outcomes that are listed; one that is missing is another run's to show.
    pub fn of(run: &Run, model: &Model) -> Self {
        match &run.end {
            End::Reported(report) => {
                let unexpected = |seen: &&String| !model.outcomes.contains(&seen.as_str());
                match report.seen.iter().find(unexpected) {
                    Some(outcome) => Self::Fails(format!("unexpected outcome: {outcome}")),
                    None => Self::Holds(report.altered),
                }
            }
            End::Died(status) if status.code() == Some(i32::from(MISUSED)) => Self::Error(run.output.clone()),
            End::Died(_) if run.output.contains(HANG) => Self::Fails(HANG.to_owned()),
            End::Died(status) => {
                let mut lines = run.output.lines().skip_while(|line| !line.contains("panicked at")).skip(1);
                let message = lines.find(|line| !line.trim().is_empty());
                Self::Fails(message.map_or_else(|| status.to_string(), |line| line.trim().to_owned()))
            }
            End::TimedOut(_) => Self::Late,
            End::NotStarted(error) => Self::Error(error.to_string()),
        }
    }
}

/// How the altered runs are done.
struct Laboratory {
    executable: PathBuf,
    limit: Duration,
    threads: usize,
}

impl Laboratory {
    fn find(&self, model: &'static Model, way: Way, alteration: &str) -> Finding {
        Finding::of(&Run::of(&self.executable, model, way, self.limit, Some(alteration)), model)
    }

    /// Runs `act` on all items and hands each result to `done` as it comes.
    fn each<T: Send, R: Send>(&self, items: Vec<T>, act: impl Fn(T) -> R + Sync, mut done: impl FnMut(R)) {
        let queue = Mutex::new(items.into_iter());
        let (sender, results) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..self.threads {
                let (sender, queue, act) = (sender.clone(), &queue, &act);
                scope.spawn(move || {
                    loop {
                        let item = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some(item) = item else { return };
                        sender.send(act(item)).expect("the results are received until all are in");
                    }
                });
            }
            drop(sender);
            results.iter().for_each(&mut done);
        });
    }

    fn try_mutant(&self, mutant: &Mutant, known: &[Known], listed: &Listed) -> Trial {
        let listed = listed.equivalent.iter().find(|entry| entry.is(mutant)).cloned();
        let mut trial =
            Trial { mutant: mutant.clone(), kills: Vec::new(), late: Vec::new(), listed, errors: Vec::new() };
        let (site, alteration) = (mutant.site.to_string(), mutant.to_string());
        for known in known {
            for way in known.ways_to(&site) {
                let (model, way_name) = (known.model.name, way.name());
                match self.find(known.model, way, &alteration) {
                    Finding::Fails(how) => {
                        trial.kills.push(Kill { model, way: way_name, how });
                        break;
                    }
                    Finding::Holds(0) => {
                        trial.errors.push(format!("{model} {way_name}: the mutant took no effect"));
                    }
                    Finding::Holds(_) => {}
                    Finding::Late => trial.late.push(format!("{model} {way_name}")),
                    Finding::Error(error) => trial.errors.push(format!("{model} {way_name}: {error}")),
                }
            }
            if trial.kills.len() == KILLERS {
                break;
            }
        }
        trial
    }

    /// How often something came back spuriously, and how the model failed then.
    fn try_spurious(&self, known: &Known) -> (u64, Vec<String>) {
        let (mut altered, mut faults) = (0, Vec::new());
        for (function, _) in SPURIOUS.iter().filter(|(function, _)| known.calls(function)) {
            let tries = known.ways_to("").flat_map(|way| (1..=SPURIOUS_MAX).map(move |nth| (way, nth)));
            let mut not_reached = None;
            for (way, nth) in tries {
                if not_reached == Some(way) {
                    continue;
                }
                let what = match self.find(known.model, way, &spurious(function, nth)) {
                    Finding::Holds(0) => {
                        not_reached = Some(way);
                        continue;
                    }
                    Finding::Holds(times) => {
                        altered += times;
                        continue;
                    }
                    Finding::Late => "no result in time".to_owned(),
                    Finding::Fails(what) | Finding::Error(what) => what,
                };
                let (model, way) = (known.model.name, way.name());
                faults.push(format!("{model} {way}: {what} (spurious {function}, call {nth})"));
                break;
            }
        }
        (altered, faults)
    }
}

/// Runs all mutants, prints what becomes of them and writes the report.
///
/// # Errors
/// If the outside world fails: no child can be started, a file cannot be read or written.
pub fn run(suite: &Suite, arguments: &Arguments) -> io::Result<ExitCode> {
    let started = Instant::now();
    let coverage = suite.coverage.ok_or_else(|| io::Error::other("this suite answers for no source"))?;
    let listed = coverage.listed()?;
    let laboratory = Laboratory {
        executable: env::current_exe()?,
        limit: time_limit()?,
        threads: arguments.threads.unwrap_or(CHILDREN),
    };
    let mut out = io::stdout().lock();
    let mut faults = Vec::new();

    let models: Vec<_> = suite.models().filter(|model| arguments.selects(model.name)).collect();
    writeln!(out, "\nlearning the sites of {} models", models.len())?;
    let mut known = Vec::new();
    let learn = |model: &'static Model| Known {
        model,
        runs: Way::ALL.map(|way| Run::of(&laboratory.executable, model, way, laboratory.limit, None)),
    };
    laboratory.each(models, learn, |learned| known.push(learned));
    for known in &known {
        for run in &known.runs {
            match Finding::of(run, known.model) {
                Finding::Holds(_) => {}
                Finding::Fails(what) | Finding::Error(what) => {
                    faults.push(format!("{} fails as it is: {what}", known.model.name));
                }
                Finding::Late => faults.push(format!("{} takes too long as it is", known.model.name)),
            }
        }
    }
    if !faults.is_empty() {
        return conclude(&mut out, &faults);
    }
    known.sort_by(|a, b| a.seconds().total_cmp(&b.seconds()));

    let reports = || known.iter().flat_map(|known| known.runs.iter().filter_map(Run::report));
    let reached: BTreeSet<String> = reports().flat_map(|report| report.sites.iter().cloned()).collect();
    if arguments.selects_all_sites() {
        faults.extend(coverage.faults(&reached)?);
    }
    let sites = reached.iter().filter_map(|site| Site::parse(site)).filter(|site| coverage.has(site));
    let selected: Vec<Site> = sites.filter(|site| arguments.selects_site(&site.to_string())).collect();
    let mutants: Vec<Mutant> = selected.iter().flat_map(Site::mutants).collect();
    writeln!(out, "{} sites, {} mutants\n", selected.len(), mutants.len())?;

    let mut trials = Vec::new();
    let attempt = |mutant: Mutant| laboratory.try_mutant(&mutant, &known, &listed);
    let mut written = Ok(());
    laboratory.each(mutants, attempt, |trial| {
        written = std::mem::replace(&mut written, Ok(()))
            .and_then(|()| writeln!(out, "mutant {} ... {}", trial.mutant, trial.fate()))
            .and_then(|()| out.flush());
        trials.push(trial);
    });
    written?;
    trials.sort_by(|a, b| a.mutant.site.cmp(&b.mutant.site));

    writeln!(out, "\ncalls that come back spuriously")?;
    let mut altered = 0;
    if arguments.selects_all_sites() {
        laboratory.each(
            known.iter().rev().collect(),
            |known| laboratory.try_spurious(known),
            |(times, found)| {
                altered += times;
                faults.extend(found);
            },
        );
    }
    writeln!(out, "{altered} executions with one\n")?;

    faults.extend(trials.iter().flat_map(Trial::faults));
    let is_tried = |entry: &&Entry| trials.iter().any(|trial| entry.is(&trial.mutant));
    if arguments.selects_all_sites() {
        for entry in listed.equivalent.iter().filter(|entry| !is_tried(entry)) {
            faults.push(format!("{}:{}: no mutant is `{}`", entry.file, entry.line, entry.change));
        }
    }
    if listed.equivalent.iter().filter(is_tried).count() * 10 > trials.len().max(10) {
        faults.push("more than one mutant in ten is listed as equivalent".to_owned());
    }
    let models: Vec<&Model> = suite.models().collect();
    let lines = report::summary(&trials, &models);
    write!(out, "{lines}")?;
    let path = target_directory(&laboratory.executable)?.join("mutants").join(coverage.report);
    fs::create_dir_all(path.parent().expect("a file is in a directory"))?;
    fs::write(&path, report::document(&trials, &models, coverage.unreached(&reached)?, altered, &faults)?)?;
    writeln!(out, "\nreport: {}; {:.0} s", path.display(), started.elapsed().as_secs_f64())?;
    conclude(&mut out, &faults)
}

impl Trial {
    /// Killed, survived or unknown, in a few words.
    pub fn fate(&self) -> String {
        match (self.kills.as_slice(), &self.listed) {
            ([], _) if !self.late.is_empty() => {
                format!("inconclusive: {} take too long", self.late.join(", "))
            }
            ([], None) => "SURVIVED".to_owned(),
            ([], Some(_)) => "listed as equivalent".to_owned(),
            ([kill], _) => format!("killed by {} alone ({}: {})", kill.model, kill.way, kill.how),
            ([kill, ..], _) => format!("killed by {} ({}: {})", kill.model, kill.way, kill.how),
        }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> =
            self.errors.iter().map(|error| format!("{}: {error}", self.mutant)).collect();
        match (self.kills.first(), &self.listed) {
            (Some(kill), Some(_)) => {
                faults.push(format!("{} is listed as equivalent, but {} kills it", self.mutant, kill.model));
            }
            (None, None) => faults.push(format!("{}: {}", self.mutant, self.fate())),
            _ => {}
        }
        faults
    }
}

/// Cargo marks its target directory with this file.
fn target_directory(executable: &Path) -> io::Result<&Path> {
    executable
        .ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").exists())
        .ok_or_else(|| io::Error::other("the program is not in a target directory of cargo"))
}

fn conclude(out: &mut impl Write, faults: &[String]) -> io::Result<ExitCode> {
    for fault in faults {
        writeln!(out, "fault: {fault}")?;
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) })
}
