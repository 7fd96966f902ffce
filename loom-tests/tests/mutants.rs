//! The run of the mutants kills what is needed, finds what is not, and holds the list of equivalents to the source.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "modules of the runner, of which this program uses the pure parts"
)]

use std::process::{Command, Output};

#[path = "models/alteration.rs"]
mod alteration;
#[path = "models/listed.rs"]
mod listed;
#[path = "models/places.rs"]
mod places;

use listed::{Entry, Listed};

/// Runs the mutants of one of the toy protocols.
fn run(suite: &str, arguments: &[&str]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toy-models"));
    command.env("TOY_SUITE", suite).arg("--mutants").args(arguments);
    let output = command.output().expect("the program of toy models runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

/// The lines that are reported as faults.
fn faults(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("fault: ")).collect()
}

#[test]
fn orderings_that_are_needed_are_killed_and_the_rest_is_listed() {
    let (output, text) = run("sound", &[]);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("killed 4 of 4 non-equivalent; 1 listed as equivalent"), "{text}");
    for killed in
        ["set Release", "load Acquire -> Relaxed", "fence SeqCst -> dropped", "fence SeqCst -> AcqRel"]
    {
        let killed = killed.replace("set", "store");
        let is_killed = |line: &str| line.contains(&killed) && line.contains("killed by sound::");
        assert!(text.lines().any(is_killed), "{killed}:\n{text}");
    }
    assert!(text.contains("compare_exchange_weak Release -> Relaxed ... listed as equivalent"), "{text}");
}

#[test]
fn the_mutants_that_one_model_alone_kills_are_printed() {
    let (_, text) = run("sound", &["--site", "load Acquire"]);
    let printed = "    sound::a_letter_is_read_after_it_was_written: loom-tests/tests/models/toy_sound.rs:";
    assert!(text.lines().any(|line| line.starts_with(printed)), "{text}");
    assert!(text.contains("killed 1 of 1 non-equivalent"), "{text}");
}

#[test]
fn everything_that_is_wrong_with_a_thin_protocol_is_a_fault() {
    let (output, text) = run("thin", &[]);
    assert_eq!(output.status.code(), Some(101), "{text}");
    let faults = faults(&text);
    let found = |parts: [&str; 2]| {
        let has = |fault: &&str| parts.iter().all(|part| fault.contains(part));
        assert_eq!(faults.iter().filter(|fault| has(fault)).count(), 1, "{parts:?}:\n{text}");
    };
    found(["fetch_add Release -> Relaxed", "SURVIVED"]);
    found(["is reached by no model", "toy_thin.rs"]);
    found(["toy_thin.rs:1 does not read", "look at the argument again"]);
    found(["toy_thin.rs:1: no mutant is", "fetch_add Release -> Relaxed"]);
    found(["store Release -> Relaxed is listed as equivalent", "kills it"]);
    found(["spurious compare_exchange_weak", "unexpected outcome: 0"]);
    found(["spurious wait", "woken by nobody"]);
    assert_eq!(faults.len(), 7, "{text}");
}

#[test]
fn the_report_says_what_kills_each_mutant_and_what_no_model_reaches() {
    let (_, text) = run("thin", &[]);
    let path = text.lines().find_map(|line| line.strip_prefix("report: ")?.rsplit_once("; "));
    let report = std::fs::read_to_string(path.expect("the report is named").0).expect("it is written");
    assert!(report.contains("| load Acquire -> Relaxed | `thin::a_note_is_read_after"), "{report}");
    assert!(report.contains("fetch_add Release -> Relaxed | SURVIVED |"), "{report}");
    assert!(report.contains("`self.0.store(0, Ordering::Release);`"), "{report}");
    assert!(
        report.contains("- `thin::two_additions_are_counted`: none; it shows: Two additions"),
        "{report}"
    );
}

fn columns(text: &str) -> Vec<(usize, usize)> {
    places::in_file("a.rs", text).into_iter().map(|place| (place.line, place.column)).collect()
}

#[test]
fn every_use_of_an_ordering_in_a_source_is_found() {
    let text = "fn f(&self) {\n    self.0.load(Ordering::Relaxed);\n    fence(Ordering::SeqCst);\n    self.word\n        \
        .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);\n}";
    assert_eq!(columns(text), [(2, 12), (3, 5), (5, 10)]);
    let helper = "#[cfg_attr(loom, track_caller)]\nfn apply(&self, order: Ordering) { self.0.swap(1, order); \
        self.0.load(Ordering::Relaxed); }\nfn g(&self) { self.apply(Ordering::Release) }\n\
        fn h() { Self::apply(self, x) }";
    assert_eq!(columns(helper), [(3, 20), (4, 10)]);
}

#[test]
fn what_takes_no_ordering_is_not_found() {
    let text = "use sync::fence;\n// self.0.load(Ordering::Relaxed)\nfn f() { g(\"x.load(Ordering::Relaxed)\"); \
        mem::swap(a, b); list.swap(1, 2); self.state.load(); '\"' }\n\
        #[cfg(all(test, not(loom)))]\nmod tests { fn t() { x.load(Ordering::Relaxed) } }";
    assert_eq!(columns(text), []);
}

fn entry(line: usize) -> Entry {
    let argument =
        "An argument of the length that an argument has, which says why the weaker ordering is enough.";
    Entry {
        file: "a.rs".to_owned(),
        line,
        text: "b.load(Acquire);".to_owned(),
        change: String::new(),
        reason: argument.to_owned(),
    }
}

#[test]
fn an_entry_whose_line_has_moved_is_an_error() {
    let source = "fn a() {\n    b.load(Acquire);\n}\n";
    assert_eq!(entry(2).fault(source), None);
    assert!(entry(1).fault(source).expect("it moved").contains("it stands at line 2 now"));
    assert!(entry(0).fault(source).is_some());
    let changed = entry(2).fault("fn a() {\n    b.load(Relaxed);\n}\n");
    assert!(changed.expect("it changed").contains("it stands nowhere in the file"));
}

#[test]
fn an_entry_without_an_argument_is_an_error() {
    let bare = Entry { reason: "equivalent".to_owned(), ..entry(2) };
    assert!(bare.fault("fn a() {\n    b.load(Acquire);\n}\n").expect("no argument").contains("no argument"));
}

#[test]
fn a_survivor_of_the_logic_mutants_stands_where_its_entry_says() {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent().expect("the package is in the repository");
    let listed = Listed::read(&package.join("logic/survivors.toml")).expect("it is in the form");
    assert_eq!(listed.faults(root).expect("the sources are read"), [""; 0]);
    assert_eq!(listed.unreached, []);
    for Entry { change, .. } in &listed.equivalent {
        let column = change.split_once(": ").map(|(column, _)| column.parse::<usize>());
        assert!(matches!(column, Some(Ok(_))), "cargo-mutants names no column in this way: {change}");
    }
}

#[test]
fn a_list_in_another_form_is_refused() {
    let whole = "# comment\n[[equivalent]]\nat = \"a.rs:7\"\ntext = \"f(\\\"x\\\")\"\nchange = \"load A -> B\"\n\
        reason = \"\"\"\nOne.\nTwo.\n\"\"\"\n";
    let listed = Listed::parse(whole).expect("it is in the form");
    let [entry] = listed.equivalent.as_slice() else { panic!("one entry: {listed:?}") };
    assert_eq!((entry.line, entry.text.as_str(), entry.reason.as_str()), (7, "f(\"x\")", "One. Two."));
    let without_reason = whole.split("reason").next().expect("the part before");
    for bad in
        ["at = \"a.rs:7\"", "[[other]]", without_reason, &whole.replace(":7", ""), &whole.replace('=', "is")]
    {
        assert!(Listed::parse(bad).is_err(), "{bad}");
    }
}
