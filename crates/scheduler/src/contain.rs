//! Panics of user code end here and not in the runtime.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs user code. `None` if it panicked: that was reported as a `tracing` event that says `what` it was.
pub(crate) fn contain<R>(what: &'static str, code: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(result) => Some(result),
        Err(payload) => {
            report(what, payload);
            None
        }
    }
}

/// The subscriber and the payload's drop are user code too: what they throw is given up on.
#[cold]
fn report(what: &'static str, payload: Box<dyn Any + Send>) {
    let reported = catch_unwind(AssertUnwindSafe(|| {
        tracing::error!(what, message = message(&*payload), "user code panicked");
    }));
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    for second in [reported.err(), dropped.err()].into_iter().flatten() {
        // Dropping it could panic again, without end.
        std::mem::forget(second);
    }
}

/// What a panic said, as far as it said it in words.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("and again");
        }
    }

    #[test]
    fn result_of_well_behaved_code_comes_through() {
        assert_eq!(contain("test", || 7), Some(7));
    }

    #[test]
    fn panic_and_panic_of_its_payload_end_here() {
        assert_eq!(contain("test", || panic!("words")), None::<()>);
        assert_eq!(contain("test", || std::panic::panic_any(PanicsInDrop)), None::<()>);
    }

    #[test]
    fn message_is_found_in_both_kinds_of_string() {
        assert_eq!(message(&"static"), "static");
        assert_eq!(message(&String::from("owned")), "owned");
        assert_eq!(message(&7), "no message");
    }
}
