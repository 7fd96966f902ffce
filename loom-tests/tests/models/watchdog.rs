//! Ends a process of which one execution does not end.
//!
//! loom ends an execution that reaches too many branch points. A loop that reaches none is seen by nobody else.

#![allow(clippy::disallowed_types, reason = "a thread beside loom's reads what loom's counts")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, process, thread};

/// Said before the end.
pub const HANG: &str = "an execution does not end";
/// Overrides [`LOOKS`].
const LIMIT: &str = "LOOM_TESTS_EXECUTION_S";

/// Looks that see the same execution. Looks and not time, since the whole process may be stopped meanwhile.
const LOOKS: u64 = 10;
/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Ends the process once `executions` does not grow any more.
///
/// # Errors
/// If the environment asks for something that is no number.
pub fn start(executions: Arc<Mutex<u64>>) -> io::Result<()> {
    let looks = match env::var(LIMIT) {
        Ok(seconds) => seconds.parse().map_err(io::Error::other)?,
        Err(_) => LOOKS,
    };
    thread::spawn(move || {
        let (mut last, mut same) = (0, 0);
        while same < looks {
            thread::sleep(INTERVAL);
            let now = *executions.lock().unwrap_or_else(PoisonError::into_inner);
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        // Who reads it may be gone.
        drop(writeln!(io::stderr(), "{HANG}"));
        process::exit(101);
    });
    Ok(())
}
