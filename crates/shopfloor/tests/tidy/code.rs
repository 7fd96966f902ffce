//! Where atomics, locks and sequential consistency may be written.

use crate::source::{Source, Word, words};
use crate::tree::Finding;

/// The alternatives of the sync facade: where atomics come from, and what stands in for them under loom.
const SYNC_FACADE: &str = "crates/protocol/src/sync";

/// Sources of the runtime that get their atomics and locks from the protocol crate. `benches`, `loom-tests`
/// and the `tests` of a crate are no part of the runtime; test code inside a source is left out by the check.
pub(crate) fn is_runtime_outside_protocol(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/") && !path.starts_with("crates/protocol/")
}

/// The canaries among the models: they show what loom makes of `SeqCst` accesses.
const CANARIES: &str = "loom-tests/tests/models/canaries.rs";

/// All code but the facade, which names every ordering, the canaries, and the benches, which hold other
/// people's designs.
pub(crate) fn is_under_the_fence_rule(path: &str) -> bool {
    !path.starts_with(SYNC_FACADE) && !path.starts_with("benches/") && path != CANARIES
}

/// Atomics, fences and std's locks. The locks of `shopfloor_protocol::sync` are what to use instead, an
/// atomic belongs into a state machine of the protocol crate, where loom explores it.
pub(crate) fn atomics_and_locks(source: &Source<'_>) -> Vec<Finding> {
    let code = source.code_without_tests();
    let finding = |word: &Word<'_>, what: String| Finding::new(source.path, source.line(word.start), what);
    let mut findings = Vec::new();
    let mut statement_uses_std = false;
    for word in words(&code) {
        match word.text {
            "use" => statement_uses_std = false,
            "std" | "parking_lot" => statement_uses_std = true,
            "shopfloor_protocol" => statement_uses_std = false,
            "fence" | "compiler_fence" if code[word.end()..].starts_with('(') => {
                findings.push(finding(&word, format!("`{}` outside the protocol crate", word.text)));
            }
            "Mutex" | "Condvar" | "RwLock" | "Barrier" if statement_uses_std && is_path(&code, &word) => {
                findings.push(finding(&word, format!("`{}` that is not of the protocol crate", word.text)));
            }
            name if is_atomic(name) => {
                findings.push(finding(&word, format!("`{name}` outside the protocol crate")));
            }
            _ => {}
        }
        if code[word.end()..].trim_start().starts_with(';') {
            statement_uses_std = false;
        }
    }
    findings
}

fn is_atomic(name: &str) -> bool {
    const WIDTHS: [&str; 12] =
        ["Bool", "Ptr", "U8", "U16", "U32", "U64", "Usize", "I8", "I16", "I32", "I64", "Isize"];
    name.strip_prefix("Atomic").is_some_and(|width| WIDTHS.contains(&width))
}

/// Whether the word is a segment after `::`, or stands in the braces of a `use`.
fn is_path(code: &str, word: &Word<'_>) -> bool {
    let before = code[..word.start].trim_end();
    before.ends_with("::") || before.ends_with('{') || before.ends_with(',')
}

/// `SeqCst` on anything but a fence: loom explores a `SeqCst` access as if it were `AcqRel`, so an argument
/// that rests on one has never been checked.
pub(crate) fn sequential_consistency(source: &Source<'_>) -> Vec<Finding> {
    words(&source.code)
        .filter(|word| word.text == "SeqCst")
        .filter(|word| {
            let before = source.code[..word.start].trim_end();
            let before = before.strip_suffix("Ordering::").unwrap_or(before).trim_end();
            !before.ends_with("fence(")
        })
        .map(|word| Finding::new(source.path, source.line(word.start), "`SeqCst` that is not on a fence"))
        .collect()
}

/// The sources of the protocol crate, the sync facade aside.
pub(crate) fn is_protocol(path: &str) -> bool {
    path.starts_with("crates/protocol/src/") && !path.starts_with(SYNC_FACADE)
}

/// What loom cannot control, or what would make two models share something: statics, thread locals, threads,
/// clocks and file descriptors.
pub(crate) fn outside_of_a_model(source: &Source<'_>) -> Vec<Finding> {
    const NAMES: [&str; 10] = [
        "thread_local",
        "Instant",
        "SystemTime",
        "RawFd",
        "OwnedFd",
        "BorrowedFd",
        "JoinHandle",
        "LazyLock",
        "OnceLock",
        "libc",
    ];
    let code = source.code_without_tests();
    words(&code)
        .filter(|word| {
            let is_lifetime = code[..word.start].ends_with('\'');
            let spawns = word.text == "spawn" && code[..word.start].ends_with("thread::");
            NAMES.contains(&word.text) || (word.text == "static" && !is_lifetime) || spawns
        })
        .map(|word| {
            let what = format!("`{}` in the protocol crate: hand it in", word.text);
            Finding::new(source.path, source.line(word.start), what)
        })
        .collect()
}

/// Where the numbers and words for display are.
pub(crate) fn is_for_display(path: &str) -> bool {
    path == "crates/protocol/src/cells.rs"
}

/// An ordering that makes an edge, where none may: what is for display must not come to be relied on.
pub(crate) fn edges(source: &Source<'_>) -> Vec<Finding> {
    const EDGES: [&str; 5] = ["Acquire", "Release", "AcqRel", "SeqCst", "fence"];
    words(&source.code)
        .filter(|word| EDGES.contains(&word.text))
        .map(|word| {
            let what = format!("`{}` on something for display", word.text);
            Finding::new(source.path, source.line(word.start), what)
        })
        .collect()
}

/// The sources of the runtime. A test may take its seed from the clock on the wall.
pub(crate) fn is_runtime(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/") && !path.contains("/tests/")
}

/// Clocks other than the monotonic one of the standard library.
pub(crate) fn other_clocks(source: &Source<'_>) -> Vec<Finding> {
    const CLOCKS: [&str; 8] = [
        "_rdtsc",
        "__rdtscp",
        "rdtsc",
        "quanta",
        "SystemTime",
        "UNIX_EPOCH",
        "clock_gettime",
        "CLOCK_REALTIME",
    ];
    let code = source.code_without_tests();
    words(&code)
        .filter(|word| CLOCKS.contains(&word.text))
        .map(|word| {
            let what = format!("`{}`: the clock of the runtime is `Instant`", word.text);
            Finding::new(source.path, source.line(word.start), what)
        })
        .collect()
}

/// The modules that a test of schedules replaces.
const REPLACED: [&str; 2] = ["crates/scheduler/src/os.rs", "crates/task/src/os.rs"];

/// The sources that are compiled a second time, with threads, thread locals and a clock that a seed drives.
pub(crate) fn is_under_schedules(path: &str) -> bool {
    let crates = ["crates/task/src/", "crates/scheduler/src/"];
    crates.iter().any(|source| path.starts_with(source))
        && !REPLACED.contains(&path)
        && !path.contains("/tests")
}

/// Threads, thread locals and clocks that come from std: under a seeded schedule they would be the real ones.
pub(crate) fn past_the_schedules(source: &Source<'_>) -> Vec<Finding> {
    let code = source.code_without_tests();
    // In the prelude of std, so a bare `thread_local!` is std's unless the name is taken from elsewhere.
    let takes_macro = code
        .split(';')
        .any(|statement| statement.contains("crate::os") && statement.contains("thread_local"));
    let mut findings = Vec::new();
    let mut statement_uses_std = false;
    for word in words(&code) {
        let of_std = statement_uses_std && is_path(&code, &word);
        let is_bare_macro = code[word.end()..].starts_with('!') && !takes_macro;
        match word.text {
            "std" => statement_uses_std = true,
            "use" | "crate" => statement_uses_std = false,
            "thread" | "thread_local" | "Instant"
                if of_std || word.text == "thread_local" && is_bare_macro =>
            {
                let what = format!("`{}` of std: take it from `crate::os`", word.text);
                findings.push(Finding::new(source.path, source.line(word.start), what));
            }
            _ => {}
        }
        if ends_a_path(&code[word.end()..]) {
            statement_uses_std = false;
        }
    }
    findings
}

/// Whether what follows a word is neither the rest of its path nor another name in the braces of a `use`.
fn ends_a_path(rest: &str) -> bool {
    let rest = rest.trim_start();
    !rest.starts_with(['{', '}', ',']) && !rest.starts_with("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(check: fn(&Source<'_>) -> Vec<Finding>, text: &str) -> Vec<usize> {
        check(&Source::new("sample.rs", text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn an_atomic_or_a_foreign_lock_is_found() {
        let bad = "use std::sync::atomic::AtomicU64;\nuse std::sync::{Arc, Mutex};\n\
            fn f(it: &std::sync::Condvar) { fence(Release); }\nuse shopfloor_protocol::sync::AtomicBool;\n\
            use parking_lot::RwLock;";
        assert_eq!(lines(atomics_and_locks, bad), [1, 2, 3, 3, 4, 5]);
    }

    #[test]
    fn a_lock_of_the_protocol_crate_and_test_code_are_fine() {
        let good = "use std::sync::Arc;\nuse shopfloor_protocol::sync::{Condvar, Mutex};\n// AtomicU64\n\
            struct Atomics { lock: Mutex<u8> }\n#[cfg(test)] mod tests { use std::sync::atomic::AtomicBool; }";
        assert_eq!(lines(atomics_and_locks, good), [0_usize; 0]);
    }

    #[test]
    fn sequential_consistency_on_an_access_is_found() {
        let bad = "word.load(Ordering::SeqCst);\nuse std::sync::atomic::Ordering::SeqCst;\nfence(SeqCst);\n\
            fence(Ordering::SeqCst); // SeqCst";
        assert_eq!(lines(sequential_consistency, bad), [1, 2]);
    }

    #[test]
    fn what_a_model_cannot_control_is_found() {
        let bad =
            "static COUNT: u8 = 0;\nlet now = Instant::now();\nstd::thread::spawn(f);\nthread_local! {}";
        assert_eq!(lines(outside_of_a_model, bad), [1, 2, 3, 4]);
        let good = "fn f(it: &'static str, spawn: impl Fn()) { spawn() } #[cfg(test)] static S: u8 = 0;";
        assert_eq!(lines(outside_of_a_model, good), [0_usize; 0]);
    }

    #[test]
    fn an_edge_on_something_for_display_is_found() {
        let bad = "self.0.load(Ordering::Relaxed);\nself.0.store(1, Ordering::Release);\nfence(SeqCst);";
        assert_eq!(lines(edges, bad), [2, 3, 3]);
    }

    #[test]
    fn another_clock_is_found() {
        let bad = "let now = Instant::now();\nlet now = SystemTime::now();\nunsafe { _rdtsc() };\n// quanta";
        assert_eq!(lines(other_clocks, bad), [2, 3]);
    }

    #[test]
    fn a_thread_a_thread_local_or_a_clock_of_std_is_found() {
        let bad = "use std::{thread, time::{Duration, Instant}};\nstd::thread::sleep(time);\n\
            let it: std::time::Instant = std::mem::take(x);\nthread_local! {}";
        assert_eq!(lines(past_the_schedules, bad), [1, 1, 2, 3, 4]);
        let good = "use std::sync::Arc;\nuse crate::os::{Instant, thread, thread_local};\n\
            use std::time::Duration;\nlet now = std::mem::replace(&mut last, Instant::now());\n\
            thread::sleep(time);\nthread_local! {}\n#[cfg(test)] use std::thread;";
        assert_eq!(lines(past_the_schedules, good), [0_usize; 0]);
        assert!(is_under_schedules("crates/scheduler/src/foreman.rs"));
        assert!(REPLACED.iter().all(|os| !is_under_schedules(os)));
        assert!(!is_under_schedules("crates/scheduler/src/blocking/tests/stress.rs"));
        assert!(!is_under_schedules("crates/driver/src/driver.rs"));
    }

    #[test]
    fn the_rules_about_atomics_cover_what_they_say() {
        assert!(is_runtime_outside_protocol("crates/scheduler/src/worker.rs"));
        assert!(!is_runtime_outside_protocol("crates/scheduler/tests/stress.rs"));
        assert!(!is_runtime_outside_protocol("crates/protocol/src/parker.rs"));
        assert!(!is_runtime_outside_protocol("benches/src/lib.rs"));
        assert!(is_under_the_fence_rule("crates/protocol/src/parker.rs"));
        assert!(is_under_the_fence_rule("loom-tests/tests/models/queue.rs"));
        assert!(!is_under_the_fence_rule("crates/protocol/src/sync/loom.rs"));
        assert!(!is_under_the_fence_rule(CANARIES));
    }
}
