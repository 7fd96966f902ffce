//! The simulation itself: what happens when, in the order of time.
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::Setup;
use super::random::Random;
use super::rules::{EVENT_INTERVAL, LIFO_STREAK_MAX, Rules, STEAL_MAX, Spinning, TICK, TURN_MAX, Waking};
use super::tally::{Outcome, Tally};

/// A task that is ready.
#[derive(Clone, Copy, Debug)]
struct Task {
    /// Since the event, or the wake, that made it ready.
    ready: u64,
    /// Since it is in a queue or a LIFO slot.
    queued: u64,
    /// Whether an event made it ready: its poll wakes others.
    is_first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// An event comes.
    Event,
    /// The poll of a worker ends.
    PollEnds(usize),
    /// A worker has done what was between two polls.
    IsFree(usize),
    /// A worker gives its driver back, after a turn that brought so many events.
    TurnEnds(usize, usize),
    /// A worker has looked at all the others.
    SearchEnds(usize),
    /// A worker that slept runs.
    Wakes(usize),
    /// The foreman looks.
    Tick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Busy,
    /// In a poll since then.
    Polling(u64),
    /// Asleep beside the driver.
    Parked,
    /// In the driver since `since`, and up to `looks_until` not asleep.
    InDriver {
        since: u64,
        looks_until: u64,
    },
    /// On the way out of sleep; from the driver or not.
    Waking {
        from_driver: bool,
    },
}

#[derive(Debug)]
struct Worker {
    state: State,
    /// Of its group.
    own_driver: usize,
    /// The one it is in, or was in last.
    driver: usize,
    queue: VecDeque<Task>,
    lifo: Option<Task>,
    lifo_streak: u32,
    tick: u32,
    is_searching: bool,
    /// Woken by a peer, and has run nothing since.
    has_to_justify_wake: bool,
    /// What it polls; the poll ends with the next happening of this worker.
    polls: Option<Task>,
    waking: Waking,
    spinning: Spinning,
}

#[derive(Debug, Default)]
struct Driver {
    /// When each event came that nobody has taken.
    pending: VecDeque<u64>,
    /// Who sleeps in it or turns it.
    holder: Option<usize>,
}

struct Floor {
    setup: Setup,
    now: u64,
    sequence: u64,
    agenda: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    random: Random,
    workers: Vec<Worker>,
    drivers: Vec<Driver>,
    searching: usize,
    /// Sleeping ones, the one that fell asleep last at the end.
    parked: Vec<usize>,
    /// Since when somebody sleeps.
    idle_since: Option<u64>,
    events_left: u64,
    tally: Tally,
}

/// Runs until all events have come and all tasks are done.
pub fn run(setup: &Setup) -> Outcome {
    let mut floor = Floor::new(*setup);
    while let Some(Reverse((now, _, happening))) = floor.agenda.pop() {
        floor.now = now;
        floor.happens(happening);
    }
    floor.tally.outcome(1 + setup.wakes, setup.drivers)
}

impl Floor {
    fn new(setup: Setup) -> Self {
        let worker = |index| Worker {
            state: State::Busy,
            own_driver: index * setup.drivers / setup.workers,
            driver: 0,
            queue: VecDeque::new(),
            lifo: None,
            lifo_streak: 0,
            tick: 0,
            is_searching: false,
            has_to_justify_wake: false,
            polls: None,
            waking: Waking::new(setup.rules),
            spinning: Spinning::new(setup.rules, setup.costs.spin),
        };
        let mut floor = Self {
            setup,
            now: 0,
            sequence: 0,
            agenda: BinaryHeap::new(),
            random: Random::new(setup.seed),
            workers: (0..setup.workers).map(worker).collect(),
            drivers: (0..setup.drivers).map(|_| Driver::default()).collect(),
            searching: 0,
            parked: Vec::new(),
            idle_since: None,
            events_left: setup.events,
            tally: Tally::new(setup.events * u64::from(1 + setup.wakes)),
        };
        (0..setup.workers).for_each(|worker| floor.park(worker));
        floor.expect_event();
        if setup.rules != Rules::Tokio {
            floor.after(TICK, Happening::Tick);
        }
        floor
    }

    fn after(&mut self, delay: u64, happening: Happening) {
        self.sequence += 1;
        self.agenda.push(Reverse((self.now + delay, self.sequence, happening)));
    }

    /// The same of something that costs the worker so much time.
    fn costs(&mut self, cost: u64, happening: Happening) {
        self.tally.cpu += cost;
        self.after(cost, happening);
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Event => self.event(),
            Happening::PollEnds(worker) => self.poll_ends(worker),
            Happening::IsFree(worker) => self.goes_on(worker),
            Happening::TurnEnds(worker, events) => self.turn_ends(worker, events),
            Happening::SearchEnds(worker) => self.search_ends(worker),
            Happening::Wakes(worker) => self.wakes(worker),
            Happening::Tick => self.tick(),
        }
    }

    fn expect_event(&mut self) {
        if self.events_left > 0 {
            self.events_left -= 1;
            let setup = &self.setup;
            let work = setup.poll.mean() * f64::from(1 + setup.wakes);
            let mean = work / (setup.load * setup.workers as f64);
            let gap = self.random.gap(mean) as u64;
            self.after(gap, Happening::Event);
        }
    }

    fn event(&mut self) {
        let index = self.random.below(self.drivers.len());
        let now = self.now;
        self.tally.event(now);
        self.drivers[index].pending.push_back(now);
        if let Some(holder) = self.drivers[index].holder
            && let State::InDriver { looks_until, .. } = self.workers[holder].state
        {
            let sees_it = now < looks_until;
            self.leave_sleep(holder, true);
            let delay = if sees_it { 0 } else { self.setup.costs.sleeper_runs_after };
            self.after(delay, Happening::Wakes(holder));
        }
        self.expect_event();
    }

    /// A sleeper is on its way: it counts as awake.
    fn leave_sleep(&mut self, worker: usize, by_event: bool) {
        let costs = self.setup.costs;
        let (from_driver, cpu) = match self.workers[worker].state {
            State::InDriver { since, looks_until } => {
                let looked = self.now.min(looks_until).saturating_sub(since);
                let slept = self.now >= looks_until;
                if looks_until > since && by_event {
                    self.workers[worker].spinning.learn(!slept);
                }
                (true, looked + if slept { costs.sleep } else { 0 })
            }
            _ => (false, costs.sleep),
        };
        self.tally.cpu += cpu;
        self.workers[worker].state = State::Waking { from_driver };
        self.parked.retain(|&other| other != worker);
        if self.parked.is_empty() {
            self.idle_since = None;
        }
    }

    fn could_wake(&self) -> bool {
        self.searching == 0 && !self.parked.is_empty()
    }

    /// Wakes somebody if there is somebody to wake; returns what it costs the waker.
    fn wake_one(&mut self) -> u64 {
        if !self.could_wake() {
            return 0;
        }
        let lowest = *self.parked.iter().min().expect("somebody sleeps");
        let chosen = match self.setup.rules {
            Rules::Shopfloor | Rules::SharedBatches | Rules::KeptBatches => lowest,
            Rules::Tokio => *self.parked.last().expect("somebody sleeps"),
        };
        self.searching += 1;
        self.workers[chosen].is_searching = true;
        self.workers[chosen].has_to_justify_wake = true;
        self.leave_sleep(chosen, false);
        self.tally.wakes += 1;
        self.after(self.setup.costs.sleeper_runs_after, Happening::Wakes(chosen));
        self.setup.costs.wake
    }

    fn wakes(&mut self, worker: usize) {
        let State::Waking { from_driver } = self.workers[worker].state else {
            unreachable!("only one on its way arrives")
        };
        self.workers[worker].state = State::Busy;
        if !from_driver {
            return self.goes_on(worker);
        }
        let driver = self.workers[worker].driver;
        if self.drivers[driver].pending.is_empty() {
            // A peer has interrupted the sleep.
            self.drivers[driver].holder = None;
            return self.goes_on(worker);
        }
        self.turn(worker);
    }

    /// The holder of its driver takes the events that have come.
    fn turn(&mut self, worker: usize) {
        let costs = self.setup.costs;
        let pending = &self.drivers[self.workers[worker].driver].pending;
        let events = pending.len().min(TURN_MAX);
        if let (Some(&oldest), Some(since)) = (pending.front(), self.idle_since) {
            self.tally.unseen = self.tally.unseen.max(self.now - oldest.max(since));
        }
        let cost = costs.turn + costs.event * events as u64;
        self.costs(cost, Happening::TurnEnds(worker, events));
    }

    fn turn_ends(&mut self, worker: usize, events: usize) {
        let now = self.now;
        let driver = &mut self.drivers[self.workers[worker].driver];
        driver.holder = None;
        let taken = driver.pending.drain(..events);
        let tasks = taken.map(|ready| Task { ready, queued: now, is_first: true });
        self.workers[worker].queue.extend(tasks);
        let parked = if self.could_wake() { self.parked.len() } else { 0 };
        let one = &mut self.workers[worker];
        let cost = if events > 0 && one.waking.batch_pushed(now, one.queue.len(), parked) {
            self.wake_one()
        } else {
            0
        };
        self.tally.cpu += cost;
        self.next_task(worker, cost);
    }

    /// A worker with nothing in its hands.
    fn goes_on(&mut self, worker: usize) {
        let one = &mut self.workers[worker];
        one.state = State::Busy;
        one.tick += 1;
        let driver = &mut self.drivers[one.own_driver];
        if one.tick.is_multiple_of(EVENT_INTERVAL) && driver.holder.is_none() {
            one.driver = one.own_driver;
            driver.holder = Some(worker);
            return self.turn(worker);
        }
        self.next_task(worker, 0);
    }

    /// Polls, or searches; what came before it delays that by `cost`, which is in the books.
    fn next_task(&mut self, worker: usize, cost: u64) {
        match self.take_own(worker) {
            Some(task) => self.poll(worker, task, cost),
            None if cost > 0 => self.after(cost, Happening::IsFree(worker)),
            None => self.search(worker),
        }
    }

    fn take_own(&mut self, worker: usize) -> Option<Task> {
        let one = &mut self.workers[worker];
        let last_woken = if one.lifo_streak < LIFO_STREAK_MAX { one.lifo.take() } else { None };
        one.lifo_streak = if last_woken.is_some() { one.lifo_streak + 1 } else { 0 };
        last_woken.or_else(|| one.queue.pop_front()).or_else(|| one.lifo.take())
    }

    fn poll(&mut self, worker: usize, task: Task, delay: u64) {
        let mut delay = delay;
        if let Some(since) = self.idle_since {
            self.tally.stranded = self.tally.stranded.max(self.now.saturating_sub(task.queued.max(since)));
        }
        self.workers[worker].has_to_justify_wake = false;
        if self.workers[worker].is_searching {
            self.workers[worker].is_searching = false;
            self.searching -= 1;
            if self.searching == 0 && self.has_work() {
                let cost = self.wake_one();
                self.tally.cpu += cost;
                delay += cost;
            }
        }
        let length = self.setup.poll.draw(&mut self.random);
        let one = &mut self.workers[worker];
        one.polls = Some(task);
        one.state = State::Polling(self.now + delay);
        one.waking.polled(length);
        self.tally.cpu += length;
        self.after(delay + length, Happening::PollEnds(worker));
    }

    fn has_work(&self) -> bool {
        self.workers.iter().any(|worker| !worker.queue.is_empty())
    }

    fn poll_ends(&mut self, worker: usize) {
        let now = self.now;
        let task = self.workers[worker].polls.take().expect("a poll is of a task");
        self.tally.done(now - task.ready);
        let mut cost = 0;
        if task.is_first {
            for _ in 0..self.setup.wakes {
                self.tally.ready += 1;
                cost += self.schedule(worker, Task { ready: now, queued: now, is_first: false });
            }
        }
        let could_wake = self.could_wake();
        let one = &mut self.workers[worker];
        if one.waking.look_again(now, one.queue.len(), could_wake) {
            cost += self.wake_one();
        }
        if cost > 0 {
            self.workers[worker].state = State::Busy;
            self.costs(cost, Happening::IsFree(worker));
        } else {
            self.goes_on(worker);
        }
    }

    /// A task woken by the running one: into the LIFO slot, whose task goes to the queue.
    fn schedule(&mut self, worker: usize, task: Task) -> u64 {
        let now = self.now;
        let could_wake = self.could_wake();
        let one = &mut self.workers[worker];
        let Some(displaced) = one.lifo.replace(task) else { return 0 };
        one.queue.push_back(displaced);
        if one.waking.pushed(now, one.queue.len(), could_wake) { self.wake_one() } else { 0 }
    }

    fn search(&mut self, worker: usize) {
        if !self.workers[worker].is_searching {
            if 2 * self.searching >= self.workers.len() {
                return self.park(worker);
            }
            self.workers[worker].is_searching = true;
            self.searching += 1;
        }
        let looks = self.workers.len() as u64 - 1;
        match self.steal(worker) {
            Some((task, looked)) => {
                let cost = looked * self.setup.costs.look + self.setup.costs.steal;
                self.tally.cpu += cost;
                self.poll(worker, task, cost);
            }
            None => self.costs(looks * self.setup.costs.look, Happening::SearchEnds(worker)),
        }
    }

    fn search_ends(&mut self, worker: usize) {
        let found = self.steal(worker).map(|(task, _)| task).or_else(|| self.steal_lifo(worker));
        match found {
            Some(task) => {
                self.tally.cpu += self.setup.costs.steal;
                self.poll(worker, task, self.setup.costs.steal);
            }
            None => self.park(worker),
        }
    }

    /// Half of the first queue with something in it, from a random one on; how many were looked at.
    fn steal(&mut self, thief: usize) -> Option<(Task, u64)> {
        let count = self.workers.len();
        let first = self.random.below(count);
        let victims = (0..count).map(|step| (first + step) % count).filter(|&victim| victim != thief);
        let (looked, victim) =
            victims.enumerate().find(|&(_, victim)| !self.workers[victim].queue.is_empty())?;
        let queue = &mut self.workers[victim].queue;
        let share = queue.len().div_ceil(2).min(STEAL_MAX);
        let mut taken: VecDeque<Task> = queue.drain(..share).collect();
        let task = taken.pop_front()?;
        self.workers[thief].queue.extend(taken);
        Some((task, looked as u64 + 1))
    }

    fn steal_lifo(&mut self, thief: usize) -> Option<Task> {
        if self.setup.rules == Rules::Tokio {
            return None;
        }
        let mut others = self.workers.iter_mut().enumerate().filter(|&(victim, _)| victim != thief);
        others.find_map(|(_, victim)| victim.lifo.take())
    }

    /// Sleeps: in the driver if nobody else is in it.
    fn park(&mut self, worker: usize) {
        let now = self.now;
        let one = &mut self.workers[worker];
        if std::mem::take(&mut one.is_searching) {
            self.searching -= 1;
        }
        if self.setup.rules != Rules::Tokio && self.has_work() {
            // The look before sleep: somebody who was not allowed to search is, then.
            self.workers[worker].is_searching = true;
            self.searching += 1;
            return self.search(worker);
        }
        let one = &mut self.workers[worker];
        if std::mem::take(&mut one.has_to_justify_wake) {
            self.tally.wasted_wakes += 1;
        }
        let own = one.own_driver;
        let free = |&index: &usize| self.drivers[index].holder.is_none();
        if let Some(index) = Some(own).filter(free).or_else(|| (0..self.drivers.len()).find(free)) {
            let driver = &mut self.drivers[index];
            driver.holder = Some(worker);
            one.driver = index;
            if !driver.pending.is_empty() {
                one.state = State::Busy;
                return self.turn(worker);
            }
            let looks_until = now + one.spinning.begin();
            one.state = State::InDriver { since: now, looks_until };
        } else {
            one.state = State::Parked;
        }
        self.parked.push(worker);
        self.idle_since.get_or_insert(now);
    }

    /// The foreman wakes somebody for what may wait behind a poll that does not end.
    fn tick(&mut self) {
        let is_stuck =
            |worker: &Worker| matches!(worker.state, State::Polling(since) if since + TICK <= self.now);
        let has_work = |worker: &Worker| !worker.queue.is_empty() || worker.lifo.is_some();
        let may_wait =
            self.workers.iter().any(has_work) || self.drivers.iter().any(|driver| driver.holder.is_none());
        if may_wait && self.workers.iter().any(is_stuck) {
            self.wake_one();
        }
        // It ends with the last task; until then something else will happen, too.
        if !self.agenda.is_empty() {
            self.after(TICK, Happening::Tick);
        }
    }
}
