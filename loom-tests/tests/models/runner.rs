//! Explores every model in every way, each in a child process, and reports as libtest does.

#![allow(clippy::disallowed_types, reason = "the runner's own threads share a queue of models, outside loom")]

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{env, thread};

use protocol_loom::sync::probe;

use super::alteration;
use super::arguments::Arguments;
use super::child::{self, Way};
use super::coverage::Coverage;
use super::figures::Figures;
use super::first_failure;
use super::golden::Golden;
use super::mutants;
use super::run::{ALTERATION, CHILD, End, Run};
use super::support::{Model, Order};

/// Set to 1 to record the counts instead of comparing them.
const BLESS: &str = "LOOM_TESTS_BLESS";
/// Overrides [`TIME_LIMIT`], in seconds.
const LIMIT: &str = "LOOM_TESTS_LIMIT_S";

/// How a child ends that was told something it does not understand; a model that fails ends otherwise.
pub const MISUSED: u8 = 2;

/// Comes before what a way of exploring a canary loses.
const DEFECT: &str = "upstream defect present: ";

/// One run that takes longer has failed. Ten times what a model should take, for a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(200);
/// Child processes at a time unless `--test-threads` says otherwise.
pub const CHILDREN: usize = 2;

/// Everything that one test program runs.
#[derive(Debug)]
pub struct Suite {
    /// The models of each protocol.
    pub models: &'static [&'static [Model]],
    /// Models of loom's own defects: what one way of exploring them loses is told as such.
    pub upstream: &'static [Model],
    /// The file of recorded counts.
    pub golden: &'static str,
    /// The orderings that the models answer for.
    pub coverage: Option<Coverage>,
    /// The document with the table of figures, from the root of the repository.
    pub figures: Option<&'static str>,
}

impl Suite {
    /// All models.
    pub fn models(&self) -> impl Iterator<Item = &'static Model> {
        self.models.iter().copied().flatten().chain(self.upstream)
    }

    fn is_upstream(&self, model: &Model) -> bool {
        self.upstream.iter().any(|upstream| upstream.name == model.name)
    }

    /// The body of `main`: the whole suite, or one model if this process is a child.
    ///
    /// # Errors
    /// If the outside world fails: no child can be started, no output written, the golden file not read.
    pub fn main(&self) -> io::Result<ExitCode> {
        if let Ok(run) = env::var(CHILD) {
            let (name, way) = run.split_once(' ').expect("the parent writes `name way`");
            let model = self.models().find(|model| model.name == name).expect("the parent knows the model");
            let way = Way::ALL.into_iter().find(|known| known.name() == way);
            let altered = env::var(ALTERATION).unwrap_or_default();
            if !altered.is_empty() {
                let Some(alteration) = alteration::parse(&altered) else {
                    writeln!(io::stderr(), "not an alteration: {altered:?}")?;
                    return Ok(ExitCode::from(MISUSED));
                };
                probe::alter(alteration);
            }
            return child::explore(model, way.expect("the parent knows the way").order);
        }
        let arguments = Arguments::parse(env::args().skip(1));
        if arguments.list {
            self.list(&arguments)
        } else if arguments.mutants {
            mutants::run(self, &arguments)
        } else if arguments.first_failure {
            first_failure::run(self, &arguments)
        } else {
            self.run(&arguments)
        }
    }

    fn list(&self, arguments: &Arguments) -> io::Result<ExitCode> {
        let mut out = io::stdout().lock();
        let mut count = 0;
        for model in self.models().filter(|model| arguments.selects(model.name)) {
            writeln!(out, "{}: test", model.name)?;
            if !arguments.terse {
                writeln!(out, "    {}", model.property)?;
            }
            count += 1;
        }
        if !arguments.terse {
            writeln!(out, "\n{count} tests, 0 benchmarks")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn run(&self, arguments: &Arguments) -> io::Result<ExitCode> {
        let started = Instant::now();
        let bless = env::var(BLESS).is_ok_and(|value| value == "1");
        let limit = time_limit()?;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.golden);
        // Blessing repairs a file that contradicts itself.
        let mut golden = match Golden::read(&path) {
            Err(_) if bless => Golden::default(),
            other => other?,
        };

        let names: Vec<&str> = self.models().map(|model| model.name).collect();
        let selected: Vec<&'static Model> =
            self.models().filter(|model| arguments.selects(model.name)).collect();
        let mut out = io::stdout().lock();
        writeln!(out, "\nrunning {} models", selected.len())?;

        let mut failures: Vec<(String, String)> = Vec::new();
        if let Some(twice) = duplicate(&names) {
            failures.push((twice.to_owned(), "two models have this name".to_owned()));
        }
        let executable = env::current_exe()?;
        let ways: Vec<Way> = Way::ALL.into_iter().filter(|way| way.fresh || !arguments.fresh).collect();
        let counts = match env::var_os(child::PREEMPTIONS) {
            Some(_) => Counts::Ignored,
            None if bless => Counts::Recorded,
            None => Counts::Compared,
        };
        let queue = Mutex::new(selected.iter().copied());
        let mut sites = BTreeSet::new();
        let mut defects = Vec::new();
        let (sender, results) = mpsc::channel();
        thread::scope(|scope| -> io::Result<()> {
            for _ in 0..arguments.threads.unwrap_or(CHILDREN) {
                let (sender, queue, executable, ways) = (sender.clone(), &queue, &executable, &ways);
                scope.spawn(move || {
                    while let Some(model) = next(queue) {
                        let run = |way: &Way| Run::of(executable, model, *way, limit, None);
                        let runs: Vec<Run> = ways.iter().map(run).collect();
                        sender.send((model, runs)).expect("the results are received until all are in");
                    }
                });
            }
            drop(sender);
            for (model, runs) in results {
                sites.extend(runs.iter().filter_map(Run::report).flat_map(|report| report.sites.clone()));
                let verdict = Verdict::of(model, &runs, self.is_upstream(model), counts, &mut golden)?;
                writeln!(out, "{}", verdict.line)?;
                out.flush()?;
                if verdict.line.contains(DEFECT) {
                    defects.push(model.name.trim_start_matches("canary::"));
                }
                failures
                    .extend((!verdict.faults.is_empty()).then(|| (model.name.to_owned(), verdict.faults)));
            }
            Ok(())
        })?;

        let is_whole = arguments.selects_all() && !arguments.fresh;
        if arguments.selects_all() {
            let gone = golden.retain(&names);
            if !bless {
                failures.extend(gone.into_iter().map(|name| {
                    let fault = format!("{} counts a model that is gone; {}", self.golden, how_to_bless(""));
                    (name, fault)
                }));
            }
        }
        if bless {
            golden.write(&path)?;
        }
        // A model that fails does not tell what it reached.
        if let Some(coverage) = self.coverage.filter(|_| is_whole && failures.is_empty()) {
            let faults = coverage.faults(&sites)?;
            failures.extend((!faults.is_empty()).then(|| ("sites".to_owned(), faults.join("\n"))));
        }
        if let Some(document) = self.figures.filter(|_| is_whole && failures.is_empty()) {
            defects.sort_unstable();
            let bounded = self.models().filter(|model| model.preemption_bound.is_some()).count();
            let reached = self.coverage.map_or(0, |coverage| coverage.count(&sites));
            let rows = [
                ("models", names.len().to_string()),
                ("of these explored without a bound", (names.len() - bounded).to_string()),
                ("executions of all models in four ways", golden.total().to_string()),
                ("defects of loom that the canaries show", defects.join(", ")),
                ("orderings in the source, all reached", reached.to_string()),
            ];
            for (figure, value) in &rows {
                writeln!(out, "figure: {figure} = {value}")?;
            }
            let path = Coverage::root().join(document);
            let mut figures = Figures::read(&path)?;
            if counts == Counts::Recorded && rows.iter().all(|(figure, value)| figures.set(figure, value)) {
                std::fs::write(&path, figures.text())?;
            }
            let faults = figures.faults(&rows);
            let fault = || format!("{}\n{}; {}", document, faults.join("\n"), how_to_bless(""));
            failures.extend((!faults.is_empty()).then(|| ("figures".to_owned(), fault())));
        }
        conclude(&mut out, selected.len(), names.len(), &failures, started)
    }
}

/// How long one run may take.
///
/// # Errors
/// If the environment asks for something that is no number.
pub fn time_limit() -> io::Result<Duration> {
    match env::var(LIMIT) {
        Ok(seconds) => Ok(Duration::from_secs(seconds.parse().map_err(io::Error::other)?)),
        Err(_) => Ok(TIME_LIMIT),
    }
}

fn next<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

fn duplicate<'a>(names: &[&'a str]) -> Option<&'a str> {
    names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)).map(|(_, name)| *name)
}

fn how_to_bless(name: &str) -> String {
    let command = format!("{BLESS}=1 cargo test -p loom-tests --test models {name}");
    format!("if that is meant: {}", command.trim_end())
}

fn conclude(
    out: &mut impl Write,
    run: usize,
    known: usize,
    failures: &[(String, String)],
    started: Instant,
) -> io::Result<ExitCode> {
    if !failures.is_empty() {
        writeln!(out, "\nfailures:")?;
        for (name, faults) in failures {
            writeln!(out, "\n---- {name} ----\n{faults}")?;
        }
        writeln!(out, "\nfailures:")?;
        for (name, _) in failures {
            writeln!(out, "    {name}")?;
        }
    }
    writeln!(
        out,
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failures.is_empty() { "ok" } else { "FAILED" },
        run.saturating_sub(failures.len()),
        failures.len(),
        known - run,
        started.elapsed().as_secs_f64(),
    )?;
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) })
}

/// What is done with the numbers of executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    Compared,
    Recorded,
    /// They are those of another exploration.
    Ignored,
}

/// Whether a model held in every way.
struct Verdict {
    line: String,
    faults: String,
}

impl Verdict {
    fn of(
        model: &Model,
        runs: &[Run],
        upstream: bool,
        counts: Counts,
        golden: &mut Golden,
    ) -> io::Result<Self> {
        let mut faults = String::new();
        let mut notes = String::new();
        for run in runs {
            for fault in faults_of(run, model, counts, golden) {
                faults.push_str(&format!("{}: {fault}\n", run.way.name()));
            }
        }
        let seen: Vec<Option<&[String]>> = runs.iter().map(Run::seen).collect();
        for outcome in model.outcomes {
            let shows =
                |seen: &Option<&[String]>| seen.is_none_or(|seen| seen.iter().any(|it| it == outcome));
            // Some outcomes take a stale load.
            if runs.len() == Way::ALL.len() && !seen.iter().any(shows) {
                faults.push_str(&format!("outcome never seen: [{outcome}]\n"));
                continue;
            }
            for (run, _) in runs.iter().zip(&seen).filter(|(_, seen)| !shows(seen)) {
                let defect = if upstream { DEFECT } else { "" };
                notes.push_str(&format!("; {defect}{} loses [{outcome}]", run.way.name()));
            }
        }
        if !faults.is_empty() {
            faults = format!("property: {}\n{faults}", model.property);
        }
        let executions = |order: Order| -> String {
            let runs = runs.iter().filter(|run| run.way.order == order);
            runs.map(Run::to_string).collect::<Vec<_>>().join("+")
        };
        let line = format!(
            "test {} ... {} ({} forward, {} reverse, {}, {:.2}s{notes})",
            model.name,
            if faults.is_empty() { "ok" } else { "FAILED" },
            executions(Order::Forward),
            executions(Order::Reverse),
            match child::preemption_bound(model)? {
                None => "exhaustive".to_owned(),
                Some(bound) => format!("bounded {bound}"),
            },
            runs.iter().map(|run| run.seconds).sum::<f64>(),
        );
        Ok(Self { line, faults })
    }
}

/// What is wrong with one way of exploring a model.
fn faults_of(run: &Run, model: &Model, counts: Counts, golden: &mut Golden) -> Vec<String> {
    let report = match &run.end {
        End::Reported(report) => report,
        End::Died(status) => {
            return vec![format!("the model died ({status}):\n{}", run.output.trim_end())];
        }
        End::TimedOut(limit) => return vec![format!("no result within {} s", limit.as_secs())],
        End::NotStarted(error) => return vec![format!("the child could not be run: {error}")],
    };
    let mut faults = Vec::new();
    for outcome in report.seen.iter().filter(|seen| !model.outcomes.contains(&seen.as_str())) {
        faults.push(format!("unexpected outcome: [{outcome}]"));
    }
    let way = run.way.name();
    let executions = report.executions;
    if counts == Counts::Recorded {
        golden.set(model.name, way, executions);
    } else if counts == Counts::Compared && golden.get(model.name, way) != Some(executions) {
        let recorded = match golden.get(model.name, way) {
            Some(recorded) => format!("{recorded} executions are recorded"),
            None => "no count is recorded".to_owned(),
        };
        faults.push(format!("{executions} executions, {recorded}; {}", how_to_bless(model.name)));
    }
    faults
}
