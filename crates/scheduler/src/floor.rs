//! The shared part of a runtime: what every worker, waker and handle reaches.

use crate::blocking::{BlockingPool, ThreadHook};
use crate::blocking_job::BlockingJob;
use crate::config::Config;
use crate::contain::contain;
use crate::context;
use crate::driver::Driver;
use crate::driver_group::DriverGroup;
use crate::foreman::Foreman;
use crate::slot::Slot;
use crate::timer::{Clock, Wheels};
use crate::worker::Worker;
use shopfloor_protocol::cells::{Counter, Word};
use shopfloor_protocol::driving_role::DrivingRole;
use shopfloor_protocol::groups::Groups;
use shopfloor_protocol::idle::{Idle, Workplace};
use shopfloor_protocol::round_robin::RoundRobin;
use shopfloor_protocol::shutdown::{Lifecycle, RuntimePhase};
use shopfloor_protocol::sync::{CachePadded, Injector, Mutex};
use shopfloor_protocol::thread_count::ThreadCount;
use shopfloor_task::{CellList, Host, Id, Kind, Mishap, Notified, TaskList, Unlisted};
use std::any::Any;
use std::sync::Arc;
use std::task::{RawWakerVTable, Waker};

pub(crate) struct Floor {
    pub(crate) config: Config,
    pub(crate) slots: Box<[CachePadded<Slot>]>,
    /// The tasks that no worker spawned.
    pub(crate) outside: TaskList<Floor>,
    pub(crate) injector: Injector<Notified>,
    pub(crate) idle: Idle,
    pub(crate) groups: Box<[CachePadded<DriverGroup>]>,
    /// Which group gets the next source of events, and which is asked first by a push to the injector. Not one for both: a
    /// thread that accepts and spawns in turn would give all sources to the same.
    pub(crate) source_rotation: CachePadded<RoundRobin>,
    push_rotation: CachePadded<RoundRobin>,
    /// Current-thread: which thread runs the one slot.
    pub(crate) driving_role: DrivingRole,
    /// Ids of tasks in a poll whose slot was given away by `block_in_place`, for display.
    pub(crate) standing: Mutex<Vec<u64>>,
    /// The job of each thread of the blocking pool, 0 for none.
    pub(crate) jobs: Mutex<Vec<Arc<Word>>>,
    pub(crate) timers: Wheels,
    pub(crate) clock: Clock,
    pub(crate) lifecycle: Lifecycle,
    /// Threads that run slots, or did.
    pub(crate) threads: ThreadCount,
    pub(crate) foreman: Foreman,
    pub(crate) blocking: BlockingPool<BlockingJob>,
    /// Tasks that were spawned by a thread without a slot, and that ended on one.
    pub(crate) spawned_outside: Counter,
    pub(crate) done_outside: Counter,
    /// Tasks that were left without a waker.
    pub(crate) orphans: Counter,
    /// Panics of user code that no join handle could be told of.
    pub(crate) mishaps: Counter,
}

impl std::fmt::Debug for Floor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Floor")
            .field("config", &self.config)
            .field("phase", &self.lifecycle.phase())
            .finish_non_exhaustive()
    }
}

impl Floor {
    /// One group for each driver.
    pub(crate) fn new(config: Config, drivers: Vec<Arc<dyn Driver>>) -> Arc<Self> {
        let (workers, slots) = (config.workers, config.workers + config.stand_ins);
        let groups = Groups::new(drivers.len());
        let group = |(index, driver)| DriverGroup::new(index, groups, workers, slots, driver);
        Arc::new_cyclic(|floor| Self {
            slots: (0..slots).map(|slot| CachePadded::new(Slot::new(groups.of(slot)))).collect(),
            groups: drivers.into_iter().enumerate().map(|driver| CachePadded::new(group(driver))).collect(),
            source_rotation: CachePadded::new(RoundRobin::new()),
            push_rotation: CachePadded::new(RoundRobin::new()),
            outside: TaskList::new(CellList::new()),
            injector: Injector::new(),
            idle: Idle::new(slots, groups),
            driving_role: DrivingRole::new(),
            standing: Mutex::new(Vec::new()),
            jobs: Mutex::new(Vec::new()),
            timers: Wheels::new(slots, groups),
            clock: Clock::new(),
            lifecycle: Lifecycle::new(),
            threads: ThreadCount::new(),
            foreman: Foreman::new(),
            blocking: BlockingPool::new(crate::blocking_job::pool_config(&config, floor)),
            spawned_outside: Counter::new(),
            done_outside: Counter::new(),
            orphans: Counter::new(),
            mishaps: Counter::new(),
            config,
        })
    }

    /// Every list of tasks.
    pub(crate) fn rosters(&self) -> impl Iterator<Item = &TaskList<Floor>> {
        self.slots.iter().map(|slot| &slot.roster).chain([&self.outside])
    }

    /// The number of the list of tasks that no worker spawned.
    pub(crate) fn outside_roster(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Any thread. Lists a task and puts it into a queue; if that is refused, drops its future.
    pub(crate) fn spawn(self: &Arc<Self>, task: Unlisted<Self>) {
        let mut task = Some(task);
        let mut list = |worker: Option<&Worker>| self.list(worker, task.take().expect("called once")).err();
        let refused = context::with_worker(self, |worker| list(Some(worker)));
        drop(refused.unwrap_or_else(|| list(None)));
    }

    /// Lists a task and puts it into a queue. `worker` is what this thread is on this floor. Runs no user code.
    ///
    /// # Errors
    /// The floor takes no more tasks.
    pub(crate) fn list(
        self: &Arc<Self>,
        worker: Option<&Worker>,
        task: Unlisted<Self>,
    ) -> Result<(), Unlisted<Self>> {
        match worker.and_then(|worker| worker.slot().map(|slot| (worker, slot))) {
            Some((worker, slot)) => {
                let task = task.list(self, slot as u32)?;
                self.slots[slot].spawned.bump();
                worker.schedule(task);
            }
            None => {
                let task = task.list(self, self.outside_roster())?;
                self.spawned_outside.add(1);
                self.inject(task);
            }
        }
        Ok(())
    }

    /// Tasks that have been spawned and not ended, about: the counts of several threads are not read at once.
    pub(crate) fn tasks_alive(&self) -> usize {
        let sum = |here: &Counter, count: fn(&Slot) -> &Counter| {
            self.slots.iter().fold(here.get(), |sum, slot| sum.wrapping_add(count(slot).get()))
        };
        let done = sum(&self.done_outside, |slot| &slot.done);
        sum(&self.spawned_outside, |slot| &slot.spawned).saturating_sub(done) as usize
    }

    /// Puts a task where every worker finds it, and wakes one if nobody is looking.
    pub(crate) fn inject(&self, task: Notified) {
        let first = self.push_rotation.next(self.groups.len());
        self.idle.push(first, || self.injector.push(task), self);
    }

    /// A thread that may have turned the driver of a group will not do it again.
    pub(crate) fn hand_on_driver(&self, group: usize) {
        self.idle.hand_on_driver(group, self);
    }

    /// A worker of `group` counts as searching no more, since it has found work.
    pub(crate) fn stop_searching(&self, group: usize) {
        self.idle.stop_searching(group, self);
    }

    /// Wakes a parked worker unless one is searching, one of the group `first` if there is one. Whether it did.
    pub(crate) fn wake_one(&self, first: usize) -> bool {
        self.idle.wake_one(first, self)
    }

    /// The same for this group only.
    pub(crate) fn wake_one_of(&self, group: usize) {
        self.idle.wake_one_of(group, self);
    }

    pub(crate) fn group_of(&self, slot: usize) -> &DriverGroup {
        &self.groups[self.slots[slot].group]
    }

    /// A thread that will not look at the timers in `wheel` itself has filed there.
    pub(crate) fn show_timers(&self, wheel: usize) {
        if let Some(group) = self.timers.must_interrupt(wheel) {
            self.groups[group].driver.interrupt();
        }
    }

    /// Ends the sleep of the worker that runs this slot, or the next one that it begins.
    pub(crate) fn end_sleep(&self, slot: usize) {
        self.slots[slot].parker.unpark(|| self.group_of(slot).driver.interrupt());
    }

    pub(crate) fn end_all_sleeps(&self) {
        (0..self.slots.len()).for_each(|slot| self.end_sleep(slot));
    }

    /// Wakes the tasks of this kind of runtime among what a turn of the driver or the wheels has found: they go
    /// first, because that runs no user code. No lock is held and no token.
    pub(crate) fn wake_own(&self, wakers: &mut Vec<Waker>) {
        wakers.extract_if(.., |waker| is_own(waker)).for_each(Waker::wake);
    }

    /// Calls a waker that is user code: it may panic or block. No lock is held and no token.
    pub(crate) fn wake_foreign(&self, waker: Waker) {
        if contain("a waker", || waker.wake()).is_none() {
            self.mishaps.add(1);
        }
    }

    /// Runs a hook of the user's.
    pub(crate) fn run_hook(&self, hook: &Option<ThreadHook>, what: &'static str) {
        if let Some(hook) = hook {
            contain(what, || hook());
        }
    }

    /// The last thread that ran slots has ended in a closed runtime: whoever still waits for an event is told.
    pub(crate) fn finish(&self) {
        let mut wakers = Vec::new();
        self.groups.iter().for_each(|group| group.driver.shutdown(&mut wakers));
        self.timers.close(&mut wakers);
        self.wake_own(&mut wakers);
        wakers.into_iter().for_each(|waker| self.wake_foreign(waker));
    }

    /// In Draining: closes the runtime if no task is incomplete any more. True: it is closed.
    pub(crate) fn try_close(&self) -> bool {
        match self.lifecycle.phase() {
            RuntimePhase::Open => false,
            RuntimePhase::Closed => true,
            RuntimePhase::Draining => {
                let drained = self
                    .rosters()
                    .all(|roster| roster.lock().is_drained(|list| list.any_incomplete(Kind::Async)));
                if drained {
                    self.lifecycle.close();
                    self.end_all_sleeps();
                    self.foreman.wake();
                }
                drained
            }
        }
    }
}

impl Workplace for Floor {
    /// LIFO slots do not count: nobody is woken for a task that its worker is about to run.
    fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.slots.iter().any(|slot| !slot.stealer.is_empty())
    }

    /// That is more than tasks: who hands on the driver leaves it to whoever counts as searching, and a waker counts, but
    /// will not sleep in the driver.
    fn needs_a_worker(&self, group: usize) -> bool {
        self.has_work() || !self.groups[group].driver_token.is_held()
    }

    /// The parked mark is cleared. The worker wakes the foreman, too, if it comes first.
    fn unpark(&self, slot: usize) {
        self.end_sleep(slot);
        self.foreman.worker_left_park();
    }
}

/// Whether a waker is one of our tasks', of whatever runtime.
pub(crate) fn is_own(waker: &Waker) -> bool {
    std::ptr::eq(waker.vtable(), &raw const WAKERS)
}

static WAKERS: RawWakerVTable = shopfloor_task::waker_vtable::<Floor>();

impl Host for Floor {
    const WAKERS: &'static RawWakerVTable = &WAKERS;

    fn schedule(&self, task: Notified) {
        if task.kind() == Kind::Blocking {
            // A suspended job that was resumed or aborted.
            return crate::blocking_job::submit(self, task);
        }
        let mut task = Some(task);
        context::with_worker(self, |worker| worker.schedule(task.take().expect("called once")));
        if let Some(task) = task {
            self.inject(task);
        }
    }

    fn is_current(&self) -> bool {
        context::is_inside(self)
    }

    fn is_polling(&self, id: Id) -> bool {
        let id = id.as_u64();
        self.slots.iter().any(|slot| slot.polling.get() == id)
            || self.standing.lock().contains(&id)
            || self.jobs.lock().iter().any(|job| job.get() == id)
    }

    fn roster(&self, index: u32) -> &TaskList<Self> {
        self.slots.get(index as usize).map_or(&self.outside, |slot| &slot.roster)
    }

    fn note_orphan(&self) {
        self.orphans.add(1);
    }

    fn report(&self, mishap: Mishap, payload: Box<dyn Any + Send>) {
        self.mishaps.add(1);
        let what = match mishap {
            Mishap::OutputDrop => "the drop of an output that nobody joined",
            Mishap::Waker => "the drop of a join waker",
        };
        contain(what, || std::panic::resume_unwind(payload));
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::Floor;
    use crate::config::{Config, Flavor};
    use crate::driver::Driver;
    use crate::driver::testing::NoDriver;
    use crate::handle::Handle;
    use shopfloor_task::{Notified, Ran};
    use std::sync::Arc;

    /// The floor of a runtime without threads.
    pub(crate) fn floor(workers: usize, groups: usize) -> Arc<Floor> {
        let driver = |_| Arc::new(NoDriver) as Arc<dyn Driver>;
        Floor::new(Config::new(Flavor::MultiThread, workers), (0..groups).map(driver).collect())
    }

    /// Spawns a task from outside, whose handle is dropped.
    pub(crate) fn spawn(floor: &Arc<Floor>) {
        drop(Handle { floor: Arc::clone(floor) }.spawn(async {}));
    }

    /// Takes what was spawned from outside.
    pub(crate) fn take(floor: &Floor) -> Notified {
        floor.injector.steal().success().expect("no worker has taken it")
    }

    /// A task that is in no queue.
    pub(crate) fn spawned(floor: &Arc<Floor>) -> Notified {
        spawn(floor);
        take(floor)
    }

    /// Runs a task to its end, which is that of its first poll.
    pub(crate) fn run(task: Notified) {
        assert!(matches!(task.run(|| {}, |_| false), Ran::Done(None)), "its handle was dropped");
    }

    /// A roster keeps its floor until it is closed.
    pub(crate) fn close(floor: &Floor) {
        floor.rosters().for_each(|roster| drop(roster.close()));
    }
}
