//! What the run of the mutants tells its reader.

use std::fmt::Write as _;
use std::fs;
use std::io;

use super::coverage::Coverage;
use super::mutants::{Kill, Trial};
use super::places::Place;
use super::support::Model;

/// The last lines on the terminal.
pub fn summary(trials: &[Trial], models: &[&Model]) -> String {
    let mut text = String::from("what only one model kills:\n");
    for model in models {
        for trial in alone(trials, model) {
            line(&mut text, &format!("    {}: {}", model.name, trial.mutant));
        }
    }
    let killed = trials.iter().filter(|trial| !trial.kills.is_empty()).count();
    let equivalent = trials.iter().filter(|trial| trial.kills.is_empty() && trial.listed.is_some()).count();
    let all = trials.len() - equivalent;
    line(&mut text, &format!("\nkilled {killed} of {all} non-equivalent; {equivalent} listed as equivalent"));
    text
}

/// The whole report, in Markdown.
///
/// # Errors
/// If a source cannot be read.
pub fn document(
    trials: &[Trial],
    models: &[&Model],
    unreached: Vec<Place>,
    spurious: u64,
    faults: &[String],
) -> io::Result<String> {
    let mut text = String::from("# Mutants of orderings\n\n");
    let count = summary(trials, models);
    line(&mut text, count.lines().last().unwrap_or_default());
    line(&mut text, &format!("\nExecutions in which a call came back spuriously: {spurious}.\n"));
    line(&mut text, "## Sites\n\n| site | source | mutant | killed by |\n|---|---|---|---|");
    for trial in trials {
        let site = &trial.mutant.site;
        let source = source_line(&site.file, site.line)?;
        let killers = match (trial.kills.as_slice(), &trial.listed) {
            ([], Some(entry)) => format!("equivalent: {}", entry.reason.trim()),
            ([], None) => trial.fate(),
            (kills, _) => kills.iter().map(killer).collect::<Vec<_>>().join("; "),
        };
        let place = format!("{}:{}:{}", site.file, site.line, site.column);
        let row = [&place, &format!("`{source}`"), &trial.mutant.change(), &killers];
        line(&mut text, &format!("| {} |", row.map(|field| field.replace('|', "\\|")).join(" | ")));
    }
    line(&mut text, "\n## Models and what only they kill\n");
    for model in models {
        let only: Vec<String> = alone(trials, model).map(|trial| format!("`{}`", trial.mutant)).collect();
        let what = match only.as_slice() {
            [] => format!("none; it shows: {}", model.property),
            _ => only.join(", "),
        };
        line(&mut text, &format!("- `{}`: {what}", model.name));
    }
    line(&mut text, "\n## Sites that no model reaches\n");
    for Place { file, line: number, column } in &unreached {
        line(&mut text, &format!("- {file}:{number}:{column} `{}`", source_line(file, *number)?));
    }
    if unreached.is_empty() {
        line(&mut text, "None.");
    }
    if !faults.is_empty() {
        line(&mut text, "\n## Faults\n");
        for fault in faults {
            line(&mut text, &format!("- {fault}"));
        }
    }
    Ok(text)
}

fn alone<'a>(trials: &'a [Trial], model: &'a Model) -> impl Iterator<Item = &'a Trial> {
    trials.iter().filter(|trial| matches!(trial.kills.as_slice(), [kill] if kill.model == model.name))
}

fn killer(kill: &Kill) -> String {
    format!("`{}` ({}: {})", kill.model, kill.way, kill.how)
}

fn source_line(file: &str, number: usize) -> io::Result<String> {
    let text = fs::read_to_string(Coverage::root().join(file))?;
    Ok(text.lines().nth(number.wrapping_sub(1)).unwrap_or_default().trim().to_owned())
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes everything");
}
