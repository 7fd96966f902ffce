//! Paired micro benches: the same workloads on several runtimes, one process each, in turn.
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use shopfloor_benches::helper;
use shopfloor_benches::machine::Machine;
use shopfloor_benches::micro::guard::{self, Ceilings};
use shopfloor_benches::micro::options::{Cli, GuardArguments, MeasureArguments, MicroCommand, Options};
use shopfloor_benches::micro::report::Report;
use shopfloor_benches::micro::{instructions, run};

/// A measurement failed, or the results could not be written.
const FAILED: u8 = 1;
/// The command line makes no sense.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Some(MicroCommand::Measure(arguments)) => measure(&arguments),
        Some(MicroCommand::Guard(arguments)) => guard(&arguments),
        None if cli.options.instructions => count_instructions(&cli.options),
        None => compare(&cli.options),
    }
}

fn measure(arguments: &MeasureArguments) -> ExitCode {
    if let Err(error) = helper::begin() {
        return complain(MISUSED, &error);
    }
    match run::measure_here(arguments).and_then(helper::say) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            helper::say_failed(error);
            ExitCode::from(FAILED)
        }
    }
}

fn count_instructions(options: &Options) -> ExitCode {
    let plan = match options.plan() {
        Ok(plan) => plan,
        Err(error) => return complain(MISUSED, &error),
    };
    match instructions::report(&plan, &options.profiles) {
        Ok((text, failures)) => finish(&text, &failures),
        Err(error) => complain(FAILED, &error),
    }
}

fn guard(arguments: &GuardArguments) -> ExitCode {
    let ceilings = match Ceilings::read(&arguments.ceilings) {
        Ok(ceilings) => ceilings,
        Err(error) => return complain(MISUSED, &error),
    };
    match guard::check(&ceilings, &arguments.profiles) {
        Ok((text, failures)) => finish(&text, &failures),
        Err(error) => complain(FAILED, &error),
    }
}

fn compare(options: &Options) -> ExitCode {
    let plan = match options.plan() {
        Ok(plan) => plan,
        Err(error) => return complain(MISUSED, &error),
    };
    let records = run::run(&plan);
    let report = Report { machine: Machine::look(), plan, records };
    if let Some(path) = &options.json {
        let written =
            serde_json::to_string_pretty(&report).map_err(|error| error.to_string()).and_then(|text| {
                std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
            });
        if let Err(error) = written {
            return complain(FAILED, &error);
        }
    }
    finish(&report.text(), &report.failures())
}

fn finish(text: &str, failures: &[String]) -> ExitCode {
    if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
        return complain(FAILED, &format!("standard output: {error}"));
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { complain(FAILED, &failures.join("\n")) }
}

fn complain(status: u8, error: &str) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(status)
}
