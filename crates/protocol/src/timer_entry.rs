//! One timer, shared by the future that waits for it and the wheel that fires it.
//!
//! The future may be dropped, reset or polled on any thread while the wheel, which belongs to some slot,
//! is being turned on another one. Both hold the entry by reference count, so a wheel never points into
//! freed memory, and everything that the two sides change is behind one lock of the entry's own.
//!
//! # States
//!
//! | state       | meaning                                  | in a wheel | holds a waker |
//! |-------------|------------------------------------------|------------|---------------|
//! | `Armed`     | waits for its deadline                   | yes        | yes           |
//! | `Fired`     | the deadline has passed, waker handed out| no         | no            |
//! | `Cancelled` | nobody waits any more                    | until the wheel's next turn | no |
//! | `Gone`      | the wheel was closed before the deadline | no         | no            |
//!
//! # Transitions
//!
//! | from → to           | performed by                            | owes | model |
//! |---------------------|-----------------------------------------|------|-------|
//! | armed → fired       | [`expire`](TimerEntry::expire), wheel's lock held | wake, after all locks are released | `timer::fire_excludes_cancel` |
//! | armed → armed, later| [`expire`](TimerEntry::expire), wheel's lock held | file again under the same key | `timer::cancel_while_filed_again_leaves_no_entry` |
//! | armed → armed, later| [`postpone`](TimerEntry::postpone), the future | nothing | `timer::postponed_timer_does_not_fire_for_the_old_deadline` |
//! | armed → armed, earlier | [`bring_forward`](TimerEntry::bring_forward), wheel's lock held | move it in the wheel | `timer::bring_forward_excludes_fire` |
//! | armed → armed, other waker | [`poll`](TimerEntry::poll), the future | nothing | `timer::newest_waker_is_woken` |
//! | armed → cancelled   | [`cancel`](TimerEntry::cancel), the future | return the key to the wheel | `timer::fire_excludes_cancel` |
//! | armed → gone        | [`close`](TimerEntry::close), wheel's lock held | wake, after all locks are released | `timer::close_wakes_or_refuses` |
//!
//! # Orderings
//!
//! None of its own: every access is under the lock. The wheel's lock is taken before the entry's, never
//! after it. The lock is nearly always free: its two users are the task and the one who fires its wheel.
//!
//! # The hard race
//!
//! A reset to later meets the old deadline. Either `expire` gets the lock first: the timer has fired, and
//! `postpone` says so by `false`; the task was woken for a deadline that had passed when it was reset. Or
//! `postpone` is first: `expire` finds a deadline in the future and says where to file the entry. The
//! state and the deadline are read in one critical section, so no fire can be meant for another deadline
//! than the one it has read.
//!
//! # Rejected
//!
//! A type-stable pool of entries with one word of state and generation: it saves the lock (two
//! uncontended read-modify-writes) and needs `unsafe` for the waker, a generation against reuse and a pool
//! that outlives the runtime. The reference count gives that for one allocation per *registered* timer.
//! A flag that the wheel reads without the lock: the waker needs exclusion anyway.
//!
//! # Checked by
//!
//! The models named above, in `loom-tests/tests/models/timer_entry.rs`.

use std::task::Waker;

use crate::sync::Mutex;

/// A timer: its deadline, who waits for it and what became of it.
///
/// Times are nanoseconds on the runtime's clock.
#[derive(Debug)]
pub struct TimerEntry {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When to fire.
    deadline: u64,
    /// Where the wheel has filed the entry: at or before `deadline`.
    filed: u64,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Armed(Waker),
    Fired,
    Cancelled,
    Gone,
}

/// What the future of a timer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerState {
    /// The deadline has not been reached; the waker given last will be woken.
    Armed,
    /// The deadline has passed.
    Fired,
    /// The runtime was shut down before the deadline: nobody will wake this timer.
    Gone,
}

/// What the wheel owes an entry whose filed time has come.
#[derive(Debug)]
#[must_use]
pub enum Expiry {
    /// It has fired: remove it, and wake this waker once every lock is released.
    Fire(Waker),
    /// It was postponed: file it again, under the same key, for this time.
    Later(u64),
    /// It was cancelled: remove it.
    Dead,
}

impl TimerEntry {
    /// An armed timer. The waker is the caller's own clone: cloning one is user code.
    pub fn new(deadline: u64, waker: Waker) -> Self {
        Self { state: Mutex::new(State { deadline, filed: deadline, phase: Phase::Armed(waker) }) }
    }

    /// A timer that nobody will fire.
    pub fn gone() -> Self {
        Self { state: Mutex::new(State { deadline: u64::MAX, filed: u64::MAX, phase: Phase::Gone }) }
    }

    /// Holder of the wheel's lock. Decides about an entry whose filed time is at or before `now`.
    pub fn expire(&self, now: u64) -> Expiry {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Armed(_)) && state.deadline > now {
            state.filed = state.deadline;
            return Expiry::Later(state.deadline);
        }
        match std::mem::replace(&mut state.phase, Phase::Fired) {
            Phase::Armed(waker) => Expiry::Fire(waker),
            ended => {
                state.phase = ended;
                Expiry::Dead
            }
        }
    }

    /// Holder of the future. Says what became of the timer; if it is still armed, `waker` is the one that
    /// will be woken. Clones and drops wakers only while the lock is free.
    pub fn poll(&self, waker: &Waker) -> TimerState {
        if let Some(state) = self.peek(waker) {
            return state;
        }
        let mut newest = waker.clone();
        let mut state = self.state.lock();
        // It may have fired while the lock was free for the clone.
        let answer = match &mut state.phase {
            Phase::Armed(registered) => {
                std::mem::swap(registered, &mut newest);
                TimerState::Armed
            }
            ended => ended.seen(),
        };
        drop(state);
        drop(newest);
        answer
    }

    /// `None` if the timer is armed with a waker of another task.
    fn peek(&self, waker: &Waker) -> Option<TimerState> {
        match &self.state.lock().phase {
            Phase::Armed(registered) if !registered.will_wake(waker) => None,
            phase => Some(phase.seen()),
        }
    }

    /// Holder of the future. Moves the deadline to a time that the wheel need not hear of: one at or after
    /// the time where the entry is filed. `false` if it is earlier than that, or if the timer is not armed.
    #[must_use = "if it refuses, the old deadline still stands"]
    pub fn postpone(&self, deadline: u64) -> bool {
        let mut state = self.state.lock();
        let accepted = matches!(state.phase, Phase::Armed(_)) && deadline >= state.filed;
        if accepted {
            state.deadline = deadline;
        }
        accepted
    }

    /// Holder of the wheel's lock. Sets any deadline; `true` obliges the caller to move the entry there in
    /// the wheel before it releases the lock. `false` if the timer is not armed.
    #[must_use = "an accepted deadline must be filed"]
    pub fn bring_forward(&self, deadline: u64) -> bool {
        let mut state = self.state.lock();
        let accepted = matches!(state.phase, Phase::Armed(_));
        if accepted {
            state.deadline = deadline;
            state.filed = deadline;
        }
        accepted
    }

    /// Holder of the future. Gives up. `Some` if the timer was armed: the entry is still in its wheel and
    /// the caller owes the wheel its key; the waker is the caller's to drop or to use again.
    #[must_use = "an entry cancelled here is still in its wheel"]
    pub fn cancel(&self) -> Option<Waker> {
        self.end(Phase::Cancelled)
    }

    /// Holder of the wheel's lock, which removes the entry. `Some` is to be woken once every lock is
    /// released.
    #[must_use = "the task waits for this waker"]
    pub fn close(&self) -> Option<Waker> {
        self.end(Phase::Gone)
    }

    fn end(&self, end: Phase) -> Option<Waker> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut state.phase, end) {
            Phase::Armed(waker) => Some(waker),
            ended => {
                state.phase = ended;
                None
            }
        }
    }
}

impl Phase {
    fn seen(&self) -> TimerState {
        match self {
            Self::Armed(_) => TimerState::Armed,
            Self::Fired => TimerState::Fired,
            // Only the future's holder cancels, and it does not poll afterwards.
            Self::Cancelled | Self::Gone => TimerState::Gone,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Expiry, TimerEntry, TimerState};
    use std::task::Waker;

    fn armed(deadline: u64) -> TimerEntry {
        TimerEntry::new(deadline, Waker::noop().clone())
    }

    #[test]
    fn fires_at_its_deadline_and_not_before() {
        let entry = armed(10);
        assert!(matches!(entry.expire(9), Expiry::Later(10)));
        assert!(matches!(entry.expire(10), Expiry::Fire(_)));
        assert_eq!(entry.poll(Waker::noop()), TimerState::Fired);
    }

    #[test]
    fn an_expired_timer_fires_once() {
        let entry = armed(10);
        assert!(matches!(entry.expire(10), Expiry::Fire(_)));
        assert!(matches!(entry.expire(11), Expiry::Dead));
    }

    #[test]
    fn ended_timer_refuses_every_change() {
        for ended in [fired(), cancelled(), closed()] {
            let before = ended.poll(Waker::noop());
            assert_ne!(before, TimerState::Armed);
            assert!(!ended.postpone(20));
            assert!(!ended.bring_forward(5));
            assert!(ended.cancel().is_none());
            assert!(ended.close().is_none());
            assert!(matches!(ended.expire(u64::MAX), Expiry::Dead));
            assert_eq!(ended.poll(Waker::noop()), before);
        }
    }

    #[test]
    fn postpones_to_any_time_not_before_the_filed_one() {
        let entry = armed(10);
        assert!(entry.postpone(30));
        assert!(entry.postpone(20), "earlier than its deadline, but the wheel looks at 10");
        assert!(!entry.postpone(9));
        assert!(matches!(entry.expire(10), Expiry::Later(20)));
        assert!(!entry.postpone(15), "the wheel looks at 20 now");
    }

    #[test]
    fn bring_forward_takes_effect_at_the_new_deadline() {
        let entry = armed(10);
        assert!(entry.bring_forward(5));
        assert!(matches!(entry.expire(5), Expiry::Fire(_)));
    }

    fn fired() -> TimerEntry {
        let entry = armed(10);
        assert!(matches!(entry.expire(10), Expiry::Fire(_)));
        entry
    }

    fn cancelled() -> TimerEntry {
        let entry = armed(10);
        assert!(entry.cancel().is_some());
        entry
    }

    fn closed() -> TimerEntry {
        let entry = armed(10);
        assert!(entry.close().is_some());
        entry
    }
}
