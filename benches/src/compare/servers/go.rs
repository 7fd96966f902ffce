//! Go: a program of its own, built when there is a `go` to build it with. It takes over this process.
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::FdFlags;

use super::Terms;
use crate::compare::output;
use crate::syscalls::SyscallCounter;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/go/main.go");

/// Builds the server.
///
/// # Errors
/// If there is no `go`, or it does not like the source.
pub(super) fn build() -> Result<(), String> {
    if !Path::new(SOURCE).exists() {
        return Err(format!("its source is not here: {SOURCE}"));
    }
    let binary = binary();
    let directory = output::directory();
    std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    // Two runs may build at the same time: each moves a whole program into place.
    let new = binary.with_extension(std::process::id().to_string());
    let go = Command::new("go").arg("build").arg("-o").arg(&new).arg(SOURCE).stdin(Stdio::null()).output();
    let built = match go {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("go build: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(String::from("there is no `go`")),
        Err(error) => Err(format!("go build: {error}")),
    };
    built?;
    std::fs::rename(&new, &binary).map_err(|error| format!("{}: {error}", binary.display()))
}

pub(super) fn become_echo(
    listener: TcpListener,
    terms: Terms,
    counter: Option<SyscallCounter>,
) -> io::Result<Infallible> {
    take_over(listener, &terms, counter, false)
}

pub(super) fn become_http(
    listener: TcpListener,
    terms: Terms,
    counter: Option<SyscallCounter>,
) -> io::Result<Infallible> {
    take_over(listener, &terms, counter, true)
}

fn binary() -> PathBuf {
    output::directory().join("go-server")
}

/// Standard streams, the core, the alarm and the signal at the parent's death stay what they are.
fn take_over(
    listener: TcpListener,
    terms: &Terms,
    counter: Option<SyscallCounter>,
    http: bool,
) -> io::Result<Infallible> {
    let mut command = Command::new(binary());
    rustix::io::fcntl_setfd(&listener, FdFlags::empty())?;
    command
        .arg(format!("-listen-fd={}", listener.as_raw_fd()))
        .arg(format!("-workers={}", terms.workers))
        .arg(format!("-message={}", terms.message))
        .arg(format!("-work-steps={}", terms.work_steps))
        .arg(format!("-http={http}"));
    if let Some(counter) = &counter {
        rustix::io::fcntl_setfd(counter, FdFlags::empty())?;
        command.arg(format!("-syscalls-fd={}", counter.as_fd().as_raw_fd()));
    }
    Err(command.exec())
}
