//! A ledger of tasks under random use from many threads: whatever is done to them, and whenever the runtime ends,
//! each spawned task ends exactly once, and each future and each output is dropped exactly once.

mod support;

use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::sync::Mutex;
use shopfloor_scheduler::{AbortHandle, Handle, JoinError, JoinHandle, Scheduler, yield_now};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use support::random::{Random, seed};
use support::{WIDTHS, runtime};

/// Threads beside the runtime that use its tasks.
const ACTORS: u64 = 3;
/// Tasks that each of them spawns.
const SPAWNS: u64 = 150;
/// What they do between two spawns.
const DEEDS: u64 = 6;
const ROUNDS: usize = 20;
/// Far beyond what any test needs on a busy machine.
const HANG: Duration = Duration::from_secs(60);

/// What all threads of one round share.
struct Ledger {
    random: Mutex<Random>,
    pages: Mutex<Vec<Arc<Page>>>,
    handles: Mutex<Vec<(JoinHandle<Output>, Arc<Page>)>>,
    aborts: Mutex<Vec<AbortHandle>>,
    spawned: Counter,
    completed: Counter,
    panicked: Counter,
    cancelled: Counter,
    /// What must never happen; a panic in a poll would be caught.
    wrongs: Mutex<Vec<&'static str>>,
}

/// What is known of one task.
#[derive(Default)]
struct Page {
    life: Mutex<Life>,
    waker: Mutex<Option<Waker>>,
}

#[derive(Clone, Copy, Default)]
struct Life {
    is_polled: bool,
    end: Option<End>,
    futures_dropped: u32,
    outputs_made: u32,
    outputs_dropped: u32,
    payloads_made: u32,
    payloads_dropped: u32,
    joins: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Completed,
    Panicked,
    Cancelled,
}

/// A task that decides at each poll what to do.
struct Probe {
    ledger: Arc<Ledger>,
    page: Arc<Page>,
    random: Random,
    alive: mpsc::Sender<()>,
}

/// A task's output.
struct Output(Arc<Page>, #[expect(dead_code, reason = "held until the drop")] mpsc::Sender<()>);

/// What a task panics with.
struct Payload(Arc<Page>, #[expect(dead_code, reason = "held until the drop")] mpsc::Sender<()>);

impl Ledger {
    fn new(random: Random) -> Arc<Self> {
        Arc::new(Self {
            random: Mutex::new(random),
            pages: Mutex::default(),
            handles: Mutex::default(),
            aborts: Mutex::default(),
            spawned: Counter::new(),
            completed: Counter::new(),
            panicked: Counter::new(),
            cancelled: Counter::new(),
            wrongs: Mutex::default(),
        })
    }

    fn check(&self, holds: bool, wrong: &'static str) {
        if !holds {
            self.wrongs.lock().push(wrong);
        }
    }

    fn spawn(
        self: &Arc<Self>,
        runtime: &Handle,
        alive: &mpsc::Sender<()>,
    ) -> (JoinHandle<Output>, Arc<Page>) {
        let page = Arc::new(Page::default());
        self.pages.lock().push(Arc::clone(&page));
        self.spawned.add(1);
        let random = self.random.lock().fork();
        let alive = alive.clone();
        let probe = Probe { ledger: Arc::clone(self), page: Arc::clone(&page), random, alive };
        (runtime.spawn(probe), page)
    }

    /// What a handle says has to be what the future has seen.
    fn joined(&self, page: &Page, output: Result<Output, JoinError>) {
        let life = {
            let mut life = page.life.lock();
            life.joins += 1;
            *life
        };
        self.check(life.joins == 1, "a task was joined twice");
        self.check(life.futures_dropped == 1, "a handle was ready before the future was dropped");
        let end = match output {
            Ok(output) => {
                self.check(std::ptr::eq(&*output.0, page), "a handle gave the output of another task");
                End::Completed
            }
            Err(error) if error.is_panic() => {
                let payload = error.into_panic().downcast::<Payload>();
                let is_ours = payload.is_ok_and(|payload| std::ptr::eq(&*payload.0, page));
                self.check(is_ours, "a handle gave the panic of another task");
                End::Panicked
            }
            Err(_) => End::Cancelled,
        };
        self.check(life.end == Some(end), "a handle and its future tell different ends");
    }

    /// Takes one at random.
    fn take<T>(random: &mut Random, pool: &Mutex<Vec<T>>) -> Option<T> {
        let mut pool = pool.lock();
        let len = pool.len() as u64;
        (len > 0).then(|| pool.swap_remove(random.below(len) as usize))
    }

    fn wake_one(&self, random: &mut Random) {
        let page = {
            let pages = self.pages.lock();
            let recent = (pages.len() as u64).min(32);
            (recent > 0).then(|| Arc::clone(&pages[pages.len() - 1 - random.below(recent) as usize]))
        };
        let Some(page) = page else { return };
        let waker = page.waker.lock().clone();
        match waker {
            Some(waker) if random.one_in(2) => waker.wake(),
            Some(waker) => waker.wake_by_ref(),
            None => {}
        }
    }
}

impl Future for Probe {
    type Output = Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        let this = &mut *self;
        {
            let mut life = this.page.life.lock();
            this.ledger.check(!life.is_polled, "a task was polled twice at once");
            this.ledger.check(life.end.is_none(), "a task was polled after its end");
            life.is_polled = true;
        }
        *this.page.waker.lock() = Some(cx.waker().clone());
        let deed = this.random.below(12);
        match deed {
            0..4 => cx.waker().wake_by_ref(),
            4 if this.random.one_in(2) => {
                let child = this.ledger.spawn(&Handle::current(), &this.alive);
                if this.random.one_in(2) {
                    this.ledger.handles.lock().push(child);
                }
                cx.waker().wake_by_ref();
            }
            5 => this.ledger.wake_one(&mut this.random),
            6 => {
                if let Some((handle, page)) = Ledger::take(&mut this.random, &this.ledger.handles) {
                    let ledger = Arc::clone(&this.ledger);
                    // Aborted, this joiner detaches its task.
                    drop(Handle::current().spawn(async move { ledger.joined(&page, handle.await) }));
                }
            }
            _ => {}
        }
        let mut life = this.page.life.lock();
        life.is_polled = false;
        match deed {
            10 => {
                life.end = Some(End::Completed);
                life.outputs_made += 1;
                Poll::Ready(Output(Arc::clone(&this.page), this.alive.clone()))
            }
            11 if this.random.one_in(2) => {
                life.end = Some(End::Panicked);
                life.payloads_made += 1;
                drop(life);
                resume_unwind(Box::new(Payload(Arc::clone(&this.page), this.alive.clone())))
            }
            _ => Poll::Pending,
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let mut life = self.page.life.lock();
        self.ledger.check(!life.is_polled, "a future was dropped in its poll");
        life.futures_dropped += 1;
        match *life.end.get_or_insert(End::Cancelled) {
            End::Completed => self.ledger.completed.add(1),
            End::Panicked => self.ledger.panicked.add(1),
            End::Cancelled => self.ledger.cancelled.add(1),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.0.life.lock().outputs_dropped += 1;
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.0.life.lock().payloads_dropped += 1;
    }
}

/// One thread's share of the use, before, during and after the shutdown.
fn act(ledger: &Arc<Ledger>, runtime: &Handle, alive: &mpsc::Sender<()>) {
    let mut random = ledger.random.lock().fork();
    for _ in 0..SPAWNS {
        let task = ledger.spawn(runtime, alive);
        match random.below(4) {
            0 => ledger.aborts.lock().push(task.0.abort_handle()),
            1 => drop(task),
            _ => ledger.handles.lock().push(task),
        }
        for _ in 0..random.below(DEEDS) {
            do_something(ledger, &mut random);
        }
    }
}

fn do_something(ledger: &Ledger, random: &mut Random) {
    match random.below(10) {
        0..5 => return ledger.wake_one(random),
        5 => {
            let Some(abort) = Ledger::take(random, &ledger.aborts) else { return };
            match random.below(4) {
                0 => abort.abort(),
                1 => drop(abort.suspend()),
                2 => drop(abort.resume()),
                _ => return drop(abort),
            }
            return ledger.aborts.lock().push(abort);
        }
        _ => {}
    }
    let Some((mut handle, page)) = Ledger::take(random, &ledger.handles) else { return };
    match random.below(8) {
        0 => handle.abort(),
        1 => drop(handle.suspend()),
        2 | 3 => drop(handle.resume()),
        4 => return drop(handle),
        _ => {
            let mut cx = Context::from_waker(Waker::noop());
            if let Poll::Ready(output) = Pin::new(&mut handle).poll(&mut cx) {
                return ledger.joined(&page, output);
            }
        }
    }
    ledger.handles.lock().push((handle, page));
}

/// One runtime, used at random and ended by `end` at a random moment. Returns the ledger when all is over.
fn round(runtime: Scheduler, end: fn(Scheduler), random: &mut Random) -> Arc<Ledger> {
    let ledger = Ledger::new(random.fork());
    let (alive, all_dropped) = mpsc::channel();
    let handle = runtime.handle().clone();
    let actors: Vec<_> = (0..ACTORS)
        .map(|_| {
            let (ledger, handle, alive) = (Arc::clone(&ledger), handle.clone(), alive.clone());
            thread::spawn(move || act(&ledger, &handle, &alive))
        })
        .collect();
    drop(alive);
    let last_spawn = random.below(ACTORS * SPAWNS);
    let counted = Arc::clone(&ledger);
    // On a current-thread runtime this is also what runs the tasks.
    runtime.block_on(async move {
        while counted.spawned.get() < last_spawn {
            yield_now().await;
        }
    });
    end(runtime);
    for actor in actors {
        actor.join().expect("an actor has no panic of its own");
    }
    // Every handle that is left resolves, however its task was treated. A poll that outlives the runtime, as one may
    // that is shut down in the background, leaves another one as long as its future lives.
    let hang = Instant::now() + HANG;
    let mut polls_are_over = false;
    loop {
        let handles = std::mem::take(&mut *ledger.handles.lock());
        for (task, page) in handles {
            ledger.joined(&page, handle.block_on(task));
        }
        if polls_are_over {
            break;
        }
        let left = all_dropped.recv_timeout(Duration::from_millis(1));
        polls_are_over = left == Err(mpsc::RecvTimeoutError::Disconnected);
        assert!(polls_are_over || Instant::now() < hang, "a future or an output was never dropped");
    }
    // Nothing refers to a task any more, but a thread that is about to end.
    ledger.aborts.lock().clear();
    ledger.pages.lock().iter().for_each(|page| drop(page.waker.lock().take()));
    while handle.metrics().tasks > 0 {
        assert!(Instant::now() < hang, "the memory of a task was never given back");
        thread::yield_now();
    }
    ledger
}

fn balance(ledger: &Ledger) {
    assert_eq!(*ledger.wrongs.lock(), [""; 0]);
    let ended = ledger.completed.get() + ledger.panicked.get() + ledger.cancelled.get();
    let pages = ledger.pages.lock();
    assert_eq!(ledger.spawned.get(), ended, "each task ends once");
    assert_eq!(ledger.spawned.get(), pages.len() as u64);
    for page in &*pages {
        let life = *page.life.lock();
        assert_eq!(life.futures_dropped, 1, "each future is dropped once");
        assert_eq!(life.outputs_dropped, life.outputs_made, "each output is dropped once");
        assert_eq!(life.outputs_made, u32::from(life.end == Some(End::Completed)));
        assert_eq!(life.payloads_dropped, life.payloads_made, "each payload is dropped once");
        assert_eq!(life.payloads_made, u32::from(life.end == Some(End::Panicked)));
    }
}

/// Rounds on every width with every end; returns how many tasks were completed, panicked and were cancelled.
fn rounds(mut random: Random) -> [u64; 3] {
    let ends: [fn(Scheduler); 3] =
        [drop, |runtime| drop(runtime.shutdown_timeout(HANG)), Scheduler::shutdown_background];
    let mut seen = [0; 3];
    for _ in 0..ROUNDS {
        for workers in WIDTHS {
            for end in ends {
                let ledger = round(runtime(workers), end, &mut random);
                balance(&ledger);
                let counters = [&ledger.completed, &ledger.panicked, &ledger.cancelled];
                seen.iter_mut().zip(counters).for_each(|(seen, counter)| *seen += counter.get());
            }
        }
    }
    seen
}

#[test]
fn every_task_ends_once_whatever_is_done_to_it_and_whenever_the_runtime_ends() {
    let random = Random::new(seed());
    let (report, reported) = mpsc::channel();
    let all = thread::spawn(move || report.send(rounds(random)).expect("the test waits"));
    match reported.recv_timeout(HANG) {
        Ok(seen) => assert!(seen.iter().all(|&count| count > 1000), "each kind of end occurs: {seen:?}"),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a handle, or the end of a runtime, never comes"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {}
    }
    if let Err(panic) = all.join() {
        std::panic::resume_unwind(panic);
    }
}
