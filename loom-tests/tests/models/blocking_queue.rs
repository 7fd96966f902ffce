//! No blocking job is stranded, whichever threads end, start or fail to start at the same time.
//!
//! A spawn is scripted: if it succeeds, the submitter's own thread lives the life of the new one afterwards.
//! A lost notification shows as loom's deadlock; the counts are compared with zero at the end of each model.

#![allow(clippy::disallowed_types, reason = "the ledger is kept outside loom's view")]

use protocol_loom::blocking_queue::{BlockingCounts, BlockingQueue, Outside, Seat, SubmitError};
use protocol_loom::sync::UnsafeCell;
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
        name: "blocking_queue::two_jobs_meet_a_waiting_and_an_expiring_thread",
        property: "Of two threads one waits and one gives up: two jobs are run whoever is notified.",
        outcomes: &["no thread started", "one thread started", "two threads started"],
        preemption_bound: Some(3),
        body: two_jobs_meet_a_waiting_and_an_expiring_thread,
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
        name: "blocking_queue::failed_spawns_below_the_cap_give_each_job_back",
        property: "A spawn that fails while another one may still succeed gives its own job back.",
        outcomes: &["both given back"],
        preemption_bound: None,
        body: failed_spawns_below_the_cap_give_each_job_back,
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
        name: "blocking_queue::failed_spawn_meets_expiring_thread",
        property: "A job whose spawn fails is run by the thread that is there, or given back if it has gone.",
        outcomes: &["given back", "run"],
        preemption_bound: None,
        body: failed_spawn_meets_expiring_thread,
    },
    Model {
        name: "blocking_queue::thread_that_cannot_work_strands_no_job",
        property: "A job that counts on a thread which ends before it works is cancelled or gets another.",
        outcomes: &["cancelled", "run by a new thread"],
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

/// The queue, and what happened to each job and by whom.
pub struct Floor {
    pub queue: BlockingQueue<Work>,
    ledger: LedgerMutex<Vec<(&'static str, &'static str)>>,
    idled: LedgerMutex<u32>,
    /// The queue is closed by the job that makes this many runs.
    runs_until_close: usize,
}

impl Floor {
    pub fn new(threads_max: usize, queue_max: usize, runs_until_close: usize) -> Arc<Self> {
        Arc::new(Self {
            queue: BlockingQueue::new(threads_max, queue_max),
            ledger: LedgerMutex::default(),
            idled: LedgerMutex::default(),
            runs_until_close,
        })
    }

    fn note(&self, job: &'static str, fate: &'static str) {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).push((job, fate));
    }

    /// What happened to `job`: exactly one thing.
    pub fn fate(&self, job: &str) -> &'static str {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let fates: Vec<_> = ledger.iter().filter(|(name, _)| *name == job).map(|(_, fate)| *fate).collect();
        assert_eq!(fates.len(), 1, "{job}: {fates:?}");
        fates[0]
    }

    fn idled(&self) -> u32 {
        *self.idled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn assert_quiet(&self) {
        let counts = BlockingCounts { spawn_failures: 0, ..self.queue.counts() };
        assert_eq!(counts, BlockingCounts::default());
    }

    /// The life of a thread, as the pool's threads live it.
    pub fn live(&self, who: &'static str, mut seat: Seat, patience: Patience) {
        let hand = Hand { floor: self, who };
        self.queue.arrive(&mut seat);
        let go_idle = || {
            *self.idled.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            move || match patience {
                Patience::Expires => None,
                Patience::Waits => Some(Duration::MAX),
            }
        };
        // Looks once.
        let look_out = |has_news: &dyn Fn() -> bool| {
            has_news();
        };
        self.queue.work(&mut seat, go_idle, look_out, &hand);
        self.queue.leave(seat, &hand);
    }

    /// Submits; a thread that is started lives after that. Says whether one was.
    pub fn submit(&self, job: &'static str, who: &'static str) -> bool {
        let mut started = None;
        let spawn = |seat| {
            started = Some(seat);
            Ok(())
        };
        let answer = self.queue.submit(Work::new(job), spawn, &Hand { floor: self, who });
        self.answered(answer);
        let is_started = started.is_some();
        if let Some(seat) = started {
            self.live(who, seat, Patience::Expires);
        }
        is_started
    }

    /// Submits; if a thread is needed, it cannot be started.
    fn submit_unstaffed(&self, job: &'static str) {
        let answer =
            self.queue.submit(Work::new(job), |_seat| Err("EAGAIN"), &Hand { floor: self, who: "nobody" });
        self.answered(answer);
    }

    fn answered(&self, answer: Result<(), SubmitError<Work, &'static str>>) {
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

    fn shut_down(&self) {
        self.queue.close(&Hand { floor: self, who: "closer" });
        assert_eq!(self.queue.wait_until_gone(|| Some(Duration::MAX)).threads, 0);
    }
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
    let ((), started) =
        order.run2(move || a.live("old", seat, Patience::Expires), move || b.submit("second", "new"));
    floor.assert_quiet();
    // With a spawn under way, whoever looks first gets either job; without one there is only the old thread.
    let by = floor.fate("second");
    floor.fate("first");
    let started = if started { "new thread started, " } else { "" };
    outcomes.saw(format!("{started}{by} one ran it"));
}

fn submit_at_the_cap_meets_thread_going_idle(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 2, 2);
    let seat = floor.staffed("first");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    let ((), started) =
        order.run2(move || a.live("old", seat, Patience::Waits), move || b.submit("second", "new"));
    floor.assert_quiet();
    assert!(!started);
    assert_eq!((floor.fate("first"), floor.fate("second")), ("old", "old"));
    outcomes.saw(if floor.idled() == 0 { "taken without waiting" } else { "taken from the wait" });
}

fn two_jobs_meet_a_waiting_and_an_expiring_thread(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(2, 4, 4);
    let waiting = floor.staffed("first");
    let expiring = floor.staffed("second");
    let (a, b, c) = (Arc::clone(&floor), Arc::clone(&floor), Arc::clone(&floor));
    let ((), (), started) = order.run3(
        move || a.live("waiting", waiting, Patience::Waits),
        move || b.live("expiring", expiring, Patience::Expires),
        move || [c.submit("third", "new"), c.submit("fourth", "new")],
    );
    floor.assert_quiet();
    ["first", "second", "third", "fourth"]
        .into_iter()
        .for_each(|job| assert_ne!(floor.fate(job), "cancelled"));
    outcomes.saw(match started.into_iter().filter(|started| *started).count() {
        0 => "no thread started",
        1 => "one thread started",
        _ => "two threads started",
    });
}

fn shutdown_meets_submit(order: Order, outcomes: &Outcomes, patience: Patience) {
    let floor = Floor::new(2, 2, usize::MAX);
    let seat = floor.staffed("first");
    let (a, b, c) = (Arc::clone(&floor), Arc::clone(&floor), Arc::clone(&floor));
    order.run3(
        move || a.live("run", seat, patience),
        move || {
            b.submit("second", "run");
        },
        move || c.shut_down(),
    );
    floor.assert_quiet();
    outcomes.saw(format!("first {}, second {}", floor.fate("first"), floor.fate("second")));
}

fn failed_spawns_strand_no_job(order: Order, outcomes: &Outcomes) {
    both_spawns_fail(order, outcomes, 1);
}

fn failed_spawns_below_the_cap_give_each_job_back(order: Order, outcomes: &Outcomes) {
    both_spawns_fail(order, outcomes, 2);
}

fn both_spawns_fail(order: Order, outcomes: &Outcomes, threads_max: usize) {
    let floor = Floor::new(threads_max, 2, usize::MAX);
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
    order.run2(
        move || a.submit_unstaffed("first"),
        move || {
            b.submit("second", "run");
        },
    );
    floor.assert_quiet();
    outcomes.saw(format!("first {}, second {}", floor.fate("first"), floor.fate("second")));
}

fn failed_spawn_meets_expiring_thread(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(2, 2, usize::MAX);
    let seat = floor.staffed("first");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    order.run2(move || a.live("run", seat, Patience::Expires), move || b.submit_unstaffed("second"));
    floor.assert_quiet();
    assert_eq!(floor.fate("first"), "run");
    outcomes.saw(floor.fate("second"));
}

fn thread_that_cannot_work_strands_no_job(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 2, usize::MAX);
    let mut seat = floor.staffed("first");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    order.run2(
        move || {
            a.queue.arrive(&mut seat);
            a.queue.leave(seat, &Hand { floor: &a, who: "nobody" });
        },
        move || b.submit("second", "run by a new thread"),
    );
    floor.assert_quiet();
    assert_eq!(floor.fate("first"), "cancelled");
    outcomes.saw(floor.fate("second"));
}
