//! That no execution goes on for ever while a task waits: the graph of those states has no circle.
//!
//! The counts of tasks there have been and of those run only grow, so on a circle they stand still: all its
//! states have a task that waits, or none has. Circles of the second kind there are: the foreman may wake, again
//! and again, a worker that is just about to go to the driver.

use crate::floor::Floor;
use crate::model::SleepModel;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// How many states there are; or, as an error, the steps of a circle on which a task waits.
///
/// # Errors
/// If there is one.
pub fn states_without_circle(model: &SleepModel) -> Result<usize, Vec<String>> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    // A state that is on the path, or that leads into no circle. By hash, as stateright does it.
    let mut on_path: HashMap<u64, bool> = HashMap::new();
    let first = Floor::new(&model.0);
    let mut path = vec![(hasher.hash_one(&first), model.successors(&first), first.clone())];
    on_path.insert(hasher.hash_one(&first), true);
    while let Some((hash, successors, _)) = path.last_mut() {
        let Some(next) = successors.pop() else {
            on_path.insert(*hash, false);
            path.pop();
            continue;
        };
        let next_hash = hasher.hash_one(&next);
        match on_path.get(&next_hash) {
            Some(true) if next.is_task_waiting() => return Err(circle(model, &path, next_hash)),
            Some(_) => {}
            None => {
                on_path.insert(next_hash, true);
                path.push((next_hash, model.successors(&next), next));
            }
        }
    }
    Ok(on_path.len())
}

/// The steps from the first visit of the state with this hash to the second.
fn circle(model: &SleepModel, path: &[(u64, Vec<Floor>, Floor)], hash: u64) -> Vec<String> {
    let start = path.iter().position(|(other, ..)| *other == hash).unwrap_or(0);
    let states: Vec<&Floor> = path[start..].iter().chain([&path[start]]).map(|(.., floor)| floor).collect();
    let step = |pair: &[&Floor]| {
        let taken = model.steps(pair[0]).into_iter().find(|step| step.leads_to(pair[1]));
        format!("{taken:?}")
    };
    states.windows(2).map(step).collect()
}
