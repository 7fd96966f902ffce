//! Ten thousand tasks in a set, joined as they end.
use crate::micro::row::{Effort, Measurement, Place, Row, repeated_in};
use crate::runtimes::shopfloor::Shopfloor;
use crate::runtimes::tokio::Tokio;
use crate::runtimes::{Runtime, TaskSet};

const TASKS: u64 = 10_000;

/// Only for the runtimes that have a set of tasks.
pub(super) fn row() -> Row {
    Row::countable(
        "join_set",
        "one of 10,000 tasks in a JoinSet, started and joined in the order in which they end",
    )
    .and(Shopfloor::NAME, batches::<Shopfloor>)
    .and(Tokio::NAME, batches::<Tokio>)
}

fn batches<R: TaskSet>(effort: Effort) -> Measurement {
    repeated_in::<R, _>(effort, Place::Worker, |_| async {
        let mut set = R::Set::default();
        for number in 0..TASKS {
            R::spawn_in(&mut set, async move { number });
        }
        let (mut joined, mut sum) = (0, 0);
        while let Some(number) = R::join_next(&mut set).await {
            joined += 1;
            sum += number;
        }
        assert_eq!(sum, TASKS * (TASKS - 1) / 2, "each task ends once");
        joined
    })
}
