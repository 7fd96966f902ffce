//! Values that belong to a task instead of a thread.
//!
//! A value lives in the future that [`LocalKey::scope`] returns. Each poll of that future lends it to the
//! thread: it is swapped into a thread-local cell before and out of it afterwards, also by a panic. So a task
//! that moves to another thread takes its values along, and inner scopes hide outer ones.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use pin_project_lite::pin_project;

/// Declares [keys](crate::task::LocalKey): statics with a value for each task, in the syntax of
/// `thread_local!` without initial values.
///
/// ```
/// shopfloor::task_local! {
///     /// The number of the request that the task answers.
///     pub static REQUEST: u32;
/// }
///
/// # #[shopfloor::main]
/// # async fn main() {
/// let answer = REQUEST.scope(7, async {
///     shopfloor::task::yield_now().await;
///     REQUEST.get() + 1
/// });
/// assert_eq!(answer.await, 8);
/// assert!(REQUEST.try_get().is_err(), "only inside the scope");
/// # }
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $value:ty; $($rest:tt)*) => {
        $crate::task_local!($(#[$attribute])* $vis static $name: $value);
        $crate::task_local!($($rest)*);
    };
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $value:ty) => {
        $(#[$attribute])*
        $vis static $name: $crate::task::LocalKey<$value> = {
            ::std::thread_local! {
                static LENT: ::std::cell::RefCell<::std::option::Option<$value>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }
            $crate::task::LocalKey::__new(&LENT)
        };
    };
}

/// A key with a value for each task, declared with [`task_local!`](crate::task_local).
///
/// A spawned task does not inherit the values of the one that spawns it: give them to it in a
/// [`scope`](Self::scope) of its own.
pub struct LocalKey<T: 'static> {
    lent: &'static thread::LocalKey<RefCell<Option<T>>>,
}

/// There is no value here: not inside a scope of the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AccessError(());

impl fmt::Debug for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessError")
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this task-local key has no value here: use it inside its `scope`")
    }
}

impl Error for AccessError {}

/// Why a scope could not be entered.
const UNENTERABLE: &str = "a scope of a task-local key opens neither while its value is borrowed nor while the \
                           thread ends";

impl<T: 'static> LocalKey<T> {
    /// For [`task_local!`](crate::task_local).
    #[doc(hidden)]
    pub const fn __new(lent: &'static thread::LocalKey<RefCell<Option<T>>>) -> Self {
        Self { lent }
    }

    /// Runs `future` with `value` as the value of this key.
    ///
    /// The future is dropped as soon as it is ready, with the value in place. The value itself is dropped with
    /// the returned future, or taken out by
    /// [`take_value`](TaskLocalFuture::take_value).
    ///
    /// # Panics
    /// When polled inside a [`with`](Self::with) of the same key, or after it was ready.
    ///
    /// # Cancel safety
    /// That of `future`: dropping the scope drops it, with the value in place.
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> TaskLocalFuture<T, F> {
        TaskLocalFuture { key: self, value: Some(value), future: Some(future), _pinned: PhantomPinned }
    }

    /// Calls `f` with `value` as the value of this key.
    ///
    /// # Panics
    /// Inside a [`with`](Self::with) of the same key.
    #[track_caller]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        self.lend(&mut Some(value), f).expect(UNENTERABLE)
    }

    /// Calls `f` while the thread has what `value` holds; `None` if the thread's cell cannot be had.
    fn lend<R>(&'static self, value: &mut Option<T>, f: impl FnOnce() -> R) -> Option<R> {
        struct Lent<'a, T: 'static> {
            key: &'static LocalKey<T>,
            value: &'a mut Option<T>,
        }

        impl<T: 'static> Drop for Lent<'_, T> {
            fn drop(&mut self) {
                // Swapping runs no code of the user's, and the cell was there when this was made.
                self.key.lent.with(|cell| std::mem::swap(&mut *cell.borrow_mut(), self.value));
            }
        }

        let swap = |cell: &RefCell<Option<T>>| {
            cell.try_borrow_mut().map(|mut inside| std::mem::swap(&mut *inside, value)).is_ok()
        };
        if !self.lent.try_with(swap).unwrap_or(false) {
            return None;
        }
        let _lent = Lent { key: self, value };
        Some(f())
    }

    /// Calls `f` with the value.
    ///
    /// # Panics
    /// Outside a scope of this key.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(output) => output,
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls `f` with the value.
    ///
    /// # Errors
    /// Outside a scope of this key.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        // A thread whose locals are gone is inside no scope.
        self.lent.try_with(|cell| cell.borrow().as_ref().map(f)).ok().flatten().ok_or(AccessError(()))
    }
}

impl<T: Clone + 'static> LocalKey<T> {
    /// A copy of the value.
    ///
    /// # Panics
    /// Outside a scope of this key.
    #[track_caller]
    pub fn get(&'static self) -> T {
        self.with(T::clone)
    }

    /// A copy of the value.
    ///
    /// # Errors
    /// Outside a scope of this key.
    pub fn try_get(&'static self) -> Result<T, AccessError> {
        self.try_with(T::clone)
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`LocalKey::scope`].
    #[must_use = "futures do nothing unless polled"]
    pub struct TaskLocalFuture<T: 'static, F> {
        key: &'static LocalKey<T>,
        value: Option<T>,
        #[pin]
        future: Option<F>,
        #[pin]
        _pinned: PhantomPinned,
    }

    impl<T: 'static, F> PinnedDrop for TaskLocalFuture<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                // If the scope cannot be entered, the future is dropped without the value, by its field.
                let _: Option<()> = this.key.lend(this.value, || this.future.set(None));
            }
        }
    }
}

impl<T: 'static, F> TaskLocalFuture<T, F> {
    /// Takes the value out; what is polled after that runs without one. `None` if it was taken before.
    pub fn take_value(self: Pin<&mut Self>) -> Option<T> {
        self.project().value.take()
    }
}

impl<T: 'static, F: Future> Future for TaskLocalFuture<T, F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let poll = || {
            let future = this.future.as_mut().as_pin_mut().expect("a scope is not polled after it was ready");
            let poll = future.poll(cx);
            if poll.is_ready() {
                this.future.set(None);
            }
            poll
        };
        this.key.lend(this.value, poll).expect(UNENTERABLE)
    }
}

impl<T: fmt::Debug + 'static, F> fmt::Debug for TaskLocalFuture<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocalFuture").field("value", &self.value).finish_non_exhaustive()
    }
}
