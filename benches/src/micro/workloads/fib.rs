//! Fork and join: the Fibonacci number of 20 by a call for each node of its tree.
use std::pin::Pin;

use crate::micro::row::{Effort, Measurement, Workload, repeated_by};
use crate::runtimes::Runtime;

use super::{NODE_NS, pool};

const N: u64 = 20;
/// The number itself, and the nodes of the tree.
const VALUE_AND_NODES: (u64, u64) = (6765, 21_891);

pub(super) struct Fib;

impl Workload for Fib {
    const NAME: &str = "fib";
    const OPERATION: &str = "a node of the tree of fib(20) with 400 ns of work: one branch a task, the other a call \
        (rayon: join)";

    async fn batch<R: Runtime>(effort: Effort) -> u64 {
        checked(node::<R>(N, effort).await)
    }
}

fn checked(value_and_nodes: (u64, u64)) -> u64 {
    assert_eq!(value_and_nodes, VALUE_AND_NODES, "the number and the nodes of its tree");
    value_and_nodes.1
}

/// Boxed, because a future that contains itself would have no size.
fn node<R: Runtime>(n: u64, effort: Effort) -> Pin<Box<dyn Future<Output = (u64, u64)> + Send>> {
    Box::pin(async move {
        effort.work_ns(NODE_NS);
        if n < 2 {
            return (n, 1);
        }
        let left = R::spawn(node::<R>(n - 1, effort));
        let right = node::<R>(n - 2, effort).await;
        add(left.await, right)
    })
}

fn add(left: (u64, u64), right: (u64, u64)) -> (u64, u64) {
    (left.0 + right.0, left.1 + right.1 + 1)
}

/// rayon's join.
pub(super) fn rayon(effort: Effort) -> Measurement {
    fn node(n: u64, effort: Effort) -> (u64, u64) {
        effort.work_ns(NODE_NS);
        if n < 2 {
            return (n, 1);
        }
        let (left, right) = rayon::join(|| node(n - 1, effort), || node(n - 2, effort));
        add(left, right)
    }
    pool(effort.workers).install(|| repeated_by(effort, || checked(node(N, effort))))
}
