//! The runner of the models reports each way of failing by the model's name, and goes on with the others.

use std::process::{Command, Output};

/// Runs the program whose models fail on purpose.
fn run(arguments: &[&str]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_failing-models"));
    command.args(arguments).env_remove("LOOM_TESTS_BLESS");
    if arguments.contains(&"failing::never_ends") {
        command.env("LOOM_TESTS_LIMIT_S", "1");
    }
    output_of(command)
}

fn output_of(mut command: Command) -> (Output, String) {
    let output = command.output().expect("the program of failing models runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

/// Runs one failing model and returns what is reported of it.
fn report_of(name: &str) -> String {
    let (output, text) = run(&["--exact", name]);
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert!(text.contains(&format!("test {name} ... FAILED")), "{text}");
    assert!(text.contains(&format!("---- {name} ----")), "{text}");
    assert!(text.contains("The runner reports what becomes of this model."), "{text}");
    assert!(text.contains("test result: FAILED. 0 passed; 1 failed;"), "{text}");
    text
}

#[test]
fn models_that_fail_do_not_keep_the_others_from_running() {
    let (output, text) = run(&["--skip", "never_ends"]);
    assert_eq!(output.status.code(), Some(101), "{text}");
    for failing in [
        "failing::aborts",
        "failing::panics",
        "failing::deadlocks",
        "failing::races",
        "failing::misses_an_outcome",
        "failing::has_an_outcome_too_many",
        "failing::is_counted_wrongly",
        "failing::is_not_counted",
    ] {
        assert!(text.contains(&format!("test {failing} ... FAILED")), "{failing} is not reported:\n{text}");
    }
    assert!(text.contains("test passing::in_both_orders ... ok"), "{text}");
    assert!(text.contains("test result: FAILED. 2 passed; 8 failed;"), "{text}");
}

#[test]
fn an_abort_is_reported_with_its_signal() {
    assert!(report_of("failing::aborts").contains("signal: 6"));
}

#[test]
fn a_panic_is_reported_with_its_message() {
    assert!(report_of("failing::panics").contains("this model panics"));
}

#[test]
fn a_deadlock_is_reported_as_one() {
    assert!(report_of("failing::deadlocks").contains("deadlock"));
}

#[test]
fn a_race_is_reported_as_one() {
    assert!(report_of("failing::races").contains("Causality violation"));
}

#[test]
fn an_outcome_that_no_execution_shows_fails() {
    assert!(report_of("failing::misses_an_outcome").contains("outcome never seen: [expected]"));
}

#[test]
fn an_outcome_that_is_not_listed_fails() {
    assert!(report_of("failing::has_an_outcome_too_many").contains("unexpected outcome: [surprising]"));
}

#[test]
fn another_count_than_the_recorded_one_fails_and_says_how_to_record_it() {
    let text = report_of("failing::is_counted_wrongly");
    assert!(text.contains("1 executions, 1000 executions are recorded"), "{text}");
    assert!(text.contains("LOOM_TESTS_BLESS=1 cargo test"), "{text}");
}

#[test]
fn a_model_without_a_recorded_count_fails_and_says_how_to_record_it() {
    let text = report_of("failing::is_not_counted");
    assert!(text.contains("1 executions, no count is recorded"), "{text}");
    assert!(text.contains("LOOM_TESTS_BLESS=1 cargo test"), "{text}");
}

#[test]
fn a_model_that_never_ends_is_killed_at_the_time_limit() {
    assert!(report_of("failing::never_ends").contains("no result within 1 s"));
}

#[test]
fn an_outcome_that_one_way_of_exploring_loses_is_told_and_does_not_fail() {
    let (output, text) = run(&["passing::upstream"]);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("upstream defect present: forward loses [expected]"), "{text}");
}

#[test]
fn options_of_libtest_are_taken_or_tolerated() {
    let (output, text) = run(&[
        "--test-threads=1",
        "--nocapture",
        "--color",
        "never",
        "-q",
        "--format=pretty",
        "passing::in_both",
        "--unknown-to-us",
    ]);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("test result: ok. 1 passed; 0 failed;"), "{text}");
}

#[test]
fn the_list_names_each_model_and_its_property_and_runs_none() {
    let (output, text) = run(&["--list"]);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("failing::aborts: test\n    The runner reports"), "{text}");
    assert!(text.ends_with("11 tests, 0 benchmarks\n"), "{text}");

    let (_, terse) = run(&["--list", "--format", "terse", "passing::in_both"]);
    assert_eq!(terse, "passing::in_both_orders: test\n");
    let (_, ignored) = run(&["--list", "--format", "terse", "--ignored"]);
    assert_eq!(ignored, "");
}

/// Runs models until the first failure; the last line says what it was.
fn first_failure(name: &str, environment: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_failing-models"));
    command.args(["--first-failure", name]).envs(environment.iter().copied());
    let (output, text) = output_of(command);
    let verdict = text.lines().last().and_then(|line| line.strip_prefix("first failure: "));
    (output.status.success(), verdict.unwrap_or_else(|| panic!("no verdict:\n{text}")).to_owned())
}

#[test]
fn the_first_failure_ends_the_run_and_is_told() {
    for (name, verdict) in [
        ("failing::panics", "failing::panics (forward): this model panics"),
        (
            "failing::has_an_outcome",
            "failing::has_an_outcome_too_many (forward): unexpected outcome: surprising",
        ),
        ("failing::misses", "failing::misses_an_outcome (reverse-fresh): outcome never seen: expected"),
    ] {
        assert_eq!(first_failure(name, &[]), (false, verdict.to_owned()));
    }
    let (_, verdict) = first_failure("failing::", &[]);
    assert!(verdict.starts_with("failing::"), "{verdict}");
}

#[test]
fn another_count_than_the_recorded_one_is_no_first_failure() {
    for name in ["failing::is_counted_wrongly", "failing::is_not_counted", "passing::in_both_orders"] {
        assert_eq!(first_failure(name, &[]), (true, "none".to_owned()));
    }
}

#[test]
fn an_execution_that_does_not_end_is_a_failure() {
    let (held, verdict) = first_failure("failing::never_ends", &[("LOOM_TESTS_EXECUTION_S", "1")]);
    assert!(!held);
    assert_eq!(verdict, "failing::never_ends (forward): an execution does not end");
}

#[test]
fn what_takes_too_long_is_told_as_that() {
    let (held, verdict) = first_failure("failing::never_ends", &[("LOOM_TESTS_LIMIT_S", "1")]);
    assert!(!held);
    assert_eq!(verdict, "none; 2 took too long");
}
