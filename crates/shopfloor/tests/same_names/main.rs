//! What has tokio's name here has tokio's signature: each use below is compiled, never run, with the name of
//! either crate. A method of ours is used below or listed in `ours.txt` as one that tokio does not have.
#![cfg(target_os = "linux")]
#![allow(clippy::let_underscore_future, reason = "the uses are compiled, not run")]

/// Fails to compile unless the type implements all of the traits.
macro_rules! implements {
    ($($type:ty: [$($bound:tt)+];)*) => {$(
        const _: fn() = {
            fn implements<T: $($bound)+>() {}
            implements::<$type>
        };
    )*};
}

mod async_fd;
mod datagrams;
mod runtime;
mod streams;
mod task;
mod time;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every file under `dir`.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn text_under(dir: &Path) -> String {
    let mut found = Vec::new();
    files(dir, &mut found);
    found.iter().map(|file| fs::read_to_string(file).expect("a source")).collect()
}

/// The names of the public functions and methods in `source`.
fn public_functions(source: &str) -> BTreeSet<&str> {
    let heads = ["pub fn ", "pub async fn ", "pub const fn "];
    let lines = source.lines().map(str::trim);
    let rests = lines.filter_map(|line| heads.iter().find_map(|head| line.strip_prefix(head)));
    let names = rests.filter_map(|rest| rest.split(['(', '<']).next());
    names.filter(|name| !name.starts_with(['$', '_'])).collect()
}

/// What is called, or named by its path, in `source`.
fn is_used(name: &str, source: &str) -> bool {
    let is_before = |text: &str| text.ends_with('.') || text.ends_with("::");
    let is_after = |text: &str| text.starts_with(['(', ',', '}']) || text.starts_with("::<");
    source.match_indices(name).any(|(at, _)| is_before(&source[..at]) && is_after(&source[at + name.len()..]))
}

#[test]
fn every_method_is_used_under_its_name_on_both_crates_or_listed_as_ours() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut source = text_under(&root.join("src"));
    for file in ["handle", "join_handle", "running", "yield_now", "block_in_place"] {
        let path = root.join("../scheduler/src").join(file).with_extension("rs");
        source += &fs::read_to_string(path).expect("a source of the scheduler");
    }
    let uses = text_under(&root.join("tests/same_names"));
    let listed = include_str!("ours.txt").lines().filter(|line| !line.starts_with('#'));
    let ours: BTreeSet<&str> = listed.filter_map(|line| line.split(':').next()).collect();
    let functions = public_functions(&source);
    assert!(functions.len() > 150, "the check sees {} functions", functions.len());
    let unused: Vec<_> =
        functions.iter().filter(|name| !ours.contains(*name) && !is_used(name, &uses)).collect();
    assert!(unused.is_empty(), "used on neither crate, nor listed: {unused:?}");
    let stale: Vec<_> =
        ours.iter().filter(|name| !functions.contains(*name) || is_used(name, &uses)).collect();
    assert!(stale.is_empty(), "listed as ours, but gone or used: {stale:?}");
}

#[test]
fn functions_are_found_by_their_heads_and_uses_by_what_surrounds_them() {
    let source = "pub fn one(&self) {\n    pub async fn two<T>(t: T) {\npub(crate) fn three() {\nfn four() {";
    assert_eq!(public_functions(source), BTreeSet::from(["one", "two"]));
    for used in ["a.one()", "A::one::<u8>()", "map(A::one, b)"] {
        assert!(is_used("one", used), "{used}");
    }
    for unused in ["one()", "a.one_more()", "a.someone()", "let one = 1;"] {
        assert!(!is_used("one", unused), "{unused}");
    }
}
