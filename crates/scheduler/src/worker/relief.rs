//! What waits behind a poll that takes long, or a thread that is off its core, is taken by a worker that is busy itself.
//!
//! A worker that runs out of tasks steals. A busy one, whose own queue the driver fills again and again, would not, and what waits
//! behind one poll would wait for all of it, however many workers are awake. So each looks now and then at one other slot that is in a
//! poll; if that is the same poll after [`PATIENCE`], it takes half of the queue, and the LIFO slot, unless they would wait for longer
//! here. The foreman does it for those who sleep, by a wake.

use super::{Worker, retry};
use crate::slot::{CurrentPoll, Slot};
use shopfloor_protocol::sync::LocalQueue;
use shopfloor_task::Notified;
use std::time::Duration;

/// How long a poll of another worker may take until its queue is relieved: as long as events wait for a busy worker.
const PATIENCE: Duration = Duration::from_micros(400);

/// The slot that a worker watches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WatchedSlot {
    index: usize,
    poll: Option<CurrentPoll>,
    /// When the poll was seen first, on the runtime's clock.
    since: u64,
}

impl Worker {
    /// Called at each look around, outside of polls.
    pub(super) fn relieve(&self, now: u64) {
        let watched = self.watched.get();
        if Duration::from_nanos(now.saturating_sub(watched.since)) < PATIENCE {
            return;
        }
        let slot = &self.floor.slots[watched.index];
        if watched.poll.is_some() && slot.current_poll() == watched.poll {
            self.seated(|own, queue| self.take_from(slot, own, queue));
        }
        self.watched.set(self.next_watched(watched.index, now));
    }

    fn take_from(&self, slot: &Slot, own: &Slot, queue: &LocalQueue<Notified>) {
        if queue.len() > slot.stealer.len() && self.policy.time_of(queue) >= PATIENCE {
            return;
        }
        let oldest = retry(|| slot.stealer.steal_batch_and_pop(queue));
        let latest = slot.lifo.take();
        if oldest.is_none() && latest.is_none() {
            return;
        }
        // The one that has waited longest is the next.
        let displaced = oldest.and_then(|task| own.lifo.put(task));
        latest.into_iter().chain(displaced).for_each(|task| queue.push(task));
        self.policy.batch_pushed(&self.floor, self.group(), queue);
    }

    /// The next slot after `last` that is in a poll, which the own is not.
    fn next_watched(&self, last: usize, now: u64) -> WatchedSlot {
        let slots = &self.floor.slots;
        let mut around = (last + 1..slots.len()).chain(0..=last);
        let in_poll = around.find_map(|index| Some((index, slots[index].current_poll()?)));
        let (index, poll) = in_poll.map_or((last, None), |(index, poll)| (index, Some(poll)));
        WatchedSlot { index, poll, since: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::testing::{close, floor, run, spawned};
    use crate::worker::Seated;
    use shopfloor_task::Id;
    use std::rc::Rc;
    use std::sync::Arc;

    const PATIENCE_NS: u64 = 400_000;

    /// The worker of slot 0; slot 1 is in a poll, with four tasks in its queue and one in its LIFO slot.
    struct Two {
        worker: Rc<Worker>,
        behind: LocalQueue<Notified>,
        /// The oldest of those behind.
        oldest: Id,
    }

    impl Two {
        fn new() -> Self {
            let floor = floor(2, 1);
            let seat = |slot: usize| floor.slots[slot].vacant.lock().take().expect("nobody sits there");
            let behind = seat(1);
            let first = spawned(&floor);
            let oldest = first.id();
            behind.push(first);
            (0..3).for_each(|_| behind.push(spawned(&floor)));
            assert!(floor.slots[1].lifo.put(spawned(&floor)).is_none());
            floor.slots[1].polling.set(7);
            let worker = Worker::new(Arc::clone(&floor), Seated { slot: 0, queue: seat(0) });
            Self { worker, behind, oldest }
        }

        fn taken(&self) -> usize {
            let taken = |own: &Slot, queue: &LocalQueue<_>| queue.len() + usize::from(!own.lifo.is_empty());
            self.worker.seated(taken).expect("it has a slot")
        }

        fn next(&self) -> Option<Notified> {
            self.worker.seated(|own, queue| self.worker.take_own(own, queue)).flatten()
        }
    }

    impl Drop for Two {
        fn drop(&mut self) {
            let floor = &self.worker.floor;
            let behind = || self.behind.pop().or_else(|| floor.slots[1].lifo.take());
            std::iter::from_fn(|| self.next().or_else(behind)).for_each(run);
            close(floor);
        }
    }

    #[test]
    fn half_of_what_waits_behind_the_same_poll_for_long_and_its_lifo_slot_are_taken() {
        let two = Two::new();
        two.worker.look_around(PATIENCE_NS);
        two.worker.look_around(2 * PATIENCE_NS - 1);
        assert_eq!((two.taken(), two.behind.len()), (0, 4), "it has just been seen");
        two.worker.look_around(2 * PATIENCE_NS);
        assert_eq!((two.taken(), two.behind.len()), (3, 2));
        assert!(two.worker.floor.slots[1].lifo.is_empty());
        let next = two.next().expect("three were taken");
        assert_eq!(next.id(), two.oldest);
        two.behind.push(next);
        two.worker.look_around(3 * PATIENCE_NS);
        assert_eq!((two.taken(), two.behind.len()), (4, 1), "it still goes on");
    }

    #[test]
    fn what_would_wait_for_longer_here_is_left_there() {
        let two = Two::new();
        let move_here = |_: &Slot, queue: &LocalQueue<_>| {
            std::iter::from_fn(|| two.behind.pop()).for_each(|task| queue.push(task));
        };
        two.worker.seated(move_here).expect("it has a slot");
        let lifo = &two.worker.floor.slots[1].lifo;
        (0..100).for_each(|_| two.worker.policy.learn_poll_length(PATIENCE_NS));
        (1..4).for_each(|time| two.worker.relieve(time * PATIENCE_NS));
        assert!(!lifo.is_empty(), "four long polls would go before");
        (0..100).for_each(|_| two.worker.policy.learn_poll_length(1_000));
        two.worker.relieve(4 * PATIENCE_NS);
        assert!(lifo.is_empty());
    }

    #[test]
    fn what_waits_behind_polls_that_end_is_left_there() {
        let two = Two::new();
        let slot = &two.worker.floor.slots[1];
        let changes: [&dyn Fn(); 3] =
            [&|| slot.polls.bump(), &|| slot.polling.set(8), &|| slot.polling.set(0)];
        two.worker.relieve(PATIENCE_NS);
        for (time, change) in (2..).zip(changes) {
            change();
            two.worker.relieve(time * PATIENCE_NS);
        }
        assert_eq!((two.taken(), two.behind.len()), (0, 4));
    }
}
