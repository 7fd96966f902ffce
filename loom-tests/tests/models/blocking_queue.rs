//! No blocking job is stranded, whichever threads end, start or fail to start at the same time.
//!
//! A spawn is scripted: if it succeeds, the thread that spawned lives the life of the new one after its own.
//! A lost notification shows as loom's deadlock; the counts are compared with zero at the end of each model.

#![allow(clippy::disallowed_types, reason = "the ledger is kept outside loom's view")]

use protocol_loom::blocking_queue::{BlockingCounts, BlockingQueue, Outside, Seat, SubmitError};
use protocol_loom::sync::UnsafeCell;
use std::cell::RefCell;
use std::sync::{Arc, Mutex as LedgerMutex, PoisonError};
use std::time::Duration;

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "blocking_queue::submit_meets_expiring_thread",
        property: "A job submitted while the only idle thread gives up is run once, by it or by a new one.",
        outcomes: &[
            "new thread started, new one ran it",
            "new thread started, old one ran it",
            "old one ran it",
        ],
        preemption_bound: None,
        body: submit_meets_expiring_thread,
    },
    Model {
        name: "blocking_queue::submit_at_the_cap_meets_thread_going_idle",
        property: "A job submitted at the cap is run, whether the one thread is still busy, looks, or waits.",
        outcomes: &["taken without waiting", "taken from the wait"],
        preemption_bound: None,
        body: submit_at_the_cap_meets_thread_going_idle,
    },
    Model {
        name: "blocking_queue::shutdown_meets_submit_and_idle_exit",
        property: "A job that meets the close and an expiring thread is run, cancelled or given back, once.",
        outcomes: &[
            "first cancelled, second cancelled",
            "first cancelled, second given back",
            "first run, second cancelled",
            "first run, second given back",
            "first run, second run",
        ],
        preemption_bound: Some(3),
        body: |order, outcomes| shutdown_meets_submit(order, outcomes, Patience::Expires),
    },
    Model {
        name: "blocking_queue::shutdown_meets_submit_and_waiting_thread",
        property: "A job that meets the close and a waiting thread is run, cancelled or given back, once.",
        outcomes: &[
            "first cancelled, second cancelled",
            "first cancelled, second given back",
            "first run, second cancelled",
            "first run, second given back",
            "first run, second run",
        ],
        preemption_bound: Some(3),
        body: |order, outcomes| shutdown_meets_submit(order, outcomes, Patience::Waits),
    },
    Model {
        name: "blocking_queue::failed_spawns_strand_no_job",
        property: "When no thread can be started, each job is given back, or cancelled by the last to fail.",
        outcomes: &["both given back", "one given back, one cancelled"],
        preemption_bound: None,
        body: failed_spawns_strand_no_job,
    },
    Model {
        name: "blocking_queue::failed_spawn_meets_successful_spawn",
        property: "Beside a spawn that fails, each job is run, given back or cancelled, once.",
        outcomes: &[
            "first given back, second cancelled",
            "first given back, second run",
            "first run, second run",
        ],
        preemption_bound: None,
        body: failed_spawn_meets_successful_spawn,
    },
    Model {
        name: "blocking_queue::thread_that_cannot_work_strands_no_job",
        property: "A job that counts on a thread which ends before it works is cancelled or gets another.",
        outcomes: &["cancelled", "run"],
        preemption_bound: None,
        body: thread_that_cannot_work_strands_no_job,
    },
];

/// A job; whoever gets it reads what the submitter wrote.
pub struct Work {
    name: &'static str,
    payload: UnsafeCell<u32>,
}

impl Work {
    pub fn new(name: &'static str) -> Self {
        let work = Self { name, payload: UnsafeCell::new(0) };
        // SAFETY: nobody else knows of it yet.
        work.payload.with_mut(|payload| unsafe { *payload = 7 });
        work
    }

    pub fn open(&self) -> &'static str {
        // SAFETY: a job has one owner; loom checks that it happens after the write.
        assert_eq!(self.payload.with(|payload| unsafe { *payload }), 7);
        self.name
    }
}

#[derive(Clone, Copy)]
pub enum Patience {
    /// The keep-alive is over as soon as the thread is idle.
    Expires,
    /// The thread waits until it is notified.
    Waits,
}

impl Patience {
    /// The clock of one idle time.
    pub fn clock(self) -> impl FnMut() -> Option<Duration> {
        move || match self {
            Self::Expires => None,
            Self::Waits => Some(Duration::MAX),
        }
    }
}

/// The queue, and what happened to each job and by whom.
pub struct Floor {
    pub queue: BlockingQueue<Work>,
    ledger: LedgerMutex<Vec<(&'static str, &'static str)>>,
    idled: LedgerMutex<u32>,
    /// Look-outs under way, and all of them.
    look_outs: LedgerMutex<(u32, u32)>,
    /// Threads started after the first ones.
    started: LedgerMutex<usize>,
    /// The queue is closed by the job that makes this many runs.
    runs_until_close: usize,
}

impl Floor {
    pub fn new(threads_max: usize, queue_max: usize, runs_until_close: usize) -> Arc<Self> {
        Arc::new(Self {
            queue: BlockingQueue::new(threads_max, queue_max),
            ledger: LedgerMutex::default(),
            idled: LedgerMutex::default(),
            look_outs: LedgerMutex::default(),
            started: LedgerMutex::default(),
            runs_until_close,
        })
    }

    pub fn note(&self, job: &'static str, fate: &'static str) {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).push((job, fate));
    }

    /// What happened to `job`: exactly one thing.
    pub fn fate(&self, job: &str) -> &'static str {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let fates: Vec<_> = ledger.iter().filter(|(name, _)| *name == job).map(|(_, fate)| *fate).collect();
        assert_eq!(fates.len(), 1, "{job}: {fates:?}");
        fates[0]
    }

    /// As [`fate`](Self::fate), whoever ran it.
    pub fn run_or(&self, job: &str) -> &'static str {
        match self.fate(job) {
            fate @ ("cancelled" | "given back") => fate,
            _ => "run",
        }
    }

    fn idled(&self) -> u32 {
        *self.idled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn assert_quiet(&self) {
        let counts = BlockingCounts { spawn_failures: 0, ..self.queue.counts() };
        assert_eq!(counts, BlockingCounts::default());
    }

    /// Looks out for no longer than one look takes.
    pub fn look_once(&self, has_news: &dyn Fn() -> bool) {
        let count = |under_way: fn(u32) -> u32, all| {
            let mut look_outs = self.look_outs.lock().unwrap_or_else(PoisonError::into_inner);
            *look_outs = (under_way(look_outs.0), look_outs.1 + all);
            look_outs.0
        };
        assert_eq!(count(|one| one + 1, 1), 1, "another one looks out");
        has_news();
        count(|one| one - 1, 0);
    }

    fn look_outs(&self) -> u32 {
        self.look_outs.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn started(&self) -> usize {
        *self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a thread, as the pool's threads live it, and after it the lives of those that it started.
    pub fn live(&self, who: &'static str, seat: Seat, patience: Patience) {
        let hired = RefCell::default();
        self.live_alone(who, seat, patience, |seat| {
            self.hire(&hired, seat);
            Ok(())
        });
        self.live_on(hired);
    }

    fn live_alone(
        &self,
        who: &'static str,
        mut seat: Seat,
        patience: Patience,
        spawn: impl Fn(Seat) -> Result<(), &'static str>,
    ) {
        let hand = Hand { floor: self, who };
        self.queue.arrive(&mut seat, &spawn);
        let go_idle = || {
            *self.idled.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            patience.clock()
        };
        self.queue.work(&mut seat, go_idle, |has_news| self.look_once(has_news), &spawn, &hand);
        self.queue.leave(seat, &hand);
    }

    fn hire(&self, hired: &RefCell<Vec<Seat>>, seat: Seat) {
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        hired.borrow_mut().push(seat);
    }

    fn live_on(&self, hired: RefCell<Vec<Seat>>) {
        hired.into_inner().into_iter().for_each(|seat| self.live("new", seat, Patience::Expires));
    }

    /// Submits; a thread that is started lives after that.
    pub fn submit(&self, job: &'static str) {
        let hired = RefCell::default();
        let spawn = |seat| {
            self.hire(&hired, seat);
            Ok(())
        };
        let answer = self.queue.submit(Work::new(job), spawn, &Hand { floor: self, who: "nobody" });
        self.answered(answer);
        self.live_on(hired);
    }

    /// As [`live`](Self::live) with a keep-alive that is over at once, where no thread can be started.
    pub fn live_unstaffed(&self, who: &'static str, seat: Seat) {
        self.live_alone(who, seat, Patience::Expires, failing_spawn);
    }

    /// Submits; if a thread is needed, it cannot be started.
    pub fn submit_unstaffed(&self, job: &'static str) {
        let answer = self.queue.submit(Work::new(job), failing_spawn, &Hand { floor: self, who: "nobody" });
        self.answered(answer);
    }

    pub fn answered(&self, answer: Result<(), SubmitError<Work, &'static str>>) {
        match answer {
            Ok(()) => {}
            Err(SubmitError::QueueFull(_)) => panic!("there is room"),
            Err(refused) => self.note(refused.into_job().open(), "given back"),
        }
    }

    /// Submits `job` and returns the seat of the thread that it takes.
    pub fn staffed(&self, job: &'static str) -> Seat {
        let mut started = None;
        let spawn = |seat| {
            started = Some(seat);
            Ok(())
        };
        let answer = self.queue.submit(Work::new(job), spawn, &Hand { floor: self, who: "nobody" });
        self.answered(answer);
        started.expect("the first job takes a thread")
    }

    /// The seats of so many threads that have arrived and will find the list empty.
    pub fn arrived(&self, count: usize) -> Vec<Seat> {
        let mut seats: Vec<_> = (0..=count)
            .map(|_| {
                let mut seat = self.staffed("earlier");
                self.queue.arrive(&mut seat, no_spawn);
                seat
            })
            .collect();
        let last = seats.pop().expect("there is one more");
        self.live_alone("earlier", last, Patience::Expires, no_spawn);
        seats
    }

    fn shut_down(&self) {
        self.queue.close(&Hand { floor: self, who: "closer" });
        assert_eq!(self.queue.wait_until_gone(|| Some(Duration::MAX)).threads, 0);
    }
}

/// Where enough threads are on their way, or there may be no more.
pub fn no_spawn(_seat: Seat) -> Result<(), &'static str> {
    panic!("no thread is needed")
}

fn failing_spawn(_seat: Seat) -> Result<(), &'static str> {
    Err("EAGAIN")
}

/// What one thread does for the queue.
pub struct Hand<'a> {
    pub floor: &'a Floor,
    pub who: &'static str,
}

impl Outside<Work> for Hand<'_> {
    fn run(&self, job: Work) {
        self.floor.note(job.open(), self.who);
        let runs = self.floor.ledger.lock().unwrap_or_else(PoisonError::into_inner).len();
        if runs == self.floor.runs_until_close {
            self.floor.queue.close(self);
        }
    }

    fn cancel(&self, job: Work) {
        self.floor.note(job.open(), "cancelled");
    }
}

fn submit_meets_expiring_thread(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(2, 2, usize::MAX);
    let seat = floor.staffed("first");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    order.run2(move || a.live("old", seat, Patience::Expires), move || b.submit("second"));
    floor.assert_quiet();
    // With a spawn under way, whoever looks first gets either job; without one there is only the old thread.
    let by = floor.fate("second");
    floor.fate("first");
    let started = if floor.started() == 1 { "new thread started, " } else { "" };
    outcomes.saw(format!("{started}{by} one ran it"));
}

fn submit_at_the_cap_meets_thread_going_idle(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 2, 2);
    let seat = floor.staffed("first");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    order.run2(move || a.live("old", seat, Patience::Waits), move || b.submit("second"));
    floor.assert_quiet();
    assert_eq!(floor.started(), 0);
    // Nobody else is idle.
    assert_eq!(floor.look_outs(), floor.idled());
    assert_eq!((floor.fate("first"), floor.fate("second")), ("old", "old"));
    outcomes.saw(if floor.idled() == 0 { "taken without waiting" } else { "taken from the wait" });
}

fn shutdown_meets_submit(order: Order, outcomes: &Outcomes, patience: Patience) {
    let floor = Floor::new(2, 2, usize::MAX);
    let seat = floor.staffed("first");
    let (a, b, c) = (Arc::clone(&floor), Arc::clone(&floor), Arc::clone(&floor));
    order.run3(move || a.live("run", seat, patience), move || b.submit("second"), move || c.shut_down());
    floor.assert_quiet();
    outcomes.saw(format!("first {}, second {}", floor.run_or("first"), floor.run_or("second")));
}

fn failed_spawns_strand_no_job(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(2, 2, usize::MAX);
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    order.run2(move || a.submit_unstaffed("first"), move || b.submit_unstaffed("second"));
    floor.assert_quiet();
    let fates = [floor.fate("first"), floor.fate("second")];
    let given_back = fates.into_iter().filter(|fate| *fate == "given back").count();
    assert_eq!(floor.queue.counts().spawn_failures, given_back as u64);
    outcomes.saw(match fates.into() {
        ("given back", "given back") => "both given back",
        ("given back", "cancelled") | ("cancelled", "given back") => "one given back, one cancelled",
        other => panic!("{other:?}"),
    });
}

fn failed_spawn_meets_successful_spawn(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 2, usize::MAX);
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    order.run2(move || a.submit_unstaffed("first"), move || b.submit("second"));
    floor.assert_quiet();
    outcomes.saw(format!("first {}, second {}", floor.run_or("first"), floor.run_or("second")));
}

fn thread_that_cannot_work_strands_no_job(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 2, usize::MAX);
    let mut seat = floor.staffed("first");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    order.run2(
        move || {
            a.queue.arrive(&mut seat, no_spawn);
            a.queue.leave(seat, &Hand { floor: &a, who: "nobody" });
        },
        move || b.submit("second"),
    );
    floor.assert_quiet();
    assert_eq!(floor.fate("first"), "cancelled");
    outcomes.saw(floor.run_or("second"));
}
