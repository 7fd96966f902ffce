//! Sockets, file descriptors and signals, from the outside.
//!
//! Each test runs on a thread of its own, on every kind of runtime and both backends of the driver, and fails
//! instead of hanging.

mod async_fd;
mod batch;
mod buf_mut;
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

use shopfloor::runtime::{Builder, IoBackend, Runtime};

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

fn multi_thread(backend: IoBackend) -> Runtime {
    Builder::new_multi_thread().worker_threads(2).io_backend(backend).build().expect("a runtime")
}

/// Each driver has a worker or two.
fn several_drivers(backend: IoBackend) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(4).io_drivers(3).io_backend(backend).build().expect("a runtime")
}

fn current_thread(backend: IoBackend) -> Runtime {
    Builder::new_current_thread().io_backend(backend).build().expect("a runtime")
}

/// Calls `test` with each backend of the driver.
fn on_each_backend(test: impl FnMut(IoBackend)) {
    [IoBackend::Best, IoBackend::Portable].into_iter().for_each(test);
}

/// A runtime of each kind on each backend.
fn all_runtimes() -> impl Iterator<Item = Runtime> {
    [IoBackend::Best, IoBackend::Portable]
        .into_iter()
        .flat_map(|backend| [multi_thread(backend), several_drivers(backend), current_thread(backend)])
}

/// Runs `test` as a task on a runtime of each kind, on each backend.
fn on_all_runtimes<F>(test: impl Fn() -> F + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    watched(move || {
        for runtime in all_runtimes() {
            let task = runtime.spawn(test());
            runtime.block_on(task).expect("the test does not panic");
        }
    });
}
