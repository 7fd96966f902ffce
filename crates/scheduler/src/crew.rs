//! The threads that run slots: how they start, who comes in for a stuck one, and how one leaves. Who may is
//! decided by [`Seats`](shopfloor_protocol::seats::Seats).
//!
//! When a poll does not end, the foreman counts its slot as stuck and starts a thread on a free slot, so that as
//! many slots as before make progress. When the poll has ended, one slot too many is run: the first worker that
//! finds nothing to do empties its slot and leaves.

use crate::contain::contain;
use crate::context;
use crate::floor::Floor;
use crate::os::thread;
use crate::worker::{Moment, Seated, Worker};
use shopfloor_protocol::groups::Groups;
use shopfloor_protocol::shutdown::RuntimePhase;
use shopfloor_protocol::sync::Mutex;
use std::io;
use std::sync::Arc;

/// A free slot of the group for this thread, if fewer than wanted make progress and there is one.
pub(crate) fn take_seat(floor: &Floor, group: usize) -> Option<Seated> {
    let slot = floor.groups[group].seats.take_if_short()?;
    let queue = floor.slots[slot].vacant.lock().take();
    Some(Seated { slot, queue: queue.expect("a free slot's queue lies in it") })
}

/// Starts a thread on a free slot of the group, if fewer than wanted make progress and there is one.
pub(crate) fn start_if_short(floor: &Arc<Floor>, group: usize) -> io::Result<bool> {
    if floor.lifecycle.phase() == RuntimePhase::Closed {
        return Ok(false);
    }
    let Some(seat) = take_seat(floor, group) else { return Ok(false) };
    start(floor, seat).map(|()| true)
}

/// Starts a thread on a slot that the caller gives away. If there is no thread to be had the slot is free after,
/// and its tasks are in the injector.
pub(crate) fn start(floor: &Arc<Floor>, seat: Seated) -> io::Result<()> {
    floor.threads.starts();
    let name = contain("the hook that names workers", || (floor.config.thread_name)());
    let mut builder = thread::Builder::new().name(name.unwrap_or_else(|| "shopfloor-worker".to_owned()));
    if let Some(bytes) = floor.config.stack_size {
        builder = builder.stack_size(bytes);
    }
    // The seat comes back if the thread does not start.
    let seat = Arc::new(Mutex::new(Some(seat)));
    let (theirs, crew_floor) = (Arc::clone(&seat), Arc::clone(floor));
    let main = move || {
        let seat = theirs.lock().take();
        run_thread(&crew_floor, seat.expect("the starter leaves the seat to us"));
    };
    // std panics at a name with a zero byte in it.
    let spawned = contain("the start of a worker", || builder.spawn(main));
    let spawned = spawned.unwrap_or_else(|| Err(io::ErrorKind::InvalidInput.into()));
    let Err(error) = spawned.map(drop) else { return Ok(()) };
    if let Some(seat) = seat.lock().take() {
        leave(floor, seat);
    }
    thread_ended(floor);
    Err(error)
}

/// The thread that ran the slot is done with it.
pub(crate) fn leave(floor: &Floor, seat: Seated) {
    floor.group_of(seat.slot).seats.leave();
    vacate(floor, seat);
}

/// Moves the tasks of a slot to the injector and the slot to the free ones. Its timers stay: others of its group fire them. The
/// caller no longer counts as searching, and may have been the one who turned the driver.
fn vacate(floor: &Floor, seat: Seated) {
    let slot = seat.slot;
    while let Some(task) = seat.queue.pop().or_else(|| floor.slots[slot].lifo.take()) {
        floor.inject(task);
    }
    floor.show_timers(slot);
    *floor.slots[slot].vacant.lock() = Some(seat.queue);
    floor.group_of(slot).seats.give_back(slot);
    floor.hand_on_driver(floor.slots[slot].group);
}

fn run_thread(floor: &Arc<Floor>, seat: Seated) {
    let worker = Worker::new(Arc::clone(floor), seat);
    {
        let _seated = context::sit(&worker);
        worker.run_hook(&floor.config.on_thread_start, "the start hook of a worker");
        context::with_blocking(true, || worker.work(leaves));
        if let Some(seat) = worker.stand_up() {
            leave(floor, seat);
        }
        // A thread that completed its last task without a seat is not asked by any park.
        floor.try_close();
        floor.run_hook(&floor.config.on_thread_stop, "the stop hook of a worker");
    }
    thread_ended(floor);
}

fn thread_ended(floor: &Floor) {
    floor.threads.ends(|| {
        if floor.lifecycle.phase() == RuntimePhase::Closed {
            floor.finish();
        }
    });
    floor.lifecycle.notify();
}

#[inline(always)]
fn leaves(worker: &Worker, moment: Moment) -> bool {
    if worker.slot().is_none() {
        return !sits_down_again(worker);
    }
    moment == Moment::Starved && retires(&worker.floor, worker)
}

/// `block_in_place` gave the slot away during the poll that has ended. False: there is none for this thread.
#[cold]
fn sits_down_again(worker: &Worker) -> bool {
    let floor = &worker.floor;
    let mut groups = Groups::new(floor.groups.len()).round(worker.group());
    let Some(seat) = groups.find_map(|group| take_seat(floor, group)) else { return false };
    worker.sit_down(seat);
    floor.foreman.worker_left_park();
    true
}

/// A worker that has nothing to do. True: it has emptied its slot and leaves.
fn retires(floor: &Floor, worker: &Worker) -> bool {
    let slot = worker.slot().expect("a worker that is asked whether it retires has a slot");
    let retires = floor.group_of(slot).seats.retire();
    if retires {
        worker.stop_searching();
        let seat = worker.stand_up().expect("it has a slot");
        vacate(floor, seat);
    }
    retires
}
