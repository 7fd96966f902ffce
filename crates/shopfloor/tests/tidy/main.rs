//! The rules of this repository that a program can check.
//!
//! Each check is a pure function from a path and a text to findings, with a unit test that shows it fail on
//! a bad sample. The tests in this file run the checks over the whole tree and list every finding with its
//! file and line.
//!
//! | rule | test |
//! |---|---|
//! | atomics and fences live in `crates/protocol`, locks come from it | `atomics_and_locks_come_from_the_protocol_crate` |
//! | `SeqCst` is written on fences only | `sequential_consistency_is_for_fences_only` |
//! | the protocol crate has no statics, threads, clocks or descriptors | `protocols_know_nothing_of_the_world` |
//! | what is for display publishes nothing | `numbers_and_words_for_display_are_relaxed` |
//! | the clock is `Instant` | `the_clock_is_the_monotonic_one` |
//! | what runs under seeded schedules takes threads and clock from `os.rs` | `threads_and_clock_of_the_scheduler_are_those_that_schedules_replace` |
//! | crates depend on each other along the arrows of the architecture | `crates_depend_along_the_arrows` |
//! | the models compile the protocol against its own dependencies | `models_repeat_the_dependencies_of_the_protocol` |
//! | one public type per name | `public_types_have_names_of_their_own` |
//! | no name that says nothing | `no_type_or_module_has_a_name_that_says_nothing` |
//! | nothing is left over from work in progress | `nothing_is_left_over` |
//! | a file holds one concept | `source_files_are_not_too_long` |
//! | the text stands on its own, on any machine | `text_stands_on_its_own` |
//! | a test is called what it shows | `names_of_tests_are_sentences` |
//! | a document has one title | `documents_have_one_title` |
//! | links lead somewhere | `links_lead_somewhere` |
//! | documents and module heads name only tests that exist | `claims_name_tests_that_exist` |
//!
//! Exempt: the files of this directory from the checks of words and names, since their samples contain what
//! the checks forbid; `benches` and test code from the rule about atomics, since they are no part of the
//! runtime; the sync facade and the canaries of loom from the rule about `SeqCst`.
#![allow(clippy::print_stderr, reason = "findings are read by people")]

mod claims;
mod code;
mod documents;
mod names;
mod source;
mod text;
mod tree;
mod workspace;

use source::Source;
use tree::{Finding, Tree};

/// Fails with one line per finding.
fn assert_clean(findings: Vec<Finding>) {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{} findings:\n{}\n", findings.len(), lines.join("\n"));
}

/// Runs `check` on the code of each Rust file that `concerned` lets through.
fn check_code(concerned: impl Fn(&str) -> bool, check: impl Fn(&Source<'_>) -> Vec<Finding>) {
    let tree = Tree::read();
    let files: Vec<_> = tree.with_extension("rs").filter(|file| concerned(&file.path)).collect();
    assert!(!files.is_empty(), "the check looks at nothing");
    assert_clean(files.iter().flat_map(|file| check(&Source::new(&file.path, &file.text))).collect());
}

fn is_tidy(path: &str) -> bool {
    path.starts_with("crates/shopfloor/tests/tidy/")
}

#[test]
fn numbers_and_words_for_display_are_relaxed() {
    check_code(code::is_for_display, code::edges);
}

#[test]
fn the_clock_is_the_monotonic_one() {
    check_code(code::is_runtime, code::other_clocks);
}

#[test]
fn threads_and_clock_of_the_scheduler_are_those_that_schedules_replace() {
    check_code(code::is_under_schedules, code::past_the_schedules);
}

#[test]
fn atomics_and_locks_come_from_the_protocol_crate() {
    check_code(code::is_runtime_outside_protocol, code::atomics_and_locks);
}

#[test]
fn sequential_consistency_is_for_fences_only() {
    check_code(|path| code::is_under_the_fence_rule(path) && !is_tidy(path), code::sequential_consistency);
}

#[test]
fn protocols_know_nothing_of_the_world() {
    check_code(code::is_protocol, code::outside_of_a_model);
}

#[test]
fn crates_depend_along_the_arrows() {
    let tree = Tree::read();
    let manifests: Vec<_> = tree.manifests().collect();
    assert!(manifests.len() >= 8, "the check looks at {} manifests", manifests.len());
    assert_clean(manifests.iter().flat_map(|file| workspace::arrows(&file.path, &file.text)).collect());
}

#[test]
fn models_repeat_the_dependencies_of_the_protocol() {
    let tree = Tree::read();
    let manifest = |path: &str| tree.file(path).text.as_str();
    let twin = |original: &str, twin: &str, surplus: &[&str]| {
        workspace::twin_dependencies(manifest(original), twin, manifest(twin), surplus)
    };
    assert_clean(twin("crates/protocol/Cargo.toml", "loom-tests/Cargo.toml", &["loom"]));
    for (name, surplus) in [("protocol", &["shuttle"][..]), ("task", &[]), ("scheduler", &[])] {
        let original = format!("crates/{name}/Cargo.toml");
        assert_clean(twin(&original, &format!("loom-tests/schedules/{name}/Cargo.toml"), surplus));
    }
}

#[test]
fn public_types_have_names_of_their_own() {
    let tree = Tree::read();
    let sources: Vec<_> = tree
        .with_extension("rs")
        .filter(|file| names::is_library(&file.path))
        .map(|file| Source::new(&file.path, &file.text))
        .collect();
    let shared = names::shared_names(include_str!("shared_names.txt"));
    assert_clean(names::double_names(&sources, &shared));
}

#[test]
fn no_type_or_module_has_a_name_that_says_nothing() {
    check_code(|path| !is_tidy(path), names::empty_names);
}

#[test]
fn nothing_is_left_over() {
    let tree = Tree::read();
    let files = tree.files.iter().filter(|file| !is_tidy(&file.path));
    assert_clean(files.flat_map(|file| text::leftovers(&file.path, &file.text)).collect());
}

#[test]
fn source_files_are_not_too_long() {
    let tree = Tree::read();
    assert_clean(tree.with_extension("rs").flat_map(|file| text::length(&file.path, &file.text)).collect());
}

#[test]
fn text_stands_on_its_own() {
    let tree = Tree::read();
    let files = tree.files.iter().filter(|file| !is_tidy(&file.path));
    assert_clean(files.flat_map(|file| text::outside_world(&file.path, &file.text)).collect());
}

#[test]
fn names_of_tests_are_sentences() {
    check_code(|_| true, names::short_test_names);
}

#[test]
fn documents_have_one_title() {
    let tree = Tree::read();
    assert_clean(
        tree.with_extension("md").flat_map(|file| documents::titles(&file.path, &file.text)).collect(),
    );
}

#[test]
fn links_lead_somewhere() {
    let tree = Tree::read();
    assert_clean(
        tree.with_extension("md").flat_map(|file| documents::links(&tree, &file.path, &file.text)).collect(),
    );
}

#[test]
fn claims_name_tests_that_exist() {
    let tree = Tree::read();
    let known = claims::KnownTests::of(&tree);
    assert!(known.len() > 30, "only {} tests were found", known.len());
    let documents = tree.with_extension("md").map(|file| (file, file.text.clone()));
    let sources = tree.with_extension("rs").map(|file| (file, claims::doc_comments(&file.text)));
    assert_clean(
        documents
            .chain(sources)
            .flat_map(|(file, text)| claims::unknown(&known, &file.path, &text))
            .collect(),
    );
}
