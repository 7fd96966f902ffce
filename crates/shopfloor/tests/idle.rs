//! An idle runtime leaves the machine alone. Linux counts for us, so the test is Linux's.
#![cfg(target_os = "linux")]

use shopfloor::io::AsyncReadExt;
use shopfloor::net::{TcpListener, TcpStream};
use shopfloor::runtime::Builder;
use shopfloor::sync::Notify;
use std::fs;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Each task and each connection has nothing to do.
const COUNT: usize = 1000;
/// For how long nothing may happen.
const WINDOW: Duration = Duration::from_secs(3);

/// Voluntary context switches of the threads of the runtime, each of which is the end of a sleep.
fn sleeps_of(thread_name: &str) -> io::Result<u64> {
    let mut sleeps = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim();
        if field("Name:").starts_with(thread_name) {
            sleeps += field("voluntary_ctxt_switches:").parse::<u64>().map_err(io::Error::other)?;
        }
    }
    Ok(sleeps)
}

/// Two descriptors for each connection, and some for the test itself.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .expect("up to the maximum is allowed");
}

#[test]
fn idle_tasks_and_connections_cause_no_wake_up() {
    raise_descriptor_limit();
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("threads start");
    let never = Arc::new(Notify::new());
    for _ in 0..COUNT {
        let never = Arc::clone(&never);
        drop(runtime.spawn(async move { never.notified().await }));
    }
    let clients = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("is bound");
        let mut clients = Vec::new();
        for _ in 0..COUNT {
            clients.push(TcpStream::connect(address).await.expect("connects"));
            let (mut stream, _) = listener.accept().await.expect("accepts");
            drop(shopfloor::spawn(async move { stream.read_u8().await }));
        }
        clients
    });
    // All is quiet once no thread of the runtime has woken for as long as the foreman needs to fall asleep.
    let mut before = sleeps_of("shopfloor").expect("Linux says");
    loop {
        thread::sleep(Duration::from_millis(300));
        let now = sleeps_of("shopfloor").expect("Linux says");
        if std::mem::replace(&mut before, now) == now {
            break;
        }
    }
    thread::sleep(WINDOW);
    assert_eq!(
        sleeps_of("shopfloor").expect("Linux says"),
        before,
        "something woke a thread of an idle runtime"
    );
    assert!(before > 0, "the threads are found by their names");
    drop(clients);
}
