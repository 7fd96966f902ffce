//! `compare` as a user runs it: results, and what happens when a contestant fails.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use shopfloor_benches::compare::case::Traffic;
use shopfloor_benches::compare::record::{Outcome, Report};

/// A run that hangs would otherwise hang the test.
const PATIENCE: Duration = Duration::from_secs(60);

fn compare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// An empty directory for the results of one test.
fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    directory
}

fn report(directory: &Path) -> Report {
    serde_json::from_str(&std::fs::read_to_string(directory.join("compare.json")).unwrap()).unwrap()
}

fn output_of(mut child: Child) -> Output {
    let until = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("compare did not end within {PATIENCE:?}");
        }
        std::thread::yield_now();
    }
    child.wait_with_output().unwrap()
}

#[test]
fn tiny_run_leaves_tables_json_markdown_and_plots() {
    let out = directory("tiny_run");
    let json = out.join("elsewhere.json");
    let (out_text, json_text) = (out.to_str().unwrap(), json.to_str().unwrap());
    let arguments = [
        "--contestants=threads,shopfloor",
        "--connections=1",
        "--rounds=1",
        "--seconds=0.05",
        "--tasks-max=1000",
        "--threads-max=20",
        "--work-us=1",
        "--out",
        out_text,
        "--json",
        json_text,
    ];
    let output = output_of(compare(&arguments).spawn().unwrap());
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");

    let report = report(&out);
    assert_eq!(report.failures(), Vec::<String>::new());
    assert_eq!(report.servers.len(), 2);
    for record in &report.servers {
        let Outcome::Measured(figures) = &record.outcome else { panic!("{record:?}") };
        assert!(figures.requests > 0 && figures.cpu_us() > 0.0 && figures.memory_peak > 0, "{record:?}");
        // The thread that answers the parent is left out: at least one is left.
        assert!(figures.threads >= 1, "{record:?}");
    }
    // Two contestants in three measures, and threads on one core in two.
    assert_eq!(report.tasks.len(), 8);
    assert_eq!(
        std::fs::read_to_string(&json).unwrap(),
        std::fs::read_to_string(out.join("compare.json")).unwrap()
    );

    for word in ["requests/s", "CPU µs", "Tasks beside OS threads", "unpinned", "threads, one core", "Linux"]
    {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    let markdown = std::fs::read_to_string(out.join("compare.md")).unwrap();
    for plot in ["throughput-unpinned.svg", "p99-unpinned.svg", "cpu-unpinned.svg"] {
        assert!(markdown.contains(plot));
        assert!(std::fs::read_to_string(out.join(plot)).unwrap().contains("<svg"));
    }
}

#[test]
fn every_kind_of_traffic_is_measured_with_everybody_who_can_take_part() {
    let out = directory("every_kind");
    let arguments = [
        "--tables=servers",
        "--traffic=ping-pong,streaming,idle,mixed,storm,held,http",
        "--contestants=shopfloor,tokio,monoio,monoio-uring,go",
        "--connections=2",
        "--idle=3",
        "--size=100",
        "--work-us=1",
        "--held=50",
        "--rounds=1",
        "--seconds=0.02",
        "--out",
        out.to_str().unwrap(),
    ];
    let output = output_of(compare(&arguments).spawn().unwrap());
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
    let report = report(&out);
    let is_here = |name: &str| report.left_out.iter().all(|(left_out, _)| left_out != name);
    let echoing = ["shopfloor", "tokio", "monoio", "monoio-uring", "go"];
    let speaking_http = ["shopfloor", "tokio", "go"];
    let count = |names: &[&str]| names.iter().filter(|name| is_here(name)).count();
    assert_eq!(report.servers.len(), 6 * count(&echoing) + count(&speaking_http));
    for record in &report.servers {
        let Outcome::Measured(figures) = &record.outcome else { panic!("{record:?}") };
        assert!(figures.requests > 0 && (0.0..=1.0).contains(&figures.fairness), "{record:?}");
        assert_eq!(record.rate.is_some(), record.case.traffic == Traffic::Held, "{record:?}");
        assert_eq!(figures.slow_p99_us.is_some(), record.case.traffic == Traffic::Mixed, "{record:?}");
    }
    for name in echoing {
        let says_so = text.contains(&format!("{name}: left out: "));
        assert_eq!(says_so, !is_here(name), "{name} in\n{text}");
    }
    for word in ["2 busy connections and 3 idle ones", "held at 50 %", "HTTP/1.1, 100 B body", "min/max"] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    assert!(out.join("throughput-http-unpinned.svg").exists());
}

#[test]
fn more_connections_than_files_may_be_open_is_said_before_anything_starts() {
    let out = directory("too_many_connections");
    let arguments = [
        "--tables=servers",
        "--contestants=threads",
        "--connections=60",
        "--rounds=1",
        "--seconds=0.02",
        "--out",
        out.to_str().unwrap(),
    ];
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 100 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_compare")]);
    limited.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = output_of(limited.spawn().unwrap());
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("needs 124 open files, the hard limit is 100"), "{errors}");
}

#[test]
fn unknown_contestant_is_refused() {
    let output = output_of(compare(&["--contestants=threads,goblin"]).spawn().unwrap());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("goblin"));
}

#[test]
fn killed_server_shows_its_error_and_fails_the_run() {
    let out = directory("killed_server");
    let arguments = [
        "--tables=servers",
        "--contestants=threads",
        "--connections=1",
        "--rounds=1",
        // Longer than it takes to find and kill the server; the run ends at once when it dies.
        "--seconds=30",
        "--out",
        out.to_str().unwrap(),
    ];
    let parent = compare(&arguments).spawn().unwrap();
    let server = wait_for_child(parent.id(), "serve");
    // The client connects first, so that what dies is a server at work.
    wait_for_child(parent.id(), "load");
    let server = rustix::process::Pid::from_raw(server).unwrap();
    rustix::process::kill_process(server, rustix::process::Signal::KILL).unwrap();
    let output = output_of(parent);
    assert_eq!(output.status.code(), Some(1));
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("FAILED in 1 of 1 measurements: server threads: signal: 9 (SIGKILL)"), "{text}");
    assert!(errors.contains("SIGKILL"), "{errors}");
    let report = report(&out);
    assert!(matches!(&report.servers[0].outcome, Outcome::Failed(error) if error.contains("SIGKILL")));
    assert!(std::fs::read_to_string(out.join("compare.md")).unwrap().contains("## Failures"));
}

#[test]
fn children_die_with_their_parent() {
    let out = directory("killed_parent");
    let arguments =
        ["--contestants=tokio", "--connections=1", "--seconds=30", "--out", out.to_str().unwrap()];
    let mut parent = compare(&arguments).spawn().unwrap();
    let children = [wait_for_child(parent.id(), "serve"), wait_for_child(parent.id(), "load")];
    parent.kill().unwrap();
    parent.wait().unwrap();
    let until = Instant::now() + PATIENCE;
    for child in children {
        // A child that has ended but is not reaped yet has an empty command line.
        while command_line(child)
            .is_some_and(|words| words.iter().any(|word| word == "serve" || word == "load"))
        {
            assert!(Instant::now() < until, "child {child} outlives its parent");
            std::thread::yield_now();
        }
    }
}

#[test]
fn child_commands_do_nothing_for_strangers() {
    let arguments = ["serve", "threads", "--workers=1", "--work-steps=0"];
    let output = output_of(compare(&arguments).env_remove("SHOPFLOOR_BENCH_LIFE").spawn().unwrap());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("internal use"));
}

/// Waits until `parent` has a child whose first argument is `command`; returns its process id.
fn wait_for_child(parent: u32, command: &str) -> i32 {
    let until = Instant::now() + PATIENCE;
    loop {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        for id in ids {
            let is_command =
                command_line(id).is_some_and(|words| words.get(1).is_some_and(|word| word == command));
            if is_command && parent_of(id) == Some(parent) {
                return id;
            }
        }
        assert!(Instant::now() < until, "no child {command} within {PATIENCE:?}");
    }
}

fn command_line(id: i32) -> Option<Vec<String>> {
    let bytes = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
    Some(bytes.split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

fn parent_of(id: i32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}
