//! What a model is, and what its body may use.

#![allow(clippy::disallowed_types, reason = "outcomes are gathered across executions, outside loom's view")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// One property of one protocol, and the closed program that loom runs through all its interleavings.
#[derive(Debug)]
pub struct Model {
    /// `protocol::property`, as on the runner's command line.
    pub name: &'static str,
    /// The sentence that is false if the model fails.
    pub property: &'static str,
    /// Every outcome that the explorations must reach between them, and the only ones. One that is missing
    /// means that the model does not race what it claims to race, or that loom lost it.
    pub outcomes: &'static [&'static str],
    /// `None` explores everything; `Some(n)` explores up to n preemptions and is reported as bounded.
    pub preemption_bound: Option<usize>,
    /// The program. It runs once per execution.
    pub body: fn(Order, &Outcomes),
}

/// The order in which the threads of a model are spawned. loom explores some programs less than fully when
/// the first thread starts with a load, so each model runs in both orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As written.
    Forward,
    /// The last one first.
    Reverse,
}

impl Order {
    /// Runs two threads to their end; the results come in the order of the arguments.
    pub fn run2<A: 'static, B: 'static>(
        self,
        a: impl FnOnce() -> A + 'static,
        b: impl FnOnce() -> B + 'static,
    ) -> (A, B) {
        match self {
            Self::Forward => {
                let a = loom::thread::spawn(a);
                let b = loom::thread::spawn(b);
                (join(a), join(b))
            }
            Self::Reverse => {
                let b = loom::thread::spawn(b);
                let a = loom::thread::spawn(a);
                let b = join(b);
                (join(a), b)
            }
        }
    }

    /// Runs three threads to their end; the results come in the order of the arguments.
    pub fn run3<A: 'static, B: 'static, C: 'static>(
        self,
        a: impl FnOnce() -> A + 'static,
        b: impl FnOnce() -> B + 'static,
        c: impl FnOnce() -> C + 'static,
    ) -> (A, B, C) {
        match self {
            Self::Forward => {
                let a = loom::thread::spawn(a);
                let b = loom::thread::spawn(b);
                let c = loom::thread::spawn(c);
                (join(a), join(b), join(c))
            }
            Self::Reverse => {
                let c = loom::thread::spawn(c);
                let b = loom::thread::spawn(b);
                let a = loom::thread::spawn(a);
                let (c, b) = (join(c), join(b));
                (join(a), b, c)
            }
        }
    }
}

fn join<T>(thread: loom::thread::JoinHandle<T>) -> T {
    thread.join().expect("loom ends the execution when a thread panics")
}

/// The outcomes that the executions of one model have shown so far.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(Arc<Mutex<BTreeSet<String>>>);

impl Outcomes {
    /// Records how this execution ended.
    pub fn saw(&self, outcome: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(outcome.into());
    }

    /// All outcomes seen, sorted.
    pub fn seen(&self) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
