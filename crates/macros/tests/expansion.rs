//! The attributes as a user writes them, on a facade that notes how its builder was called and runs the
//! future on this thread.

use std::error::Error;
use std::fmt;

/// A stand-in with the shape of the facade, found by the option `crate`.
mod facade {
    pub(crate) mod runtime {
        use std::cell::RefCell;
        use std::pin::pin;
        use std::task::{Context, Poll, Waker};

        thread_local! {
            /// The calls on the last builder of this thread.
            pub(crate) static CALLS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        }

        pub(crate) struct Builder;

        impl Builder {
            pub(crate) fn new_multi_thread() -> Self {
                CALLS.set(vec!["new_multi_thread".to_owned()]);
                Self
            }

            pub(crate) fn new_current_thread() -> Self {
                CALLS.set(vec!["new_current_thread".to_owned()]);
                Self
            }

            pub(crate) fn worker_threads(&mut self, count: usize) -> &mut Self {
                self.note(&format!("worker_threads {count}"))
            }

            pub(crate) fn enable_all(&mut self) -> &mut Self {
                self.note("enable_all")
            }

            pub(crate) fn build(&mut self) -> std::io::Result<Runtime> {
                self.note("build");
                Ok(Runtime)
            }

            fn note(&mut self, call: &str) -> &mut Self {
                CALLS.with_borrow_mut(|calls| calls.push(call.to_owned()));
                self
            }
        }

        #[derive(Debug)]
        pub(crate) struct Runtime;

        impl Runtime {
            pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
                let mut future = pin!(future);
                loop {
                    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
                    {
                        return output;
                    }
                }
            }
        }
    }
}

fn calls() -> Vec<String> {
    facade::runtime::CALLS.take()
}

/// Pending once, so that `block_on` has something to wait for.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut yielded, true) {
        true => std::task::Poll::Ready(()),
        false => std::task::Poll::Pending,
    })
    .await;
}

#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("refused")
    }
}

impl Error for Refused {}

#[shopfloor_macros::main(crate = "facade")]
async fn add((left, right): (u8, u8), name: &str) -> String {
    yield_once().await;
    format!("{name} = {}", left + right)
}

#[shopfloor_macros::main(crate = facade, worker_threads = 3)]
async fn refuse() -> Result<(), Box<dyn Error>> {
    yield_once().await;
    // The box is coerced to the trait object only if the return type is known here.
    Err(Box::new(Refused))
}

#[shopfloor_macros::main(crate = "self::facade", flavor = "current_thread")]
async fn display() -> impl fmt::Display {
    Refused
}

#[shopfloor_macros::main(crate = "facade")]
async fn never() -> ! {
    panic!("it was polled")
}

#[test]
fn main_builds_workers_and_hands_its_arguments_on() {
    assert_eq!(add((2, 3), "sum"), "sum = 5");
    assert_eq!(calls(), ["new_multi_thread", "enable_all", "build"]);
}

#[test]
fn main_keeps_its_return_type_for_inference() {
    assert_eq!(refuse().expect_err("it refuses").to_string(), "refused");
    assert_eq!(calls(), ["new_multi_thread", "worker_threads 3", "enable_all", "build"]);
}

#[test]
fn main_may_return_an_opaque_type() {
    assert_eq!(display().to_string(), "refused");
    assert_eq!(calls(), ["new_current_thread", "enable_all", "build"]);
}

#[test]
#[should_panic(expected = "it was polled")]
fn main_may_never_return() {
    never()
}

/// Runs by itself: the attribute made it a test, or `dead_code` would stop the build.
#[shopfloor_macros::test(crate = "facade")]
async fn a_test_builds_one_thread() {
    yield_once().await;
    assert_eq!(calls(), ["new_current_thread", "enable_all", "build"]);
}

#[shopfloor_macros::test(crate = "facade", flavor = "multi_thread", worker_threads = 2)]
async fn a_test_may_ask_for_workers() -> Result<(), Refused> {
    yield_once().await;
    assert_eq!(calls(), ["new_multi_thread", "worker_threads 2", "enable_all", "build"]);
    Ok(())
}

#[shopfloor_macros::test(crate = "facade")]
#[should_panic(expected = "kept")]
async fn a_test_keeps_its_other_attributes() {
    panic!("the attribute is kept")
}

macro_rules! generated_test {
    ($(#[$attribute:meta])* $visibility:vis $name:ident, $workers:literal, $body:block) => {
        $(#[$attribute])*
        #[shopfloor_macros::test(crate = "facade", flavor = "multi_thread", worker_threads = $workers)]
        $visibility async fn $name() $body
    };
}

generated_test!(
    /// Its pieces arrive in invisible groups.
    pub(crate) a_test_may_come_out_of_a_macro, 4, {
        yield_once().await;
        assert_eq!(calls()[1], "worker_threads 4");
    }
);
