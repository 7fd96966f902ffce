//! Compares shopfloor with other ways to serve many connections, and tasks with OS threads.
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use shopfloor_benches::compare::load::{self, LoadPlan};
use shopfloor_benches::compare::options::{ChildCommand, Cli, LoadArguments, Options, ServeArguments};
use shopfloor_benches::compare::session::GO;
use shopfloor_benches::compare::{output, run, serve, servers, tasks};
use shopfloor_benches::{helper, os};

/// A measurement failed, or the results could not be written.
const FAILED: u8 = 1;
/// A server under load that answers nobody for so long is stuck.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// The command line makes no sense.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.child {
        Some(child) => be_child(child),
        None => compare(&cli.options),
    }
}

fn compare(options: &Options) -> ExitCode {
    let plan = match options.plan() {
        Ok(plan) => plan,
        Err(error) => return complain(MISUSED, &error),
    };
    let report = match run::run(plan) {
        Ok(report) => report,
        Err(error) => return complain(FAILED, &error),
    };
    let directory = options.out.clone().unwrap_or_else(output::directory);
    let written = output::write(&report, &directory, options.json.as_deref());
    let text = format!("{}\nJSON, Markdown and plots: {}\n", report.text(), directory.display());
    if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
        return complain(FAILED, &format!("standard output: {error}"));
    }
    if let Err(error) = written {
        return complain(FAILED, &error);
    }
    let failures = report.failures();
    if failures.is_empty() { ExitCode::SUCCESS } else { complain(FAILED, &failures.join("\n")) }
}

fn complain(status: u8, error: &str) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(status)
}

fn be_child(child: ChildCommand) -> ExitCode {
    if let Err(error) = helper::begin() {
        return complain(MISUSED, &error);
    }
    let result = match child {
        ChildCommand::Serve(arguments) => serve_as(&arguments),
        ChildCommand::Load(arguments) => load_server(&arguments),
        ChildCommand::Tasks(arguments) => pin(arguments.core).and_then(|()| {
            let time = Duration::from_millis(arguments.time_ms);
            helper::say(tasks::run(&arguments.contestant, arguments.measure, arguments.count, time)?)
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            helper::say_failed(error);
            ExitCode::from(FAILED)
        }
    }
}

fn pin(core: Option<usize>) -> Result<(), String> {
    core.map_or(Ok(()), |core| os::pin_to(core).map_err(|error| error.to_string()))
}

fn serve_as(arguments: &ServeArguments) -> Result<(), String> {
    pin(arguments.core)?;
    let name = &arguments.contestant;
    let server = servers::server(name).ok_or_else(|| format!("no contestant {name:?}"))?;
    serve::run(server, arguments)
}

fn load_server(arguments: &LoadArguments) -> Result<(), String> {
    pin(arguments.core)?;
    let plan = LoadPlan {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port)),
        traffic: arguments.traffic,
        connections: arguments.connections,
        idle: arguments.idle,
        size: arguments.size,
        rate: arguments.rate,
        warm_up: Duration::from_millis(arguments.warm_up_ms),
        window: Duration::from_millis(arguments.window_ms),
        silence_max: SILENCE_MAX,
    };
    load::run(&plan, helper::say, || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(|error| error.to_string())?;
        if line.trim_end() == GO { Ok(()) } else { Err(format!("told {line:?} instead of {GO}")) }
    })
}
