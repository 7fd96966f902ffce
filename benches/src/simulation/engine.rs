//! The simulation itself: what happens when, in the order of time.
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::Setup;
use super::random::Random;
use super::rules::{CALM_AFTER, CALM_TICK, LIFO_STREAK_MAX, Looks, Outlook, Rules, Spinning, TICK, Waking};
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
    group: usize,
    queue: VecDeque<Task>,
    lifo: Option<Task>,
    lifo_streak: u32,
    looks: Looks,
    /// Its driver has its turn before the next task.
    has_to_look: bool,
    /// It has looked at its driver in this search.
    has_looked: bool,
    is_searching: bool,
    /// Woken by a peer, and has run nothing since.
    has_to_justify_wake: bool,
    /// What it polls, and for how long; the poll ends with the next happening of this worker.
    polls: Option<(Task, u64)>,
    /// Polls since it last turned its driver.
    polls_since_turn: usize,
    waking: Waking,
    spinning: Spinning,
}

/// Workers that share a driver.
#[derive(Debug, Default)]
struct Group {
    workers: usize,
    /// When each event came that nobody has taken from the driver.
    pending: VecDeque<u64>,
    /// Who sleeps in the driver or turns it.
    holder: Option<usize>,
    last_in_driver: usize,
    searching: usize,
    /// Sleeping ones, the one that fell asleep last at the end.
    parked: Vec<usize>,
}

struct Floor {
    setup: Setup,
    now: u64,
    sequence: u64,
    agenda: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    /// When events come, and to which group. All rules see the same ones; so each of these has its own sequence.
    arrivals: Random,
    lengths: Random,
    victims: Random,
    workers: Vec<Worker>,
    groups: Vec<Group>,
    /// Since when somebody sleeps.
    idle_since: Option<u64>,
    /// When the foreman looked last, and how often in a row nothing was amiss then.
    looked_at: u64,
    calm_looks: u32,
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
    floor.tally.outcome(1 + setup.wakes, setup.groups)
}

impl Floor {
    fn new(setup: Setup) -> Self {
        let worker = |index| Worker {
            state: State::Busy,
            group: index % setup.groups,
            queue: VecDeque::new(),
            lifo: None,
            lifo_streak: 0,
            looks: Looks::new(setup.rules),
            has_to_look: false,
            has_looked: false,
            is_searching: false,
            has_to_justify_wake: false,
            polls: None,
            polls_since_turn: 0,
            waking: Waking::new(setup.rules),
            spinning: Spinning::new(setup.rules, setup.costs.spin),
        };
        let mut floor = Self {
            setup,
            now: 0,
            sequence: 0,
            agenda: BinaryHeap::new(),
            arrivals: Random::new(setup.seed.wrapping_mul(3)),
            lengths: Random::new(setup.seed.wrapping_mul(3).wrapping_add(1)),
            victims: Random::new(setup.seed.wrapping_mul(3).wrapping_add(2)),
            workers: (0..setup.workers).map(worker).collect(),
            groups: (0..setup.groups).map(|_| Group::default()).collect(),
            idle_since: None,
            looked_at: 0,
            calm_looks: 0,
            events_left: setup.events,
            tally: Tally::new(setup.events * u64::from(1 + setup.wakes)),
        };
        floor.workers.iter().for_each(|worker| floor.groups[worker.group].workers += 1);
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
            let gap = self.arrivals.gap(mean) as u64;
            self.after(gap, Happening::Event);
        }
    }

    fn event(&mut self) {
        let index = self.arrivals.below(self.groups.len());
        let now = self.now;
        self.tally.event(now);
        self.groups[index].pending.push_back(now);
        if let Some(holder) = self.groups[index].holder
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
        let group = self.workers[worker].group;
        self.groups[group].parked.retain(|&other| other != worker);
        if self.parked() == 0 {
            self.idle_since = None;
        }
    }

    /// Sleepers of all groups.
    fn parked(&self) -> usize {
        self.groups.iter().map(|group| group.parked.len()).sum()
    }

    /// What somebody of that group who wants to wake another has to reckon with: the first group, from that one on, in
    /// which not all are active says it.
    fn outlook(&self, group: usize) -> Outlook {
        let count = self.groups.len();
        let around = (0..count).map(|step| (group + step) % count);
        let mut outlooks = around.map(|group| self.outlook_of(group));
        outlooks.find(|&outlook| outlook != Outlook::AllActive).unwrap_or(Outlook::AllActive)
    }

    fn outlook_of(&self, group: usize) -> Outlook {
        match &self.groups[group] {
            Group { searching: 1.., .. } => Outlook::Searched,
            Group { parked, .. } if parked.is_empty() => Outlook::AllActive,
            _ => Outlook::Wakeable(group),
        }
    }

    /// Wakes somebody if there is somebody to wake; returns what it costs the waker.
    fn wake(&mut self, outlook: Outlook) -> u64 {
        let Outlook::Wakeable(group) = outlook else { return 0 };
        let Group { parked, last_in_driver, .. } = &self.groups[group];
        let chosen = match self.setup.rules {
            Rules::Shopfloor | Rules::SharedBatches | Rules::KeptBatches => {
                // Those after the one who went into the driver last, who is left till last.
                let count = self.workers.len();
                parked.iter().min_by_key(|&&worker| (worker + count - last_in_driver - 1) % count)
            }
            Rules::Tokio => parked.last(),
        };
        let chosen = *chosen.expect("somebody sleeps");
        self.groups[group].searching += 1;
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
        let one = &mut self.workers[worker];
        one.state = State::Busy;
        one.looks.looked(self.now);
        if !from_driver {
            return self.goes_on(worker);
        }
        let group = &mut self.groups[self.workers[worker].group];
        if group.pending.is_empty() {
            // A peer has interrupted the sleep.
            group.holder = None;
            return self.goes_on(worker);
        }
        self.turn(worker);
    }

    /// The holder of its driver takes the events that have come.
    fn turn(&mut self, worker: usize) {
        let costs = self.setup.costs;
        let one = &mut self.workers[worker];
        let polls = std::mem::take(&mut one.polls_since_turn);
        let Group { workers, pending, .. } = &self.groups[one.group];
        let events = pending.len().min(self.setup.rules.events_max(*workers, one.queue.len(), polls));
        if let Some(&oldest) = pending.front() {
            self.tally.seen(self.now, oldest, self.idle_since);
        }
        let cost = costs.turn + costs.event * events as u64;
        self.costs(cost, Happening::TurnEnds(worker, events));
    }

    fn turn_ends(&mut self, worker: usize, events: usize) {
        let now = self.now;
        let index = self.workers[worker].group;
        let group = &mut self.groups[index];
        group.holder = None;
        let taken = group.pending.drain(..events);
        let tasks = taken.map(|ready| Task { ready, queued: now, is_first: true });
        self.workers[worker].queue.extend(tasks);
        let (outlook, parked) = (self.outlook(index), self.parked());
        let one = &mut self.workers[worker];
        let cost = if events > 0 && one.waking.batch_pushed(now, one.queue.len(), outlook, parked) {
            self.wake(outlook)
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
        if std::mem::take(&mut one.has_to_look) && self.take_driver(worker) {
            return self.turn(worker);
        }
        self.next_task(worker, 0);
    }

    /// Whether nobody else had it.
    fn take_driver(&mut self, worker: usize) -> bool {
        let holder = &mut self.groups[self.workers[worker].group].holder;
        holder.is_none() && *holder.insert(worker) == worker
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
        let one = &mut self.workers[worker];
        one.has_to_justify_wake = false;
        one.has_looked = false;
        if std::mem::take(&mut one.is_searching) {
            let group = one.group;
            self.groups[group].searching -= 1;
            if self.groups[group].searching == 0 && self.has_work() {
                let cost = self.wake(self.outlook(group));
                self.tally.cpu += cost;
                delay += cost;
            }
        }
        let length = self.setup.poll.draw(&mut self.lengths);
        let one = &mut self.workers[worker];
        one.polls = Some((task, length));
        one.state = State::Polling(self.now + delay);
        self.tally.cpu += length;
        self.after(delay + length, Happening::PollEnds(worker));
    }

    fn has_work(&self) -> bool {
        self.workers.iter().any(|worker| !worker.queue.is_empty())
    }

    fn poll_ends(&mut self, worker: usize) {
        let now = self.now;
        let (task, length) = self.workers[worker].polls.take().expect("a poll is of a task");
        self.tally.done(now - task.ready);
        self.workers[worker].polls_since_turn += 1;
        let mut cost = 0;
        if task.is_first {
            for _ in 0..self.setup.wakes {
                self.tally.ready += 1;
                cost += self.schedule(worker, Task { ready: now, queued: now, is_first: false });
            }
        }
        let outlook = self.outlook(self.workers[worker].group);
        let one = &mut self.workers[worker];
        let wakes = one.waking.look_again(now, one.queue.len(), outlook);
        one.has_to_look = one.looks.polled(now, length, &mut one.waking);
        if wakes {
            cost += self.wake(outlook);
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
        let outlook = self.outlook(self.workers[worker].group);
        let one = &mut self.workers[worker];
        let Some(displaced) = one.lifo.replace(task) else { return 0 };
        one.queue.push_back(displaced);
        if one.waking.pushed(one.queue.len(), outlook) { self.wake(outlook) } else { 0 }
    }

    fn search(&mut self, worker: usize) {
        if !self.workers[worker].is_searching {
            let group = &mut self.groups[self.workers[worker].group];
            if 2 * group.searching >= group.workers {
                return self.park(worker);
            }
            group.searching += 1;
            self.workers[worker].is_searching = true;
        }
        if self.looks_before_it_steals(worker) {
            return self.turn(worker);
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

    /// With several groups only: those who leave a driver may find enough elsewhere, while the rest of their group sleeps
    /// beside it.
    fn looks_before_it_steals(&mut self, worker: usize) -> bool {
        let now = self.now;
        let looks = self.setup.rules != Rules::Tokio
            && !std::mem::replace(&mut self.workers[worker].has_looked, true)
            && self.groups.len() > 1
            && self.take_driver(worker);
        if looks {
            self.workers[worker].looks.looked(now);
        }
        looks
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
        let first = self.victims.below(count);
        let victims = (0..count).map(|step| (first + step) % count).filter(|&victim| victim != thief);
        let (looked, victim) =
            victims.enumerate().find(|&(_, victim)| !self.workers[victim].queue.is_empty())?;
        let queue = &mut self.workers[victim].queue;
        let share = queue.len().div_ceil(2).min(self.setup.rules.steal_max());
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

    /// Sleeps: in the driver of its group if nobody else is in it.
    fn park(&mut self, worker: usize) {
        let now = self.now;
        let one = &mut self.workers[worker];
        one.has_looked = false;
        one.looks.starved();
        let group = one.group;
        if std::mem::take(&mut one.is_searching) {
            self.groups[group].searching -= 1;
        }
        if self.setup.rules != Rules::Tokio && self.has_work() {
            // The look before sleep: somebody who was not allowed to search is, then.
            self.workers[worker].is_searching = true;
            self.groups[group].searching += 1;
            return self.search(worker);
        }
        let one = &mut self.workers[worker];
        if std::mem::take(&mut one.has_to_justify_wake) {
            self.tally.wasted_wakes += 1;
        }
        if self.take_driver(worker) {
            if !self.groups[group].pending.is_empty() {
                self.workers[worker].looks.looked(now);
                return self.turn(worker);
            }
            let one = &mut self.workers[worker];
            let looks_until = now + one.spinning.begin();
            one.state = State::InDriver { since: now, looks_until };
            self.groups[group].last_in_driver = worker;
        } else {
            self.workers[worker].state = State::Parked;
        }
        self.groups[group].parked.push(worker);
        self.idle_since.get_or_insert(now);
    }

    /// The foreman wakes one of each group for what may wait behind a poll that does not end.
    fn tick(&mut self) {
        let looked_at = self.looked_at;
        let is_stuck = |worker: &Worker| matches!(worker.state, State::Polling(since) if since <= looked_at);
        let is_asleep = |worker: &Worker| matches!(worker.state, State::Parked | State::InDriver { .. });
        let has_work = |worker: &Worker| !worker.queue.is_empty() || worker.lifo.is_some();
        let is_anybody_stuck = self.workers.iter().any(is_stuck);
        let is_any_work = self.workers.iter().any(has_work);
        for group in 0..self.groups.len() {
            if is_anybody_stuck && (is_any_work || self.groups[group].holder.is_none()) {
                self.wake(self.outlook_of(group));
            }
        }
        let asleep = self.workers.iter().filter(|worker| is_asleep(worker)).count();
        let waits_beside_sleeper = is_any_work && asleep > 0;
        let is_calm = !is_anybody_stuck && !waits_beside_sleeper && asleep < self.workers.len();
        self.calm_looks = if is_calm { self.calm_looks + 1 } else { 0 };
        self.looked_at = self.now;
        // It ends with the last task; until then something else will happen, too.
        if !self.agenda.is_empty() {
            self.after(if self.calm_looks < CALM_AFTER { TICK } else { CALM_TICK }, Happening::Tick);
        }
    }
}
