//! What tasks and threads of a scenario wait for.

use shopfloor_protocol::sync::{Arc, Condvar, Mutex};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A future that a foreign thread or a driver makes ready.
#[derive(Debug, Default)]
pub struct Gate(Mutex<GateState>);

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    waker: Option<Waker>,
}

impl Gate {
    /// Makes it ready.
    pub fn open(&self) {
        self.open_quietly().into_iter().for_each(Waker::wake);
    }

    /// The same, but for the wake, which is left to the caller.
    pub fn open_quietly(&self) -> Option<Waker> {
        let mut state = self.0.lock();
        state.open = true;
        state.waker.take()
    }

    fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.open {
            return Poll::Ready(());
        }
        let previous = state.waker.replace(cx.waker().clone());
        drop(state);
        drop(previous);
        Poll::Pending
    }
}

impl Future for &Gate {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_open(cx)
    }
}

/// Where a thread blocks until something has happened.
#[derive(Debug, Default)]
pub struct Latch {
    open: Mutex<bool>,
    condvar: Condvar,
}

/// Opens the latch when it is dropped: the task that holds it has run, or will not.
#[derive(Debug)]
pub struct OpenOnDrop(pub Arc<Latch>);

impl Latch {
    /// Blocks the thread.
    pub fn wait(&self) {
        let mut open = self.open.lock();
        while !*open {
            open = self.condvar.wait(open);
        }
    }
}

impl Drop for OpenOnDrop {
    fn drop(&mut self) {
        *self.0.open.lock() = true;
        self.0.condvar.notify_all();
    }
}

/// Where tasks leave their gates, and foreign threads take them to open them.
#[derive(Debug, Default)]
pub struct WakeDesk {
    state: Mutex<DeskState>,
    condvar: Condvar,
}

#[derive(Debug, Default)]
struct DeskState {
    gates: VecDeque<Arc<Gate>>,
    closed: bool,
}

impl WakeDesk {
    /// Leaves a gate.
    pub fn leave(&self, gate: Arc<Gate>) {
        self.state.lock().gates.push_back(gate);
        self.condvar.notify_one();
    }

    /// A foreign thread: opens gates until the desk is closed and empty.
    pub fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(gate) = state.gates.pop_front() {
                drop(state);
                gate.open();
                state = self.state.lock();
            } else if state.closed {
                return;
            } else {
                state = self.condvar.wait(state);
            }
        }
    }

    /// Ends those who serve.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.condvar.notify_all();
    }
}
