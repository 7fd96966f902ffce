//! The model as stateright sees it: states, steps, properties.

use crate::floor::{Actor, Fault, Floor, Scenario};
use crate::transition::{self, Transition};
use crate::wake::Wake;
use crate::worker;
use stateright::{Model, Property};
use std::fmt;

/// A task is queued, a worker sleeps, and nobody is awake or on the way.
pub const STRANDED: &str = "no task is stranded";
/// A task is in the injector, a worker sleeps, and everybody who is awake is inside a poll.
pub const UNATTENDED: &str = "no task in the injector waits for the end of a poll while a worker sleeps";
/// Workers sleep, nobody of them in the driver, and nobody is awake or on the way.
pub const UNDRIVEN: &str = "nobody sleeps beside a free driver token";
/// A count of workers is below zero.
pub const UNDERFLOW: &str = "no count falls below zero";
/// Nobody can go on, and not all tasks have been run.
pub const UNFINISHED: &str = "whoever stops has run everything";

/// A scenario with all its executions.
#[derive(Clone, Debug)]
pub struct SleepModel(pub Scenario);

/// A step that somebody takes, and the state after it.
#[derive(Clone, PartialEq)]
pub struct Step {
    /// Who.
    pub actor: Actor,
    /// What.
    pub transition: Transition,
    after: Floor,
}

impl Step {
    /// Whether this is the state after it.
    pub(crate) fn leads_to(&self, floor: &Floor) -> bool {
        self.after == *floor
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.actor, self.transition.name)
    }
}

impl SleepModel {
    /// Everything that may happen next.
    pub fn steps(&self, floor: &Floor) -> Vec<Step> {
        let scenario = &self.0;
        let mut steps = Vec::new();
        let mut add = |actor, of_actor: Vec<(Transition, Floor)>| {
            steps.extend(of_actor.into_iter().map(|(transition, mut after)| {
                after.foreman_rested |= actor != Actor::Foreman;
                after.sort();
                Step { actor, transition, after }
            }));
        };
        for index in 0..floor.workers.len() {
            // Equal workers have equal steps.
            if index == 0 || floor.workers[index] != floor.workers[index - 1] {
                add(Actor::Worker(index), worker::steps(floor, index, scenario));
            }
        }
        for index in 0..floor.pushers.len() {
            add(Actor::Pusher(index), pusher_steps(floor, index, scenario));
        }
        add(Actor::Foreman, foreman_steps(floor, scenario));
        steps
    }

    /// The states that follow.
    pub(crate) fn successors(&self, floor: &Floor) -> Vec<Floor> {
        self.steps(floor).into_iter().map(|step| step.after).collect()
    }

    /// Somebody is awake, or will be without anybody's doing.
    fn is_alive(&self, floor: &Floor) -> bool {
        floor.is_wake_on_the_way()
            || floor.workers.iter().any(|worker| worker.is_awake() || worker.is_asleep() && worker.token)
            || !foreman_steps(&Floor { foreman_rested: true, ..floor.clone() }, &self.0).is_empty()
    }

    fn is_stranded(&self, floor: &Floor) -> bool {
        let sleeps = floor.workers.iter().any(|worker| worker.is_asleep());
        sleeps && floor.has_task() && !self.is_alive(floor)
    }

    fn is_unattended(&self, floor: &Floor) -> bool {
        let sleeps =
            floor.workers.iter().any(|worker| worker.is_asleep() && !worker.token && worker.unparks_due == 0);
        let attended = floor.is_wake_on_the_way()
            || floor.workers.iter().any(|worker| {
                worker.is_awake() && !worker.is_in_poll()
                    || worker.is_asleep() && (worker.token || !worker.flag)
            });
        sleeps && !floor.injector.is_empty() && !attended
    }

    fn is_undriven(&self, floor: &Floor) -> bool {
        let sleeps = floor.workers.iter().any(|worker| worker.is_asleep());
        sleeps && !floor.token_held && !self.is_alive(floor)
    }
}

/// A foreign thread: push, then wake.
fn pusher_steps(floor: &Floor, index: usize, scenario: &Scenario) -> Vec<(Transition, Floor)> {
    let pusher = &floor.pushers[index];
    let mut after = floor.clone();
    if let Some(wake) = pusher.wake {
        let steps = wake.steps(floor, scenario.fault).into_iter();
        let moved = steps.map(|(transition, mut after, wake)| {
            after.pushers[index].wake = wake;
            (transition, after)
        });
        return moved.collect();
    }
    let Some(task) = after.pushers[index].left.pop() else { return Vec::new() };
    after.injector.push(task);
    after.made += 1;
    if scenario.fault != Some(Fault::PushWithoutWake) {
        after.pushers[index].wake = Some(Wake::Claim);
    }
    vec![(transition::PUSH, after)]
}

/// The foreman, whenever a look of its changes something. Look and claim are one step, so that it does not look
/// for ever at what somebody is about to change.
fn foreman_steps(floor: &Floor, scenario: &Scenario) -> Vec<(Transition, Floor)> {
    let fault = |fault| scenario.fault == Some(fault);
    let mut after = floor.clone();
    if let Some(wake) = floor.foreman {
        let steps = wake.steps(floor, scenario.fault).into_iter();
        let moved = steps.map(|(transition, mut after, wake)| {
            after.foreman = wake;
            (transition, after)
        });
        return moved.collect();
    }
    let stuck = floor.stuck().min(floor.seated);
    if stuck != floor.stuck_seen {
        after.stuck_seen = stuck;
        return vec![(transition::SET_STUCK, after)];
    }
    if stuck == 0 {
        return Vec::new();
    }
    let lifo = floor.workers.iter().any(|worker| worker.lifo.is_some()) && !fault(Fault::ForemanBlindToLifo);
    let undriven = !floor.token_held && !fault(Fault::ForemanBlindToDriver);
    if floor.parked > 0 {
        let wakes = floor.could_wake() && (floor.has_work() || lifo || undriven);
        if !wakes || !floor.foreman_rested {
            return Vec::new();
        }
        after.foreman_rested = false;
        after.searching += 1;
        after.foreman = Some(Wake::Scan);
        return vec![(transition::TICK, after)];
    }
    let is_short = floor.seated - stuck < scenario.workers as u8;
    let free = after.workers.iter_mut().find(|worker| worker.at == worker::At::Absent);
    match free {
        Some(free) if is_short && !fault(Fault::NoStandIn) => {
            free.at = worker::At::TakeOwn;
            after.seated += 1;
            vec![(transition::STAND_IN, after)]
        }
        _ => Vec::new(),
    }
}

impl Model for SleepModel {
    type State = Floor;
    type Action = Step;

    fn init_states(&self) -> Vec<Floor> {
        vec![Floor::new(&self.0)]
    }

    fn actions(&self, floor: &Floor, steps: &mut Vec<Step>) {
        steps.extend(self.steps(floor));
    }

    fn next_state(&self, _: &Floor, step: Step) -> Option<Floor> {
        Some(step.after)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(STRANDED, |model: &Self, floor| !model.is_stranded(floor)),
            Property::always(UNATTENDED, |model: &Self, floor| !model.is_unattended(floor)),
            Property::always(UNDRIVEN, |model: &Self, floor| !model.is_undriven(floor)),
            Property::always(UNDERFLOW, |_: &Self, floor: &Floor| floor.parked >= 0 && floor.searching >= 0),
            Property::always(UNFINISHED, |model: &Self, floor: &Floor| {
                !floor.is_task_waiting() || !model.steps(floor).is_empty()
            }),
        ]
    }
}
