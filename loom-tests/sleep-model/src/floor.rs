//! The state: what the workers share, and where each thread is.

use crate::wake::Wake;
use crate::worker::{At, Worker};

/// What a task does in its one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    /// It ends.
    Leaf,
    /// It schedules two leaves, on its own worker.
    Fork,
    /// It schedules two leaves, and its poll then never ends.
    Stuck,
    /// Its poll never ends.
    Hang,
    /// It schedules two leaves, and its poll ends some time after the foreman has counted it as stuck, or before.
    Slow,
}

/// A short queue of tasks, in one word: states are copied often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TaskQueue(u32);

impl TaskQueue {
    const BITS: u32 = 3;
    const ALL: [Task; 5] = [Task::Leaf, Task::Fork, Task::Stuck, Task::Hang, Task::Slow];

    pub(crate) fn of(tasks: &[Task]) -> Self {
        let mut queue = Self::default();
        tasks.iter().for_each(|&task| queue.push(task));
        queue
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn len(self) -> u32 {
        (u32::BITS - self.0.leading_zeros()).div_ceil(Self::BITS)
    }

    pub(crate) fn push(&mut self, task: Task) {
        let place = self.len() * Self::BITS;
        assert!(place + Self::BITS <= u32::BITS, "a scenario has few tasks");
        self.0 |= (task as u32 + 1) << place;
    }

    pub(crate) fn pop(&mut self) -> Option<Task> {
        let first = self.0 & ((1 << Self::BITS) - 1);
        self.0 >>= Self::BITS;
        first.checked_sub(1).map(|task| Self::ALL[task as usize])
    }
}

impl Task {
    /// Tasks that it schedules.
    pub(crate) fn children(self) -> u8 {
        if matches!(self, Self::Leaf | Self::Hang) { 0 } else { 2 }
    }
}

/// A closed system: who is there, and what comes from outside.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Workers at the start.
    pub workers: usize,
    /// How many of them look for work; the others sleep, one of them in the driver.
    pub awake: usize,
    /// Slots for stand-ins.
    pub stand_ins: usize,
    /// Foreign threads, each with what it pushes.
    pub pushers: Vec<Vec<Task>>,
    /// Events of the driver, each of which makes two leaves ready.
    pub events: u8,
    /// A step that is left out.
    pub fault: Option<Fault>,
}

/// A step of the code that the model leaves out, to see that it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A worker does not look again between its announcement and its sleep.
    ParkWithoutLook,
    /// The last searcher does not look when it has found work.
    NoHandOn,
    /// A waker that found no flag does not look again after it has given its claim back.
    NoLookAfterGiveBack,
    /// A waker that found no flag looks at the queues only, and not at the driver.
    GiveBackBlindToDriver,
    /// A push by a foreign thread wakes nobody.
    PushWithoutWake,
    /// The flag is set before the worker is counted.
    FlagBeforeCount,
    /// A worker that leaves does not hand the driver on.
    LeaveWithoutHandOver,
    /// The foreman does not see LIFO slots.
    ForemanBlindToLifo,
    /// The foreman does not look whether somebody is in the driver.
    ForemanBlindToDriver,
    /// The foreman starts no stand-in.
    NoStandIn,
    /// A wake sets no token, so that it is lost on a worker that does not sleep yet.
    UnparkWithoutToken,
}

/// One state. Equal states are equal as values: workers and pushers are sorted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Floor {
    pub(crate) parked: i8,
    pub(crate) searching: i8,
    pub(crate) injector: TaskQueue,
    pub(crate) token_held: bool,
    pub(crate) workers: Vec<Worker>,
    pub(crate) pushers: Vec<Pusher>,
    pub(crate) foreman: Option<Wake>,
    /// Somebody else has taken a step since its last tick: ticks are far apart, so whoever can go on does.
    pub(crate) foreman_rested: bool,
    /// Slots that the foreman counts as stuck.
    pub(crate) stuck_seen: u8,
    /// Slots that are run.
    pub(crate) seated: u8,
    pub(crate) events: u8,
    /// Tasks whose poll has begun.
    pub(crate) run: u8,
    /// Tasks there have been.
    pub(crate) made: u8,
}

/// A foreign thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Pusher {
    /// What it has still to push.
    pub(crate) left: TaskQueue,
    pub(crate) wake: Option<Wake>,
}

/// Who takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The worker at this place of the sorted list.
    Worker(usize),
    /// The foreign thread at this place.
    Pusher(usize),
    /// The foreman.
    Foreman,
}

impl Floor {
    /// Nothing pushed yet.
    pub fn new(scenario: &Scenario) -> Self {
        let worker = |index| match index {
            _ if index < scenario.awake => Worker::new(At::TakeOwn),
            _ if index >= scenario.workers => Worker::new(At::Absent),
            _ => {
                let at = if index == scenario.awake { At::InDriver } else { At::Asleep };
                Worker { flag: true, ..Worker::new(at) }
            }
        };
        let pusher = |left: &Vec<Task>| Pusher { left: TaskQueue::of(left), wake: None };
        let mut floor = Self {
            parked: (scenario.workers - scenario.awake) as i8,
            searching: 0,
            injector: TaskQueue::default(),
            token_held: scenario.awake < scenario.workers,
            workers: (0..scenario.workers + scenario.stand_ins).map(worker).collect(),
            pushers: scenario.pushers.iter().map(pusher).collect(),
            foreman: None,
            foreman_rested: true,
            stuck_seen: 0,
            seated: scenario.workers as u8,
            events: scenario.events,
            run: 0,
            made: 0,
        };
        floor.sort();
        floor
    }

    /// The one representative of all states that differ by the numbers of the workers.
    pub(crate) fn sort(&mut self) {
        self.workers.iter_mut().for_each(Worker::settle);
        self.workers.sort_unstable();
        self.pushers.sort_unstable();
    }

    /// `Floor::has_work` of the scheduler: LIFO slots do not count.
    pub(crate) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.workers.iter().any(|worker| !worker.queue.is_empty())
    }

    /// Whether any task waits anywhere.
    pub(crate) fn has_task(&self) -> bool {
        self.has_work() || self.workers.iter().any(|worker| worker.lifo.is_some())
    }

    /// Whether a task has not been run.
    pub(crate) fn is_task_waiting(&self) -> bool {
        self.run < self.made
    }

    pub(crate) fn could_wake(&self) -> bool {
        self.parked > 0 && self.searching == 0
    }

    /// Slots whose poll does not end.
    pub(crate) fn stuck(&self) -> u8 {
        self.workers.iter().filter(|worker| worker.is_stuck()).count() as u8
    }

    /// A thread that is no worker is in the middle of a push or a wake.
    pub(crate) fn is_wake_on_the_way(&self) -> bool {
        self.foreman.is_some() || self.pushers.iter().any(|pusher| pusher.wake.is_some())
    }
}
