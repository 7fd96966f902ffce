//! The foreman: one thread per runtime that sees to it that a poll which does not end silences nobody.
//!
//! It needs no cooperation. While any worker is out of park it looks every [`TICK`] at one counter per slot. A slot in which the same poll
//! goes on for a tick is *stalled*. Then:
//! - if there is a task in a queue or LIFO slot and a worker is parked, it wakes one, which finds the task by stealing; and
//!   if a deadline of a group of workers has passed, or nobody is in its driver, one of that group;
//! - after two ticks the slot counts as stuck; with nobody of its group parked and fewer slots of it than wanted making
//!   progress (also because a thread could not be started before) a stand-in is started;
//! - after [`REPORT_AFTER`] it says once which task it is, where it was spawned, and on which worker.
//!
//! On a current-thread runtime it only reports: nobody else may run the tasks of that thread.
//!
//! When all workers have been parked for [`QUIET_TICKS`] ticks it sleeps until one leaves park
//! ([`ForemanSleep`]), so an idle runtime makes no wake-ups.
//!
//! Each look takes a core from its sleep. So it looks every [`CALM_TICK`] once [`CALM_AFTER`] looks in a row found somebody out of park,
//! nobody stalled, and no task waiting beside a worker that sleeps: all who are there are busy, with polls that end.
//!
//! Source of the idea: the system monitor thread of Go's runtime.

use crate::config::Flavor;
use crate::contain::contain;
use crate::crew;
use crate::driver_group::DriverGroup;
use crate::floor::Floor;
use crate::os::{Instant, thread};
use crate::slot::{CurrentPoll, USER_CODE};
use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::flag::Flag;
use shopfloor_protocol::foreman_sleep::ForemanSleep;
use shopfloor_protocol::idle::Workplace;
use shopfloor_protocol::parker::Parker;
use shopfloor_protocol::shutdown::RuntimePhase;
use shopfloor_protocol::sync::CachePadded;
use shopfloor_task::Id;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks: a poll that does not end is stalled within 4 ms, and stuck within 6.
pub(crate) const TICK: Duration = Duration::from_millis(2);
/// The same in calm times: a poll that does not end is stalled, and stuck, within 20 ms. The system monitor of Go's
/// runtime waits for as long when it has nothing to do.
const CALM_TICK: Duration = Duration::from_millis(10);
/// So many looks in a row make times calm: a quarter of a second.
const CALM_AFTER: u32 = 128;
/// A poll that takes longer is reported; in calm times one that two looks have seen, which may take twice as long.
pub(crate) const REPORT_AFTER: Duration = Duration::from_millis(10);
/// Ticks with all workers parked before the foreman sleeps: waking it costs whoever does it 7 µs, so a floor that
/// is busy now and then keeps it ticking.
const QUIET_TICKS: u32 = 16;

/// The foreman's part that workers reach.
#[derive(Debug)]
pub(crate) struct Foreman {
    sleep: ForemanSleep,
    parker: Parker,
    /// Its thread does nothing any more.
    has_ended: Flag,
    /// Polls that outlived [`REPORT_AFTER`].
    pub(crate) stalls: Counter,
    /// Stand-ins started.
    pub(crate) stand_ins: Counter,
    /// Ticks at which a stand-in was needed and could not be had.
    pub(crate) stand_ins_missing: Counter,
    /// Turns of the driver that failed.
    pub(crate) driver_errors: Counter,
}

/// What the foreman remembers of a slot from tick to tick.
#[derive(Clone, Copy, Default)]
struct Watched {
    /// With the time when it was seen first.
    poll: Option<(CurrentPoll, Instant)>,
    reported: bool,
}

/// The same of a group.
#[derive(Clone, Copy, Default)]
struct WatchedGroup {
    /// Its slots with a poll that does not end.
    stuck: usize,
    /// It needed a stand-in and got none.
    is_short: bool,
}

/// How long it waits for its next look.
#[derive(Clone, Copy, Default)]
struct Pace {
    calm_looks: u32,
}

impl Pace {
    fn next(self) -> Duration {
        if self.calm_looks < CALM_AFTER { TICK } else { CALM_TICK }
    }

    fn looked(&mut self, is_calm: bool) {
        self.calm_looks = if is_calm { self.calm_looks.saturating_add(1) } else { 0 };
    }
}

impl Foreman {
    pub(crate) fn new() -> Self {
        Self {
            sleep: ForemanSleep::new(),
            parker: Parker::new(),
            has_ended: Flag::new(false),
            stalls: Counter::new(),
            stand_ins: Counter::new(),
            stand_ins_missing: Counter::new(),
            driver_errors: Counter::new(),
        }
    }

    /// A worker has left park or is woken, or a thread has begun to run a slot.
    pub(crate) fn worker_left_park(&self) {
        self.sleep.worker_left_park(|| self.parker.unpark(|| {}));
    }

    /// Whether it starts no more threads and runs no more code of the user's.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.is_raised()
    }

    /// Wakes the foreman to look at the phase.
    pub(crate) fn wake(&self) {
        self.parker.unpark(|| {});
    }

    /// A turn of the group's driver failed: said once for each kind of error in a row, counted each time.
    pub(crate) fn driver_failed(&self, group: &DriverGroup, error: io::Error) {
        self.driver_errors.add(1);
        let code = u64::from(error.raw_os_error().unwrap_or(-1).cast_unsigned());
        if group.note_error(code) {
            contain("a tracing subscriber", || tracing::error!(%error, "a turn of the I/O driver failed"));
        }
        // It may fail again at once: not a busy loop.
        thread::sleep(Duration::from_millis(1));
    }
}

/// The foreman's thread, until the runtime is closed.
pub(crate) fn run(floor: &Arc<Floor>) {
    let mut watched = vec![Watched::default(); floor.slots.len()];
    let mut groups = vec![WatchedGroup::default(); floor.groups.len()];
    let mut pace = Pace::default();
    let mut quiet_ticks = 0;
    let mut orphans_seen = 0;
    while floor.lifecycle.phase() != RuntimePhase::Closed {
        let foreman = &floor.foreman;
        if quiet_ticks >= QUIET_TICKS {
            foreman.sleep.sleep(|| all_parked(floor), || foreman.parker.park());
            quiet_ticks = 0;
        } else {
            foreman.parker.park_timeout(pace.next());
        }
        quiet_ticks = if all_parked(floor) { quiet_ticks + 1 } else { 0 };
        let is_calm = look(floor, &mut watched, &mut groups, Instant::now());
        pace.looked(quiet_ticks == 0 && is_calm);
        report_orphans(floor, &mut orphans_seen);
    }
    floor.foreman.has_ended.raise();
    floor.lifecycle.notify();
}

/// On a multi-thread runtime not while no thread runs any slot of a group, because none could be started: nobody would wake
/// the foreman to try again.
fn all_parked(floor: &Floor) -> bool {
    let at_least = usize::from(floor.config.flavor == Flavor::MultiThread);
    let is_parked = |(index, group): (usize, &CachePadded<DriverGroup>)| {
        floor.idle.parked_of(index) >= group.seats.seated().max(at_least)
    };
    floor.groups.iter().enumerate().all(is_parked)
}

/// Whether all is calm, but for the question whether anybody is out of park.
fn look(floor: &Arc<Floor>, watched: &mut [Watched], groups: &mut [WatchedGroup], now: Instant) -> bool {
    let mut stalled = false;
    groups.iter_mut().for_each(|seen| seen.stuck = 0);
    for (slot, seen) in watched.iter_mut().enumerate() {
        let Some(poll) = floor.slots[slot].current_poll() else {
            *seen = Watched::default();
            continue;
        };
        let since = match seen.poll {
            Some((before, since)) if before == poll => since,
            _ => {
                *seen = Watched { poll: Some((poll, now)), reported: false };
                continue;
            }
        };
        // Not by the number of looks: one follows at once if whoever woke the foreman was late.
        let seen_for = now.saturating_duration_since(since);
        stalled |= seen_for >= TICK;
        groups[floor.slots[slot].group].stuck += usize::from(seen_for >= 2 * TICK);
        if !seen.reported && seen_for >= REPORT_AFTER {
            seen.reported = true;
            report_stall(floor, slot, poll.task, seen_for);
        }
    }
    if stalled && is_work_waiting(floor) {
        floor.wake_one(0);
    }
    for (group, seen) in groups.iter_mut().enumerate() {
        let seats = &floor.groups[group].seats;
        seats.note_stuck(seen.stuck);
        let parked = floor.idle.parked_of(group) > 0;
        if stalled && parked && is_group_waiting(floor, group) {
            floor.wake_one_of(group);
        }
        let was_short = std::mem::replace(&mut seen.is_short, false);
        if !parked && floor.config.flavor == Flavor::MultiThread && seats.is_short() {
            seen.is_short = !start_stand_in(floor, group, was_short);
        }
    }
    let is_short = groups.iter().any(|seen| seen.is_short);
    !stalled && !is_short && (floor.idle.parked() == 0 || !is_work_waiting(floor))
}

/// Whether somebody, of whatever group, ought to be awake.
fn is_work_waiting(floor: &Floor) -> bool {
    floor.has_work() || floor.slots.iter().any(|slot| !slot.lifo.is_empty())
}

/// Whether somebody of the group ought to be awake, or in its driver.
fn is_group_waiting(floor: &Floor, group: usize) -> bool {
    !floor.groups[group].driver_token.is_held() || floor.timers.earliest(group) <= floor.clock.now()
}

/// The slots of a group beyond those that are to be run.
fn stand_ins(floor: &Floor, group: usize) -> usize {
    floor.slots.iter().filter(|slot| slot.group == group).count() - floor.groups[group].seats.wanted()
}

/// False if a stand-in is missing, which is counted, and said unless it `was_missing` at the last tick.
fn start_stand_in(floor: &Arc<Floor>, group: usize, was_missing: bool) -> bool {
    let error = match crew::start_if_short(floor, group) {
        Ok(true) => {
            floor.foreman.stand_ins.add(1);
            return true;
        }
        // Workers leave a runtime that is closed.
        Ok(false)
            if !floor.groups[group].seats.is_short() || floor.lifecycle.phase() == RuntimePhase::Closed =>
        {
            return true;
        }
        Ok(false) => None,
        Err(error) => Some(error),
    };
    floor.foreman.stand_ins_missing.add(1);
    if !was_missing {
        let why = error
            .map_or_else(|| format!("all {} are in use", stand_ins(floor, group)), |error| error.to_string());
        contain("a tracing subscriber", || {
            tracing::error!(why, "no stand-in worker to be had; stuck polls slow the others down");
        });
    }
    false
}

fn report_stall(floor: &Floor, slot: usize, id: u64, running_for: Duration) {
    floor.foreman.stalls.add(1);
    if id == USER_CODE {
        return;
    }
    // Where it was spawned is looked for under the lock of a list that may be long.
    let find = || floor.rosters().find_map(|roster| roster.lock().list.find(id));
    let task = if are_warnings_heard() { find() } else { None };
    contain("a tracing subscriber", || {
        tracing::warn!(
            task = Id::from_u64(id).map(tracing::field::display),
            spawned_at = task.map(|task| tracing::field::display(task.location())),
            worker = slot,
            ?running_for,
            "a task has not returned from its poll; await more often, or use spawn_blocking"
        );
    });
}

fn are_warnings_heard() -> bool {
    contain("a tracing subscriber", || tracing::event_enabled!(tracing::Level::WARN)) == Some(true)
}

/// Says which tasks wait for wakers that are gone, if somebody listens. Outside every waker and lock.
fn report_orphans(floor: &Floor, seen: &mut u64) {
    let count = floor.orphans.get();
    if std::mem::replace(seen, count) == count || !are_warnings_heard() {
        return;
    }
    for roster in floor.rosters() {
        let tasks = roster.lock().list.pin_orphans();
        for task in tasks.iter().filter(|task| task.take_orphan()) {
            contain("a tracing subscriber", || {
                tracing::warn!(
                    task = %task.id(),
                    spawned_at = %task.location(),
                    "a task waits and nobody is left who could wake it"
                );
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::testing::{close, floor, run, spawn, take};
    use std::cell::Cell;

    #[test]
    fn the_foreman_looks_less_often_in_calm_times_and_at_once_more_often_when_they_end() {
        let mut pace = Pace::default();
        for _ in 0..2 {
            for _ in 0..CALM_AFTER {
                assert_eq!(pace.next(), TICK);
                pace.looked(true);
            }
            for _ in 0..3 {
                assert_eq!(pace.next(), CALM_TICK);
                pace.looked(true);
            }
            pace.looked(false);
        }
    }

    /// What the foreman remembers, on a floor of two workers who are there.
    struct Looks {
        floor: Arc<Floor>,
        watched: Vec<Watched>,
        groups: Vec<WatchedGroup>,
        now: Instant,
    }

    impl Looks {
        fn new() -> Self {
            let floor = floor(2, 1);
            // Nobody is missing, so the looks start no threads.
            while floor.groups[0].seats.take_if_short().is_some() {}
            let watched = vec![Watched::default(); floor.slots.len()];
            Self { floor, watched, groups: vec![WatchedGroup::default()], now: Instant::now() }
        }

        fn is_calm(&mut self) -> bool {
            look(&self.floor, &mut self.watched, &mut self.groups, self.now)
        }
    }

    impl Drop for Looks {
        fn drop(&mut self) {
            assert_eq!(self.floor.foreman.stand_ins.get(), 0);
            close(&self.floor);
        }
    }

    #[test]
    fn a_poll_is_stalled_after_a_tick_and_stuck_after_two_however_often_it_is_looked_at() {
        let mut looks = Looks::new();
        assert!(looks.is_calm());
        looks.floor.slots[0].polling.set(7);
        (0..3).for_each(|_| assert!(looks.is_calm(), "it has just begun"));
        looks.now += TICK;
        assert!(!looks.is_calm());
        assert_eq!(looks.groups[0].stuck, 0);
        looks.now += TICK;
        // With nobody parked it would start a stand-in.
        let floor = Arc::clone(&looks.floor);
        assert!(floor.idle.park(1, false, || false, || assert!(!looks.is_calm())), "it wakes who sleeps");
        assert_eq!(looks.groups[0].stuck, 1);
        looks.floor.slots[0].polls.bump();
        assert!(looks.is_calm(), "another poll of the task");
    }

    #[test]
    fn a_task_that_waits_beside_a_worker_that_sleeps_is_not_calm() {
        let mut looks = Looks::new();
        let floor = Arc::clone(&looks.floor);
        spawn(&floor);
        assert!(looks.is_calm(), "nobody sleeps");
        assert!(!floor.idle.park(1, false, || false, || assert!(!looks.is_calm())));
        run(take(&floor));
        assert!(!floor.idle.park(1, false, || false, || assert!(looks.is_calm())));
    }

    #[test]
    fn who_wakes_a_worker_wakes_the_sleeping_foreman_before_that_one_has_run() {
        let floor = floor(1, 1);
        let is_awake = Cell::new(false);
        let wake_both = || {
            let push = || {
                spawn(&floor);
                is_awake.set(floor.foreman.parker.take_token());
            };
            floor.foreman.sleep.sleep(|| all_parked(&floor), push);
        };
        assert!(floor.idle.park(0, false, || false, wake_both), "a spawn wakes the worker");
        assert!(is_awake.get());
        run(take(&floor));
        close(&floor);
    }
}
