//! `Idle::wake_one`, as whoever calls it goes through it.

use crate::floor::{Fault, Floor};
use crate::transition::{self, Transition};

/// Where in `wake_one` a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// About to claim.
    Claim,
    /// Has claimed, looks for a flag.
    Scan,
    /// Has cleared a flag.
    Uncount,
    /// Owes an unpark.
    Unpark,
    /// Found no flag.
    GiveBack,
    /// Has given the claim back.
    LookAgain,
}

/// A step of a wake: its name, the state after it, and where the waker then is; `None` when it is done.
pub(crate) type WakeStep = (Transition, Floor, Option<Wake>);

impl Wake {
    /// All steps that are possible now.
    pub(crate) fn steps(self, floor: &Floor, fault: Option<Fault>) -> Vec<WakeStep> {
        let mut after = floor.clone();
        match self {
            Self::Claim if floor.could_wake() => {
                after.searching += 1;
                vec![(transition::CLAIM, after, Some(Self::Scan))]
            }
            Self::Claim => vec![(transition::NO_CLAIM, after, None)],
            Self::Scan => scan(floor),
            Self::Uncount => {
                after.parked -= 1;
                vec![(transition::UNCOUNT, after, Some(Self::Unpark))]
            }
            Self::Unpark => unpark(floor, fault),
            Self::GiveBack => {
                after.searching -= 1;
                vec![(transition::GIVE_BACK, after, Some(Self::LookAgain))]
            }
            Self::LookAgain => {
                let flag = floor.workers.iter().any(|worker| worker.flag);
                let undriven = !floor.token_held && fault != Some(Fault::GiveBackBlindToDriver);
                let needed = floor.has_work() || undriven;
                let again = flag && needed && fault != Some(Fault::NoLookAfterGiveBack);
                let only_driver = undriven && !floor.has_work();
                let name =
                    if only_driver { transition::LOOK_AGAIN_AT_DRIVER } else { transition::LOOK_AGAIN };
                vec![(name, after, again.then_some(Self::Claim))]
            }
        }
    }
}

/// The look at one flag after the other, in any order. There is one scan at a time: a claim is refused while
/// somebody counts as searching.
fn scan(floor: &Floor) -> Vec<WakeStep> {
    let mut steps = Vec::new();
    for (index, worker) in floor.workers.iter().enumerate().filter(|(_, worker)| !worker.passed) {
        let mut after = floor.clone();
        if worker.flag {
            after.workers[index].flag = false;
            after.workers[index].unparks_due += 1;
            after.workers.iter_mut().for_each(|worker| worker.passed = false);
            steps.push((transition::CLEAR_A_FLAG, after, Some(Wake::Uncount)));
        } else {
            after.workers[index].passed = true;
            let is_last = after.workers.iter().all(|worker| worker.passed);
            if is_last {
                after.workers.iter_mut().for_each(|worker| worker.passed = false);
            }
            let next = if is_last { Wake::GiveBack } else { Wake::Scan };
            steps.push((transition::PASS_A_FLAG, after, Some(next)));
        }
    }
    steps
}

/// The unpark of a worker whose flag was cleared. Which of several wakers gives which does not matter.
fn unpark(floor: &Floor, fault: Option<Fault>) -> Vec<WakeStep> {
    let due = floor.workers.iter().enumerate().filter(|(_, worker)| worker.unparks_due > 0);
    due.map(|(index, worker)| {
        let mut after = floor.clone();
        after.workers[index].unparks_due -= 1;
        after.workers[index].token |= fault != Some(Fault::UnparkWithoutToken) || worker.is_asleep();
        (transition::UNPARK, after, None)
    })
    .collect()
}
