//! Tests that change the whole process run in a process of their own: this test binary again, with one test.

use std::env;
use std::process::{Command, Stdio};

/// Runs `body` in a child process. `test` is the path of the calling test, as the test binary names it.
pub(crate) fn in_a_child(test: &str, body: impl FnOnce()) {
    const MARK: &str = "SHOPFLOOR_TEST_CHILD";
    if env::var_os(MARK).is_some_and(|marked| marked == test) {
        body();
        return;
    }
    let output = Command::new(env::current_exe().expect("the test binary has a path"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(MARK, test)
        .stdin(Stdio::null())
        .output()
        .expect("the test binary runs again");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{}\n{printed}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}
