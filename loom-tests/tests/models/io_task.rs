//! What the models of the I/O protocols share: tasks that sleep until they are woken, and a kernel.

use protocol_loom::interest::{Direction, Interest, Ready};
use protocol_loom::registration::{Kernel, SourceState, WaitError};
use protocol_loom::registry::Token;
use protocol_loom::sync::{Condvar, Mutex};
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

/// Runs `poll` until it is ready; sleeps in between until its waker is called. A lost wake-up is a deadlock.
pub fn block_on<R>(mut poll: impl FnMut(&Waker) -> Poll<R>) -> R {
    let (alarm, waker) = Alarm::new();
    loop {
        match poll(&waker) {
            Poll::Ready(result) => return result,
            Poll::Pending => alarm.sleep(),
        }
    }
}

/// Wakes one sleeper.
pub struct Alarm {
    rang: Mutex<bool>,
    changed: Condvar,
}

impl Alarm {
    pub fn new() -> (Arc<Self>, Waker) {
        let alarm = Arc::new(Self { rang: Mutex::new(false), changed: Condvar::new() });
        let waker = Waker::from(Arc::clone(&alarm));
        (alarm, waker)
    }

    fn sleep(&self) {
        let mut rang = self.rang.lock();
        while !*rang {
            rang = self.changed.wait(rang);
        }
        *rang = false;
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.rang.lock() = true;
        self.changed.notify_one();
    }
}

/// A waker that nobody listens to; the count says how many copies of it are left.
pub fn silent_waker() -> (Arc<Silent>, Waker) {
    let silent = Arc::new(Silent);
    let waker = Waker::from(Arc::clone(&silent));
    (silent, waker)
}

pub struct Silent;

impl Wake for Silent {
    fn wake(self: Arc<Self>) {}
}

/// A driver's turn with one event.
pub fn deliver(source: &SourceState, ready: Ready) {
    let mut wakers = Vec::new();
    source.deliver(ready, false, &mut wakers);
    wakers.into_iter().for_each(Waker::wake);
}

/// A kernel that has registered everything already and says nothing.
pub struct Registered;

impl Kernel for Registered {
    type Error = ();

    fn add(&self) -> Result<Token, ()> {
        Ok(Token::from_usize(0))
    }

    fn disarms(&self) -> bool {
        false
    }

    fn rearm(&self, _: Token, _: Interest) -> Result<(), ()> {
        panic!("nothing is ever disarmed")
    }
}

/// A kernel with one socket. It queues an event when a fact becomes true that it is armed for, and at `add` and
/// `rearm` if one is true already.
#[derive(Clone)]
pub struct Socket {
    state: Arc<(Mutex<SocketState>, Condvar)>,
    disarms: bool,
}

struct SocketState {
    facts: Ready,
    armed: Ready,
    event: Ready,
    users: u32,
}

impl Socket {
    pub fn new(disarms: bool, users: u32) -> Self {
        let state = SocketState { facts: Ready::EMPTY, armed: Ready::EMPTY, event: Ready::EMPTY, users };
        Self { state: Arc::new((Mutex::new(state), Condvar::new())), disarms }
    }

    /// A fact becomes true.
    pub fn arrive(&self, facts: Ready) {
        let mut state = self.state.0.lock();
        state.facts |= facts;
        self.queue_event(&mut state, facts);
    }

    /// An operation: succeeds if the fact is true, and uses it up.
    pub fn try_op(&self, direction: Direction) -> Option<()> {
        let mut state = self.state.0.lock();
        let wanted = direction.interest().own_facts();
        let succeeds = state.facts.intersects(wanted);
        state.facts = state.facts - wanted;
        succeeds.then_some(())
    }

    /// One user needs no more events.
    pub fn leave(&self) {
        self.state.0.lock().users -= 1;
        self.state.1.notify_one();
    }

    /// Delivers events for as long as there are users.
    pub fn drive(&self, source: &SourceState) {
        while let Some(ready) = self.next_event() {
            self.deliver(source, ready);
        }
    }

    /// Delivers the event that is there, if one is.
    pub fn drive_once(&self, source: &SourceState) {
        let event = std::mem::take(&mut self.state.0.lock().event);
        if !event.is_empty() {
            self.deliver(source, event);
        }
    }

    fn deliver(&self, source: &SourceState, ready: Ready) {
        let mut wakers = Vec::new();
        source.deliver(ready, self.disarms, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn next_event(&self) -> Option<Ready> {
        let mut state = self.state.0.lock();
        loop {
            if state.users == 0 {
                return None;
            }
            if !state.event.is_empty() {
                return Some(std::mem::take(&mut state.event));
            }
            state = self.state.1.wait(state);
        }
    }

    fn queue_event(&self, state: &mut SocketState, facts: Ready) {
        let reported = facts & state.armed;
        if !reported.is_empty() {
            state.event |= reported;
            if self.disarms {
                state.armed = Ready::EMPTY;
            }
            self.state.1.notify_one();
        }
    }

    fn arm(&self, facts: Ready) {
        let mut state = self.state.0.lock();
        state.armed = facts;
        let now = state.facts;
        self.queue_event(&mut state, now);
    }
}

impl Kernel for Socket {
    type Error = ();

    fn add(&self) -> Result<Token, ()> {
        self.arm(Ready::ALL);
        Ok(Token::from_usize(0))
    }

    fn disarms(&self) -> bool {
        self.disarms
    }

    fn rearm(&self, _: Token, interest: Interest) -> Result<(), ()> {
        self.arm(interest.own_facts());
        Ok(())
    }
}

/// Tries the operation of `direction` on `socket` as a task does, until it succeeds; returns how often it was
/// polled.
pub fn operate(source: &SourceState, socket: &Socket, direction: Direction) -> u32 {
    let mut polls = 0;
    let result: Result<_, WaitError<()>> = block_on(|waker| {
        polls += 1;
        let wait = || source.poll_slot(direction, waker, socket);
        source.poll_op(direction.interest(), || socket.try_op(direction), wait)
    });
    result.expect("this kernel refuses nothing");
    socket.leave();
    polls
}
