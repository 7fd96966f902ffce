//! Paired micro benches: the same workloads on several runtimes, one process each, in turn.
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use shopfloor_benches::helper;
use shopfloor_benches::micro::options::{ChildCommand, Cli, MeasureArguments, Options};
use shopfloor_benches::micro::{run, workloads};

/// A measurement failed, or the results could not be written.
const FAILED: u8 = 1;
/// The command line makes no sense.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.child {
        Some(ChildCommand::Measure(arguments)) => {
            if let Err(error) = helper::begin() {
                return complain(MISUSED, &error);
            }
            match measure(&arguments) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    helper::say_failed(error);
                    ExitCode::from(FAILED)
                }
            }
        }
        None => compare(&cli.options),
    }
}

fn measure(arguments: &MeasureArguments) -> Result<(), String> {
    let MeasureArguments { runtime, workload, workers, time_ms } = arguments;
    let entries = workloads::entries_on(runtime).ok_or_else(|| format!("no runtime {runtime:?}"))?;
    let entry = entries.iter().find(|entry| entry.name == workload);
    let entry = entry.ok_or_else(|| format!("no workload {workload:?}"))?;
    helper::say((entry.run)(*workers, Duration::from_millis(*time_ms)))
}

fn compare(options: &Options) -> ExitCode {
    let plan = match options.plan() {
        Ok(plan) => plan,
        Err(error) => return complain(MISUSED, &error),
    };
    let report = run::run(plan);
    if let Err(error) = std::io::stdout().write_all(report.text().as_bytes()) {
        return complain(FAILED, &format!("standard output: {error}"));
    }
    if let Some(path) = &options.json {
        let written =
            serde_json::to_string_pretty(&report).map_err(|error| error.to_string()).and_then(|text| {
                std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
            });
        if let Err(error) = written {
            return complain(FAILED, &error);
        }
    }
    let failures = report.failures();
    if failures.is_empty() { ExitCode::SUCCESS } else { complain(FAILED, &failures.join("\n")) }
}

fn complain(status: u8, error: &str) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(status)
}
