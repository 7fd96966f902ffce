//! `compare serve`: one contestant in a process of its own, with a thread that answers the parent.
use std::io::BufRead;
use std::sync::Arc;
use std::time::Instant;

use super::echo::{self, Ledger, Terms};
use super::options::ServeArguments;
use super::servers::{Serve, Server};
use super::session::{FromServer, SAMPLE, Sample, TOTALS};
use crate::helper;
use crate::os::{self, Usage};
use crate::syscalls::SyscallCounter;

/// Serves on the calling thread until the parent closes our input, which ends the process.
///
/// # Errors
/// If the contestant stops serving, or does not speak HTTP.
pub fn run(server: &Server, arguments: &ServeArguments) -> Result<(), String> {
    let serve = if arguments.http { server.http } else { Some(server.echo) };
    let serve = serve.ok_or_else(|| format!("{} does not speak HTTP", server.name))?;
    // Before any other thread exists, so that it counts all of them.
    let counter = if arguments.syscalls { Some(SyscallCounter::start()?) } else { None };
    let ledger = Arc::new(Ledger::default());
    let terms = Terms {
        workers: arguments.workers,
        message: arguments.size,
        work_steps: arguments.work_steps,
        ledger: Arc::clone(&ledger),
    };
    let listener = echo::listen().map_err(|error| format!("listen: {error}"))?;
    let serve = match serve {
        Serve::Here(serve) => serve,
        // It answers the parent by itself.
        Serve::Program(take_over) => {
            let Err(error) = take_over(listener, terms, counter);
            return Err(format!("cannot become {}: {error}", server.name));
        }
    };
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    std::thread::spawn(move || {
        let ended = answer(port, &ledger, counter.as_ref());
        if let Err(error) = &ended {
            helper::say_failed(error.clone());
        }
        // The contestants serve for ever: the end of our input is the only way out.
        std::process::exit(i32::from(ended.is_err()));
    });
    match serve(listener, terms) {
        Ok(()) => Err(String::from("stopped serving")),
        Err(error) => Err(format!("stopped serving: {error}")),
    }
}

fn answer(port: u16, ledger: &Ledger, counter: Option<&SyscallCounter>) -> Result<(), String> {
    let start = Instant::now();
    helper::say(FromServer::Ready { port })?;
    for line in std::io::stdin().lock().lines() {
        match line.map_err(|error| error.to_string())?.as_str() {
            SAMPLE => helper::say(FromServer::Sample(sample(start, counter)?))?,
            TOTALS => helper::say(FromServer::Totals(ledger.totals()))?,
            other => return Err(format!("asked {other:?}")),
        }
    }
    Ok(())
}

fn sample(start: Instant, counter: Option<&SyscallCounter>) -> Result<Sample, String> {
    // Usage and clock first and together: reading /proc takes longer than both.
    let usage = Usage::of_this_process();
    let at_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    let syscalls = counter.map(SyscallCounter::count).transpose()?;
    let status = |key| os::own_status(key).map_err(|error| error.to_string());
    Ok(Sample {
        at_us,
        usage,
        syscalls,
        threads: status("Threads")? - 1,
        memory_peak: status("VmHWM")? * 1024,
    })
}
