//! `cargo bench`: the countable rows of `micro` on shopfloor and on tokio, in one process, with criterion's statistics.
//!
//! `micro` itself is the fairer comparison, since there each measurement has a process of its own. This is for the
//! question whether a change of shopfloor made a difference: criterion keeps the last figures and compares.
#![allow(missing_docs, reason = "a bench target is no library")]

use std::time::Duration;

use criterion::{Criterion, Throughput};
use shopfloor_benches::micro::row::{Amount, Effort, Measurement};
use shopfloor_benches::micro::run::steps_per_us;
use shopfloor_benches::micro::workloads::rows;
use shopfloor_benches::runtimes::Runtime;
use shopfloor_benches::runtimes::shopfloor::Shopfloor;
use shopfloor_benches::runtimes::tokio::Tokio;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(1000))
        .configure_from_args();
    let steps_per_us = steps_per_us();
    for row in rows().into_iter().filter(|row| row.is_countable) {
        for workers in [1, 2] {
            let effort =
                |batches| Effort { workers, amount: Amount::Batches(batches), steps_per_us, shrink: 1 };
            let mut group = criterion.benchmark_group(format!("{}/{workers}", row.name));
            for contestant in [Shopfloor::NAME, Tokio::NAME] {
                let Some(run) = row.on(contestant) else { continue };
                let in_a_batch = run(effort(1)).operations;
                group.throughput(Throughput::Elements(in_a_batch));
                group.bench_function(contestant, |bencher| {
                    bencher.iter_custom(|batches| elapsed(&run(effort(batches))));
                });
            }
            group.finish();
        }
    }
    criterion.final_summary();
}

/// A row of costs has the time per operation first.
fn elapsed(measurement: &Measurement) -> Duration {
    Duration::from_secs_f64(measurement.figures[0] * measurement.operations as f64 / 1e9)
}
