//! The threads that run slots: who is on, who may come in for a stuck one, and who leaves.
//!
//! A runtime has as many slots as workers and stand-ins together. At the start the first `workers` are run.
//! When a poll does not end, the foreman counts its slot as stuck and starts a thread on a free slot, so that
//! as many slots as before make progress. When the poll has ended, one slot too many is run: the first worker
//! that finds nothing to do empties its slot and leaves.

use crate::contain::contain;
use crate::context;
use crate::floor::Floor;
use crate::worker::{Moment, Seated, Worker};
use shopfloor_protocol::cells::Word;
use shopfloor_protocol::shutdown::RuntimePhase;
use shopfloor_protocol::sync::Mutex;
use std::io;
use std::sync::Arc;
use std::thread;

#[derive(Debug)]
pub(crate) struct Crew {
    workers: usize,
    state: Mutex<CrewState>,
    /// Slots run beyond those that are needed; a hint that is checked under the lock.
    surplus: Word,
}

#[derive(Debug)]
struct CrewState {
    /// Slots that no thread runs.
    free: Vec<usize>,
    /// Slots whose poll does not end, as the foreman sees it.
    stuck: usize,
    /// Slots that a thread runs.
    seated: usize,
    /// Threads that have not ended, seated or not.
    threads: usize,
}

impl Crew {
    pub(crate) fn new(workers: usize, slots: usize) -> Self {
        // Taken from the end: workers first.
        let free = (0..slots).rev().collect();
        let state = CrewState { free, stuck: 0, seated: 0, threads: 0 };
        Self { workers, state: Mutex::new(state), surplus: Word::new(0) }
    }

    /// Threads of this crew that have not ended.
    pub(crate) fn threads(&self) -> usize {
        self.state.lock().threads
    }

    /// Slots that a thread runs.
    pub(crate) fn seated(&self) -> usize {
        self.state.lock().seated
    }

    /// Starts a thread on a free slot, if fewer slots than wanted make progress and there is one.
    pub(crate) fn start_if_short(&self, floor: &Arc<Floor>) -> io::Result<bool> {
        let slot = {
            let mut state = self.state.lock();
            let making_progress = state.seated - state.stuck;
            if making_progress >= self.workers || floor.lifecycle.phase() == RuntimePhase::Closed {
                return Ok(false);
            }
            let Some(slot) = state.free.pop() else { return Ok(false) };
            state.seated += 1;
            slot
        };
        let queue = floor.slots[slot].vacant.lock().take();
        let queue = queue.expect("a free slot's queue lies in it");
        self.start(floor, Seated { slot, queue }).map(|()| true)
    }

    /// Starts a thread on a slot that the caller gives away. If there is no thread to be had the slot is free
    /// after, and its tasks are in the injector.
    pub(crate) fn start(&self, floor: &Arc<Floor>, seat: Seated) -> io::Result<()> {
        self.state.lock().threads += 1;
        let name = contain("the hook that names workers", || (floor.config.thread_name)());
        let mut builder = thread::Builder::new().name(name.unwrap_or_else(|| "shopfloor-worker".to_owned()));
        if let Some(bytes) = floor.config.stack_size {
            builder = builder.stack_size(bytes);
        }
        // The seat comes back if the thread does not start.
        let seat = Arc::new(Mutex::new(Some(seat)));
        let (theirs, crew_floor) = (Arc::clone(&seat), Arc::clone(floor));
        let spawned = builder.spawn(move || {
            let seat = theirs.lock().take();
            run_thread(&crew_floor, seat.expect("the starter leaves the seat to us"));
        });
        let Err(error) = spawned.map(drop) else { return Ok(()) };
        if let Some(seat) = seat.lock().take() {
            self.free(floor, seat);
        }
        self.thread_ended(floor);
        Err(error)
    }

    /// The foreman's count of slots whose poll does not end.
    pub(crate) fn set_stuck(&self, stuck: usize) {
        let mut state = self.state.lock();
        state.stuck = stuck.min(state.seated);
        self.note_surplus(&state);
    }

    fn note_surplus(&self, state: &CrewState) {
        self.surplus.set((state.seated - state.stuck).saturating_sub(self.workers) as u64);
    }

    /// A worker that has nothing to do. True: it has emptied its slot and leaves.
    pub(crate) fn retires(&self, floor: &Floor, worker: &Worker) -> bool {
        if self.surplus.get() == 0 {
            return false;
        }
        {
            let mut state = self.state.lock();
            if state.seated - state.stuck <= self.workers {
                return false;
            }
            // Counted at once, so that only one leaves for each that is too many.
            state.seated -= 1;
            self.note_surplus(&state);
        }
        if let Some(seat) = worker.stand_up() {
            self.vacate(floor, seat);
        }
        true
    }

    /// A thread that gave its slot away may take a free one if one is needed.
    pub(crate) fn take_free_seat(&self, floor: &Floor) -> Option<Seated> {
        let mut state = self.state.lock();
        if state.seated - state.stuck >= self.workers {
            return None;
        }
        let slot = state.free.pop()?;
        state.seated += 1;
        let queue = floor.slots[slot].vacant.lock().take();
        Some(Seated { slot, queue: queue.expect("a free slot's queue lies in it") })
    }

    /// The thread that ran the slot is done with it.
    pub(crate) fn free(&self, floor: &Floor, seat: Seated) {
        {
            let mut state = self.state.lock();
            state.seated -= 1;
            state.stuck = state.stuck.min(state.seated);
            self.note_surplus(&state);
        }
        self.vacate(floor, seat);
    }

    /// Moves the tasks of a slot to the injector and the slot to the free ones. Its timers stay: others fire
    /// them.
    fn vacate(&self, floor: &Floor, seat: Seated) {
        let slot = seat.slot;
        while let Some(task) = seat.queue.pop().or_else(|| floor.slots[slot].lifo.take()) {
            floor.inject(task);
        }
        if floor.timers.must_interrupt(slot) {
            floor.driver.interrupt();
        }
        *floor.slots[slot].vacant.lock() = Some(seat.queue);
        self.state.lock().free.push(slot);
    }

    fn thread_ended(&self, floor: &Floor) {
        let last = {
            let mut state = self.state.lock();
            state.threads -= 1;
            state.threads == 0
        };
        if last && floor.lifecycle.phase() == RuntimePhase::Closed {
            floor.finish();
        }
        floor.lifecycle.notify();
    }
}

fn run_thread(floor: &Arc<Floor>, seat: Seated) {
    let worker = Worker::new(Arc::clone(floor), seat);
    {
        let _entered = context::enter(Arc::clone(floor), Some(worker.clone()));
        floor.run_hook(&floor.config.on_thread_start, "the start hook of a worker");
        context::with_blocking(true, || worker.work(leaves));
        if let Some(seat) = worker.stand_up() {
            floor.crew.free(floor, seat);
        }
        // A thread that completed its last task without a seat is not asked by any park.
        floor.try_close();
        floor.leave_the_driver_to_others();
        floor.run_hook(&floor.config.on_thread_stop, "the stop hook of a worker");
    }
    floor.crew.thread_ended(floor);
}

fn leaves(worker: &Worker, moment: Moment) -> bool {
    let floor = &worker.floor;
    if worker.slot().is_none() {
        // `block_in_place` gave the slot away during the poll that has ended.
        return match floor.crew.take_free_seat(floor) {
            Some(seat) => {
                worker.sit_down(seat);
                false
            }
            None => true,
        };
    }
    moment == Moment::Starved && floor.crew.retires(floor, worker)
}
