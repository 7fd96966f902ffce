//! Sockets, file descriptors and signals, from the outside.
//!
//! Each test runs on a thread of its own, on both kinds of runtime, and fails instead of hanging.

mod async_fd;
mod child;
mod leaf;
mod listener;
mod options;
mod shutdown;
mod signal;
mod stream;
mod udp;
mod unix;

use std::future::Future;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use shopfloor::runtime::{Builder, Runtime};

/// Far beyond what any test needs on a busy machine.
const HANG: Duration = Duration::from_secs(60);

/// Runs `test` on a thread of its own; a panic or a hang there is one here.
fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        done.send(()).expect("the test is waited for");
    });
    match finished.recv_timeout(HANG) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test hangs"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {}
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Runs `test` as a task on a runtime of each kind.
fn on_both_runtimes<F>(test: impl Fn() -> F + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    watched(move || {
        for runtime in [multi_thread(), current_thread()] {
            let task = runtime.spawn(test());
            runtime.block_on(task).expect("the test does not panic");
        }
    });
}
