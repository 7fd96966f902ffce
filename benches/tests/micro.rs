//! `micro` as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of a test fails the test, or says why not"
)]

use std::process::{Command, Stdio};

/// Runs `micro` and returns what it printed; a failure fails the test.
fn micro(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_micro")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn a_tiny_run_has_the_figures_of_every_kind_of_row() {
    let rows = "--only=spawn_join,fib,sleeper,parked_64,idle";
    let text = micro(&[rows, "--rounds=1", "--time-ms=0", "--shrink=1000", "--workers=1,2"]);
    for figure in ["CPU ns", "p99 µs", "bytes", "switches/s", "Speed-up from 1 to 2 workers"] {
        assert!(text.contains(figure), "{figure} is missing in\n{text}");
    }
    let lines_of = |contestant: &str| {
        let second = |line: &&str| line.split_whitespace().nth(1) == Some(contestant);
        text.lines().filter(second).count()
    };
    // Five rows on two numbers of workers, and one line of speed-up; rayon has two of the rows, threads two others.
    let lines = ["shopfloor", "tokio", "smol", "rayon", "threads"].map(lines_of);
    assert_eq!(lines, [11, 11, 11, 5, 4], "{text}");
}

#[test]
fn instructions_are_counted_where_valgrind_is_installed() {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        eprintln!("not counted: valgrind is not installed");
        return;
    }
    let profiles = concat!("--profiles=", env!("CARGO_TARGET_TMPDIR"), "/callgrind");
    let text = micro(&["--instructions", "--only=spawn_await_one", "--vs=tokio", "--shrink=1000", profiles]);
    for contestant in ["shopfloor", "tokio"] {
        let line = text.lines().find(|line| line.contains(contestant) && line.starts_with("spawn_await_one"));
        let count: f64 = line.unwrap().split_whitespace().nth(2).unwrap().replace(',', "").parse().unwrap();
        assert!(count > 100.0, "{text}");
    }
}

#[test]
fn a_child_command_does_nothing_for_strangers() {
    let arguments = ["measure", "tokio", "switch", "--workers=1", "--steps-per-us=1"];
    let output =
        Command::new(env!("CARGO_BIN_EXE_micro")).args(arguments).env_remove("SHOPFLOOR_BENCH_LIFE").output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("internal use"));
}
