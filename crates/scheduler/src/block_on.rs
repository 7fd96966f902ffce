//! A future on a thread that is not a worker, or that becomes the only one.

use crate::context;
use crate::coop;
use crate::crew;
use crate::floor::Floor;
use crate::worker::{Moment, Worker, is_due};
use shopfloor_protocol::flag::Flag;
use shopfloor_protocol::parker::Parker;
use std::cell::Cell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Wakes the thread that polls a root future.
struct RootWaker {
    /// Set by a wake, cleared before each poll.
    woken: Flag,
    /// Where the thread sleeps while it waits and does not drive.
    parker: Arc<Parker>,
    /// The runtime whose slot 0 the thread sleeps in when it drives.
    driven: Option<Arc<Floor>>,
}

impl Wake for RootWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.raise();
        self.parker.unpark(|| {});
        if let Some(floor) = &self.driven {
            floor.end_sleep(0);
        }
    }
}

#[track_caller]
fn forbid_in_a_task() {
    assert!(
        !context::is_blocking_forbidden(),
        "`block_on` would stop the tasks of the thread that it is called on; await the future, or call \
         `block_on` inside `block_in_place` or `spawn_blocking`"
    );
}

/// Polls the future here and parks in between; others drive the runtime.
#[track_caller]
pub(crate) fn without_driving<F: Future>(floor: &Arc<Floor>, future: F) -> F::Output {
    forbid_in_a_task();
    // Outlives the future, whose drop may spawn.
    let _inside = context::stay(Arc::clone(floor));
    let mut future = pin!(future);
    let root = Arc::new(RootWaker { woken: Flag::new(true), parker: Arc::new(Parker::new()), driven: None });
    let waker = Waker::from(Arc::clone(&root));
    loop {
        if let Poll::Ready(output) = poll_root(future.as_mut(), &root, &waker) {
            return output;
        }
        root.parker.park();
    }
}

/// Polls the future here and runs the runtime's tasks in between, in its only slot. While another thread does
/// that, it only polls the future.
#[track_caller]
pub(crate) fn driving<F: Future>(floor: &Arc<Floor>, future: F) -> F::Output {
    forbid_in_a_task();
    // As above.
    let _inside = context::stay(Arc::clone(floor));
    let mut future = pin!(future);
    let parker = Arc::new(Parker::new());
    let driven = Some(Arc::clone(floor));
    let root = Arc::new(RootWaker { woken: Flag::new(true), parker: Arc::clone(&parker), driven });
    let waker = Waker::from(Arc::clone(&root));
    loop {
        if floor.driving_role.take_or_wait(&parker) {
            let sitting = Sitting::new(floor);
            return sitting.drive(future, &root, &waker);
        }
        if let Poll::Ready(output) = poll_root(future.as_mut(), &root, &waker) {
            floor.driving_role.stop_waiting(&parker);
            return output;
        }
        parker.park();
    }
}

fn poll_root<F: Future>(future: Pin<&mut F>, root: &RootWaker, waker: &Waker) -> Poll<F::Output> {
    if !root.woken.lower() {
        return Poll::Pending;
    }
    context::with_blocking(true, || coop::budget(|| future.poll(&mut Context::from_waker(waker))))
}

/// This thread runs the only slot of a current-thread runtime, until it is dropped.
struct Sitting<'a> {
    floor: &'a Arc<Floor>,
    worker: Rc<Worker>,
}

impl<'a> Sitting<'a> {
    /// The caller has taken the role.
    fn new(floor: &'a Arc<Floor>) -> Self {
        let seat = crew::take_seat(floor, 0).expect("who has the driving role finds the one slot free");
        floor.foreman.worker_left_park();
        Self { floor, worker: Worker::new(Arc::clone(floor), seat) }
    }

    fn drive<F: Future>(&self, mut future: Pin<&mut F>, root: &RootWaker, waker: &Waker) -> F::Output {
        let _seated = context::sit(&self.worker);
        let interval = self.floor.config.event_interval;
        let until_root = Cell::new(interval);
        loop {
            if let Poll::Ready(output) = poll_root(future.as_mut(), root, waker) {
                return output;
            }
            // The root is looked at after so many polls; before a park it has the token of the parker.
            self.work(&mut |_, moment| {
                let is_root_due = is_due(&until_root, interval) || moment == Moment::Starved;
                is_root_due && root.woken.is_raised()
            });
        }
    }

    /// Its loop is compiled once for all futures. The runtime is not closed before, since it is borrowed.
    fn work(&self, leave: &mut dyn FnMut(&Worker, Moment) -> bool) {
        context::with_blocking(true, || self.worker.work(leave));
    }
}

impl Drop for Sitting<'_> {
    fn drop(&mut self) {
        let seat = self.worker.stand_up().expect("a current-thread worker keeps its slot");
        *self.floor.slots[seat.slot].vacant.lock() = Some(seat.queue);
        let seats = &self.floor.group_of(seat.slot).seats;
        seats.leave();
        seats.give_back(seat.slot);
        self.floor.driving_role.leave();
    }
}

/// Shutdown of a current-thread runtime: runs its tasks, all of them aborted, until none is left.
pub(crate) fn drain(floor: &Arc<Floor>) {
    let parker = Arc::new(Parker::new());
    while !floor.driving_role.take_or_wait(&parker) {
        parker.park();
    }
    let sitting = Sitting::new(floor);
    let _seated = context::sit(&sitting.worker);
    sitting.work(&mut |_, _| false);
}
