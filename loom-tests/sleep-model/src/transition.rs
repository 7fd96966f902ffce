//! The names of the steps, and where in the code each is.

/// A step of the model and the place in the code that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Its name in a trace.
    pub name: &'static str,
    /// The file, from the root of the repository.
    pub file: &'static str,
    /// The function.
    pub function: &'static str,
    /// The words in that function, code or comment, that are this step.
    pub anchor: &'static str,
}

macro_rules! transitions {
    ($($constant:ident = $name:literal, $file:literal, $function:literal, $anchor:literal;)*) => {
        $(
            #[allow(missing_docs, reason = "the four words say what it is")]
            pub(crate) const $constant: Transition =
                Transition { name: $name, file: $file, function: $function, anchor: $anchor };
        )*
        /// All of them.
        pub const TRANSITIONS: &[Transition] = &[$($constant),*];
    };
}

#[rustfmt::skip] // one line each
transitions! {
    START_SEARCHING = "start_searching", "crates/protocol/src/idle.rs", "start_searching", "counts.fetch_add(SEARCHING";
    MAY_NOT_SEARCH = "start_searching: enough do", "crates/protocol/src/idle.rs", "start_searching", "return false;";
    STOP_SEARCHING = "stop_searching", "crates/protocol/src/idle.rs", "stop_searching", "counts.fetch_sub(SEARCHING";
    HAND_ON = "stop_searching: the last one looks", "crates/protocol/src/idle.rs", "stop_searching", "if workplace.has_work() {";
    ANNOUNCE = "park: announce", "crates/protocol/src/idle.rs", "park", "counts.fetch_add(announce";
    SET_FLAG = "park: set the flag", "crates/protocol/src/idle.rs", "park", "flag.store(true";
    LOOK = "park: look", "crates/protocol/src/idle.rs", "park", "let found = look();";
    CLEAR_OWN_FLAG = "park: clear the own flag", "crates/protocol/src/idle.rs", "park", "flag.swap(false";
    LEAVE = "park: leave", "crates/protocol/src/idle.rs", "park", "counts.fetch_add(leave";
    LOOK_AGAIN_AT_DRIVER = "wake_one: look again: nobody is in the driver", "crates/scheduler/src/floor.rs", "needs_a_worker", "self.has_work() || !self.groups[group].driver_token.is_held()";
    PUSH = "push", "crates/protocol/src/idle.rs", "push", "push();";
    CLAIM = "wake_one: claim", "crates/protocol/src/idle.rs", "claim", "counts + SEARCHING";
    NO_CLAIM = "wake_one: nobody to wake", "crates/protocol/src/idle.rs", "claim", "while outlook(counts) == Outlook::Wakeable";
    CLEAR_A_FLAG = "wake_one: clear_a_flag", "crates/protocol/src/idle.rs", "clear_a_flag", "flag.compare_exchange(true, false, Ordering::Acquire";
    PASS_A_FLAG = "wake_one: clear_a_flag: not this one", "crates/protocol/src/idle.rs", "clear_a_flag", "flag.load(Ordering::Relaxed)";
    UNCOUNT = "wake_one: count the woken one as not parked", "crates/protocol/src/idle.rs", "try_wake", "counts.fetch_sub(PARKED";
    UNPARK = "wake_one: unpark", "crates/protocol/src/idle.rs", "try_wake", "unpark(self.groups.slot(";
    GIVE_BACK = "wake_one: give the claim back", "crates/protocol/src/idle.rs", "try_wake", "counts.fetch_sub(SEARCHING";
    LOOK_AGAIN = "wake_one: look again", "crates/protocol/src/idle.rs", "try_wake", "if !group.a_flag_is_set() {";
    TAKE_DRIVER = "try_take the driver token", "crates/protocol/src/driver_token.rs", "try_take", ".compare_exchange(false, true";
    NO_DRIVER = "the driver token is held", "crates/protocol/src/driver_token.rs", "try_take", "return None;";
    FREE_DRIVER = "drop of Turning", "crates/protocol/src/driver_token.rs", "drop", "self.0.held.store(false";
    TAKE_OWN = "take_own", "crates/scheduler/src/worker.rs", "take_own", "queue.pop()";
    TAKE_INJECTED = "take_injected", "crates/scheduler/src/worker.rs", "take_injected", "injector.steal_batch_with_limit_and_pop";
    STEAL = "search: steal", "crates/scheduler/src/worker.rs", "steal", "victim.stealer.steal_batch_and_pop";
    STEAL_LIFO = "search: steal a LIFO slot", "crates/scheduler/src/worker.rs", "steal", "victim.lifo.take()";
    SCHEDULE = "schedule: into the LIFO slot", "crates/scheduler/src/worker.rs", "schedule", ".lifo.put(task)";
    DISPLACE = "schedule: the displaced one into the queue", "crates/scheduler/src/worker.rs", "schedule", "queue.push(displaced)";
    PUSHED = "pushed", "crates/scheduler/src/wake_policy.rs", "pushed", "match floor.idle.outlook(group) {";
    DEFER = "pushed: the wake is deferred", "crates/scheduler/src/wake_policy.rs", "decide", "self.pending.set(Pending::Deferral)";
    BATCH = "a batch goes into the queue", "crates/scheduler/src/worker.rs", "schedule", "return queue.push(task);";
    BATCH_PUSHED = "batch_pushed", "crates/scheduler/src/wake_policy.rs", "batch_pushed", "len < 2 || !floor.idle.could_wake(group)";
    LONG_BATCH = "batch_pushed: a wake at once", "crates/scheduler/src/wake_policy.rs", "batch_pushed", "self.wake(floor, group);";
    DEFER_BATCH = "batch_pushed: the wake is deferred", "crates/scheduler/src/wake_policy.rs", "batch_pushed", "self.pending.set(Pending::Batch(due))";
    POLL_ENDS = "a poll ends", "crates/scheduler/src/worker.rs", "poll", "context::end_task();";
    NOT_DUE = "look_again: no wake is due", "crates/scheduler/src/wake_policy.rs", "look_at_pending", "Outlook::AllActive => self.pending.set(Pending::Nothing)";
    DUE = "look_again: the wake is due", "crates/scheduler/src/wake_policy.rs", "look_at_clock", "let has_woken = self.wake(floor, group);";
    ENTER_DRIVER = "enter_driver", "crates/protocol/src/parker.rs", "enter_driver", "self.step(EMPTY, DRIVER, Ordering::Relaxed)";
    LEAVE_DRIVER = "leave_driver", "crates/protocol/src/parker.rs", "leave_driver", "self.state.swap(EMPTY";
    EVENT = "turn: an event", "crates/scheduler/src/worker/events.rs", "turn", ".driver.turn(timeout, self.events_at_once(), wakers)";
    PARK = "park on the condition variable", "crates/protocol/src/driver_token.rs", "sleep", "parker.park();";
    RETIRES = "retires", "crates/protocol/src/seats.rs", "retire", "state.seated -= 1;";
    HAND_DRIVER_ON = "hand_on_driver", "crates/scheduler/src/crew.rs", "vacate", "floor.hand_on_driver(";
    TICK = "the foreman wakes", "crates/scheduler/src/foreman.rs", "look", "floor.wake_one_of(group);";
    SET_STUCK = "the foreman counts the stuck", "crates/scheduler/src/foreman.rs", "look", "seats.note_stuck(seen.stuck);";
    STAND_IN = "the foreman starts a stand-in", "crates/scheduler/src/foreman.rs", "look", "start_stand_in(floor, group, was_short)";
}
