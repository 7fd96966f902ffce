//! One thread is called or started at a time, and each sees to the next before it runs its job: no job waits for another.
//!
//! The first job ends only after the second has ended, whatever becomes of that: a chain that breaks behind the first
//! is a deadlock.

#![allow(clippy::disallowed_types, reason = "the floor is shared as in the pool's other models")]

use protocol_loom::blocking_queue::{Outside, Seat};
use protocol_loom::sync::{Condvar, Mutex};
use std::sync::Arc;

use super::blocking_queue::{Floor, Patience, Work, no_spawn};
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "blocking_queue::a_called_thread_calls_the_next",
        property: "Of two jobs for two idle threads neither waits for the other, though one thread is called at a time.",
        outcomes: &["first by a, second by b", "first by b, second by a"],
        preemption_bound: Some(3),
        body: two_jobs_meet_two_idle_threads,
    },
    Model {
        name: "blocking_queue::a_thread_that_starts_starts_the_next",
        property: "Of two jobs for a pool without threads neither waits for the other, though one is started at a time.",
        outcomes: &["second by the first thread", "second by the other thread"],
        preemption_bound: Some(3),
        body: two_jobs_meet_a_starting_thread,
    },
    Model {
        name: "blocking_queue::a_thread_that_cannot_start_the_next_runs_its_job_too",
        property: "A job that is handed on to a thread that cannot be started is run by the one that is there, or given back.",
        outcomes: &[
            "given back, 1 spawn failed",
            "run, 0 spawns failed",
            "run, 1 spawn failed",
            "run, 2 spawns failed",
        ],
        preemption_bound: None,
        body: hand_on_spawn_fails,
    },
    Model {
        name: "blocking_queue::a_job_is_handed_on_past_a_thread_that_expires",
        property: "Of two jobs for a waiting thread and one that gives up neither waits for the other.",
        outcomes: &[
            "second by a new thread",
            "second by the expiring thread",
            "second by the waiting thread",
        ],
        preemption_bound: Some(3),
        body: hand_on_meets_expiry,
    },
    Model {
        name: "blocking_queue::a_call_that_is_handed_on_meets_the_close",
        property: "A job whose thread is called by another one that got a job is run or cancelled, once.",
        outcomes: &[
            "first cancelled, second cancelled",
            "first run, second cancelled",
            "first run, second run",
        ],
        preemption_bound: Some(3),
        body: handed_on_call_meets_close,
    },
    Model {
        name: "blocking_queue::a_spawn_that_is_handed_on_meets_the_close",
        property: "A job whose thread is started by another one that got a job is run or cancelled, once.",
        outcomes: &[
            "first cancelled, second cancelled",
            "first run, second cancelled",
            "first run, second run",
        ],
        preemption_bound: Some(3),
        body: handed_on_spawn_meets_close,
    },
];

/// The floor, and a place where one thread waits for seats of threads that others start.
struct Chain {
    floor: Arc<Floor>,
    second_ended: Mutex<bool>,
    second_ends: Condvar,
    agency: Mutex<Agency>,
    hires: Condvar,
    /// Whether the first job, when it has run, closes the queue.
    ends_itself: bool,
}

#[derive(Default)]
struct Agency {
    hired: Option<Seat>,
    closed: bool,
}

impl Chain {
    fn new(threads_max: usize, ends_itself: bool) -> Arc<Self> {
        Arc::new(Self {
            floor: Floor::new(threads_max, 2, usize::MAX),
            second_ended: Mutex::new(false),
            second_ends: Condvar::new(),
            agency: Mutex::new(Agency::default()),
            hires: Condvar::new(),
            ends_itself,
        })
    }

    fn ended(&self, job: &'static str, fate: &'static str) {
        self.floor.note(job, fate);
        if job == "second" {
            *self.second_ended.lock() = true;
            self.second_ends.notify_one();
        }
    }

    fn hire(&self, seat: Seat) -> Result<(), &'static str> {
        assert!(self.agency.lock().hired.replace(seat).is_none(), "one is started at a time");
        self.hires.notify_one();
        Ok(())
    }

    /// Lives the lives of threads that are started, until there will be no more.
    fn live_hired(&self, who: &'static str) {
        loop {
            let mut agency = self.agency.lock();
            let seat = loop {
                match agency.hired.take() {
                    Some(seat) => break seat,
                    None if agency.closed => return,
                    None => agency = self.hires.wait(agency),
                }
            };
            drop(agency);
            self.live(who, seat, Patience::Expires);
        }
    }

    fn live(&self, who: &'static str, mut seat: Seat, patience: Patience) {
        let (queue, hand) = (&self.floor.queue, ChainHand { chain: self, who });
        let spawn = |seat| self.hire(seat);
        queue.arrive(&mut seat, spawn);
        queue.work(&mut seat, || patience.clock(), |has_news| self.floor.look_once(has_news), spawn, &hand);
        queue.leave(seat, &hand);
    }

    fn submit(&self, job: &'static str) {
        let answer = self.floor.queue.submit(
            Work::new(job),
            |seat| self.hire(seat),
            &ChainHand { chain: self, who: "nobody" },
        );
        self.floor.answered(answer);
    }

    fn close(&self) {
        self.floor.queue.close(&ChainHand { chain: self, who: "closer" });
        self.agency.lock().closed = true;
        self.hires.notify_one();
    }

    /// What a thread that was started after the close finds.
    fn assert_quiet(&self) {
        self.live_hired("too late");
        self.floor.assert_quiet();
    }
}

/// What one thread does for the queue.
struct ChainHand<'a> {
    chain: &'a Chain,
    who: &'static str,
}

impl Outside<Work> for ChainHand<'_> {
    fn run(&self, job: Work) {
        let (chain, job) = (self.chain, job.open());
        if job == "first" {
            let mut ended = chain.second_ended.lock();
            while !*ended {
                ended = chain.second_ends.wait(ended);
            }
        }
        chain.ended(job, self.who);
        if job == "first" && chain.ends_itself {
            chain.close();
        }
    }

    fn cancel(&self, job: Work) {
        self.chain.ended(job.open(), "cancelled");
    }
}

fn two_jobs_meet_two_idle_threads(order: Order, outcomes: &Outcomes) {
    let chain = Chain::new(3, true);
    let mut seats = chain.floor.arrived(2);
    let (one, other) = (seats.remove(0), seats.remove(0));
    let (a, b, c) = (Arc::clone(&chain), Arc::clone(&chain), Arc::clone(&chain));
    order.run3(
        move || a.live("a", one, Patience::Waits),
        move || b.live("b", other, Patience::Waits),
        move || ["first", "second"].into_iter().for_each(|job| c.submit(job)),
    );
    chain.assert_quiet();
    outcomes.saw(format!("first by {}, second by {}", chain.floor.fate("first"), chain.floor.fate("second")));
}

fn two_jobs_meet_a_starting_thread(order: Order, outcomes: &Outcomes) {
    let chain = Chain::new(2, true);
    let seat = chain.floor.staffed("first");
    let (a, b, c) = (Arc::clone(&chain), Arc::clone(&chain), Arc::clone(&chain));
    order.run3(
        move || a.live("the first thread", seat, Patience::Waits),
        move || b.live_hired("the other thread"),
        move || c.submit("second"),
    );
    chain.assert_quiet();
    chain.floor.fate("first");
    outcomes.saw(format!("second by {}", chain.floor.fate("second")));
}

fn hand_on_spawn_fails(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(2, 2, usize::MAX);
    let seat = floor.staffed("first");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    order.run2(move || a.live_unstaffed("run", seat), move || b.submit_unstaffed("second"));
    floor.assert_quiet();
    assert_eq!(floor.fate("first"), "run");
    let failures = floor.queue.counts().spawn_failures;
    let spawns = if failures == 1 { "spawn" } else { "spawns" };
    outcomes.saw(format!("{}, {failures} {spawns} failed", floor.fate("second")));
}

fn hand_on_meets_expiry(order: Order, outcomes: &Outcomes) {
    let chain = Chain::new(3, true);
    let mut seats = chain.floor.arrived(2);
    let (waiting, expiring) = (seats.remove(0), seats.remove(0));
    let (a, b, c) = (Arc::clone(&chain), Arc::clone(&chain), Arc::clone(&chain));
    order.run3(
        move || a.live("the waiting thread", waiting, Patience::Waits),
        move || b.live("the expiring thread", expiring, Patience::Expires),
        move || {
            ["first", "second"].into_iter().for_each(|job| c.submit(job));
            c.live_hired("a new thread");
        },
    );
    chain.assert_quiet();
    chain.floor.fate("first");
    outcomes.saw(format!("second by {}", chain.floor.fate("second")));
}

fn handed_on_call_meets_close(order: Order, outcomes: &Outcomes) {
    let chain = Chain::new(3, false);
    let mut seats = chain.floor.arrived(2);
    let (one, other) = (seats.remove(0), seats.remove(0));
    let (a, b, c) = (Arc::clone(&chain), Arc::clone(&chain), Arc::clone(&chain));
    order.run3(
        move || a.live("run", one, Patience::Waits),
        move || b.live("run", other, Patience::Waits),
        move || {
            ["first", "second"].into_iter().for_each(|job| c.submit(job));
            c.close();
        },
    );
    chain.assert_quiet();
    outcomes.saw(format!("first {}, second {}", chain.floor.fate("first"), chain.floor.fate("second")));
}

fn handed_on_spawn_meets_close(order: Order, outcomes: &Outcomes) {
    let chain = Chain::new(2, false);
    let seat = chain.floor.staffed("first");
    let answer =
        chain.floor.queue.submit(Work::new("second"), no_spawn, &ChainHand { chain: &chain, who: "nobody" });
    chain.floor.answered(answer);
    let (a, b, c) = (Arc::clone(&chain), Arc::clone(&chain), Arc::clone(&chain));
    order.run3(move || a.live("run", seat, Patience::Waits), move || b.live_hired("run"), move || c.close());
    chain.assert_quiet();
    outcomes.saw(format!("first {}, second {}", chain.floor.fate("first"), chain.floor.fate("second")));
}
