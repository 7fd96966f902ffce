//! Which runtime a thread is inside of.

use std::cell::Cell;
use std::sync::mpsc;
use std::thread;

use shopfloor::runtime::{Builder, Handle, TryCurrentError};

/// Tells what the thread knew of its runtime when its locals were dropped.
struct TellsError(mpsc::Sender<TryCurrentError>);

impl Drop for TellsError {
    fn drop(&mut self) {
        let error = Handle::try_current().expect_err("the thread is inside no runtime");
        self.0.send(error).expect("the test listens");
    }
}

thread_local! {
    static BEFORE: Cell<Option<TellsError>> = const { Cell::new(None) };
    static AFTER: Cell<Option<TellsError>> = const { Cell::new(None) };
}

#[test]
fn a_thread_outside_a_runtime_is_told_apart_from_one_that_is_ending() {
    let error = Handle::try_current().expect_err("the thread is inside no runtime");
    assert!(error.is_missing_context() && !error.is_thread_local_destroyed());

    // One of the two is dropped after the runtime's own local, whichever way the locals are dropped.
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        BEFORE.set(Some(TellsError(tell.clone())));
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async { Handle::current() });
        AFTER.set(Some(TellsError(tell)));
    });
    thread.join().expect("no panic");
    let ending: Vec<_> = told.iter().filter(TryCurrentError::is_thread_local_destroyed).collect();
    assert_eq!(ending.len(), 1);
    assert!(!ending[0].is_missing_context());
    assert_ne!(ending[0].to_string(), error.to_string());
}

#[test]
fn an_entered_runtime_is_the_current_one_until_the_guard_is_dropped() {
    let [outer, inner] = [(); 2].map(|()| Builder::new_current_thread().build().expect("a runtime"));
    let _entered = outer.enter();
    {
        let _entered = inner.enter();
        assert!(Handle::current().is_same(inner.handle()));
    }
    assert!(Handle::current().is_same(outer.handle()));
}
