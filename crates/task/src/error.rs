//! Why a task has no output.

use crate::header::Id;
use std::any::Any;
use std::fmt;

/// What a panic throws.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// Without the id, which the handle knows.
pub(crate) enum Failure {
    Cancelled,
    Panicked(Payload),
}

impl Failure {
    pub(crate) fn into_error(self, id: Id) -> JoinError {
        JoinError { reason: Box::new(Reason { id, failure: self }) }
    }
}

/// The error of a join handle: the task was aborted, or it panicked.
pub struct JoinError {
    /// In a box: results of tasks are copied more often than one of them is an error.
    reason: Box<Reason>,
}

struct Reason {
    id: Id,
    failure: Failure,
}

// SAFETY: the payload is only `Send`. Through `&JoinError` it is looked at in `message` alone, as a `&str` or a
// `String`, which are `Sync`; whatever else it may be is reached by value only.
unsafe impl Sync for JoinError {}

impl JoinError {
    /// The task that has no output.
    pub fn id(&self) -> Id {
        self.reason.id
    }

    /// Whether the task was aborted, or its runtime shut down, before it completed.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.reason.failure, Failure::Cancelled)
    }

    /// Whether the future panicked, in its poll or in its drop.
    pub fn is_panic(&self) -> bool {
        matches!(self.reason.failure, Failure::Panicked(_))
    }

    /// The payload of the panic, to resume it with [`std::panic::resume_unwind`].
    ///
    /// # Panics
    /// If the task did not panic.
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        self.try_into_panic().expect("`JoinError::into_panic` on a task that was cancelled")
    }

    /// The payload of the panic.
    ///
    /// # Errors
    /// Gives the error back if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        let mut reason = self.reason;
        match std::mem::replace(&mut reason.failure, Failure::Cancelled) {
            Failure::Panicked(payload) => Ok(payload),
            Failure::Cancelled => Err(Self { reason }),
        }
    }

    fn message(&self) -> Option<&str> {
        let Failure::Panicked(payload) = &self.reason.failure else { return None };
        payload.downcast_ref::<&'static str>().copied().or_else(|| {
            let message: &String = payload.downcast_ref()?;
            Some(message)
        })
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason.failure, self.message()) {
            (Failure::Cancelled, _) => write!(f, "task {} was cancelled", self.id()),
            (Failure::Panicked(_), Some(message)) => {
                write!(f, "task {} panicked with message {message:?}", self.id())
            }
            (Failure::Panicked(_), None) => write!(f, "task {} panicked", self.id()),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason.failure, self.message()) {
            (Failure::Cancelled, _) => write!(f, "JoinError::Cancelled({:?})", self.id()),
            (Failure::Panicked(_), message) => write!(f, "JoinError::Panic({:?}, {message:?})", self.id()),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> Self {
        let what = if error.is_cancelled() { "task was cancelled" } else { "task panicked" };
        std::io::Error::other(what)
    }
}

#[cfg(test)]
mod tests {
    use super::JoinError;
    use crate::join::Join;

    #[test]
    fn a_join_error_travels_inside_other_errors() {
        fn accept<E: std::error::Error + Send + Sync + 'static>() {}
        accept::<JoinError>();
    }

    #[test]
    fn the_right_to_an_output_and_a_result_without_value_are_one_word_each() {
        assert_eq!(size_of::<Join<[u8; 64]>>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), JoinError>>(), size_of::<usize>());
    }
}
