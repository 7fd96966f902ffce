//! Random programs: tasks that do a few steps each, and the threads that do something to them meanwhile.
//!
//! Whatever a program waits for comes without fail: a child ends, a deadline passes, a foreign thread opens each
//! gate that it is given, a task that was suspended is resumed, and whoever blocks a thread waits for a task that
//! any other worker can run. So a program that does not end has found a fault of the scheduler.

#![allow(clippy::disallowed_types, reason = "lists and counts of the scenario are outside the schedule")]

use crate::gate::{Gate, Latch, OpenOnDrop, WakeDesk};
use crate::ledger::Ledger;
use crate::sleep::sleep;
use shopfloor_protocol::sync::{Condvar as WaitPoint, ModelledTime, Mutex as StepLock, scheduling_point};
use shopfloor_scheduler::{
    AbortHandle, Config, Driver, Flavor, Handle, JoinHandle, Scheduler, block_in_place, yield_now,
};
use shuttle::thread;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// What a scenario consists of. The numbers of steps are weights: how often each is chosen.
#[derive(Clone, Debug)]
pub struct Mix {
    /// Tasks that the first thread spawns.
    pub roots: u64,
    /// Tasks in all.
    pub tasks: u64,
    /// Steps of a task, at most.
    pub steps: u64,
    /// To the back of the queue.
    pub yields: u64,
    /// A wake of the task itself during its poll.
    pub self_wakes: u64,
    /// A child that nobody waits for.
    pub detached: u64,
    /// Children that the task waits for.
    pub joins: u64,
    /// A wake by a foreign thread or by an event of a driver.
    pub gates: u64,
    /// A timer.
    pub sleeps: u64,
    /// A job of the blocking pool.
    pub jobs: u64,
    /// `block_in_place` until another task has run.
    pub in_place: u64,
    /// A poll that does not end until another task has run.
    pub stalls: u64,
    /// A sleep of about as long as the foreman waits for before it sleeps itself, and then such a poll.
    pub quiet: u64,
    /// Foreign threads that open gates.
    pub wakers: u64,
    /// Foreign threads that spawn tasks and wait for them.
    pub spawners: u64,
    /// Foreign threads that abort, suspend and resume, so many times each.
    pub meddlers: u64,
    /// The runtime is shut down without waiting for the tasks.
    pub ends_early: bool,
}

impl Mix {
    /// Nothing but tasks that end at once.
    pub const NONE: Self = Self {
        roots: 6,
        tasks: 24,
        steps: 4,
        yields: 0,
        self_wakes: 0,
        detached: 0,
        joins: 0,
        gates: 0,
        sleeps: 0,
        jobs: 0,
        in_place: 0,
        stalls: 0,
        quiet: 0,
        wakers: 0,
        spawners: 0,
        meddlers: 0,
        ends_early: false,
    };

    /// Some of everything.
    pub const ALL: Self = Self {
        yields: 2,
        self_wakes: 1,
        detached: 2,
        joins: 3,
        gates: 2,
        sleeps: 2,
        jobs: 1,
        in_place: 1,
        stalls: 1,
        wakers: 1,
        spawners: 1,
        meddlers: 1,
        ..Self::NONE
    };
}

/// One schedule's program.
#[derive(Debug)]
pub struct Case {
    mix: Mix,
    handle: Handle,
    ledger: Arc<Ledger>,
    desk: WakeDesk,
    drivers: Vec<Arc<EventDriver>>,
    /// Polls that may still be stuck at once.
    stalls_left: Mutex<usize>,
    tasks_left: Mutex<u64>,
    /// A clone of a handle is a step, so this lock is the schedule's.
    handles: StepLock<Vec<AbortHandle>>,
}

type Program = Pin<Box<dyn Future<Output = ()> + Send>>;

fn below(bound: u64) -> u64 {
    ModelledTime::below(bound)
}

/// The first thread of a schedule.
///
/// # Panics
/// If the ledger does not hold.
pub(crate) fn run(mix: &Mix) {
    let ledger = Arc::new(Ledger::default());
    {
        let drivers: Vec<_> = (0..1 + below(3)).map(|_| Arc::new(EventDriver::default())).collect();
        let runtime = start(&drivers);
        let case = Arc::new(Case::new(mix.clone(), &runtime, drivers, Arc::clone(&ledger)));
        let mut foreign = Vec::new();
        foreign.extend(start_threads(&case, mix.spawners, Case::spawn_from_outside));
        foreign.extend(start_threads(&case, mix.meddlers, Case::meddle));
        // Gates are opened by one thread at least.
        let wakers = if mix.gates > 0 { mix.wakers.max(1) } else { 0 };
        let wakers = start_threads(&case, wakers, |case| case.desk.serve());
        let roots: Vec<_> = (0..mix.roots).filter_map(|_| case.spawn_program(2)).collect();
        if mix.ends_early {
            (0..below(400)).for_each(|_| scheduling_point());
            drop(roots);
        } else {
            runtime.block_on(async {
                for root in roots {
                    root.await_ended(&case).await;
                }
            });
            join_all(&mut foreign);
        }
        let report = runtime.shutdown_timeout(Duration::MAX);
        assert!(report.is_clean(), "{report:?}");
        case.desk.close();
        foreign.extend(wakers);
        join_all(&mut foreign);
        case.handles.lock().clear();
    }
    ledger.settle();
    // Threads of the pool are not joined; each gives up what it has when it ends.
    for _ in 0..10_000 {
        if Arc::strong_count(&ledger) == 1 {
            return;
        }
        thread::yield_now();
    }
    panic!("the runtime or a task has not been freed");
}

/// A runtime of four to eight workers, in one to three groups, with intervals short enough to matter.
fn start(drivers: &[Arc<EventDriver>]) -> Scheduler {
    let mut config = Config::new(Flavor::MultiThread, 4 + below(5) as usize);
    config.event_interval = 1 + below(12) as u32;
    config.event_time = Duration::from_micros(20 * below(2))..=*config.event_time.end();
    config.injector_interval = 1 + below(12) as u32;
    config.blocking_threads = 1 + below(3) as usize;
    config.blocking_keep_alive = Duration::from_micros(below(2_000));
    config.driver_spin = Duration::from_micros(50 * below(2));
    config.shutdown_grace = Duration::MAX;
    let drivers = drivers.iter().map(|driver| Arc::clone(driver) as _).collect();
    Scheduler::start(config, drivers).expect("shuttle starts any thread")
}

fn start_threads(case: &Arc<Case>, count: u64, life: fn(&Arc<Case>)) -> Vec<thread::JoinHandle<()>> {
    let start = |_| {
        let case = Arc::clone(case);
        thread::spawn(move || life(&case))
    };
    (0..count).map(start).collect()
}

fn join_all(threads: &mut Vec<thread::JoinHandle<()>>) {
    for thread in threads.drain(..) {
        thread.join().expect("it does not panic");
    }
}

impl Case {
    fn new(mix: Mix, runtime: &Scheduler, drivers: Vec<Arc<EventDriver>>, ledger: Arc<Ledger>) -> Self {
        let handle = runtime.handle().clone();
        // As many stand-ins as workers; one thread has to be left.
        let stalls = 2 * handle.metrics().workers - 1;
        let tasks_left = Mutex::new(mix.tasks);
        let desk = WakeDesk::default();
        let stalls_left = Mutex::new(stalls);
        Self { mix, handle, ledger, desk, drivers, stalls_left, tasks_left, handles: StepLock::default() }
    }

    fn spawn<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = self.handle.spawn(self.ledger.track(future));
        if self.mix.meddlers > 0 {
            self.handles.lock().push(task.abort_handle());
        }
        Spawned(task)
    }

    /// A task that does some steps and has children for `depth` generations; `None` when there are enough.
    fn spawn_program(self: &Arc<Self>, depth: u64) -> Option<Spawned> {
        {
            let mut left = self.tasks_left.lock().unwrap_or_else(PoisonError::into_inner);
            *left = left.checked_sub(1)?;
        }
        let case = Arc::clone(self);
        let steps = 1 + below(self.mix.steps);
        let program: Program = Box::pin(async move {
            for _ in 0..steps {
                case.step(depth).await;
            }
        });
        Some(self.spawn(program))
    }

    async fn step(self: &Arc<Self>, depth: u64) {
        let mix = &self.mix;
        let mut dice = below(mix.weight().max(1));
        let mut is = |weight: u64| {
            let chosen = dice < weight;
            dice = if chosen { u64::MAX } else { dice - weight };
            chosen
        };
        if is(mix.yields) {
            yield_now().await;
        } else if is(mix.self_wakes) {
            wake_oneself().await;
        } else if is(mix.detached) {
            drop((depth > 0).then(|| self.spawn_program(depth - 1)));
        } else if is(mix.joins) {
            self.join_children(depth).await;
        } else if is(mix.gates) {
            let gate = Arc::new(Gate::default());
            match self.drivers.get(below(2 * self.drivers.len() as u64) as usize) {
                Some(driver) => driver.leave(Arc::clone(&gate)),
                None => self.desk.leave(Arc::clone(&gate)),
            }
            (&*gate).await;
        } else if is(mix.sleeps) {
            sleep(&self.handle, Duration::from_micros(below(4_000))).await;
        } else if is(mix.jobs) {
            self.run_job().await;
        } else if is(mix.in_place) {
            block_in_place(|| self.wait_for_another());
        } else if is(mix.stalls) {
            self.stall();
        } else if is(mix.quiet) {
            sleep(&self.handle, Duration::from_millis(30 + below(12))).await;
            self.stall();
        }
    }

    async fn join_children(self: &Arc<Self>, depth: u64) {
        if depth == 0 {
            return;
        }
        let children: Vec<_> = (0..1 + below(4)).filter_map(|_| self.spawn_program(depth - 1)).collect();
        for child in children {
            child.await_ended(self).await;
        }
    }

    async fn run_job(self: &Arc<Self>) {
        let case = Arc::clone(self);
        let waits = below(2) == 0;
        let job = self.ledger.track_job(move || {
            if waits {
                case.wait_for_another();
            }
        });
        let job = Spawned(self.handle.spawn_blocking(job));
        if below(4) > 0 {
            job.await_ended(self).await;
        }
    }

    /// Blocks the thread until a task that is spawned now has run, or was cancelled.
    fn wait_for_another(&self) {
        let latch = Arc::new(Latch::default());
        let open = OpenOnDrop(Arc::clone(&latch));
        drop(self.spawn(async move { drop(open) }));
        latch.wait();
    }

    /// The same in a poll, without telling the runtime, if there is another thread left to run it.
    fn stall(&self) {
        let left = || self.stalls_left.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(fewer) = left().checked_sub(1) else { return };
        *left() = fewer;
        self.wait_for_another();
        *left() += 1;
    }

    /// Whether a task may have been cancelled: tasks that nobody waits for go on until the shutdown.
    fn may_cancel(&self) -> bool {
        self.mix.meddlers > 0 || self.handle.is_shutting_down()
    }

    /// A foreign thread: spawns, and waits for what it spawned.
    fn spawn_from_outside(self: &Arc<Self>) {
        for _ in 0..1 + below(4) {
            if let Some(task) = self.spawn_program(1) {
                self.handle.block_on(task.await_ended(self));
            }
        }
    }

    /// A foreign thread: aborts, suspends and resumes.
    fn meddle(self: &Arc<Self>) {
        for _ in 0..below(30) {
            let victim = {
                let handles = self.handles.lock();
                let place = below(handles.len().max(1) as u64) as usize;
                handles.get(place).cloned()
            };
            match (victim, below(4)) {
                (Some(victim), 0) => victim.abort(),
                (Some(victim), 1) => _ = victim.resume(),
                (Some(victim), _) => _ = victim.suspend(),
                (None, _) => scheduling_point(),
            }
        }
        let handles = self.handles.lock().clone();
        for handle in handles {
            handle.resume();
        }
    }
}

impl Mix {
    fn weight(&self) -> u64 {
        let Self {
            yields, self_wakes, detached, joins, gates, sleeps, jobs, in_place, stalls, quiet, ..
        } = self;
        yields + self_wakes + detached + joins + gates + sleeps + jobs + in_place + stalls + quiet
    }
}

/// A task that somebody may wait for.
struct Spawned(JoinHandle<()>);

impl Spawned {
    /// Waits for the end of the task, and says so in the ledger if it was not one that the program allows.
    async fn await_ended(self, case: &Case) {
        match self.0.await {
            Ok(()) => {}
            Err(error) if error.is_cancelled() && case.may_cancel() => {}
            Err(error) => case.ledger.complain(format!("{error}")),
        }
    }
}

/// A wake during the poll: exactly one more poll.
async fn wake_oneself() {
    let mut woken = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A driver whose events are the gates that are left with it: the next turn opens them.
#[derive(Debug, Default)]
struct EventDriver {
    state: StepLock<EventState>,
    condvar: WaitPoint,
}

#[derive(Debug, Default)]
struct EventState {
    interrupted: bool,
    gates: Vec<Arc<Gate>>,
}

impl EventDriver {
    fn leave(&self, gate: Arc<Gate>) {
        self.state.lock().gates.push(gate);
        self.condvar.notify_one();
    }
}

impl Driver for EventDriver {
    fn turn(
        &self,
        timeout: Option<Duration>,
        events_max: usize,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<usize> {
        let mut state = self.state.lock();
        if !state.interrupted && state.gates.is_empty() && timeout != Some(Duration::ZERO) {
            state = match timeout {
                Some(timeout) => self.condvar.wait_timeout(state, timeout).0,
                None => self.condvar.wait(state),
            };
        }
        state.interrupted = false;
        // Few, so that some are left to the next turn.
        let count = state.gates.len().min(events_max).min(2);
        let gates: Vec<_> = state.gates.drain(..count).collect();
        drop(state);
        wakers.extend(gates.iter().filter_map(|gate| gate.open_quietly()));
        Ok(gates.len())
    }

    fn interrupt(&self) {
        self.state.lock().interrupted = true;
        self.condvar.notify_one();
    }

    fn shutdown(&self, _: &mut Vec<Waker>) {}
}
