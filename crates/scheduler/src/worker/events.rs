//! How a worker gets at events: it looks at the driver and the timers now and then, and before it steals or sleeps.

use super::Worker;
use crate::blocking::ThreadHook;
use crate::config::{Config, POLLS_PER_EVENT};
use crate::floor::Floor;
use crate::slot::USER_CODE;
use crate::spin_policy::Round;
use crate::timer::{FIRE_MAX, FIRE_MAX_IN_CROWD};
use shopfloor_protocol::idle::Workplace;
use shopfloor_task::Notified;
use std::cell::RefCell;
use std::task::Waker;
use std::time::Duration;

impl Worker {
    /// What a busy worker does every few dozen polls, or more often if they are long, so that events and timers do
    /// not wait for it to starve. The driver, which costs a system call, has its turn at some of these looks.
    #[cold]
    pub(super) fn look_around(&self, now: u64) {
        let Config { event_interval, event_time, timer_time, .. } = &self.floor.config;
        let polls = self.polls_before.get() + self.look_interval.get();
        let are_enough = polls >= *event_interval;
        let driver_looked_at = self.driver_looked_at.get();
        let since = driver_looked_at.map_or(Duration::MAX, |at| Duration::from_nanos(now.saturating_sub(at)));
        let mut wakers = self.wakers.take();
        if since >= if are_enough { *event_time.start() } else { *event_time.end() } {
            self.driver_looked_at.set(Some(now));
            self.look_at_driver(&mut wakers);
        }
        let of_driver = wakers.len();
        self.floor.timers.fire_due_of(self.group.get(), now, self.timers_at_once(), &mut wakers);
        self.wake_batch(wakers, of_driver);
        self.report_driver_error();
        self.relieve(now);
        // Some long polls among short ones do not change what is usual, but are not waited for often.
        let lately = now.saturating_sub(self.looked_at.replace(now)) / u64::from(self.look_interval.get());
        let in_time = self.policy.polls_in((*timer_time).min(*event_time.end()), lately);
        self.polls_before.set(if are_enough { 0 } else { polls });
        self.look_interval.set(in_time.clamp(1, *event_interval - self.polls_before.get()));
        self.until_look.set(self.look_interval.get());
    }

    /// Who leaves to poll the root of `block_on` comes back at once if that wakes itself, and may never park: so it looks
    /// around when a look `is_due`, and the first time, since the next call of `block_on` is by a new worker.
    pub(super) fn look_before_leaving(&self, is_due: bool) {
        // One that retires has given its slot away.
        if self.slot().is_some() && (is_due || self.driver_looked_at.get().is_none()) {
            self.look_around(self.floor.clock.now());
        }
    }

    /// Where there are several groups, what waits in the driver of the own one goes before what others have: who finds enough
    /// to steal might not come by for long, and the others sleep beside it.
    pub(super) fn take_events(&self) -> Option<Notified> {
        if self.floor.groups.len() == 1 {
            return None;
        }
        let mut wakers = self.wakers.take();
        if self.look_at_driver(&mut wakers) {
            self.driver_looked_at.set(Some(self.floor.clock.now()));
        }
        let of_driver = wakers.len();
        self.wake_batch(wakers, of_driver);
        self.report_driver_error();
        self.seated(|slot, queue| self.take_own(slot, queue))?
    }

    /// How many due timers of a wheel are fired at a look. With a crowd in the queue there is no hurry: they would
    /// go behind it, and be out of the cache when their turn comes. A few, that one which fires alone goes first.
    fn timers_at_once(&self) -> usize {
        if self.queued() < FIRE_MAX { FIRE_MAX } else { FIRE_MAX_IN_CROWD }
    }

    /// How many events a turn brings that is made now: as many as the queue has room for, but at least a share of the polls since the last
    /// turn that this worker made.
    fn events_at_once(&self) -> usize {
        let polls = self.own_slot().map_or(0, |slot| slot.polls.get());
        let since_turn = polls.saturating_sub(self.polls_at_turn.replace(polls));
        let share = usize::try_from(since_turn).unwrap_or(usize::MAX) / POLLS_PER_EVENT;
        self.driver_group().events_max().saturating_sub(self.queued()).max(share).max(1)
    }

    /// Tasks in the local queue.
    fn queued(&self) -> usize {
        self.seated(|_, queue| queue.len()).unwrap_or(0)
    }

    /// Turns the group's driver without sleeping. False: somebody is in it.
    fn look_at_driver(&self, wakers: &mut Vec<Waker>) -> bool {
        let Some(_turning) = self.driver_group().driver_token.try_take() else { return false };
        self.turn(Some(Duration::ZERO), wakers);
        true
    }

    /// One turn of the group's driver, by the holder of its token. False: it failed, which is to be reported when the token
    /// is given back.
    fn turn(&self, timeout: Option<Duration>, wakers: &mut Vec<Waker>) -> bool {
        let group = self.driver_group();
        let turned = group.driver.turn(timeout, self.events_at_once(), wakers);
        let is_ok = turned.map_err(|error| self.driver_error.set(Some(error))).is_ok();
        if is_ok {
            group.forget_error();
        }
        is_ok
    }

    fn report_driver_error(&self) {
        if let Some(error) = self.driver_error.take() {
            self.as_user_code(|| self.floor.foreman.driver_failed(self.driver_group(), error));
        }
    }

    /// Runs code of the user's other than a poll, which may block: to the foreman this is a poll, and nobody relies on this
    /// worker as on one who searches.
    pub(super) fn as_user_code(&self, code: impl FnOnce()) {
        self.stop_searching();
        self.show_polling(USER_CODE);
        code();
        self.show_polling(0);
    }

    pub(crate) fn run_hook(&self, hook: &Option<ThreadHook>, what: &'static str) {
        if hook.is_some() {
            self.as_user_code(|| self.floor.run_hook(hook, what));
        }
    }

    /// Wakes what the driver, whose wakers come first, and the timers have found.
    fn wake_batch(&self, mut wakers: Vec<Waker>, of_driver: usize) {
        if !wakers.is_empty() {
            // A task whose timer fires alone is late already and goes before the queue; of many, none before the
            // others. One with an event never does: a client that answers at once would overtake those who wait.
            self.batching.set(of_driver > 0 || wakers.len() > 1);
            if wakers.len() > 1 {
                wakers.iter().for_each(shopfloor_task::touch::<Floor>);
            }
            self.floor.wake_own(&mut wakers);
            self.batching.set(false);
            self.seated(|_, queue| self.policy.batch_pushed(&self.floor, self.group.get(), queue));
        }
        if !wakers.is_empty() {
            self.as_user_code(|| wakers.drain(..).for_each(|waker| self.floor.wake_foreign(waker)));
        }
        self.wakers.set(wakers);
    }

    pub(super) fn park(&self) {
        let floor = &*self.floor;
        self.run_hook(&floor.config.on_thread_park, "the park hook");
        let Some(slot) = self.slot() else { return };
        let mut wakers = self.wakers.take();
        let own = &floor.slots[slot];
        // The hook may have woken a task, which is in the LIFO slot.
        let keeps_awake =
            || own.parker.take_token() || !own.lifo.is_empty() || floor.has_work() || floor.try_close();
        let was_searching = self.is_searching.get();
        let mut slept = false;
        let block = || {
            slept = true;
            self.block(slot, &mut wakers);
        };
        let searching = floor.idle.park(slot, was_searching, keeps_awake, block);
        self.is_searching.set(searching);
        floor.foreman.worker_left_park();
        let of_driver = wakers.len();
        let now = floor.clock.now();
        self.looked_at.set(now);
        if slept {
            self.driver_looked_at.set(Some(now));
        }
        floor.timers.fire_due_of(self.group.get(), now, FIRE_MAX, &mut wakers);
        self.wake_batch(wakers, of_driver);
        self.report_driver_error();
        self.run_hook(&floor.config.on_thread_unpark, "the unpark hook");
    }

    /// Sleeps in the group's driver if nobody else does, else on the slot's own parker. Announced as parked.
    fn block(&self, slot: usize, wakers: &mut Vec<Waker>) {
        let floor = &*self.floor;
        let (group, parker) = (self.group.get(), &floor.slots[slot].parker);
        let wakers = RefCell::new(wakers);
        let spin = |is_unparked: &dyn Fn() -> bool| {
            floor.idle.note_in_driver(slot);
            self.spin_policy.spin(floor.config.driver_spin, || {
                let mut wakers = wakers.borrow_mut();
                if !self.turn(Some(Duration::ZERO), &mut wakers) {
                    return Round::Call;
                }
                if !wakers.is_empty() {
                    return Round::Event;
                }
                // The clock is read only if there is a timer.
                let deadline = floor.timers.earliest(group);
                if deadline != u64::MAX && deadline <= floor.clock.now() {
                    return Round::Timer;
                }
                if is_unparked() { Round::Call } else { Round::Empty }
            })
        };
        let in_driver = || {
            floor.timers.sleep(group, |deadline| {
                let timeout = (deadline != u64::MAX)
                    .then(|| Duration::from_nanos(deadline.saturating_sub(floor.clock.now())));
                self.turn(timeout, &mut wakers.borrow_mut());
            });
        };
        let beside = || floor.show_timers(slot);
        floor.groups[group].driver_token.sleep(parker, spin, in_driver, beside);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Flavor};
    use crate::context;
    use crate::driver::testing::NoDriver;
    use crate::scheduler::Scheduler;
    use std::sync::{Arc, mpsc};

    #[test]
    fn nobody_relies_on_a_worker_that_runs_code_of_the_users_as_on_one_who_searches() {
        let mut config = Config::new(Flavor::MultiThread, 1);
        let (tell, told) = mpsc::channel();
        config.on_thread_park = Some(Arc::new(move || {
            let worker = context::worker().expect("it is a worker that parks");
            let nobody_searches = worker.floor.idle.start_searching(0, 1);
            if nobody_searches {
                worker.floor.stop_searching(0);
            }
            // The test listens once.
            let _ = tell.send(nobody_searches);
        }));
        let runtime = Scheduler::start(config, vec![Arc::new(NoDriver)]).expect("threads start");
        assert!(told.recv().expect("it parks"));
        drop(runtime);
    }
}
