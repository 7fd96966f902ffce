//! One place at the floor: what a worker's peers, thieves and the foreman may touch. A thread runs a slot;
//! slots are fixed in number, so that everybody knows all of them from the start.

use crate::floor::Floor;
use shopfloor_protocol::cells::{Counter, Word};
use shopfloor_protocol::lifo_slot::LifoSlot;
use shopfloor_protocol::parker::Parker;
use shopfloor_protocol::sync::{LocalQueue, Mutex, Stealer};
use shopfloor_task::{CellList, Notified, TaskList};

/// In place of a task's id while the worker runs other code of the user's: foreign wakers, hooks. No cell has this
/// address.
pub(crate) const USER_CODE: u64 = 1;

#[derive(Debug)]
pub(crate) struct Slot {
    /// The index of its group.
    pub(crate) group: usize,
    pub(crate) stealer: Stealer<Notified>,
    pub(crate) lifo: LifoSlot<Notified>,
    pub(crate) parker: Parker,
    /// The tasks that were spawned from here.
    pub(crate) roster: TaskList<Floor>,
    /// Polls, and drops of aborted futures, that ended here. The thread that runs the slot writes it.
    pub(crate) polls: Counter,
    /// Tasks that were spawned here, and that ended here. As `polls`.
    pub(crate) spawned: Counter,
    pub(crate) done: Counter,
    /// The id of the task that is being polled, [`USER_CODE`], or 0 for none. As `polls`; back at 0 before the end of a poll
    /// can be seen in the task's state.
    pub(crate) polling: Word,
    /// The owner's end of the queue while no thread runs the slot.
    pub(crate) vacant: Mutex<Option<LocalQueue<Notified>>>,
}

/// What goes on in a slot: two looks that see the same have seen no end of it in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CurrentPoll {
    /// The id of the task, or [`USER_CODE`].
    pub(crate) task: u64,
    /// Polls that have ended before.
    polls: u64,
}

impl Slot {
    /// Any thread. The poll, or other code of the user's, that goes on here.
    pub(crate) fn current_poll(&self) -> Option<CurrentPoll> {
        let task = self.polling.get();
        (task != 0).then(|| CurrentPoll { task, polls: self.polls.get() })
    }

    pub(crate) fn new(group: usize) -> Self {
        let queue = LocalQueue::new_fifo();
        Self {
            group,
            stealer: queue.stealer(),
            lifo: LifoSlot::new(),
            parker: Parker::new(),
            roster: TaskList::new(CellList::new()),
            polls: Counter::new(),
            spawned: Counter::new(),
            done: Counter::new(),
            polling: Word::new(0),
            vacant: Mutex::new(Some(queue)),
        }
    }
}
