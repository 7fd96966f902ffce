//! A worker: one thread running one slot. This file is the scheduler as one worker sees it.
//!
//! ```text
//! next task:  (every N polls: the timers, the driver, what waits behind a long poll; the injector first)
//!             LIFO slot (a few in a row) → local queue → injector → (several groups: the driver) → steal → park
//! ```
//!
//! How it looks at the driver and the timers, and sleeps, is in `events`. What is in here belongs to the thread; what others
//! may touch is in its [`Slot`].

mod events;
mod relief;

use crate::config::{INJECTOR_BATCH, INJECTOR_PAUSES, LIFO_STREAK_MAX};
use crate::context;
use crate::coop;
use crate::driver_group::DriverGroup;
use crate::floor::{Floor, is_own};
use crate::handle::Handle;
use crate::slot::{Slot, USER_CODE};
use crate::spin_policy::SpinPolicy;
use crate::wake_policy::WakePolicy;
use relief::WatchedSlot;
use shopfloor_protocol::shutdown::RuntimePhase;
use shopfloor_protocol::sync::{LocalQueue, Steal};
use shopfloor_task::{Id, Notified, Ran};
use std::cell::{Cell, RefCell};
use std::hint::spin_loop;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

/// The index of no slot, so that one comparison finds a slot or none.
const NO_SLOT: usize = usize::MAX;

pub(crate) struct Worker {
    pub(crate) floor: Arc<Floor>,
    /// What the timers made here hold: a count that they share with no other worker's.
    pub(crate) handle: Arc<Handle>,
    /// The slot; [`NO_SLOT`] while it is given away.
    slot: Cell<usize>,
    /// The group of the slot that it runs, or ran last.
    group: Cell<usize>,
    /// The owner's end of the slot's queue; `None` while it is given away.
    queue: RefCell<Option<LocalQueue<Notified>>>,
    pub(crate) policy: WakePolicy,
    spin_policy: SpinPolicy,
    /// Polls, or looks for a task in vain, until the next look around, and until the injector goes first.
    until_look: Cell<u32>,
    until_injector: Cell<u32>,
    /// Polls between the last look around and the next one; and those before that: fewer than an event interval, which both
    /// together do not exceed.
    look_interval: Cell<u32>,
    polls_before: Cell<u32>,
    /// When this worker last looked around, and when at the driver if it ever did, on the runtime's clock. A sleep is both.
    looked_at: Cell<u64>,
    driver_looked_at: Cell<Option<u64>>,
    /// Polls that had ended in the slot when this worker sat down, or last made a turn of the driver.
    polls_at_turn: Cell<u64>,
    lifo_streak: Cell<u32>,
    is_searching: Cell<bool>,
    /// How often it has taken from the injector since it last searched.
    injected: Cell<u32>,
    /// What is scheduled now is woken by a completion.
    joining: Cell<bool>,
    /// What is scheduled now comes from a turn of the driver or the wheels.
    batching: Cell<bool>,
    /// The driver's and the wheels' output, reused.
    wakers: Cell<Vec<Waker>>,
    /// The other worker whose poll it watches.
    watched: Cell<WatchedSlot>,
    /// Of the last turn of the driver, until it is reported.
    driver_error: Cell<Option<io::Error>>,
    /// State of the generator that picks the first victim.
    random: Cell<u32>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("slot", &self.slot()).finish_non_exhaustive()
    }
}

/// A slot that this thread runs.
#[derive(Debug)]
pub(crate) struct Seated {
    pub(crate) slot: usize,
    pub(crate) queue: LocalQueue<Notified>,
}

impl Worker {
    pub(crate) fn new(floor: Arc<Floor>, seat: Seated) -> Rc<Self> {
        let random = Cell::new(seat.slot as u32 + 1);
        let group = Cell::new(floor.slots[seat.slot].group);
        let polls_at_turn = Cell::new(floor.slots[seat.slot].polls.get());
        let look_interval = Cell::new(floor.config.event_interval);
        let until_injector = Cell::new(floor.config.injector_interval);
        let looked_at = Cell::new(floor.clock.now());
        let handle = Arc::new(Handle { floor: Arc::clone(&floor) });
        Rc::new(Self {
            floor,
            handle,
            slot: Cell::new(seat.slot),
            group,
            queue: RefCell::new(Some(seat.queue)),
            policy: WakePolicy::new(),
            spin_policy: SpinPolicy::new(),
            until_look: look_interval.clone(),
            until_injector,
            look_interval,
            polls_before: Cell::new(0),
            driver_looked_at: Cell::new(None),
            polls_at_turn,
            looked_at,
            lifo_streak: Cell::new(0),
            is_searching: Cell::new(false),
            injected: Cell::new(0),
            joining: Cell::new(false),
            batching: Cell::new(false),
            wakers: Cell::new(Vec::new()),
            watched: Cell::new(WatchedSlot::default()),
            driver_error: Cell::new(None),
            random,
        })
    }

    /// The index of the slot that this thread runs.
    #[inline]
    pub(crate) fn slot(&self) -> Option<usize> {
        Some(self.slot.get()).filter(|&slot| slot != NO_SLOT)
    }

    /// The slot that this thread runs.
    #[inline]
    fn own_slot(&self) -> Option<&Slot> {
        self.floor.slots.get(self.slot.get()).map(|slot| &**slot)
    }

    /// The group of the slot that this thread runs, or ran last.
    pub(crate) fn group(&self) -> usize {
        self.group.get()
    }

    pub(crate) fn driver_group(&self) -> &DriverGroup {
        &self.floor.groups[self.group.get()]
    }

    /// Gives the slot away, in which no task is polled from then on. The thread is a foreign one until it sits
    /// down again.
    pub(crate) fn stand_up(&self) -> Option<Seated> {
        let slot = self.slot()?;
        self.slot.set(NO_SLOT);
        let shown = &self.floor.slots[slot].polling;
        if shown.get() > USER_CODE {
            self.floor.standing.lock().push(shown.get());
        }
        shown.set(0);
        let queue = self.queue.borrow_mut().take()?;
        Some(Seated { slot, queue })
    }

    /// Whether this thread is in a poll of a task, or in the drop of its future, by the slot that it runs.
    pub(crate) fn is_polling(&self) -> bool {
        self.slot().is_some_and(|slot| self.floor.slots[slot].polling.get() > USER_CODE)
    }

    /// Shows what user code this thread runs, in the slot that it runs, if it does.
    #[inline]
    fn show_polling(&self, polling: u64) {
        if let Some(slot) = self.own_slot() {
            slot.polling.set(polling);
        }
    }

    /// A poll of this task has ended with Pending, which nobody can see yet: once it is seen, no worker shows the task.
    #[inline]
    fn hide_polling(&self, id: Id) {
        match self.own_slot() {
            Some(slot) => {
                slot.polling.set(0);
                slot.polls.bump();
            }
            None => self.hide_standing(id),
        }
    }

    #[cold]
    fn hide_standing(&self, id: Id) {
        self.floor.standing.lock().retain(|&standing| standing != id.as_u64());
    }

    pub(crate) fn sit_down(&self, seat: Seated) {
        self.slot.set(seat.slot);
        self.polls_at_turn.set(self.floor.slots[seat.slot].polls.get());
        self.group.set(self.floor.slots[seat.slot].group);
        *self.queue.borrow_mut() = Some(seat.queue);
    }

    /// Calls `f` with the slot and the queue; `None` while they are given away.
    #[inline]
    fn seated<R>(&self, f: impl FnOnce(&Slot, &LocalQueue<Notified>) -> R) -> Option<R> {
        let queue = self.queue.borrow();
        Some(f(self.own_slot()?, queue.as_ref()?))
    }

    /// Runs tasks until the runtime is closed or `leave` says so; `leave` is asked whenever a task was run and
    /// before the worker parks.
    pub(crate) fn work(&self, leave: impl FnMut(&Self, Moment) -> bool) {
        // A task that is running here already drives this runtime inside `block_in_place`, or drops it.
        context::outside_tasks(|| coop::with_unconstrained(|| self.work_outside_tasks(leave)));
        self.stop_searching();
    }

    /// What every poll needs is compiled into this loop, not called.
    fn work_outside_tasks(&self, mut leave: impl FnMut(&Self, Moment) -> bool) {
        while self.floor.lifecycle.phase() != RuntimePhase::Closed {
            let looks = is_due(&self.until_look, self.look_interval.get());
            let Some(task) = self.next_task() else {
                if leave(self, Moment::Starved) {
                    self.look_before_leaving(looks);
                    return;
                }
                if looks {
                    // The next poll is timed.
                    self.until_look.set(1);
                }
                self.park();
                continue;
            };
            if looks {
                self.run_timed(task);
            } else {
                self.run(task);
            }
            if leave(self, Moment::Ran) {
                return;
            }
        }
    }

    #[inline(always)]
    fn next_task(&self) -> Option<Notified> {
        let injected_first = is_due(&self.until_injector, self.floor.config.injector_interval);
        let seat = self.queue.borrow();
        let (slot, queue) = (self.own_slot()?, seat.as_ref()?);
        let injected = if injected_first { self.take_injected(queue) } else { None };
        let found = injected.or_else(|| self.take_own(slot, queue)).or_else(|| self.take_injected(queue));
        if found.is_some() {
            self.stop_searching();
            return found;
        }
        // A search may run code of the user's.
        drop(seat);
        self.search()
    }

    /// The LIFO slot, unless its tasks have kept the queue waiting for long enough; then the queue.
    #[inline(always)]
    fn take_own(&self, slot: &Slot, queue: &LocalQueue<Notified>) -> Option<Notified> {
        let streak = self.lifo_streak.get();
        let last_woken = (streak < LIFO_STREAK_MAX).then(|| slot.lifo.take()).flatten();
        self.lifo_streak.set(if last_woken.is_some() { streak + 1 } else { 0 });
        last_woken.or_else(|| queue.pop()).or_else(|| slot.lifo.take())
    }

    fn take_injected(&self, queue: &LocalQueue<Notified>) -> Option<Notified> {
        let injector = &self.floor.injector;
        if injector.is_empty() {
            return None;
        }
        let share = (injector.len() / self.floor.config.workers + 1).min(INJECTOR_BATCH);
        self.injected.set(self.injected.get().saturating_add(1));
        retry(|| injector.steal_batch_with_limit_and_pop(queue, share))
    }

    /// Who has spawned several tasks from outside does so again in a moment. To chase each of them costs both more than to
    /// wait for a few.
    fn wait_for_injected(&self) -> Option<Notified> {
        if self.injected.replace(0) < 2 {
            return None;
        }
        (0..INJECTOR_PAUSES).for_each(|_| spin_loop());
        self.seated(|_, queue| self.take_injected(queue))?
    }

    /// Looks elsewhere, unless enough others do.
    #[cold]
    fn search(&self) -> Option<Notified> {
        let injected = self.wait_for_injected();
        if injected.is_some() {
            self.stop_searching();
            return injected;
        }
        if !self.is_searching.get() {
            let workers = self.driver_group().seats.wanted();
            if !self.floor.idle.start_searching(self.group.get(), workers) {
                return None;
            }
            self.is_searching.set(true);
        }
        let found = self.take_events().or_else(|| self.steal());
        if found.is_some() {
            self.stop_searching();
        }
        found
    }

    /// Looks at every other slot; on the last pass at the LIFO slots, too.
    fn steal(&self) -> Option<Notified> {
        let own = self.slot()?;
        self.seated(|_, queue| {
            let victims = || self.victims(own);
            victims()
                .find_map(|victim| retry(|| victim.stealer.steal_batch_and_pop(queue)))
                .or_else(|| self.take_injected(queue))
                .or_else(|| victims().find_map(|victim| victim.lifo.take()))
        })?
    }

    /// All slots but `own`, from a random one on.
    fn victims(&self, own: usize) -> impl Iterator<Item = &Slot> {
        let slots = &self.floor.slots;
        // Marsaglia's xorshift (2003): cheap, and good enough to spread thieves.
        let mut random = self.random.get();
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        self.random.set(random);
        let first = random as usize % slots.len();
        let around = (first..slots.len()).chain(0..first);
        around.filter(move |&slot| slot != own).map(|slot| &*slots[slot])
    }

    #[inline]
    pub(crate) fn stop_searching(&self) {
        if self.is_searching.get() {
            self.searched();
        }
    }

    #[cold]
    fn searched(&self) {
        self.is_searching.set(false);
        self.floor.stop_searching(self.group.get());
    }

    /// Called outside tasks.
    #[inline(always)]
    fn run(&self, task: Notified) {
        let id = task.id();
        let ran = self.poll(task);
        self.finish(id, ran);
    }

    /// The same. The length of the poll is taken, and a look around follows.
    #[cold]
    fn run_timed(&self, task: Notified) {
        let id = task.id();
        let started = self.floor.clock.now();
        let ran = self.poll(task);
        let ended = self.floor.clock.now();
        self.policy.learn_poll_length(ended.saturating_sub(started));
        self.finish(id, ran);
        // A thread that gave its slot away may leave, and would not come back to the driver.
        if self.slot().is_some() {
            self.look_around(ended);
        }
    }

    #[inline(always)]
    fn poll(&self, task: Notified) -> Ran {
        let id = task.id();
        // Not before: a task that is set aside is not running.
        let before_poll = || self.show_polling(id.as_u64());
        let after_poll = |task: &Notified| {
            self.hide_polling(id);
            let (wait_word, yielded) = context::end_of_poll();
            task.set_wait_word(wait_word);
            yielded
        };
        // No guard ends them: what a task throws ends inside.
        context::start_task(id);
        coop::start_poll();
        let ran = task.run(before_poll, after_poll);
        coop::end_poll();
        context::end_task();
        ran
    }

    /// Does what follows from the end of a poll.
    #[inline(always)]
    fn finish(&self, id: Id, ran: Ran) {
        if let Some(joiner) = self.settle(id, ran) {
            self.wake_joiner(joiner);
            self.seated(|_, queue| self.policy.look_again(&self.floor, self.group.get(), queue));
        }
    }

    /// All of it but the wake of the joiner, who is returned.
    #[inline(always)]
    fn settle(&self, id: Id, ran: Ran) -> Option<Waker> {
        let queue = self.queue.borrow();
        let Some(queue) = queue.as_ref() else { return self.settle_standing(id, ran) };
        match ran {
            Ran::Left => {}
            Ran::Again(task) => {
                queue.push(task);
                self.policy.pushed(&self.floor, self.group.get(), queue);
            }
            Ran::Done(joiner) => {
                if let Some(slot) = self.own_slot() {
                    slot.polling.set(0);
                    slot.polls.bump();
                    slot.done.bump();
                }
                if joiner.is_some() {
                    return joiner;
                }
            }
        }
        self.policy.look_again(&self.floor, self.group.get(), queue);
        None
    }

    /// The same after the poll gave the slot away.
    #[cold]
    fn settle_standing(&self, id: Id, ran: Ran) -> Option<Waker> {
        self.hide_standing(id);
        match ran {
            Ran::Left => None,
            Ran::Again(task) => {
                self.floor.inject(task);
                None
            }
            Ran::Done(joiner) => {
                self.floor.done_outside.add(1);
                joiner
            }
        }
    }

    /// A task that waits for many others would else be polled once for each: it goes behind those that are
    /// already in the queue.
    fn wake_joiner(&self, joiner: Waker) {
        self.joining.set(true);
        if is_own(&joiner) {
            joiner.wake();
        } else {
            self.as_user_code(|| self.floor.wake_foreign(joiner));
        }
        self.joining.set(false);
    }

    /// A task was woken or spawned on this thread.
    #[inline(always)]
    pub(crate) fn schedule(&self, task: Notified) {
        let queue = self.queue.borrow();
        let Some((slot, queue)) = self.own_slot().zip(queue.as_ref()) else { return self.floor.inject(task) };
        if self.batching.get() {
            return queue.push(task);
        }
        if self.joining.get() && !queue.is_empty() {
            queue.push(task);
        } else {
            let Some(displaced) = slot.lifo.put(task) else { return };
            queue.push(displaced);
        }
        self.policy.pushed(&self.floor, self.group.get(), queue);
    }
}

/// When a worker is asked whether it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It has run a task.
    Ran,
    /// It found nothing to run and would park.
    Starved,
}

/// Counts one down; every `interval` times it is due.
#[inline]
pub(crate) fn is_due(left: &Cell<u32>, interval: u32) -> bool {
    let due = left.get() <= 1;
    left.set(if due { interval } else { left.get() - 1 });
    due
}

/// Repeats what lost a race.
fn retry(steal: impl Fn() -> Steal<Notified>) -> Option<Notified> {
    loop {
        match steal() {
            Steal::Success(task) => return Some(task),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}
