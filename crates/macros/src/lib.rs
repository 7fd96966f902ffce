//! The attribute macros of shopfloor: [`macro@main`] and [`macro@test`].
//!
//! Use them through the facade, as `#[shopfloor::main]` and `#[shopfloor::test]`.
//!
//! They are parsed with `syn`. Reading a signature token by token would be possible, but a program that
//! uses the facade compiles `syn` in any case (`select!` needs it), so a parser of our own would save
//! nobody any time, and `syn` knows every form of a visibility, an argument and a path. The body of the
//! function is not parsed at all.
#![forbid(unsafe_code)]

mod expand;
mod function;
mod options;

use proc_macro::TokenStream;

/// Which of the two attributes is expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Main,
    Test,
}

impl Attribute {
    fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Test => "test",
        }
    }
}

/// Runs an `async fn` to its end on a runtime built for it.
///
/// The function becomes an ordinary one that builds a runtime with I/O, timers and everything else
/// enabled, runs the body as its root future on the calling thread, and drops the runtime, which waits 10 s at most for
/// polls and blocking jobs under way. Its return type and its attributes stay. Under any other name than `main` it may take arguments.
///
/// | option | value | default |
/// |---|---|---|
/// | `flavor` | `"multi_thread"` or `"current_thread"` | `"multi_thread"` |
/// | `worker_threads` | an integer of at least 1; only with `"multi_thread"` | one per core |
/// | `crate` | the path of the facade, if it is renamed or re-exported | `"::shopfloor"` |
///
/// ```
/// #[shopfloor::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let answer = shopfloor::spawn(async { 6 * 7 }).await?;
///     assert_eq!(answer, 42);
///     Ok(())
/// }
/// ```
/// ```
/// #[shopfloor::main(flavor = "multi_thread", worker_threads = 2)]
/// async fn sum(numbers: &[u32]) -> u32 {
///     shopfloor::task::yield_now().await;
///     numbers.iter().sum()
/// }
/// assert_eq!(sum(&[1, 2, 3]), 6);
/// ```
///
/// # Panics
/// The function panics if the runtime cannot be built, for example because a thread cannot be started.
///
/// # What does not compile
/// A function that is not async:
/// ```compile_fail
/// #[shopfloor::main]
/// fn main() {}
/// ```
/// A `main` with arguments:
/// ```compile_fail
/// #[shopfloor::main]
/// async fn main(count: usize) {}
/// ```
/// A generic function:
/// ```compile_fail
/// #[shopfloor::main]
/// async fn run<T>(it: T) {}
/// fn main() {}
/// ```
/// An option that does not exist:
/// ```compile_fail
/// #[shopfloor::main(flavour = "multi_thread")]
/// async fn main() {}
/// ```
/// Workers on a runtime without workers:
/// ```compile_fail
/// #[shopfloor::main(flavor = "current_thread", worker_threads = 2)]
/// async fn main() {}
/// ```
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Main, arguments.into(), item.into()).into()
}

/// Makes an `async fn` a test that runs on a runtime built for it.
///
/// As [`macro@main`], with two differences: the function is marked as a test, and the default flavor is
/// `"current_thread"`, so that a test has one thread unless it asks for more. What is true of `#[test]`
/// stays true: `#[should_panic]` works, and a `Result` may be returned.
///
/// | option | value | default |
/// |---|---|---|
/// | `flavor` | `"current_thread"` or `"multi_thread"` | `"current_thread"` |
/// | `worker_threads` | an integer of at least 1; only with `"multi_thread"` | one per core |
/// | `crate` | the path of the facade, if it is renamed or re-exported | `"::shopfloor"` |
///
/// ```
/// #[shopfloor::test]
/// async fn a_task_gives_its_output() {
///     assert_eq!(shopfloor::spawn(async { 7 }).await.ok(), Some(7));
/// }
///
/// #[shopfloor::test(flavor = "multi_thread", worker_threads = 2)]
/// async fn a_task_gives_its_output_on_workers() -> Result<(), shopfloor::task::JoinError> {
///     assert_eq!(shopfloor::spawn(async { 7 }).await?, 7);
///     Ok(())
/// }
/// ```
///
/// # Panics
/// The test panics if the runtime cannot be built.
///
/// # What does not compile
/// Workers without the flavor that has them:
/// ```compile_fail
/// #[shopfloor::test(worker_threads = 2)]
/// async fn it_works() {}
/// ```
/// Arguments:
/// ```compile_fail
/// #[shopfloor::test]
/// async fn it_works(count: usize) {}
/// ```
/// A second attribute that makes it a test:
/// ```compile_fail
/// #[shopfloor::test]
/// #[test]
/// async fn it_works() {}
/// ```
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Test, arguments.into(), item.into()).into()
}
