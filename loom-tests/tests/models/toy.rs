//! Two small protocols on which `tests/mutants.rs` tests the run of the mutants: one that passes, and one with
//! every fault that it has to find. `TOY_SUITE` says which.

#![allow(
    unreachable_pub,
    reason = "nothing is exported from a program; `pub` here means visible to the runner"
)]

mod alteration;
mod arguments;
mod child;
mod coverage;
mod figures;
mod first_failure;
mod golden;
mod listed;
mod mutants;
mod places;
mod report;
mod run;
mod runner;
mod support;
mod toy_sound;
mod toy_thin;
mod watchdog;

use coverage::Coverage;
use runner::Suite;

const SOUND: Suite = Suite {
    models: &[toy_sound::MODELS],
    upstream: &[],
    golden: "tests/models/toy.golden.txt",
    coverage: Some(Coverage {
        source: "loom-tests/tests/models/toy_sound.rs",
        listed: "tests/models/toy_sound.toml",
        report: "toy-sound.md",
    }),
    figures: None,
};

const THIN: Suite = Suite {
    models: &[toy_thin::MODELS],
    upstream: &[],
    golden: "tests/models/toy.golden.txt",
    coverage: Some(Coverage {
        source: "loom-tests/tests/models/toy_thin.rs",
        listed: "tests/models/toy_thin.toml",
        report: "toy-thin.md",
    }),
    figures: None,
};

fn main() -> std::io::Result<std::process::ExitCode> {
    match std::env::var("TOY_SUITE").as_deref() {
        Ok("thin") => THIN.main(),
        _ => SOUND.main(),
    }
}
