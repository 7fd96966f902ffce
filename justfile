# The one list of commands: hosted CI, .ci/run and people call these recipes.
# The checks need a Rust toolchain and a C compiler; `syscalls` and `faults` need strace (Linux),
# `guard` and `micro --instructions` valgrind.

set shell := ["bash", "-euo", "pipefail", "-c"]

# Lists the recipes.
default:
    @just --list --unsorted

# Everything that has to pass before a change is merged.
ci: checks test

# What `ci` runs beside the tests.
checks: fmt-check lint doc features

# Formats every crate.
fmt:
    cargo fmt --all

# Fails if `fmt` would change something.
fmt-check:
    cargo fmt --all -- --check

# Clippy on libraries, tests, models and benches; a warning is an error.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# The documentation; a broken link is an error. Of the inner crates with private items, which may be linked to.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc -p shopfloor --no-deps
    RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --workspace --no-deps --document-private-items --exclude loom-tests --exclude schedules-protocol --exclude schedules-task --exclude schedules-scheduler

# Unit tests, integration tests, doctests and every loom model.
test:
    cargo test --workspace

# The loom models alone; `just models timer::` runs those whose name contains it.
models filter="":
    cargo test -p loom-tests --test models -- {{ filter }}

# The models once more in full for loads that read the newest store, which lose no interleaving: those with a bound up to
# four preemptions instead of three.
loom-full filter="":
    LOOM_TESTS_PREEMPTIONS=4 LOOM_TESTS_LIMIT_S=600 cargo test -p loom-tests --test models -- --fresh {{ filter }}

# Seeded schedules of the whole scheduler under shuttle: COUNT of each of eleven scenarios, from seed FROM on.
schedules count="4000" from="0":
    SHOPFLOOR_SCHEDULES={{ count }} SHOPFLOOR_SCHEDULES_FROM={{ from }} cargo test -p schedules -- --nocapture

# The abstract model of the sleep protocol with up to so many workers; `cargo test` runs it with three.
model workers="6":
    SLEEP_MODEL_WORKERS={{ workers }} cargo test -p sleep-model -- --nocapture

# Weakens each ordering and leaves out each fence, one at a time; fails if no model notices. Some: `--site idle.rs`.
mutants *arguments:
    cargo test -p loom-tests --test models -- --mutants {{ arguments }}

# Runs what prints the figures of docs/VERIFICATION.md and writes them there: all of it (hours), or some of these recipes.
verification-report *recipes:
    cargo run -p loom-tests --bin verification-report -- {{ recipes }}

# Changes the logic of the protocols, one place at a time; fails if no model of the module notices. Some: `shared_wheel`.
# Needs `cargo install cargo-mutants --version 27.1.0 --locked`.
logic-mutants *files:
    loom-tests/logic/run {{ files }}

# The rules that a program can check, without building the rest.
tidy:
    cargo test -p shopfloor --test tidy

# Fails if the facade turns on more of tokio than the list in its test.
features:
    cargo tree -p shopfloor --edges features,no-dev --depth 2
    cargo test -p shopfloor --test features

# The tests N times in a row, to the first failure; models once, they are deterministic. BUSY adds busy loops.
flake N="50" BUSY="0":
    #!/usr/bin/env bash
    set -euo pipefail
    cargo test --workspace --no-run
    cargo test -p loom-tests -p schedules -p sleep-model
    load=()
    stop() { [[ ${#load[@]} -eq 0 ]] || kill "${load[@]}"; }
    trap stop EXIT
    for ((i = 0; i < {{ BUSY }}; i++)); do
        (while :; do :; done) &
        load+=($!)
    done
    for ((run = 1; run <= {{ N }}; run++)); do
        echo "flake: run $run of {{ N }}"
        # Built above: this only runs the binaries. Doctests compile each time and have no interleavings; the crates
        # that are compiled a second time have their tests in the first.
        if ! cargo test --quiet --workspace --exclude loom-tests --exclude 'schedules*' --exclude sleep-model \
            --lib --bins --tests --examples; then
            echo "flake: failed in run $run of {{ N }}" >&2
            exit 1
        fi
    done
    echo "flake: {{ N }} runs passed"

# Known bugs of other runtimes, brought into a copy of the tree one by one: each is caught by the model or test that its
# patch names. `just history lifo` for those whose name contains it.
history *parts:
    loom-tests/history/run {{ parts }}

# ThreadSanitizer over the tests of the runtime's crates (Linux, rustup: it adds the component rust-src).
tsan *filter:
    crates/shopfloor/tests/sanitizers/run thread {{ filter }}

# AddressSanitizer and LeakSanitizer over the same (Linux, rustup: it adds the component rust-src).
asan *filter:
    crates/shopfloor/tests/sanitizers/run address {{ filter }}

# A server under failing system calls, each call × error × k (Linux, strace); `just faults accept4` for some.
faults filter="":
    cargo test -p shopfloor --test faults -- --matrix {{ filter }}

# Compiles the facade for another platform, such as aarch64-apple-darwin (`rustup target add` it first).
check target:
    cargo check -p shopfloor --target {{ target }}

# shopfloor beside other runtimes, threads and bare epoll; about a minute, `just compare --full` for all of it.
compare *arguments:
    cargo run --release -p shopfloor-benches --bin compare -- {{ arguments }}

# The micro benches, paired with other runtimes; `just micro --instructions` counts by callgrind (valgrind) instead.
micro *arguments:
    cargo run --release -p shopfloor-benches --bin micro -- {{ arguments }}

# The same rows in one process, shopfloor and tokio, by criterion, which compares with its last run; `just bench timer`.
bench *arguments:
    cargo bench -p shopfloor-benches -- {{ arguments }}

# Lines of LLVM code and compile time of so many distinct spawned futures, shopfloor and tokio.
llvm-lines futures="100":
    benches/llvm-lines {{ futures }}

# The rules of waking and stealing with up to 128 workers, on paper: docs/SIMULATION.md.
simulate *arguments:
    cargo run --release -p shopfloor-benches --bin simulate -- {{ arguments }}

# Syscalls per request of an echo server, counted by strace (Linux).
syscalls contestant="shopfloor" connections="64" workers="2":
    cargo build --release -p shopfloor-benches --bin compare
    benches/syscalls {{ contestant }} {{ connections }} {{ workers }}

# Fails if an operation of shopfloor needs more instructions, or a request more syscalls, than benches/ceilings.toml
# allows (Linux on x86-64, valgrind, strace). Counts, not time: a busy machine does not disturb it.
guard:
    cargo build --release -p shopfloor-benches --bins
    cargo run --release -p shopfloor-benches --bin micro -- guard benches/ceilings.toml
