//! A group of workers: those that share a driver. A small runtime has one group.
//!
//! One driver delivers some three million events a second at most, and those who wait for its events share a lock in the
//! kernel, so many workers need several. To a group's workers it is what the whole runtime is where there is but one: one
//! of them sleeps in the driver and the others beside it, who leaves hands the driver on to them, their timers ring its
//! alarm, and stand-ins come in for them. Between groups only work moves: thieves look everywhere, and who has work
//! to share and finds nobody parked in its own group wakes one of another.
//!
//! Which slot is in which group is said by [`Groups`]. How many events a driver delivers is shown by docs/SIMULATION.md.

use crate::config::EVENTS_PER_WORKER;
use crate::driver::Driver;
use shopfloor_protocol::cells::Word;
use shopfloor_protocol::driver_token::DriverToken;
use shopfloor_protocol::groups::Groups;
use shopfloor_protocol::seats::Seats;
use std::sync::Arc;

pub(crate) struct DriverGroup {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) driver_token: DriverToken,
    pub(crate) seats: Seats,
    /// The code of the last error of its driver that was reported, until a turn succeeds. It says what is worth reporting.
    last_error: Word,
}

impl DriverGroup {
    /// One of the groups. Of the `slots` of a runtime the first `workers` are to be run.
    pub(crate) fn new(
        index: usize,
        groups: Groups,
        workers: usize,
        slots: usize,
        driver: Arc<dyn Driver>,
    ) -> Self {
        let seats = Seats::new(groups.slots(index, workers).len(), groups.slots(index, slots));
        Self { driver, driver_token: DriverToken::new(), seats, last_error: Word::new(0) }
    }

    /// Events that a turn brings to a worker without tasks, if the driver takes so many at once.
    pub(crate) fn events_max(&self) -> usize {
        EVENTS_PER_WORKER * self.seats.wanted()
    }

    /// A turn of the driver failed with this code. False: so did the one before, and it was reported.
    pub(crate) fn note_error(&self, code: u64) -> bool {
        let is_new = self.last_error.get() != code;
        if is_new {
            self.last_error.set(code);
        }
        is_new
    }

    /// A turn of the driver succeeded.
    pub(crate) fn forget_error(&self) {
        if self.last_error.get() != 0 {
            self.last_error.set(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::EVENTS_PER_WORKER;
    use crate::floor::testing::floor;

    #[test]
    fn each_worker_of_a_group_adds_to_what_its_driver_brings() {
        let floor = floor(5, 2);
        let events: Vec<_> = floor.groups.iter().map(|group| group.events_max()).collect();
        assert_eq!(events, [3 * EVENTS_PER_WORKER, 2 * EVENTS_PER_WORKER]);
    }
}
