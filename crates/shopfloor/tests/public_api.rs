//! What is re-exported from tokio is the same whatever features of tokio another crate switches on: every name
//! is listed, and none of them is a module, which would bring along whatever tokio puts into it. The
//! `compile_fail` examples of `shopfloor::io` and `shopfloor::sync` show the other side: names that tokio has
//! only with `full` are absent also where `full` is on.

use std::fs;
use std::path::{Path, PathBuf};

/// Functions and macros. Every other leaf is a type or a trait, which begins with a capital.
const CALLABLE: &[&str] = &[
    "channel",
    "copy",
    "copy_bidirectional",
    "copy_bidirectional_with_sizes",
    "copy_buf",
    "duplex",
    "empty",
    "join",
    "pin",
    "repeat",
    "select",
    "simplex",
    "sink",
    "split",
    "try_join",
    "unbounded_channel",
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The leaves of each `pub use tokio::…;` in `text`.
fn reexports(text: &str) -> Vec<String> {
    let statements = text.split("pub use tokio::").skip(1).filter_map(|rest| rest.split(';').next());
    statements
        .flat_map(|tree| tree.split(['{', '}', ',']))
        .map(|path| path.trim().rsplit("::").next().unwrap_or_default().to_owned())
        .filter(|leaf| !leaf.is_empty())
        .collect()
}

fn is_listed_item(leaf: &str) -> bool {
    leaf.starts_with(char::is_uppercase) || CALLABLE.contains(&leaf)
}

#[test]
fn reexports_of_tokio_are_items_listed_one_by_one() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut count = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        for leaf in reexports(&text) {
            assert!(is_listed_item(&leaf), "{}: `{leaf}` is not an item", file.display());
            count += 1;
        }
    }
    assert!(count > 80, "the check sees {count} re-exports");
}

#[test]
fn globs_and_modules_are_found() {
    let sample =
        "pub use tokio::io::*;\npub use tokio::sync::mpsc;\npub use tokio::{select, sync::{Mutex, watch}};";
    let found: Vec<String> = reexports(sample).into_iter().filter(|leaf| !is_listed_item(leaf)).collect();
    assert_eq!(found, ["*", "mpsc", "watch"]);
}
