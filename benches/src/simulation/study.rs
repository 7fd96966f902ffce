//! The grid of runs that is shown: loads by rules by workers by kinds of work.
use std::sync::atomic::{AtomicUsize, Ordering};

use super::costs::Costs;
use super::random::PollLength;
use super::{Outcome, Rules, Setup, run};

/// Workers of the grid.
pub const WORKERS: [usize; 7] = [2, 4, 8, 16, 32, 64, 128];
/// Loads of the grid: the part of the workers that polls alone keep busy.
pub const LOADS: [f64; 7] = [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95];
/// Workers up to which the runtime has one driver, and those that share one if there are more.
const SINGLE_GROUP_MAX: usize = 16;
const GROUP: usize = 8;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Name in tables.
    pub name: &'static str,
    /// Name in file names.
    pub file: &'static str,
    /// Length of polls.
    pub poll: PollLength,
    /// Tasks that the poll of an event wakes.
    pub wakes: u32,
}

/// The kinds of work that are compared.
pub const WORK: [Work; 4] = [
    Work {
        name: "0.5 µs polls, each event wakes 15 more tasks",
        file: "fan-out",
        poll: PollLength::Fixed(500),
        wakes: 15,
    },
    Work { name: "5 µs polls", file: "5us", poll: PollLength::Fixed(5_000), wakes: 0 },
    Work { name: "50 µs polls", file: "50us", poll: PollLength::Fixed(50_000), wakes: 0 },
    Work {
        name: "heavy-tailed polls, 3 µs to 3 ms, 13.5 µs on average",
        file: "tail",
        poll: PollLength::HeavyTailed { min: 3_000.0, max: 3_000_000.0, shape: 1.2 },
        wakes: 0,
    },
];

/// Rules, and whether each group of workers has a driver of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Who wakes whom.
    pub rules: Rules,
    /// Whether all workers share one driver, however many they are.
    pub has_one_driver: bool,
}

/// What is compared with each other.
pub const VARIANTS: [Variant; 5] = [
    Variant { rules: Rules::Shopfloor, has_one_driver: false },
    Variant { rules: Rules::Shopfloor, has_one_driver: true },
    Variant { rules: Rules::SharedBatches, has_one_driver: false },
    Variant { rules: Rules::KeptBatches, has_one_driver: false },
    Variant { rules: Rules::Tokio, has_one_driver: true },
];

impl Variant {
    /// Name in tables.
    pub fn name(self) -> String {
        let drivers = if self.has_one_driver && self.rules != Rules::Tokio { ", one driver" } else { "" };
        format!("{}{drivers}", self.rules.name())
    }

    fn groups(self, workers: usize, grid: &Grid) -> usize {
        let share = grid.group.unwrap_or(if workers <= SINGLE_GROUP_MAX { workers } else { GROUP });
        if self.has_one_driver { 1 } else { workers.div_ceil(share) }
    }

    /// Whether it differs from the other variants with that many workers.
    pub fn makes_sense(self, workers: usize, grid: &Grid) -> bool {
        let has_others = Self { has_one_driver: false, ..self }.groups(workers, grid) > 1;
        !self.has_one_driver || self.rules == Rules::Tokio || has_others
    }
}

/// One run of the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Kind of work.
    pub work: Work,
    /// What is compared.
    pub variant: Variant,
    /// Workers.
    pub workers: usize,
    /// Load.
    pub load: f64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Workers.
    pub workers: Vec<usize>,
    /// Loads.
    pub loads: Vec<f64>,
    /// Workers that share a driver, if not as many as in the runtime.
    pub group: Option<usize>,
    /// Tasks of a run.
    pub tasks: u64,
    /// Of the random numbers.
    pub seed: u64,
    /// What everything but polls costs.
    pub costs: Costs,
}

/// Runs the grid on as many threads as there are cores; the order of the points does not depend on that.
///
/// # Panics
/// If a run does, which is a mistake in the simulation.
pub fn study(grid: &Grid) -> Vec<Point> {
    let setups = setups(grid);
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut outcomes: Vec<(usize, Outcome)> = std::thread::scope(|scope| {
        let run_some = || {
            let mut done = Vec::new();
            loop {
                // Relaxed: it hands out numbers and publishes nothing.
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((.., setup)) = setups.get(index) else { return done };
                done.push((index, run(setup)));
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run_some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a run does not panic")).collect()
    });
    outcomes.sort_by_key(|&(index, _)| index);
    let points = setups.iter().zip(outcomes);
    points
        .map(|(&(work, variant, setup), (_, outcome))| Point {
            work,
            variant,
            workers: setup.workers,
            load: setup.load,
            outcome,
        })
        .collect()
}

fn setups(grid: &Grid) -> Vec<(Work, Variant, Setup)> {
    let mut setups = Vec::new();
    for work in WORK {
        for &workers in &grid.workers {
            for variant in VARIANTS.into_iter().filter(|variant| variant.makes_sense(workers, grid)) {
                setups.extend(grid.loads.iter().map(|&load| {
                    let setup = Setup {
                        rules: variant.rules,
                        workers,
                        groups: variant.groups(workers, grid),
                        load,
                        poll: work.poll,
                        wakes: work.wakes,
                        events: grid.tasks / u64::from(1 + work.wakes),
                        seed: grid.seed,
                        costs: grid.costs,
                    };
                    (work, variant, setup)
                }));
            }
        }
    }
    setups
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Grid, Point, VARIANTS, WORK, study};
    use crate::simulation::costs::Costs;

    pub(crate) fn small() -> Grid {
        let (workers, loads) = (vec![2, 32], vec![0.5, 0.8]);
        Grid { workers, loads, group: None, tasks: 1600, seed: 1, costs: Costs::MEASURED }
    }

    #[test]
    fn every_point_of_the_grid_is_run_once_and_in_order() {
        let grid = small();
        let points = study(&grid);
        // Two workers have one driver in any case.
        assert_eq!(points.len(), WORK.len() * 2 * (VARIANTS.len() - 1 + VARIANTS.len()));
        assert_eq!(points, study(&grid));
        let names = |point: &Point| (point.work.name, point.workers, point.variant.name());
        assert!(points.chunks(2).all(|pair| names(&pair[0]) == names(&pair[1])));
        assert!(points.iter().all(|point| point.outcome.done == 1600));
    }

    #[test]
    fn workers_share_drivers_as_in_the_runtime_or_as_is_asked_for() {
        let grid = small();
        let groups = |workers, grid: &Grid| VARIANTS.map(|variant| variant.groups(workers, grid));
        assert_eq!(groups(16, &grid), [1; 5]);
        assert_eq!(groups(17, &grid), [3, 1, 3, 3, 1]);
        assert_eq!(groups(16, &Grid { group: Some(4), ..grid }), [4, 1, 4, 4, 1]);
    }

    #[test]
    fn the_mean_that_a_name_states_is_that_of_its_polls() {
        let tail = WORK.iter().find(|work| work.file == "tail").unwrap();
        assert!((13_400.0..13_600.0).contains(&tail.poll.mean()), "{}", tail.poll.mean());
    }
}
