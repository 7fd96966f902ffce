//! A task that does not return from its poll silences nobody.

use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
use shopfloor::net::TcpListener;
use shopfloor::runtime::{Builder, Runtime};
use shopfloor::task::{JoinHandle, State};
use shopfloor::time::{Duration, Instant, interval, sleep};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;

/// What the runtime has to get done while polls are blocked.
const TICKS: usize = 200;
const CONNECTIONS: usize = 20;
const QUEUED: usize = 50;
/// Far beyond what any test needs on a busy machine.
const HANG: Duration = Duration::from_secs(60);

/// A runtime with a ticker and a server of echoes, both without end.
struct Busy {
    runtime: Runtime,
    ticks: mpsc::Receiver<()>,
    server: SocketAddr,
}

impl Busy {
    fn start(workers: usize) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(workers).build().expect("threads start");
        let (tick, ticks) = mpsc::channel();
        drop(runtime.spawn(async move {
            let mut every = interval(Duration::from_millis(1));
            loop {
                every.tick().await;
                tick.send(()).expect("the test outlives its runtime");
            }
        }));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("binds");
        let server = listener.local_addr().expect("is bound");
        drop(runtime.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a client connects");
                drop(shopfloor::spawn(async move {
                    let byte = stream.read_u8().await.expect("the client writes");
                    stream.write_u8(byte).await.expect("the client reads");
                }));
            }
        }));
        Self { runtime, ticks, server }
    }

    /// Spawns a task that goes from the driver straight into a poll that blocks in `block`, after it has queued
    /// tasks on its worker. It reports those when it is about to block.
    fn block(
        &self,
        started: mpsc::Sender<Vec<JoinHandle<usize>>>,
        block: impl FnOnce() + Send + 'static,
    ) -> JoinHandle<()> {
        self.runtime.spawn(async move {
            sleep(Duration::from_millis(1)).await;
            let queued = (0..QUEUED).map(|n| shopfloor::spawn(async move { n })).collect();
            started.send(queued).expect("the test waits");
            block();
        })
    }

    /// Returns when the tasks that a blocked worker had queued have run.
    fn runs(&self, queued: Vec<JoinHandle<usize>>) {
        for (n, task) in queued.into_iter().enumerate() {
            assert_eq!(self.runtime.block_on(task).expect("runs beside the blocked poll"), n);
        }
    }

    /// Returns when timers and sockets were served since the call.
    fn serves(&self) {
        self.ticks.try_iter().for_each(drop);
        for byte in 0..CONNECTIONS as u8 {
            let mut client = TcpStream::connect(self.server).expect("connects");
            client.write_all(&[byte]).expect("writes");
            let mut echo = [0];
            client.read_exact(&mut echo).expect("is echoed");
            assert_eq!(echo, [byte]);
        }
        for _ in 0..TICKS {
            self.ticks.recv().expect("the ticker goes on");
        }
    }
}

/// Runs `test` on a thread of its own; a panic or a hang there is one here.
fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        let _done = done;
        test();
    });
    let hangs = finished.recv_timeout(HANG) == Err(mpsc::RecvTimeoutError::Timeout);
    assert!(!hangs, "somebody was silenced");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Blocks `blocked` workers of `workers` in their polls, and lets them go only when everything else was served:
/// if anything stood still, this would hang.
fn others_go_on(workers: usize, blocked: usize) {
    watched(move || {
        let busy = Busy::start(workers);
        let (started, all_started) = mpsc::channel();
        let (mut release, mut tasks) = (Vec::new(), Vec::new());
        for _ in 0..blocked {
            let (let_go, wait) = mpsc::channel::<()>();
            release.push(let_go);
            // The test lets go by dropping its end.
            tasks.push(busy.block(started.clone(), move || assert!(wait.recv().is_err())));
        }
        for _ in 0..blocked {
            let queued = all_started.recv().expect("each blocked task starts, on a stand-in if need be");
            busy.runs(queued);
        }
        busy.serves();
        for (let_go, task) in release.into_iter().zip(tasks) {
            assert_eq!(task.state(), State::Running, "it was blocked all the time");
            drop(let_go);
            busy.runtime.block_on(task).expect("goes on where it was blocked");
        }
    });
}

#[test]
fn one_blocked_worker_leaves_timers_sockets_and_queued_tasks_to_the_others() {
    others_go_on(2, 1);
    others_go_on(4, 1);
}

#[test]
fn stand_ins_serve_while_all_workers_are_blocked() {
    others_go_on(1, 1);
    others_go_on(2, 2);
    others_go_on(4, 4);
}

#[test]
fn a_poll_that_blocks_after_many_that_ended_silences_nobody() {
    watched(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("threads start");
        let (give, take) = mpsc::channel();
        let blocked = runtime.spawn(async move {
            // The foreman has come to look more rarely.
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(500) {
                shopfloor::task::yield_now().await;
            }
            drop(shopfloor::spawn(async move { give.send(7).expect("the receiver waits") }));
            take.recv()
        });
        assert_eq!(runtime.block_on(blocked).expect("runs to its end"), Ok(7));
        assert_ne!(runtime.metrics().stand_ins_started, 0);
    });
}

#[test]
fn a_task_that_sleeps_its_thread_for_two_seconds_delays_nobody_until_it_returns() {
    let sleepers = [1, 2].map(|workers| {
        let test = move || {
            let busy = Busy::start(workers);
            let (started, has_started) = mpsc::channel();
            let (returns, has_returned) = mpsc::channel();
            let task = busy.block(started, move || {
                thread::sleep(Duration::from_secs(2));
                returns.send(()).expect("the test looks");
            });
            busy.runs(has_started.recv().expect("it starts"));
            busy.serves();
            assert_eq!(has_returned.try_recv(), Err(mpsc::TryRecvError::Empty), "all was served meanwhile");
            busy.runtime.block_on(task).expect("goes on after its sleep");
        };
        thread::spawn(move || watched(test))
    });
    for sleeper in sleepers {
        sleeper.join().expect("no panic");
    }
}

#[test]
fn block_in_place_leaves_the_slot_to_another_thread() {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("threads start");
    let (give, take) = mpsc::channel();
    let blocked = runtime.spawn(async move { shopfloor::task::block_in_place(|| take.recv()) });
    let giver = runtime.spawn(async move { give.send(7) });
    runtime.block_on(giver).expect("runs on the thread that took over").expect("the receiver waits");
    assert_eq!(runtime.block_on(blocked).expect("runs to its end"), Ok(7));
}

#[test]
fn a_runtime_dropped_in_async_code_neither_panics_nor_hangs() {
    let outer = Builder::new_multi_thread().worker_threads(1).build().expect("threads start");
    let inner = Builder::new_multi_thread().worker_threads(1).build().expect("threads start");
    let task = inner.spawn(std::future::pending::<()>());
    outer.block_on(outer.spawn(async move { drop(inner) })).expect("the drop does not panic");
    assert!(outer.block_on(task).expect_err("it waits for ever").is_cancelled());
}
