//! An unbalanced tree: how many children a node has is known only when it is reached.
//!
//! The binomial tree of the UTS benchmark: the root has many children, any other node has eight with a probability of
//! just under an eighth, by a hash of its path. Most subtrees are a leaf, a few are most of the tree.
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::micro::row::{Effort, Measurement, Workload, repeated_by};
use crate::runtimes::Runtime;

use super::{NODE_NS, pool};

const ROOT_CHILDREN: u64 = 500;
const CHILDREN: u64 = 8;
/// Of 1000 nodes below the root so many have children.
const PARENTS_PER_MILLE: u64 = 124;
const SEED: u64 = 3;

pub(super) struct Uts;

impl Workload for Uts {
    const NAME: &str = "uts";
    const OPERATION: &str =
        "a node of an unbalanced tree with 400 ns of work: a task for each child (rayon: scope)";

    async fn batch<R: Runtime>(effort: Effort) -> u64 {
        checked(node::<R>(SEED, ROOT_CHILDREN, effort).await)
    }
}

fn node<R: Runtime>(hash: u64, children: u64, effort: Effort) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        effort.work_ns(NODE_NS);
        let tasks: Vec<R::Join<u64>> = (0..children)
            .map(|index| {
                let child = child(hash, index);
                R::spawn(node::<R>(child, children_of(child), effort))
            })
            .collect();
        let mut nodes = 1;
        for task in tasks {
            nodes += task.await;
        }
        nodes
    })
}

/// The hash of a child: the finalizer of splitmix64 over its place.
fn child(hash: u64, index: u64) -> u64 {
    let mut x = hash.wrapping_add((index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn children_of(hash: u64) -> u64 {
    if hash % 1000 < PARENTS_PER_MILLE { CHILDREN } else { 0 }
}

/// Compares with a plain walk over the same tree.
fn checked(nodes: u64) -> u64 {
    static NODES: OnceLock<u64> = OnceLock::new();
    assert_eq!(nodes, *NODES.get_or_init(|| count(SEED, ROOT_CHILDREN)), "every node of the tree is counted");
    nodes
}

fn count(hash: u64, children: u64) -> u64 {
    let of_children =
        (0..children).map(|index| child(hash, index)).map(|child| count(child, children_of(child)));
    1 + of_children.sum::<u64>()
}

/// rayon's scope, with a task for each child.
pub(super) fn rayon(effort: Effort) -> Measurement {
    fn node<'a>(scope: &rayon::Scope<'a>, hash: u64, children: u64, effort: Effort, nodes: &'a AtomicU64) {
        effort.work_ns(NODE_NS);
        nodes.fetch_add(1, Ordering::Relaxed);
        for index in 0..children {
            let child = child(hash, index);
            scope.spawn(move |scope| node(scope, child, children_of(child), effort, nodes));
        }
    }
    pool(effort.workers).install(|| {
        repeated_by(effort, || {
            let nodes = AtomicU64::new(0);
            rayon::scope(|scope| node(scope, SEED, ROOT_CHILDREN, effort, &nodes));
            checked(nodes.into_inner())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{ROOT_CHILDREN, SEED, child, children_of, count};

    #[test]
    fn the_tree_is_large_and_unbalanced() {
        let nodes = count(SEED, ROOT_CHILDREN);
        assert!((5_000..50_000).contains(&nodes), "{nodes}");
        let subtrees = (0..ROOT_CHILDREN).map(|index| child(SEED, index)).map(|c| count(c, children_of(c)));
        let (leaves, largest) = subtrees
            .fold((0, 0), |(leaves, largest), size| (leaves + u64::from(size == 1), largest.max(size)));
        assert!(leaves > ROOT_CHILDREN * 3 / 4, "{leaves}");
        assert!(largest > nodes / 20, "{largest} of {nodes}");
    }
}
