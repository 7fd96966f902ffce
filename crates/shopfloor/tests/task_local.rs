//! Values that belong to a task.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use shopfloor::runtime::Builder;
use shopfloor::task::{JoinSet, yield_now};

shopfloor::task_local! {
    static NUMBER: u32;
    /// With attributes, and the last one without a semicolon.
    pub(crate) static NAME: String
}

#[test]
fn each_of_many_tasks_keeps_its_value_whatever_thread_polls_it() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for number in 0..100 {
            tasks.spawn(NUMBER.scope(number, async move {
                for _ in 0..20 {
                    yield_now().await;
                    assert_eq!(NUMBER.get(), number);
                }
            }));
        }
        assert_eq!(tasks.join_all().await.len(), 100);
    });
}

#[test]
fn an_inner_scope_hides_the_outer_one_until_it_ends() {
    NUMBER.sync_scope(1, || {
        NUMBER.sync_scope(2, || assert_eq!(NUMBER.get(), 2));
        assert_eq!(NUMBER.get(), 1);
    });
    assert!(NUMBER.try_get().is_err());
}

#[test]
fn the_value_is_gone_between_polls_and_back_in_the_next_one() {
    let scope = pin!(NAME.scope("a".to_owned(), async {
        let before = NAME.get();
        yield_now().await;
        (before, NAME.get())
    }));
    let mut scope = scope;
    let mut cx = Context::from_waker(Waker::noop());
    assert!(scope.as_mut().poll(&mut cx).is_pending());
    assert!(NAME.try_with(|_| ()).is_err());
    assert_eq!(scope.as_mut().poll(&mut cx), Poll::Ready(("a".to_owned(), "a".to_owned())));
    assert_eq!(scope.as_mut().take_value(), Some("a".to_owned()));
    assert_eq!(scope.as_mut().take_value(), None);
}

#[test]
fn a_panic_inside_a_scope_restores_the_outer_value() {
    NUMBER.sync_scope(1, || {
        let panic = catch_unwind(|| NUMBER.sync_scope(2, || panic!("on purpose")));
        panic.expect_err("the scope panics");
        assert_eq!(NUMBER.get(), 1);
    });
}

/// Notes the value of `NUMBER` when it is dropped.
struct NotesNumber(Rc<RefCell<Vec<u32>>>);

impl Drop for NotesNumber {
    fn drop(&mut self) {
        self.0.borrow_mut().push(NUMBER.get());
    }
}

#[test]
fn the_future_is_dropped_with_the_value_in_place() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let noted = NotesNumber(Rc::clone(&seen));
    drop(NUMBER.scope(5, async move {
        let _noted = noted;
        std::future::pending::<()>().await;
    }));
    assert_eq!(*seen.borrow(), [5]);

    let noted = NotesNumber(Rc::clone(&seen));
    let scope = pin!(NUMBER.scope(
        6,
        std::future::poll_fn(move |_| {
            let _noted = &noted;
            Poll::Ready(())
        })
    ));
    assert!(scope.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert_eq!(*seen.borrow(), [5, 6]);
}

#[test]
fn outside_a_scope_with_panics_and_a_borrowed_key_opens_no_scope() {
    catch_unwind(|| NUMBER.get()).expect_err("there is no value");
    NUMBER.sync_scope(1, || {
        NUMBER.with(|_| {
            let ran = Cell::new(false);
            let scope = AssertUnwindSafe(|| NUMBER.sync_scope(2, || ran.set(true)));
            catch_unwind(scope).expect_err("it is borrowed");
            assert!(!ran.get());
        });
        assert_eq!(NUMBER.get(), 1);
    });
}
