//! Runs what prints the figures of docs/VERIFICATION.md, and writes them into its table.
//!
//! `just verification-report` runs all, which takes an hour or so; `just verification-report mutants history` those.
//! What each recipe printed is kept in `figures` of the target directory. A recipe that fails, or whose output lacks a
//! figure, leaves the document as it is.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "modules of the runner, of which this program uses a part; nothing is exported from a program"
)]

mod figures;

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

use figures::Figures;

/// A row of the table, and how its value is found in what the recipe prints.
type Row = (&'static str, fn(&str) -> Option<String>);

/// What is run, and the rows that it fills.
struct Origin {
    recipe: &'static str,
    rows: &'static [Row],
}

const ORIGINS: &[Origin] = &[
    Origin {
        recipe: "models",
        rows: &[
            ("models", |text| printed(text, "figure: models = ")),
            ("of these explored without a bound", |text| {
                printed(text, "figure: of these explored without a bound = ")
            }),
            ("executions of all models in four ways", |text| {
                printed(text, "figure: executions of all models in four ways = ")
            }),
            ("defects of loom that the canaries show", |text| {
                printed(text, "figure: defects of loom that the canaries show = ")
            }),
            ("orderings in the source, all reached", |text| {
                printed(text, "figure: orderings in the source, all reached = ")
            }),
        ],
    },
    Origin {
        recipe: "mutants",
        rows: &[
            ("mutants of orderings killed", |text| {
                let line = printed(text, "killed ")?;
                Some(line.split_once(" non-equivalent")?.0.to_owned())
            }),
            ("listed as equivalent", |text| {
                let line = printed(text, "killed ")?;
                Some(line.split_once("; ")?.1.strip_suffix(" listed as equivalent")?.to_owned())
            }),
            ("executions in which a call came back spuriously", |text| before(text, " executions with one")),
        ],
    },
    Origin {
        recipe: "logic-mutants",
        rows: &[("mutants of logic killed", |text| {
            Some(printed(text, "killed ")?.split_once(';')?.0.to_owned())
        })],
    },
    Origin {
        recipe: "history",
        rows: &[("known bugs caught", |text| Some(text.lines().last()?.to_owned()))],
    },
    Origin { recipe: "schedules", rows: &[("seeded schedules of the scheduler", schedules)] },
    Origin { recipe: "model", rows: &[("states of the sleep model", states)] },
    Origin {
        recipe: "faults",
        rows: &[("runs with a failing system call", |text| {
            Some(printed(text, "faults: ")?.split_once(" runs, 0 failed")?.0.to_owned())
        })],
    },
    Origin { recipe: "tsan", rows: &[("reports of ThreadSanitizer", |text| reports(text, "thread"))] },
    Origin {
        recipe: "asan",
        rows: &[("reports of AddressSanitizer and LeakSanitizer", |text| reports(text, "address"))],
    },
];

/// The rest of the last line that starts so.
fn printed(text: &str, start: &str) -> Option<String> {
    text.lines().filter_map(|line| line.strip_prefix(start)).next_back().map(str::to_owned)
}

/// The start of the last line that ends so.
fn before(text: &str, end: &str) -> Option<String> {
    text.lines().filter_map(|line| line.strip_suffix(end)).next_back().map(str::to_owned)
}

/// All lines `scenario NAME: COUNT schedules from seed N on`.
fn schedules(text: &str) -> Option<String> {
    let counts = text.lines().filter_map(|line| {
        let rest = line.split_once("scenario ")?.1.split_once(": ")?.1;
        rest.split_once(" schedules from seed")?.0.parse::<u64>().ok()
    });
    let counts: Vec<u64> = counts.collect();
    (!counts.is_empty()).then(|| format!("{} in {} scenarios", counts.iter().sum::<u64>(), counts.len()))
}

/// All lines `WORLD, N workers: STATES states in TIME`.
fn states(text: &str) -> Option<String> {
    let worlds = text.lines().filter_map(|line| {
        let (head, states) = line.split_once(" workers: ")?;
        let workers = head.rsplit_once(", ")?.1.parse::<u64>().ok()?;
        Some((workers, states.split_once(" states")?.0.parse::<u64>().ok()?))
    });
    let worlds: Vec<(u64, u64)> = worlds.collect();
    let workers = worlds.iter().map(|(workers, _)| workers).max()?;
    let states: u64 = worlds.iter().map(|(_, states)| states).sum();
    Some(format!("{states} with up to {workers} workers"))
}

/// The line `KIND sanitizer: COUNT reports, ...`.
fn reports(text: &str, kind: &str) -> Option<String> {
    let line = printed(text, &format!("{kind} sanitizer: "))?;
    Some(line.split_once(" reports")?.0.to_owned())
}

fn main() -> io::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the repository");
    let document = root.join("docs/VERIFICATION.md");
    let logs = root.join("target/figures");
    fs::create_dir_all(&logs)?;
    let wanted: Vec<String> = env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| ORIGINS.iter().all(|origin| origin.recipe != **name)) {
        return Err(io::Error::other(format!("no figure comes from `just {unknown}`")));
    }
    let is_wanted = |origin: &&Origin| wanted.is_empty() || wanted.iter().any(|name| name == origin.recipe);
    let mut out = io::stdout().lock();
    for Origin { recipe, rows } in ORIGINS.iter().filter(is_wanted) {
        writeln!(out, "just {recipe}")?;
        out.flush()?;
        let run = Command::new("just")
            .arg(recipe)
            .current_dir(root)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        let log = logs.join(format!("{recipe}.log"));
        fs::write(&log, &text)?;
        if !run.status.success() {
            return Err(io::Error::other(format!("just {recipe}: {}; see {}", run.status, log.display())));
        }
        // Read again: a recipe may have taken long.
        let mut figures = Figures::read(&document)?;
        for (figure, find) in *rows {
            let value = find(&text)
                .ok_or_else(|| io::Error::other(format!("`{figure}` is not in {}", log.display())))?;
            if !figures.set(figure, &value) {
                return Err(io::Error::other(format!("{}: no row `{figure}`", document.display())));
            }
            writeln!(out, "    {figure}: {value}")?;
        }
        fs::write(&document, figures.text())?;
    }
    Ok(ExitCode::SUCCESS)
}
