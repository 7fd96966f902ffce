//! `JoinSet`: children that end while the set is dropped, emptied or joined.

use std::future::pending;
use std::sync::Arc;

use shopfloor::runtime::{Builder, Runtime};
use shopfloor::task::{JoinSet, yield_now};
use shopfloor_protocol::cells::Counter;

const ROUNDS: usize = 100;
const CHILDREN: usize = 32;

fn workers(count: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(count).build().expect("threads can be started")
}

#[derive(Clone, Default)]
struct Tally {
    futures: Arc<Counter>,
    outputs: Arc<Counter>,
    made: Arc<Counter>,
}

/// Counts its drop.
struct Dropped(Arc<Counter>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add(1);
    }
}

/// Ends after so many polls; a third of the children wait for ever. Its drop counts before the first poll, too.
fn child(number: usize, tally: Tally) -> impl Future<Output = (usize, Dropped)> + Send {
    let future = Dropped(Arc::clone(&tally.futures));
    async move {
        let _future = future;
        for _ in 0..number % 4 {
            yield_now().await;
        }
        if number % 3 == 2 {
            pending::<()>().await;
        }
        tally.made.add(1);
        (number, Dropped(Arc::clone(&tally.outputs)))
    }
}

async fn all_dropped(tally: &Tally) {
    while tally.futures.get() < CHILDREN as u64 || tally.outputs.get() < tally.made.get() {
        yield_now().await;
    }
    assert_eq!(tally.futures.get(), CHILDREN as u64);
    assert_eq!(tally.outputs.get(), tally.made.get());
}

#[test]
fn a_set_dropped_while_its_children_end_drops_each_exactly_once() {
    for count in [2, 4] {
        let runtime = workers(count);
        let task = runtime.spawn(async {
            for round in 0..ROUNDS {
                let tally = Tally::default();
                let mut set: JoinSet<_> = (0..CHILDREN).map(|number| child(number, tally.clone())).collect();
                // From none to about two thirds of them have been joined when it is dropped.
                for _ in 0..round % (CHILDREN / 2) {
                    set.join_next().await.expect("not all are joined").expect("nobody aborts it");
                }
                drop(set);
                all_dropped(&tally).await;
            }
        });
        runtime.block_on(task).expect("it does not panic");
    }
}

#[test]
fn every_child_of_a_set_is_joined_exactly_once() {
    for count in [2, 4] {
        let runtime = workers(count);
        let task = runtime.spawn(async {
            for _ in 0..ROUNDS {
                let tally = Tally::default();
                let mut set = JoinSet::new();
                let controls: Vec<_> =
                    (0..CHILDREN).map(|number| set.spawn(child(number, tally.clone()))).collect();
                // Those that wait for ever are aborted while the others end.
                controls.iter().skip(2).step_by(3).for_each(|control| control.abort());
                let (mut joined, mut cancelled) = ([0; CHILDREN], 0);
                while let Some(outcome) = set.join_next().await {
                    match outcome {
                        Ok((number, _)) => joined[number] += 1,
                        Err(error) => cancelled += usize::from(error.is_cancelled()),
                    }
                }
                let expected = std::array::from_fn(|number| usize::from(number % 3 != 2));
                assert_eq!(joined, expected);
                assert_eq!(cancelled, CHILDREN / 3);
                assert!(set.is_empty());
                all_dropped(&tally).await;
            }
        });
        runtime.block_on(task).expect("it does not panic");
    }
}

#[test]
fn shutting_a_set_down_while_its_children_end_leaves_none() {
    for count in [2, 4] {
        let runtime = workers(count);
        let task = runtime.spawn(async {
            for round in 0..ROUNDS {
                let tally = Tally::default();
                let mut set: JoinSet<_> = (0..CHILDREN).map(|number| child(number, tally.clone())).collect();
                for _ in 0..round % 8 {
                    yield_now().await;
                }
                set.shutdown().await;
                assert!(set.is_empty());
                // Not a moment later: a joined child has been dropped.
                assert_eq!(tally.futures.get(), CHILDREN as u64);
                assert_eq!(tally.outputs.get(), tally.made.get());
            }
        });
        runtime.block_on(task).expect("it does not panic");
    }
}
