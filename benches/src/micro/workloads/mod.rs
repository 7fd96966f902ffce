//! What is measured. A new row is a file with one type and a line in [`rows`].
use super::row::Row;
use crate::runtimes::{RAYON, THREADS};

mod abort_storm;
mod blocking;
mod chained_spawn;
mod contention;
mod fan_in;
mod fan_out;
mod fib;
mod idle;
mod join_set;
mod parallel;
mod parked;
mod ping_pong;
mod sleeper;
mod sleeps;
mod spawn_await_one;
mod spawn_join;
mod start_stop;
mod switch;
mod timer;
mod uts;
mod wake_from_thread;
mod yield_many;

/// Work of a node of a tree, ns.
const NODE_NS: u64 = 400;

/// All rows, in the order of the tables.
pub fn rows() -> Vec<Row> {
    vec![
        Row::repeated::<spawn_join::Inside>().and(RAYON, spawn_join::rayon).and(THREADS, spawn_join::threads),
        Row::repeated::<spawn_join::Outside>(),
        Row::repeated::<spawn_await_one::SpawnAwaitOne>(),
        Row::repeated::<yield_many::YieldMany>(),
        Row::repeated::<ping_pong::PingPong>(),
        Row::repeated::<chained_spawn::ChainedSpawn>(),
        Row::repeated::<switch::ByTokio>().and(THREADS, switch::threads),
        Row::repeated::<switch::ByAsyncChannel>(),
        Row::repeated::<fan_in::FanIn>(),
        Row::repeated::<contention::ContendedMutex>(),
        Row::repeated::<contention::NarrowChannel>(),
        join_set::row(),
        Row::repeated::<abort_storm::AbortStorm>(),
        parallel::<64, 1>(),
        parallel::<64, 20>(),
        parallel::<64, 100>(),
        parallel::<2, 100>(),
        Row::repeated::<fib::Fib>().and(RAYON, fib::rayon).parallel(),
        Row::repeated::<uts::Uts>().and(RAYON, uts::rayon).parallel(),
        Row::repeated::<timer::UnfiredTimer>(),
        Row::repeated::<blocking::RoundTrip>().and(THREADS, blocking::threads),
        Row::repeated::<blocking::BlockingBatch>(),
        Row::observed::<start_stop::StartStop>(),
        Row::observed::<sleeps::Sleeps<100>>(),
        Row::observed::<sleeps::Sleeps<1000>>(),
        Row::observed::<sleeper::Alone>().and(THREADS, sleeper::thread),
        Row::observed::<sleeper::BesideHogs>().and(THREADS, sleeper::thread_beside_hogs),
        Row::observed::<wake_from_thread::WakeFromThread>().and(THREADS, wake_from_thread::thread),
        Row::observed::<fan_out::FanOut>(),
        Row::observed::<parked::ParkedTasks<0>>(),
        Row::observed::<parked::ParkedTasks<64>>(),
        Row::observed::<idle::Idle>(),
    ]
}

fn parallel<const TASKS: u64, const US: u64>() -> Row {
    Row::repeated::<parallel::Parallel<TASKS, US>>()
        .and(RAYON, parallel::rayon::<TASKS, US>)
        .and(THREADS, parallel::threads::<TASKS, US>)
        .parallel()
}

/// rayon with so many threads.
fn pool(workers: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(workers).build().expect("rayon starts its threads")
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
