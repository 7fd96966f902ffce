//! What the runtime says by `tracing` events: which task does not return, and which will never be woken.

mod support;

use shopfloor_protocol::sync::Mutex;
use shopfloor_scheduler::{Config, Flavor, Id, JoinHandle, Scheduler, State, block_in_place, yield_now};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{LazyLock, mpsc};
use std::task::Poll;
use std::thread;
use support::{WIDTHS, runtime};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Record};
use tracing::{Event, Metadata, Subscriber};

/// The fields of one event, as text; the words are under `message`.
#[derive(Clone, Default, Debug)]
struct Report(BTreeMap<&'static str, String>);

impl Visit for Report {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

static REPORTS: Mutex<Vec<Report>> = Mutex::new(Vec::new());

/// Keeps the events of the whole process.
struct Keeper;

impl Subscriber for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut report = Report::default();
        event.record(&mut report);
        REPORTS.lock().push(report);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

static KEPT: LazyLock<()> = LazyLock::new(|| {
    tracing::subscriber::set_global_default(Keeper).expect("this process has no other subscriber");
});

/// What is said about a task from now on: a task that has ended may have had the same id.
struct Ear {
    task: String,
    heard_before: usize,
}

impl Ear {
    /// To be made while the task is alive, and used until it is done.
    fn on(task: Id) -> Self {
        LazyLock::force(&KEPT);
        Self { task: task.to_string(), heard_before: REPORTS.lock().len() }
    }

    fn hears(&self, words: &str) -> Vec<Report> {
        let reports = REPORTS.lock();
        let said = reports[self.heard_before..].iter();
        let about = said.filter(|report| report.0.get("task") == Some(&self.task));
        about
            .filter(|report| report.0.get("message").is_some_and(|said| said.contains(words)))
            .cloned()
            .collect()
    }
}

const STALLED: &str = "has not returned from its poll";

/// A task that blocks in its polls until each of them was reported.
fn stalls(runtime: &Scheduler, polls: usize) -> JoinHandle<Vec<Report>> {
    let (task, lend) = will_stall(runtime, polls);
    lend.send(Ear::on(task.id())).expect("it waits");
    task
}

/// The same once it is lent an ear, which it does not wait for in a poll that could be reported before.
fn will_stall(runtime: &Scheduler, polls: usize) -> (JoinHandle<Vec<Report>>, mpsc::Sender<Ear>) {
    let (lend, lent) = mpsc::channel::<Ear>();
    let task = runtime.spawn(async move {
        let ear = loop {
            if let Ok(ear) = lent.try_recv() {
                break ear;
            }
            yield_now().await;
        };
        for polled in 1..=polls {
            while ear.hears(STALLED).len() < polled {
                thread::yield_now();
            }
            yield_now().await;
        }
        ear.hears(STALLED)
    });
    (task, lend)
}

#[test]
fn each_poll_that_does_not_end_is_reported_once_with_its_task() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let task = stalls(&runtime, 2);
        let spawned_at = task.spawn_location().to_string();
        let reports = runtime.block_on(task).expect("it is reported");
        assert_eq!(reports.len(), 2);
        for report in reports {
            assert_eq!(report.0.get("spawned_at"), Some(&spawned_at));
            assert!(report.0.contains_key("worker") && report.0.contains_key("running_for"), "{report:?}");
        }
    }
}

#[test]
fn a_poll_that_does_not_end_behind_very_many_tasks_is_reported_without_a_search_for_its_place() {
    let runtime = runtime(2);
    let (task, lend) = will_stall(&runtime, 1);
    // Each leaves a waker, or it would be reported as one that nobody can wake.
    let (leave, wakers) = mpsc::channel();
    for _ in 0..20_000 {
        let leave = leave.clone();
        drop(runtime.spawn(poll_fn(move |cx| {
            leave.send(cx.waker().clone()).expect("they are kept");
            Poll::<()>::Pending
        })));
    }
    lend.send(Ear::on(task.id())).expect("it waits");
    let reports = runtime.block_on(task).expect("it is reported");
    drop(runtime);
    drop(wakers);
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].0.get("spawned_at"), None, "they were listed after it, and the search is short");
}

#[test]
fn a_task_in_block_in_place_runs_and_is_not_reported() {
    let runtime = runtime(2);
    let (let_go, wait) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let blocked = runtime.spawn(async move {
        block_in_place(|| {
            begin.send(()).expect("the test waits");
            wait.recv()
        })
    });
    begun.recv().expect("it is in the closure");
    assert_eq!(blocked.state(), State::Running);
    let ear = Ear::on(blocked.id());
    // While others are reported again and again, for as long as it takes.
    runtime.block_on(stalls(&runtime, 3)).expect("it is reported");
    assert_eq!(ear.hears(STALLED).len(), 0);
    assert_eq!(blocked.state(), State::Running);
    drop(let_go);
    runtime.block_on(blocked).expect("runs to its end").expect_err("nothing is sent");
}

#[test]
fn a_stand_in_that_cannot_be_had_is_said_once_and_counted_at_each_look() {
    LazyLock::force(&KEPT);
    let mut config = Config::new(Flavor::MultiThread, 1);
    config.stand_ins = 0;
    let runtime = support::runtime_with(config);
    let handle = runtime.handle().clone();
    let stuck = runtime.spawn(async move {
        while handle.metrics().stand_ins_missing < 10 {
            thread::yield_now();
        }
    });
    runtime.block_on(stuck).expect("the foreman counts");
    let reports = REPORTS.lock();
    let in_use = |report: &&Report| report.0.get("why").is_some_and(|why| why.contains("all 0 are in use"));
    assert_eq!(
        reports.iter().filter(in_use).count(),
        1,
        "by this test; the others have stand-ins, which may be in use on a busy machine"
    );
}

#[test]
fn a_task_that_nobody_can_wake_is_reported_with_its_place() {
    for workers in WIDTHS {
        let runtime = runtime(workers);
        let (tell, told) = mpsc::channel();
        let orphan = runtime.spawn(poll_fn(move |_| {
            // Received in the only poll; not before the ear listens.
            let _ = told.recv();
            Poll::<()>::Pending
        }));
        let ear = Ear::on(orphan.id());
        tell.send(()).expect("it waits");
        let words = "nobody is left who could wake it";
        runtime.block_on(async {
            while ear.hears(words).is_empty() {
                yield_now().await;
            }
        });
        let reports = ear.hears(words);
        assert_eq!(reports[0].0.get("spawned_at"), Some(&orphan.spawn_location().to_string()));
    }
}
