//! `#[shopfloor::main]` and `#[shopfloor::test]` on the runtimes they build.

use std::thread;

use shopfloor::runtime::{Handle, RuntimeFlavor};

#[shopfloor::main(worker_threads = 2)]
async fn flavor_and_workers() -> (RuntimeFlavor, Option<thread::ThreadId>) {
    let worker = shopfloor::spawn(async { thread::current().id() }).await;
    (Handle::current().runtime_flavor(), worker.ok())
}

#[test]
fn main_runs_its_body_here_and_its_tasks_on_workers() {
    let (flavor, worker) = flavor_and_workers();
    assert_eq!(flavor, RuntimeFlavor::MultiThread);
    assert!(worker.is_some_and(|worker| worker != thread::current().id()));
}

#[shopfloor::main(flavor = "current_thread")]
async fn longest<'a>(mut of: Vec<&'a str>, but: &str, (from, to): (usize, usize)) -> Option<&'a str> {
    of.retain(|it| *it != but);
    of.sort_by_key(|it| it.len());
    of.get(from..to)?.last().copied()
}

#[test]
fn a_function_under_main_may_have_arguments_patterns_and_lifetimes() {
    assert_eq!(longest(vec!["ccc", "a", "dddd", "bb"], "dddd", (0, 2)), Some("bb"));
}

#[shopfloor::test]
async fn a_test_runs_its_tasks_on_its_own_thread() {
    let worker = shopfloor::spawn(async { thread::current().id() }).await;
    assert_eq!(worker.ok(), Some(thread::current().id()));
    assert_eq!(Handle::current().runtime_flavor(), RuntimeFlavor::CurrentThread);
}

#[shopfloor::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_test_may_run_its_tasks_on_a_worker() -> Result<(), shopfloor::task::JoinError> {
    assert_ne!(shopfloor::spawn(async { thread::current().id() }).await?, thread::current().id());
    Ok(())
}

#[shopfloor::test]
#[should_panic(expected = "in a task")]
async fn a_panic_that_is_passed_on_fails_the_test() {
    let error = shopfloor::spawn(async { panic!("in a task") }).await.expect_err("it panicked");
    std::panic::resume_unwind(error.into_panic());
}
