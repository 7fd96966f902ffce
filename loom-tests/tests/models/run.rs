//! One model explored in one way, in a child process.

use std::ffi::OsStr;
use std::io::{self, PipeReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use super::child::{Report, Way};
use super::support::Model;

/// Name of the model that a child explores, and the way.
pub const CHILD: &str = "LOOM_TESTS_CHILD";
/// What the child does otherwise than the source says, if anything: see [`alteration`](super::alteration).
pub const ALTERATION: &str = "LOOM_TESTS_ALTERATION";
/// Tells the facade what a load does.
const LOADS: &str = "LOOM_TESTS_LOADS";

/// How one child ended.
#[derive(Debug)]
pub struct Run {
    pub way: Way,
    pub end: End,
    pub seconds: f64,
    /// Everything it wrote, shown when it failed.
    pub output: String,
}

#[derive(Debug)]
pub enum End {
    Reported(Report),
    Died(ExitStatus),
    TimedOut(Duration),
    NotStarted(io::Error),
}

impl Run {
    /// Explores `model` in a child of this program.
    pub fn of(executable: &Path, model: &Model, way: Way, limit: Duration, alteration: Option<&str>) -> Self {
        let started = Instant::now();
        let (end, output) = match Self::spawn(executable, model, way, limit, alteration) {
            Ok(ended) => ended,
            Err(error) => (End::NotStarted(error), String::new()),
        };
        Self { way, end, seconds: started.elapsed().as_secs_f64(), output }
    }

    fn spawn(
        executable: &Path,
        model: &Model,
        way: Way,
        limit: Duration,
        alteration: Option<&str>,
    ) -> io::Result<(End, String)> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(executable);
        command.env(CHILD, format!("{} {}", model.name, way.name()));
        command.env(ALTERATION, alteration.map_or(OsStr::new(""), OsStr::new));
        command.env(LOADS, if way.fresh { "fresh" } else { "stale" });
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn()?;
        // The command holds the parent's copies of the writing end; the pipe ends when the child's are the last.
        drop(command);
        let (sender, receiver) = mpsc::channel();
        let reading = thread::spawn(move || sender.send(read(reader)));
        let (output, in_time) = match receiver.recv_timeout(limit) {
            Ok(output) => (output?, true),
            Err(_) => {
                child.kill()?;
                (receiver.recv().map_err(io::Error::other)??, false)
            }
        };
        let status = child.wait()?;
        drop(reading.join());
        let end = match Report::parse(&output) {
            _ if !in_time => End::TimedOut(limit),
            Some(report) if status.success() => End::Reported(report),
            _ => End::Died(status),
        };
        Ok((end, output))
    }

    /// What it told, if it came to its end.
    pub fn report(&self) -> Option<&Report> {
        match &self.end {
            End::Reported(report) => Some(report),
            _ => None,
        }
    }

    /// The outcomes, if it came to its end.
    pub fn seen(&self) -> Option<&[String]> {
        self.report().map(|report| report.seen.as_slice())
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            End::Reported(report) => write!(f, "{}", report.executions),
            End::Died(_) => f.write_str("died"),
            End::TimedOut(_) => f.write_str("timed out"),
            End::NotStarted(_) => f.write_str("not started"),
        }
    }
}

fn read(mut pipe: PipeReader) -> io::Result<String> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
