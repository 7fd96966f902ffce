//! `compare serve`: one contestant in a process of its own, with a thread that answers the parent.
use std::io::BufRead;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::echo::{self, Ledger, Terms};
use super::options::ServeArguments;
use super::servers::{Serve, Server};
use super::session::{FromServer, SAMPLE, Sample, TOTALS};
use crate::helper;
use crate::os::{self, Usage};
use crate::syscalls::SyscallCounter;

/// Usage and clock are read together if that takes no longer: a thousandth of a window.
const SAMPLE_TAKES: Duration = Duration::from_micros(500);
const SAMPLE_TRIES: u32 = 1000;

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
    // First: reading /proc takes longer.
    let (usage, at) = usage_and_time(Usage::of_this_process, || start.elapsed())?;
    let at_us = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
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

/// The usage and when it was read. Among thousands of threads this one may lose its core between the two: it then reads both
/// again.
fn usage_and_time(
    usage: impl Fn() -> Usage,
    mut time: impl FnMut() -> Duration,
) -> Result<(Usage, Duration), String> {
    for _ in 0..SAMPLE_TRIES {
        let before = time();
        let usage = usage();
        if time().saturating_sub(before) <= SAMPLE_TAKES {
            return Ok((usage, before));
        }
    }
    Err(format!("could not read usage and clock together in {SAMPLE_TRIES} tries"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{SAMPLE_TRIES, usage_and_time};
    use crate::os::Usage;

    /// A clock that shows these milliseconds one after the other, and then the last of them plus a second each time.
    fn clock(shows: &[u64]) -> impl FnMut() -> Duration {
        let mut shows = shows.to_vec();
        move || {
            let now = shows[0];
            if shows.len() > 1 {
                shows.remove(0)
            } else {
                std::mem::replace(&mut shows[0], now + 1000)
            };
            Duration::from_millis(now)
        }
    }

    #[test]
    fn a_sample_that_lost_its_core_is_taken_again() {
        let (_, at) = usage_and_time(Usage::of_this_process, clock(&[0, 700, 701, 701])).unwrap();
        assert_eq!(at, Duration::from_millis(701));
        let error = usage_and_time(Usage::of_this_process, clock(&[0])).unwrap_err();
        assert!(error.contains(&SAMPLE_TRIES.to_string()), "{error}");
    }
}
