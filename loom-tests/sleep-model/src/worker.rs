//! A worker: the loop of `Worker::work`, step by step.

use crate::floor::{Fault, Floor, Scenario, Task, TaskQueue};
use crate::transition::{self, Transition};
use crate::wake::Wake;

/// One slot and the thread that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Worker {
    pub(crate) at: At,
    /// Counts as searching.
    pub(crate) searching: bool,
    /// Its flag in `Idle`.
    pub(crate) flag: bool,
    /// Whoever scans the flags has passed this one.
    pub(crate) passed: bool,
    /// Wakers that have cleared the flag and still owe the unpark.
    pub(crate) unparks_due: u8,
    /// The token of its parker.
    pub(crate) token: bool,
    /// A wake that was deferred.
    pub(crate) due: bool,
    pub(crate) lifo: Option<Task>,
    pub(crate) queue: TaskQueue,
}

/// What a worker is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum At {
    /// No thread runs the slot.
    Absent,
    TakeOwn,
    TakeInjected,
    StartSearching,
    Steal,
    TakeInjectedAgain,
    StealLifo,
    /// Has found work while it searched.
    StopSearching(After),
    /// Was the last one that searched.
    HandOn(After),
    Wake(Wake, After),
    /// In the poll of a task that has still so many others to schedule.
    Poll(Task, u8),
    Displaced(Task, u8, Task),
    Pushed(Task, u8),
    /// In a poll that does not end; one that may end in the end.
    Endless {
        ends: bool,
    },
    LookAgain,
    /// Nothing found.
    Starved,
    SetFlag,
    Look,
    Block,
    EnterDriver,
    InDriver,
    LeaveDriver(u8),
    FreeDriver(u8),
    Asleep,
    ClearOwnFlag {
        found: bool,
        batch: u8,
    },
    Leave {
        found: bool,
        batch: u8,
    },
    /// Has so many tasks to put into its queue.
    Batch(u8),
    BatchPushed,
    HandDriverOn,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum After {
    Poll(Task, u8),
    Next,
    HandDriverOn,
    End,
}

impl From<After> for At {
    fn from(after: After) -> Self {
        match after {
            After::Poll(task, left) => Self::Poll(task, left),
            After::Next => Self::TakeOwn,
            After::HandDriverOn => Self::HandDriverOn,
            After::End => Self::Absent,
        }
    }
}

type Step = (Transition, Floor);

impl Worker {
    pub(crate) fn new(at: At) -> Self {
        let (lifo, queue) = (None, TaskQueue::default());
        Self {
            at,
            searching: false,
            flag: false,
            passed: false,
            unparks_due: 0,
            token: false,
            due: false,
            lifo,
            queue,
        }
    }

    /// Sleeps; only a token or an event ends it.
    pub(crate) fn is_asleep(&self) -> bool {
        matches!(self.at, At::Asleep | At::InDriver)
    }

    pub(crate) fn is_stuck(&self) -> bool {
        matches!(self.at, At::Endless { .. })
    }

    /// Inside a poll, and not waking anybody.
    pub(crate) fn is_in_poll(&self) -> bool {
        matches!(self.at, At::Poll(..) | At::Displaced(..) | At::Pushed(..) | At::Endless { .. })
    }

    /// Goes on to the next step that reads or writes what others may write or read. What comes before concerns
    /// nobody, so it makes no state of its own.
    pub(crate) fn settle(&mut self) {
        loop {
            self.at = match self.at {
                At::Poll(Task::Leaf | Task::Fork, 0) => At::LookAgain,
                At::LookAgain if !self.due => At::TakeOwn,
                At::Batch(0) => At::TakeOwn,
                // Only the worker itself fills them.
                At::TakeOwn if self.lifo.is_none() && self.queue.is_empty() => At::TakeInjected,
                _ => return,
            }
        }
    }

    /// Neither asleep nor gone nor stuck: it will look at everything before it sleeps.
    pub(crate) fn is_awake(&self) -> bool {
        !self.is_asleep() && !self.is_stuck() && self.at != At::Absent
    }
}

/// All steps that the worker at `index` may take.
pub(crate) fn steps(floor: &Floor, index: usize, scenario: &Scenario) -> Vec<Step> {
    let fault = |fault| scenario.fault == Some(fault);
    let worker = &floor.workers[index];
    // The one step of most places.
    let step = |name: Transition, change: &dyn Fn(&mut Floor)| {
        let mut after = floor.clone();
        change(&mut after);
        vec![(name, after)]
    };
    let goes = |name: Transition, at: At| step(name, &|after| after.workers[index].at = at);
    match worker.at {
        At::Absent => Vec::new(),
        At::TakeOwn => step(transition::TAKE_OWN, &|after| {
            let worker = &mut after.workers[index];
            let found = worker.lifo.take().or_else(|| worker.queue.pop());
            found_or(after, index, found, At::TakeInjected);
        }),
        At::TakeInjected | At::TakeInjectedAgain => step(transition::TAKE_INJECTED, &|after| {
            let found = after.injector.pop();
            let next = match worker.at {
                At::TakeInjectedAgain => At::StealLifo,
                _ if worker.searching => At::Steal,
                _ => At::StartSearching,
            };
            found_or(after, index, found, next);
        }),
        At::StartSearching if 2 * floor.searching >= (scenario.workers as i8).max(1) => {
            goes(transition::MAY_NOT_SEARCH, At::Starved)
        }
        At::StartSearching => step(transition::START_SEARCHING, &|after| {
            after.searching += 1;
            after.workers[index].searching = true;
            after.workers[index].at = At::Steal;
        }),
        At::Steal => steal(floor, index),
        At::StealLifo => steal_lifo(floor, index),
        At::StopSearching(next) => step(transition::STOP_SEARCHING, &|after| {
            let was_last = after.searching == 1;
            after.searching -= 1;
            after.workers[index].searching = false;
            let hands_on = was_last && !fault(Fault::NoHandOn);
            after.workers[index].at = if hands_on { At::HandOn(next) } else { next.into() };
        }),
        At::HandOn(next) => {
            let at = if floor.has_work() { At::Wake(Wake::Claim, next) } else { next.into() };
            goes(transition::HAND_ON, at)
        }
        At::Wake(wake, next) => {
            let steps = wake.steps(floor, scenario.fault).into_iter();
            let moved = steps.map(|(name, mut after, wake)| {
                after.workers[index].at = wake.map_or(next.into(), |wake| At::Wake(wake, next));
                (name, after)
            });
            moved.collect()
        }
        At::Poll(task, 0) => match task {
            Task::Stuck | Task::Hang | Task::Slow => {
                goes(transition::POLL_ENDS, At::Endless { ends: task == Task::Slow })
            }
            Task::Leaf | Task::Fork => unreachable!("its end is not seen by others"),
        },
        At::Poll(task, left) => step(transition::SCHEDULE, &|after| {
            after.made += 1;
            let displaced = after.workers[index].lifo.replace(Task::Leaf);
            after.workers[index].at = match displaced {
                Some(displaced) => At::Displaced(task, left - 1, displaced),
                None => At::Poll(task, left - 1),
            };
        }),
        At::Displaced(task, left, displaced) => step(transition::DISPLACE, &|after| {
            after.workers[index].queue.push(displaced);
            after.workers[index].at = At::Pushed(task, left);
        }),
        At::Pushed(task, left) if !floor.could_wake() => goes(transition::PUSHED, At::Poll(task, left)),
        At::Pushed(task, left) => {
            let now = At::Wake(Wake::Claim, After::Poll(task, left));
            let mut steps = step(transition::PUSHED, &|after| {
                after.workers[index].due = false;
                after.workers[index].at = now;
            });
            steps.extend(step(transition::DEFER, &|after| {
                after.workers[index].due = true;
                after.workers[index].at = At::Poll(task, left);
            }));
            steps
        }
        At::Endless { ends: false } => Vec::new(),
        At::Endless { ends: true } => goes(transition::POLL_ENDS, At::LookAgain),
        // A wake is due.
        At::LookAgain if worker.queue.is_empty() || !floor.could_wake() => {
            step(transition::NOT_DUE, &|after| {
                after.workers[index].due = false;
                after.workers[index].at = At::TakeOwn;
            })
        }
        At::LookAgain => {
            let mut steps = step(transition::DUE, &|after| {
                after.workers[index].due = false;
                after.workers[index].at = At::Wake(Wake::Claim, After::Next);
            });
            steps.extend(goes(transition::NOT_DUE, At::TakeOwn));
            steps
        }
        At::Starved if floor.seated - floor.stuck_seen > scenario.workers as u8 => {
            step(transition::RETIRES, &|after| {
                after.seated -= 1;
                let worker = &mut after.workers[index];
                worker.at =
                    if worker.searching { At::StopSearching(After::HandDriverOn) } else { At::HandDriverOn };
            })
        }
        At::Starved if fault(Fault::FlagBeforeCount) => step(transition::SET_FLAG, &|after| {
            after.workers[index].flag = true;
            after.workers[index].at = At::SetFlag;
        }),
        At::SetFlag if !fault(Fault::FlagBeforeCount) => step(transition::SET_FLAG, &|after| {
            after.workers[index].flag = true;
            after.workers[index].at = At::Look;
        }),
        At::Starved | At::SetFlag => step(transition::ANNOUNCE, &|after| {
            after.parked += 1;
            after.searching -= i8::from(worker.searching);
            after.workers[index].searching = false;
            after.workers[index].at = if worker.at == At::Starved { At::SetFlag } else { At::Look };
        }),
        At::Look => step(transition::LOOK, &|after| {
            let token = std::mem::replace(&mut after.workers[index].token, false);
            let found = token || after.has_work() && !fault(Fault::ParkWithoutLook);
            let clear = At::ClearOwnFlag { found, batch: 0 };
            after.workers[index].at = if found { clear } else { At::Block };
        }),
        At::Block if floor.token_held => goes(transition::NO_DRIVER, At::Asleep),
        At::Block => step(transition::TAKE_DRIVER, &|after| {
            after.token_held = true;
            after.workers[index].at = At::EnterDriver;
        }),
        At::EnterDriver => step(transition::ENTER_DRIVER, &|after| {
            let token = std::mem::replace(&mut after.workers[index].token, false);
            after.workers[index].at = if token { At::FreeDriver(0) } else { At::InDriver };
        }),
        At::InDriver => in_driver(floor, index),
        At::LeaveDriver(batch) => step(transition::LEAVE_DRIVER, &|after| {
            after.workers[index].token = false;
            after.workers[index].at = At::FreeDriver(batch);
        }),
        At::FreeDriver(batch) => step(transition::FREE_DRIVER, &|after| {
            after.token_held = false;
            after.workers[index].at = At::ClearOwnFlag { found: false, batch };
        }),
        At::Asleep if !worker.token => Vec::new(),
        At::Asleep => step(transition::PARK, &|after| {
            after.workers[index].token = false;
            after.workers[index].at = At::ClearOwnFlag { found: false, batch: 0 };
        }),
        At::ClearOwnFlag { found, batch } => step(transition::CLEAR_OWN_FLAG, &|after| {
            let worker = &mut after.workers[index];
            let was_set = std::mem::replace(&mut worker.flag, false);
            // Else a waker has cleared it, and counts us as searching.
            worker.searching = !was_set;
            worker.at = if was_set { At::Leave { found, batch } } else { At::Batch(batch) };
        }),
        At::Leave { found, batch } => step(transition::LEAVE, &|after| {
            after.parked -= 1;
            after.searching += i8::from(found);
            after.workers[index].searching = found;
            after.workers[index].at = At::Batch(batch);
        }),
        At::Batch(0) => unreachable!("there is nothing to do"),
        At::Batch(left) => step(transition::BATCH, &|after| {
            after.workers[index].queue.push(Task::Leaf);
            after.workers[index].at = if left == 1 { At::BatchPushed } else { At::Batch(left - 1) };
        }),
        At::BatchPushed if worker.queue.len() < 2 || !floor.could_wake() => {
            goes(transition::BATCH_PUSHED, At::TakeOwn)
        }
        At::BatchPushed => {
            let mut steps = step(transition::LONG_BATCH, &|after| {
                after.workers[index].due = false;
                after.workers[index].at = At::Wake(Wake::Claim, After::Next);
            });
            steps.extend(step(transition::DEFER_BATCH, &|after| {
                after.workers[index].due = true;
                after.workers[index].at = At::TakeOwn;
            }));
            steps
        }
        At::HandDriverOn => {
            let skips = fault(Fault::LeaveWithoutHandOver);
            let at = if skips { At::Absent } else { At::Wake(Wake::Claim, After::End) };
            goes(transition::HAND_DRIVER_ON, at)
        }
    }
}

/// To the poll of what was found, by way of the count of searchers; or on with the search.
fn found_or(after: &mut Floor, index: usize, found: Option<Task>, next: At) {
    let worker = &mut after.workers[index];
    let Some(task) = found else {
        worker.at = next;
        return;
    };
    after.run += 1;
    let poll = After::Poll(task, task.children());
    worker.at = if worker.searching { At::StopSearching(poll) } else { poll.into() };
}

fn others(floor: &Floor, index: usize) -> impl Iterator<Item = (usize, &Worker)> {
    floor.workers.iter().enumerate().filter(move |(victim, _)| *victim != index)
}

/// Half of the queue of any worker that has something; the first of it is run.
fn steal(floor: &Floor, index: usize) -> Vec<Step> {
    let victims = others(floor, index).filter(|(_, victim)| !victim.queue.is_empty());
    let stolen = victims.map(|(victim, _)| {
        let mut after = floor.clone();
        let half = after.workers[victim].queue.len().div_ceil(2);
        let first = after.workers[victim].queue.pop();
        for _ in 1..half {
            let task = after.workers[victim].queue.pop().expect("half of the queue is no more than it has");
            after.workers[index].queue.push(task);
        }
        found_or(&mut after, index, first, At::TakeInjectedAgain);
        (transition::STEAL, after)
    });
    let stolen: Vec<_> = stolen.collect();
    if !stolen.is_empty() {
        return stolen;
    }
    let mut after = floor.clone();
    after.workers[index].at = At::TakeInjectedAgain;
    vec![(transition::STEAL, after)]
}

fn steal_lifo(floor: &Floor, index: usize) -> Vec<Step> {
    let victims = others(floor, index).filter(|(_, victim)| victim.lifo.is_some());
    let stolen = victims.map(|(victim, _)| {
        let mut after = floor.clone();
        let found = after.workers[victim].lifo.take();
        found_or(&mut after, index, found, At::Starved);
        (transition::STEAL_LIFO, after)
    });
    let stolen: Vec<_> = stolen.collect();
    if !stolen.is_empty() {
        return stolen;
    }
    let mut after = floor.clone();
    after.workers[index].at = At::Starved;
    vec![(transition::STEAL_LIFO, after)]
}

/// Two tasks that an event makes ready.
const BATCH: u8 = 2;

fn in_driver(floor: &Floor, index: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    if floor.workers[index].token {
        let mut after = floor.clone();
        after.workers[index].at = At::LeaveDriver(0);
        steps.push((transition::EVENT, after));
    }
    if floor.events > 0 {
        let mut after = floor.clone();
        after.events -= 1;
        after.made += BATCH;
        after.workers[index].at = At::LeaveDriver(BATCH);
        steps.push((transition::EVENT, after));
    }
    steps
}
