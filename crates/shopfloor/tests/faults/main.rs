//! A server loses nothing when a system call fails.
//!
//! ```text
//! cargo test -p shopfloor --test faults                      once, with no fault: the ledger balances
//! cargo test -p shopfloor --test faults -- --matrix          each call × error × k, by strace (`just faults`)
//! cargo test -p shopfloor --test faults -- --matrix accept4  those whose call or error contains `accept4`
//! ```
//! `shop` is the program, `peers` whom it serves, `sites` the table of what may fail and what is promised then. For
//! each line of it the k-th such call of each thread of the program fails, for k from 1 to 5. The program
//! has to end by itself and in time; every connection that a peer has opened was served to its end or told as failed;
//! the errors told are the injected ones, by those of whom it is promised, and as often.
//!
//! strace, because it fails calls whichever way they are made: the driver makes its own without the C library, where
//! a preloaded shim would not see them. It takes its place at a program that waits for it, so that the calls of the
//! loader are not counted.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_types, reason = "the parent's threads are no part of the runtime")]

mod peers;
mod run;
mod shop;
mod sites;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode};

use run::{Ledger, Run};
use sites::{SITES, Site};

/// The name under which a filter of `cargo test` finds this.
const NAME: &str = "faults::without_a_fault_every_connection_is_served";
const CALLS: u32 = 5;

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    match arguments.first().map(String::as_str) {
        Some("--shop") => {
            let upstream = filter.and_then(|addr| addr.parse().ok());
            shop::run(upstream.expect("the parent says where the other server is"));
            Ok(ExitCode::SUCCESS)
        }
        Some("--matrix") => matrix(filter.map_or("", String::as_str)),
        _ if arguments.iter().any(|argument| argument == "--list") => {
            writeln!(io::stdout(), "{NAME}: test")?;
            Ok(ExitCode::SUCCESS)
        }
        _ if filter.is_some_and(|filter| !NAME.contains(filter.as_str())) => Ok(ExitCode::SUCCESS),
        _ => without_a_fault(),
    }
}

fn without_a_fault() -> io::Result<ExitCode> {
    let run = Run::of(peers::upstream()?, None)?;
    let faults = run.faults(None);
    writeln!(io::stdout(), "test {NAME} ... {}", if faults.is_empty() { "ok" } else { "FAILED" })?;
    if faults.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(io::stdout(), "{}\n{run}", faults.join("\n"))?;
    Ok(ExitCode::FAILURE)
}

fn matrix(filter: &str) -> io::Result<ExitCode> {
    if Command::new("strace").arg("--version").output().is_err() {
        writeln!(io::stderr(), "faults: needs strace, 5.0 or later (the package is called strace)")?;
        return Ok(ExitCode::FAILURE);
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
    fs::create_dir_all(&directory)?;
    let upstream = peers::upstream()?;
    let mut out = io::stdout().lock();
    let mut table =
        String::from("| call | error | injected | what becomes of it | told |\n|---|---|---|---|---|\n");
    let (mut runs, mut failed) = (0, 0);
    for site in SITES.iter().filter(|site| site.calls.contains(filter) || site.error.contains(filter)) {
        let (mut injected, mut told) = (0, Ledger::default());
        for k in 1..=CALLS {
            let log = directory.join(format!(
                "{}-{}-{}-{k}.log",
                site.calls.replace(['?', ','], ""),
                site.error,
                u8::from(site.is_running)
            ));
            let run = Run::of(upstream, Some((site, k, &log)))?;
            let faults = run.faults(Some(site));
            runs += 1;
            failed += usize::from(!faults.is_empty());
            writeln!(out, "{run} ... {}", if faults.is_empty() { "ok" } else { "FAILED" })?;
            for fault in &faults {
                writeln!(out, "    {fault}; see {}", log.display())?;
            }
            injected += run.injected;
            told.add(&run.told(site));
        }
        if injected == 0 {
            failed += 1;
            writeln!(
                out,
                "    {} {} was never injected: the program does not make the call",
                site.calls, site.error
            )?;
        }
        row(&mut table, site, injected, &told);
    }
    let file = directory.join("table.md");
    fs::write(&file, &table)?;
    writeln!(out, "\n{table}\nfaults: {runs} runs, {failed} failed; the table is in {}", file.display())?;
    Ok(if failed == 0 && runs > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(table: &mut String, site: &Site, injected: u64, told: &Ledger) {
    let calls = site.calls.replace('?', "").replace(',', ", ");
    let beside = match (site.beside.is_some(), site.is_running) {
        (true, _) => ", without epoll_pwait2",
        (false, true) => ", once it runs",
        (false, false) => "",
    };
    let promise = site.promise.text();
    writeln!(table, "| {calls}{beside} | {} | {injected} | {promise} | {told} |", site.error)
        .expect("a String takes everything");
}
