//! A task cell as `shopfloor-task` builds it around the state word, with loom cells in the places that the
//! word guards: two accesses that the protocol does not order fail the model.
//!
//! There is no queue: whoever gets the obligation runs the task at once. So no edge of a queue stands in for
//! one of the word, and what a thread does after `Schedule` races with all that the others do.

use std::sync::Arc;
use std::task::Poll;

use loom::thread::ThreadId;
use protocol_loom::roster::Roster;
use protocol_loom::sync::UnsafeCell;
use protocol_loom::task_state::{
    CompleteAction, DropAction, EndAction, JoinDropAction, StartAction, TaskState, WakeAction,
};

/// What a task ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Ready,
    Cancelled,
}

/// Where a run of the task left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The task waits, or was set aside.
    Left,
    /// Complete; the joiner, if any, will see for itself.
    Complete(Output),
    /// Complete, and this join waker is to be woken: the caller now acts for the joiner.
    WakeJoiner(Output, u32),
}

impl End {
    /// How the task ended, if it did.
    pub fn output(self) -> Option<Output> {
        match self {
            Self::Left => None,
            Self::Complete(output) | Self::WakeJoiner(output, _) => Some(output),
        }
    }
}

/// What `act` returns, with the thread that did it.
pub fn by_me<T>(act: impl FnOnce() -> T) -> (ThreadId, T) {
    (loom::thread::current().id(), act())
}

pub struct Cell {
    pub state: TaskState,
    /// Read before each transition, as the vtable pointer is; written by the thread that frees the cell.
    freed_by: UnsafeCell<Option<ThreadId>>,
    /// Whether it is listed; unlisted before it is freed.
    roster: Option<Arc<Roster<bool, ()>>>,
    /// How often it was polled; `None` once it is dropped.
    future: UnsafeCell<Option<u32>>,
    /// What the drop of the future does.
    in_drop: Option<Box<dyn Fn()>>,
    output: UnsafeCell<Option<Output>>,
    join_waker: UnsafeCell<Option<u32>>,
    /// The party that noted the task as an orphan: written under the pin.
    orphaned_by: UnsafeCell<Option<ThreadId>>,
}

// SAFETY: the protocol under test orders the accesses to the cells; where it fails to, loom fails the model.
unsafe impl Sync for Cell {}
// SAFETY: as above.
unsafe impl Send for Cell {}

impl Cell {
    /// A task whose maker has the obligation and a join handle, with `wakers` wakers and `handles` handles.
    pub fn new(wakers: u32, handles: u32) -> Self {
        let state = TaskState::new();
        for _ in 0..wakers {
            state.clone_waker();
        }
        for _ in 0..handles {
            assert!(state.pin());
        }
        Self {
            state,
            freed_by: UnsafeCell::new(None),
            roster: None,
            future: UnsafeCell::new(Some(0)),
            in_drop: None,
            output: UnsafeCell::new(None),
            join_waker: UnsafeCell::new(None),
            orphaned_by: UnsafeCell::new(None),
        }
    }

    /// As [`new`](Self::new), without a join handle.
    pub fn detached(wakers: u32, handles: u32) -> Self {
        let cell = Self::new(wakers, handles);
        cell.drop_join();
        cell
    }

    /// Lets the drop of the future do something.
    pub fn dropping(mut self, in_drop: impl Fn() + 'static) -> Self {
        self.in_drop = Some(Box::new(in_drop));
        self
    }

    /// Says where a task that has just been made will be listed.
    pub fn for_roster(mut self, roster: Arc<Roster<bool, ()>>) -> Self {
        self.roster = Some(roster);
        self
    }

    /// Whoever spawns: lists the task. False: the roster is closed.
    pub fn list(&self) -> bool {
        self.roster.as_ref().is_some_and(|roster| roster.insert(|listed| *listed = true, || ()))
    }

    /// Lists a task that has just been made.
    pub fn listed(self, roster: Arc<Roster<bool, ()>>) -> Self {
        let cell = self.for_roster(roster);
        assert!(cell.list());
        cell
    }

    /// Lets a task that has just been made wait.
    pub fn waiting(self) -> Self {
        assert_eq!(self.run(|| Poll::Pending), End::Left);
        self
    }

    /// The owner of the obligation: polls until the task waits, is set aside or is complete.
    pub fn run(&self, mut poll: impl FnMut() -> Poll<()>) -> End {
        loop {
            self.touch();
            match self.state.start_poll() {
                StartAction::Poll => {}
                StartAction::Cancel => return self.complete(Output::Cancelled),
                StartAction::Held => return End::Left,
            }
            // SAFETY: the future is its poller's; loom checks it.
            self.future.with_mut(|polls| unsafe { *(*polls).as_mut().expect("polled after its drop") += 1 });
            if poll().is_ready() {
                return self.complete(Output::Ready);
            }
            self.touch();
            match self.state.end_poll() {
                EndAction::Idle | EndAction::Held => return End::Left,
                EndAction::Orphaned => {
                    self.note_orphan();
                    return End::Left;
                }
                EndAction::Cancel => return self.complete(Output::Cancelled),
                EndAction::Reschedule => {}
            }
        }
    }

    fn complete(&self, output: Output) -> End {
        // SAFETY: the future is the obligation's owner's; loom checks it.
        let polls = self.future.with_mut(|future| unsafe { (*future).take() });
        assert!(polls.is_some(), "the future was dropped twice");
        if let Some(in_drop) = &self.in_drop {
            in_drop();
        }
        // SAFETY: the output is the completing worker's until COMPLETE; loom checks it.
        self.output.with_mut(|slot| unsafe { *slot = Some(output) });
        let mut output_dropped = false;
        loop {
            self.touch();
            match self.state.complete(output_dropped) {
                CompleteAction::DropOutput => {
                    self.drop_output();
                    output_dropped = true;
                }
                CompleteAction::None => return End::Complete(output),
                CompleteAction::Release => {
                    self.free();
                    return End::Complete(output);
                }
                CompleteAction::WakeJoiner => {
                    let waker = self.take_join_waker().expect("JOIN_WAKER says that there is one");
                    self.touch();
                    if self.state.finish() {
                        self.free();
                    }
                    return End::WakeJoiner(output, waker);
                }
            }
        }
    }

    /// The owner of a waker, who gives it up; runs the task if that is what it got.
    pub fn wake(&self, poll: impl FnMut() -> Poll<()>) -> End {
        self.touch();
        let action = self.state.wake_by_val();
        self.follow(action, poll)
    }

    /// The owner of a waker, who keeps it.
    pub fn wake_by_ref(&self, poll: impl FnMut() -> Poll<()>) -> End {
        self.touch();
        let action = self.state.wake_by_ref();
        self.follow(action, poll)
    }

    /// The owner of a handle.
    pub fn abort(&self) -> End {
        self.touch();
        let action = self.state.abort();
        self.follow(action, || panic!("an aborted task is not polled"))
    }

    /// The owner of a handle.
    pub fn resume(&self, poll: impl FnMut() -> Poll<()>) -> End {
        self.touch();
        let (_, action) = self.state.resume();
        self.follow(action, poll)
    }

    /// Whoever made a transition that may oblige it to run the task, or to free it.
    pub fn follow(&self, action: WakeAction, poll: impl FnMut() -> Poll<()>) -> End {
        match action {
            WakeAction::None => End::Left,
            WakeAction::Schedule => self.run(poll),
            WakeAction::Release => {
                self.free();
                End::Left
            }
        }
    }

    /// The owner of a waker, who gives it up.
    pub fn drop_waker(&self) {
        self.touch();
        match self.state.drop_waker() {
            DropAction::None => {}
            DropAction::Orphaned => self.note_orphan(),
            DropAction::Release => self.free(),
        }
    }

    /// The owner of a handle, who gives it up.
    pub fn unpin(&self) {
        self.touch();
        if self.state.unpin() {
            self.free();
        }
    }

    fn note_orphan(&self) {
        let thread = loom::thread::current().id();
        // SAFETY: only one party finds the task an orphan; loom checks it.
        let before = self.orphaned_by.with_mut(|noted| unsafe { (*noted).replace(thread) });
        assert!(before.is_none(), "found an orphan twice");
        self.unpin();
    }

    /// The join handle: takes the output, or leaves `waker` behind and returns `None`.
    pub fn join(&self, waker: u32) -> Option<Output> {
        self.touch();
        if self.state.load().is_complete() {
            return Some(self.take_output());
        }
        self.leave_join_waker(waker)
    }

    /// The join handle that has left a waker behind: takes the output, or leaves another waker in its place.
    pub fn join_again(&self, waker: u32) -> Option<Output> {
        self.touch();
        if self.state.load().is_complete() || !self.state.clear_join_waker() {
            return Some(self.take_output());
        }
        assert!(self.take_join_waker().is_some());
        self.leave_join_waker(waker)
    }

    fn leave_join_waker(&self, waker: u32) -> Option<Output> {
        // SAFETY: the slot is the join handle's while JOIN_WAKER is clear; loom checks it.
        self.join_waker.with_mut(|slot| unsafe { *slot = Some(waker) });
        if self.state.set_join_waker() {
            return None;
        }
        assert_eq!(self.take_join_waker(), Some(waker));
        Some(self.take_output())
    }

    fn take_join_waker(&self) -> Option<u32> {
        // SAFETY: the slot is the caller's by the state; loom checks it.
        self.join_waker.with_mut(|slot| unsafe { (*slot).take() })
    }

    fn take_output(&self) -> Output {
        // SAFETY: COMPLETE with the join interest makes the output the handle's; loom checks it.
        let output = self.output.with_mut(|slot| unsafe { (*slot).take() });
        self.release_join();
        output.expect("a complete task has its output until it is joined")
    }

    /// The join handle, dropped.
    pub fn drop_join(&self) {
        loop {
            self.touch();
            match self.state.drop_join_interest() {
                JoinDropAction::None => return,
                JoinDropAction::DropWaker => assert!(self.take_join_waker().is_some()),
                JoinDropAction::DropOutput => {
                    self.drop_output();
                    return self.release_join();
                }
            }
        }
    }

    fn release_join(&self) {
        self.touch();
        if self.state.release_join() {
            self.free();
        }
    }

    fn drop_output(&self) {
        // SAFETY: the output is the caller's by the state; loom checks it.
        let output = self.output.with_mut(|slot| unsafe { (*slot).take() });
        assert!(output.is_some(), "the output is dropped once");
    }

    /// Every access through a reference comes before the cell is freed.
    pub fn touch(&self) {
        // SAFETY: a reference is held; loom checks it against `free`.
        assert!(self.freed_by.with(|thread| unsafe { *thread }).is_none(), "used after it was freed");
    }

    fn free(&self) {
        if let Some(roster) = &self.roster {
            // What a closed roster gives back is nothing here.
            let _nothing_kept: Option<()> = roster.remove(|listed| *listed = false);
        }
        let thread = loom::thread::current().id();
        // SAFETY: the last reference is gone; loom checks it against every access.
        let freed_by = self.freed_by.with_mut(|freed_by| unsafe { (*freed_by).replace(thread) });
        assert!(freed_by.is_none(), "freed twice");
        // SAFETY: as above.
        assert!(self.future.with_mut(|future| unsafe { (*future).is_none() }), "freed with its future");
        // SAFETY: as above.
        assert!(self.output.with_mut(|slot| unsafe { (*slot).is_none() }), "freed with its output");
        // SAFETY: as above.
        assert!(self.join_waker.with_mut(|slot| unsafe { (*slot).is_none() }), "freed with a join waker");
        // SAFETY: as above.
        self.orphaned_by.with_mut(|noted| unsafe { *noted = None });
    }

    /// After all threads have been joined: who freed it.
    pub fn freed_by(&self) -> Option<ThreadId> {
        // SAFETY: nobody else runs; loom checks it.
        self.freed_by.with(|thread| unsafe { *thread })
    }

    /// After all threads have been joined.
    pub fn is_freed(&self) -> bool {
        self.freed_by().is_some()
    }

    /// After all threads have been joined: how often the future was polled, `None` if it is dropped.
    pub fn polls(&self) -> Option<u32> {
        // SAFETY: nobody else runs; loom checks it.
        self.future.with(|polls| unsafe { *polls })
    }

    /// After all threads have been joined: who found that the task is an orphan.
    pub fn orphaned_by(&self) -> Option<ThreadId> {
        // SAFETY: nobody else runs; loom checks it.
        self.orphaned_by.with(|thread| unsafe { *thread })
    }
}
