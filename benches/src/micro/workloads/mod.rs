//! What is measured. A new row is a file with one type and a line in [`rows`].
use super::row::Row;

mod chained_spawn;
mod ping_pong;
mod spawn_await_one;
mod spawn_join;
mod switch;
mod yield_many;

/// All rows, in the order of the tables.
pub fn rows() -> Vec<Row> {
    vec![
        Row::repeated::<spawn_join::Inside>(),
        Row::repeated::<spawn_join::Outside>(),
        Row::repeated::<spawn_await_one::SpawnAwaitOne>(),
        Row::repeated::<yield_many::YieldMany>(),
        Row::repeated::<ping_pong::PingPong>(),
        Row::repeated::<chained_spawn::ChainedSpawn>(),
        Row::repeated::<switch::Switch>(),
    ]
}

/// The row called `name`.
pub fn row(name: &str) -> Option<Row> {
    rows().into_iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::rows;
    use crate::micro::row::{Amount, Effort};
    use crate::runtimes::CONTESTANTS;

    #[test]
    fn every_row_ends_on_every_contestant_with_one_and_two_workers() {
        for row in rows() {
            for contestant in CONTESTANTS {
                let Some(run) = row.on(contestant) else { continue };
                for workers in [1, 2] {
                    let amount = Amount::Time(Duration::ZERO);
                    let measurement = run(Effort { workers, amount, steps_per_us: 10, shrink: 1000 });
                    assert!(measurement.operations > 0, "{} on {contestant}", row.name);
                    let figures = &measurement.figures;
                    assert_eq!(figures.len(), row.kind.figures().len(), "{} on {contestant}", row.name);
                    assert!(figures.iter().all(|figure| figure.is_finite()), "{} {figures:?}", row.name);
                }
            }
        }
    }

    #[test]
    fn names_are_distinct() {
        let rows = rows();
        let names: HashSet<_> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows.len());
    }
}
