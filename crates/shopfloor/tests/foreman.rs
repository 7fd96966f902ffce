//! A task that does not return from its poll silences nobody.

use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
use shopfloor::net::{TcpListener, TcpStream};
use shopfloor::runtime::Builder;
use shopfloor::time::{Duration, sleep};
use std::sync::mpsc;

/// Serves one connection, echoing one byte.
async fn echo_once(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.expect("a client connects");
    let byte = stream.read_u8().await.expect("the client writes");
    stream.write_u8(byte).await.expect("the client reads");
}

/// Blocks `blocked` workers of `workers` in their polls until the test lets them go, and meanwhile lets a
/// timer fire, a listener accept and a queued task run: if any of them stood still, the test would hang.
fn others_go_on(workers: usize, blocked: usize) {
    let runtime = Builder::new_multi_thread().worker_threads(workers).build().expect("threads start");
    let handle = runtime.handle().clone();
    let (started, all_started) = mpsc::channel();
    let mut release = Vec::new();
    for _ in 0..blocked {
        let started = started.clone();
        let (let_go, wait) = mpsc::channel::<()>();
        release.push(let_go);
        drop(runtime.spawn(async move {
            // From the driver straight into a poll that blocks.
            sleep(Duration::from_millis(1)).await;
            let queued = shopfloor::spawn(async { 7 });
            started.send(queued).expect("the test waits");
            // An error means that the test let go by dropping its end.
            let _ = wait.recv();
        }));
    }
    for _ in 0..blocked {
        let queued = all_started.recv().expect("each blocked task starts, on a stand-in if need be");
        assert_eq!(handle.block_on(queued).expect("runs beside the blocked poll"), 7);
    }
    handle
        .block_on(handle.spawn(async {
            for _ in 0..5 {
                sleep(Duration::from_millis(1)).await;
            }
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
            let address = listener.local_addr().expect("is bound");
            let server = shopfloor::spawn(echo_once(listener));
            let mut client = TcpStream::connect(address).await.expect("connects");
            client.write_u8(3).await.expect("writes");
            assert_eq!(client.read_u8().await.expect("is echoed"), 3);
            server.await.expect("served");
        }))
        .expect("timers, sockets and tasks go on");
    drop(release);
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
