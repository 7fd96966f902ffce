//! What the facade turns on in tokio.
//!
//! shopfloor re-exports the parts of tokio that need no tokio runtime. A feature such as `rt` or `net` would
//! compile a second runtime and a second reactor into every program that uses this one. The tree is asked
//! for the facade alone: in a build of the workspace the benches turn everything on for everyone.

use std::collections::BTreeSet;
use std::process::Command;

/// The features of tokio that the facade may have on, with what they bring: `macros` is `select!` and
/// `join!` (and `tokio-macros` behind them), `io-util` the extension traits (and `bytes`), `sync` the
/// channels and locks. None of them compiles a runtime, a reactor or a timer.
const ALLOWED: &[&str] = &["bytes", "io-util", "macros", "sync", "tokio-macros"];

/// The features of `package` in the output of `cargo tree --format "{p}|{f}" --prefix none`.
fn features_of<'a>(package: &str, tree: &'a str) -> BTreeSet<&'a str> {
    tree.lines()
        .filter_map(|line| line.split_once('|'))
        .filter(|(name, _)| name.split(' ').next() == Some(package))
        .flat_map(|(_, features)| features.trim_end_matches(" (*)").split(','))
        .filter(|feature| !feature.is_empty())
        .collect()
}

#[test]
fn the_facade_turns_on_no_runtime_of_tokio() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "shopfloor", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}|{f}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs, since it runs this test");
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    assert!(tree.starts_with("shopfloor v"), "this is not the tree of the facade:\n{tree}");
    let allowed = BTreeSet::from_iter(ALLOWED.iter().copied());
    let surplus: Vec<_> = features_of("tokio", &tree).difference(&allowed).copied().collect();
    assert!(surplus.is_empty(), "shopfloor turns on {surplus:?} in tokio");
}

#[test]
fn features_are_read_off_every_line_of_the_package() {
    let tree = "shopfloor v0.1.0 (/here)|default\ntokio v1.54.1|bytes,rt\ntokio-util v0.7.0|codec\ntokio v1.54.1|sync (*)\n";
    assert_eq!(features_of("tokio", tree), BTreeSet::from(["bytes", "rt", "sync"]));
}
