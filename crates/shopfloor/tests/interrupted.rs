//! Signals interrupt every wait of a runtime, again and again, and nothing is lost.
#![cfg(target_os = "linux")]

use rustix::io::Errno;
use rustix::process::getpid;
use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
use shopfloor::net::{TcpListener, TcpStream};
use shopfloor::runtime::{Builder, IoBackend};
use shopfloor::time::{Duration, Instant, sleep};
use std::fs;
use std::sync::mpsc;
use std::thread;

/// Signals that each kind of thread gets at least.
const SIGNALS: u64 = 200;
/// Rounds of the work under signals, and what has to get done in each.
const ROUNDS: usize = 3;
const TICKS: usize = 20;
const ECHOES: u8 = 50;
const TASKS: usize = 200;
/// Far beyond what any test needs on a busy machine.
const HANG: Duration = Duration::from_secs(60);
/// The names of the threads that wait: workers (or who drives) and the foreman.
const WORKER: &str = "interrupted";
const FOREMAN: &str = "shopfloor-forem";

extern "C" fn ignore(_: libc::c_int) {}

/// A handler without `SA_RESTART`, so that the system repeats no call on its own.
fn install_handler() {
    // SAFETY: all zeroes are a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the action is a whole one, and its handler does nothing that a handler must not.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(result, 0, "the signal can be handled");
}

/// Sends a signal to each thread of that name; returns how many there were.
fn interrupt(name: &str) -> u64 {
    let mut sent = 0;
    for thread in fs::read_dir("/proc/self/task").expect("Linux says") {
        let thread = thread.expect("Linux says").path();
        // A thread may end meanwhile.
        let Ok(comm) = fs::read_to_string(thread.join("comm")) else { continue };
        if comm.trim_end() == name {
            let number: libc::pid_t =
                thread.file_name().and_then(|n| n.to_str()?.parse().ok()).expect("a number");
            // SAFETY: tgkill takes three numbers and touches no memory of ours.
            let result = unsafe {
                libc::syscall(libc::SYS_tgkill, getpid().as_raw_nonzero().get(), number, libc::SIGUSR1)
            };
            let error = std::io::Error::last_os_error();
            let ended = error.raw_os_error() == Some(Errno::SRCH.raw_os_error());
            assert!(result == 0 || ended, "{error}");
            sent += u64::from(result == 0);
        }
    }
    sent
}

/// One round of timers, sockets and tasks, each of which would notice if one wake were lost.
async fn work() {
    let ticker = shopfloor::spawn(async {
        for _ in 0..TICKS {
            sleep(Duration::from_millis(1)).await;
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let mut client = TcpStream::connect(listener.local_addr().expect("is bound")).await.expect("connects");
    let (mut server, _) = listener.accept().await.expect("a client connects");
    let echo = shopfloor::spawn(async move {
        for _ in 0..ECHOES {
            let byte = server.read_u8().await.expect("the client writes");
            server.write_u8(byte).await.expect("the client reads");
        }
    });
    for byte in 0..ECHOES {
        client.write_u8(byte).await.expect("writes");
        assert_eq!(client.read_u8().await.expect("is echoed"), byte);
    }
    let tasks: Vec<_> = (0..TASKS).map(|n| shopfloor::spawn(async move { n })).collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.expect("runs"), n);
    }
    shopfloor::task::spawn_blocking(|| ()).await.expect("runs");
    echo.await.expect("no panic");
    ticker.await.expect("no panic");
}

/// Works on one runtime until each of its waits was interrupted `SIGNALS` times.
fn goes_on_under_signals(mut builder: Builder, threads: &'static [&'static str]) {
    for backend in [IoBackend::Best, IoBackend::Portable] {
        builder.thread_name(WORKER).io_backend(backend);
        let runtime = builder.build().expect("a runtime");
        let (finished, working) = mpsc::channel::<()>();
        let worker = thread::Builder::new().name(WORKER.to_owned()).spawn(move || {
            loop {
                let round = runtime.spawn(work());
                runtime.block_on(round).expect("nothing is lost");
                // The test has hung up: there were enough signals.
                if finished.send(()).is_err() {
                    return;
                }
            }
        });
        let mut sent = vec![0; threads.len()];
        let mut rounds = 0;
        let hang = Instant::now() + HANG;
        while rounds < ROUNDS || sent.iter().any(|&count| count < SIGNALS) {
            assert!(Instant::now() < hang, "{rounds} rounds with {sent:?} signals");
            for (count, name) in sent.iter_mut().zip(threads) {
                *count += interrupt(name);
            }
            rounds += working.try_iter().count();
        }
        drop(working);
        worker.expect("a thread").join().expect("no panic");
    }
}

#[test]
fn interrupted_waits_lose_no_wake_timer_or_event() {
    install_handler();
    goes_on_under_signals(Builder::new_current_thread(), &[WORKER]);
    for workers in [1, 2] {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(workers);
        goes_on_under_signals(builder, &[WORKER, FOREMAN]);
    }
}
