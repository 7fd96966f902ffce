//! Simulates the rules by which workers wake each other and steal, with up to 128 workers.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use shopfloor_benches::simulation::costs::Costs;
use shopfloor_benches::simulation::report;
use shopfloor_benches::simulation::study::{Grid, LOADS, WORKERS, study};

/// Between these lines of a document are tables that this program writes.
const BEGIN: &str = "<!-- simulate: begin -->";
const END: &str = "<!-- simulate: end -->";

/// Simulates the rules by which workers wake each other and steal.
#[derive(Debug, Parser)]
#[command(name = "simulate", after_help = "The same options give the same figures on every machine.")]
struct Options {
    /// Numbers of workers [default: 2,4,8,16,32,64,128].
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    workers: Option<Vec<usize>>,
    /// Loads, percent of the workers' time that polls alone need [default: 10,30,50,70,80,90,95].
    #[arg(long, value_delimiter = ',', value_name = "PERCENT")]
    loads: Option<Vec<f64>>,
    /// Workers that share a driver [default: all up to 16, else 8].
    #[arg(long, value_name = "NUMBER")]
    group: Option<usize>,
    /// Tasks of each run.
    #[arg(long, default_value_t = 60_000)]
    tasks: u64,
    /// Seed of the random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What waking a sleeping thread costs the waker, ns.
    #[arg(long, default_value_t = Costs::MEASURED.wake)]
    wake_ns: u64,
    /// From the begin of a wake until the sleeper runs, ns.
    #[arg(long, default_value_t = Costs::MEASURED.sleeper_runs_after)]
    sleeper_ns: u64,
    /// An event in a turn of the driver, ns.
    #[arg(long, default_value_t = Costs::MEASURED.event)]
    event_ns: u64,
    /// Directory of the plots.
    #[arg(long, value_name = "DIRECTORY")]
    plots: Option<PathBuf>,
    /// A document whose tables are to be written anew, between the lines that mark them.
    #[arg(long, value_name = "PATH")]
    document: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match simulate(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(options: &Options) -> Result<(), String> {
    let percent = |loads: &Vec<f64>| loads.iter().map(|load| load / 100.0).collect();
    let grid = Grid {
        workers: options.workers.clone().unwrap_or_else(|| WORKERS.to_vec()),
        loads: options.loads.as_ref().map_or_else(|| LOADS.to_vec(), percent),
        group: options.group,
        tasks: options.tasks,
        seed: options.seed,
        costs: Costs {
            wake: options.wake_ns,
            sleeper_runs_after: options.sleeper_ns,
            event: options.event_ns,
            ..Costs::MEASURED
        },
    };
    if grid.group == Some(0)
        || grid.workers.contains(&0)
        || grid.loads.is_empty()
        || grid.loads.iter().any(|load| *load <= 0.0)
    {
        return Err(String::from("--workers 0, --group 0 or --loads of nothing make no sense"));
    }
    let points = study(&grid);
    let tables = report::tables(&points, &grid);
    let mut text = String::new();
    let mut markdown = format!("{}\n", report::legend(&grid.loads));
    for table in &tables {
        text.push_str(&format!("{}\n", table.text()));
        markdown.push_str(&format!("\n{}", table.markdown()));
    }
    text.push_str(&format!("{}\n", report::legend(&grid.loads)));
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| format!("standard output: {error}"))?;
    if let Some(directory) = &options.plots {
        std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        for (file, svg) in report::plots(&points)? {
            write(&directory.join(file), &svg)?;
        }
    }
    if let Some(path) = &options.document {
        let document =
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        write(path, &with_tables(&document, &markdown)?)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn with_tables(document: &str, tables: &str) -> Result<String, String> {
    let parts = document.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("no {BEGIN} and {END} in the document"))?;
    Ok(format!("{before}{BEGIN}\n\n{tables}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::with_tables;

    #[test]
    fn only_what_is_between_the_marks_is_written_anew() {
        let document = "a\n<!-- simulate: begin -->\nold\n<!-- simulate: end -->\nz\n";
        let expected = "a\n<!-- simulate: begin -->\n\nnew\n\n<!-- simulate: end -->\nz\n";
        assert_eq!(with_tables(document, "new\n").unwrap(), expected);
        assert_eq!(with_tables(expected, "new\n").unwrap(), expected);
        assert!(with_tables("a", "new").is_err());
    }
}
