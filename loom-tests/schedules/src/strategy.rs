//! Who goes on at each step, by a seed.
//!
//! | strategy | at each step | finds |
//! |---|---|---|
//! | walk | any thread that can, or with some chance the same one | what needs many switches, in any order |
//! | priorities | the one of the highest priority; at a few steps its priority falls below all others (PCT, Burckhardt et al. 2010) | what needs one thread to stand still for long while others run |
//!
//! The clock of the modelled time is no thread of the runtime: it has its turn with a small chance, and when all
//! others are blocked.

use shopfloor_protocol::sync::ModelledTime;
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use std::cell::Cell;

std::thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
    static DIGEST: Cell<u64> = const { Cell::new(0) };
}

/// The seed of the schedule that this thread runs, or has run last.
pub(crate) fn seed_under_way() -> u64 {
    SEED.get()
}

/// What the threads chosen in the last schedule add up to.
pub(crate) fn digest() -> u64 {
    DIGEST.get()
}

/// The clock is the first thread that the first thread starts.
const CLOCK: usize = 1;
/// Chances that the walk stays with its thread, in percent.
const STAY_PERCENT: [u64; 3] = [0, 50, 90];
/// One turn of the clock in so many steps.
const CLOCK_TURNS: [u64; 3] = [40, 400, 4000];
/// Nanoseconds between two looks at the clock, at most. Never none: a worker that looks at the driver for some
/// time has to come to the end of it.
const PACES_NS: [u64; 3] = [300, 2_000, 50_000];
/// Falls of priority in one schedule, at most.
const FALLS_MAX: u64 = 5;

/// Chooses the schedules that belong to a range of seeds.
#[derive(Debug)]
pub struct Strategy {
    next_seed: u64,
    left: u64,
    kind: Kind,
    clock_turns: u64,
    step: u64,
}

#[derive(Debug)]
enum Kind {
    Walk {
        stay_percent: u64,
    },
    Priorities {
        /// By thread; the lowest number goes first.
        ranks: Vec<u64>,
        /// Steps at which the running thread falls.
        falls: Vec<u64>,
        /// Below all ranks so far.
        lowest: u64,
    },
}

impl Strategy {
    /// The schedules of `count` seeds, from `first` on.
    pub fn new(first: u64, count: u64) -> Self {
        let kind = Kind::Walk { stay_percent: 0 };
        Self { next_seed: first, left: count, kind, clock_turns: 1, step: 0 }
    }

    fn choose(&mut self, ready: &[usize], current: Option<usize>, is_yielding: bool) -> usize {
        let current = current.filter(|thread| ready.contains(thread));
        match &mut self.kind {
            Kind::Walk { stay_percent } => match current {
                Some(current) if !is_yielding && ModelledTime::below(100) < *stay_percent => current,
                _ => ready[ModelledTime::below(ready.len() as u64) as usize],
            },
            Kind::Priorities { ranks, falls, lowest } => {
                let threads = ready.iter().max().map_or(0, |last| last + 1);
                while ranks.len() < threads {
                    ranks.push(ModelledTime::below(1 << 32));
                }
                if let Some(current) = current
                    && (is_yielding || falls.contains(&self.step))
                {
                    *lowest += 1;
                    ranks[current] = *lowest;
                }
                *ready.iter().min_by_key(|&&thread| ranks[thread]).expect("shuttle gives a thread to choose")
            }
        }
    }
}

impl Scheduler for Strategy {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.left = self.left.checked_sub(1)?;
        let seed = self.next_seed;
        self.next_seed += 1;
        self.step = 0;
        SEED.set(seed);
        DIGEST.set(0);
        let dice = seed / 2;
        let pick = |list: &[u64; 3], divisor: u64| list[(dice / divisor % 3) as usize];
        ModelledTime::begin(seed, pick(&PACES_NS, 9));
        self.clock_turns = pick(&CLOCK_TURNS, 3);
        self.kind = if seed.is_multiple_of(2) {
            Kind::Walk { stay_percent: pick(&STAY_PERCENT, 1) }
        } else {
            // The length of the schedule is not known before: any order of magnitude.
            let horizon = 1 << (6 + ModelledTime::below(10));
            let falls =
                (0..ModelledTime::below(FALLS_MAX + 1)).map(|_| ModelledTime::below(horizon)).collect();
            Kind::Priorities { ranks: Vec::new(), falls, lowest: 1 << 32 }
        };
        Some(Schedule::new(seed))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        self.step += 1;
        let mut ready: Vec<usize> = runnable.iter().map(|task| usize::from(task.id())).collect();
        if let Some(place) = ready.iter().position(|&thread| thread == CLOCK)
            && ready.len() > 1
        {
            if ModelledTime::below(self.clock_turns) == 0 {
                ready = vec![CLOCK];
            } else {
                ready.swap_remove(place);
            }
        }
        let chosen = self.choose(&ready, current.map(usize::from), is_yielding);
        // FNV-1a (Fowler, Noll, Vo).
        DIGEST.set((DIGEST.get() ^ chosen as u64).wrapping_mul(0x0100_0000_01b3));
        Some(TaskId::from(chosen))
    }

    fn next_u64(&mut self) -> u64 {
        ModelledTime::below(u64::MAX)
    }
}
