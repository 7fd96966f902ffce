//! A child process of a measuring program: this binary again, spoken to in lines of JSON, and never waited for
//! without a deadline.
//!
//! Three things end a child that its parent forgets: the kernel kills it when the parent dies, an alarm ends it after
//! its deadline, and its standard input closes. Ctrl-C therefore needs no handler.
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Environment variable through which a child learns whose child it is and how long it may live.
const LIFE: &str = "SHOPFLOOR_BENCH_LIFE";

/// How long a child may take to exit once it has nothing more to do.
const EXIT_WAIT: Duration = Duration::from_secs(10);

/// One line from child to parent.
#[derive(Debug, Serialize, Deserialize)]
enum Line<T> {
    #[serde(rename = "said")]
    Said(T),
    #[serde(rename = "failed")]
    Failed(String),
}

/// A running child. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct Helper {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    complaints: Option<JoinHandle<String>>,
}

impl Helper {
    /// Starts this binary again with `arguments`. The kernel ends it at the latest after `life`.
    ///
    /// Call it from a thread that outlives the child, such as the main thread: the kernel ties the child to the
    /// thread that made it.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(name: impl Into<String>, arguments: &[String], life: Duration) -> Result<Self, String> {
        Self::start_under(&[], name, arguments, life)
    }

    /// The same with the words of `program` before the path of this binary: a program that runs another one in its
    /// own process, as valgrind does.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start_under(
        program: &[String],
        name: impl Into<String>,
        arguments: &[String],
        life: Duration,
    ) -> Result<Self, String> {
        let name = name.into();
        let cannot = |error: io::Error| format!("{name}: cannot start: {error}");
        let binary = std::env::current_exe().map_err(cannot)?;
        let mut command = match program {
            [] => Command::new(binary),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(binary);
                command
            }
        };
        let mut child = command
            .args(arguments)
            .env(LIFE, format!("{} {}", std::process::id(), life.as_secs().max(1)))
            // Its last words are then the message of a panic, and not the end of a backtrace.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot)?;
        let stdin = child.stdin.take();
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || forward_lines(stdout, &sender));
        }
        let complaints = child.stderr.take().map(|stderr| std::thread::spawn(move || last_words(stderr)));
        Ok(Self { name, child, stdin, lines, complaints })
    }

    /// Sends one line.
    ///
    /// # Errors
    /// If the child is gone; the error says how it ended.
    pub fn tell(&mut self, line: &str) -> Result<(), String> {
        let sent = self.stdin.as_mut().is_some_and(|stdin| writeln!(stdin, "{line}").is_ok());
        if sent { Ok(()) } else { Err(self.autopsy()) }
    }

    /// Waits for the next line.
    ///
    /// # Errors
    /// If the child reports a failure, dies, says something else than a `T`, or says nothing within `patience`.
    pub fn hear<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<T, String> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => match serde_json::from_str(&line) {
                Ok(Line::Said(word)) => Ok(word),
                Ok(Line::Failed(error)) => Err(format!("{}: {error}", self.name)),
                Err(error) => Err(format!("{}: cannot understand {line:?}: {error}", self.name)),
            },
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("{}: no answer within {:.1} s", self.name, patience.as_secs_f64()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.autopsy()),
        }
    }

    /// Closes the child's input and waits for its end.
    ///
    /// # Errors
    /// If it does not exit, or not with success.
    pub fn finish(mut self) -> Result<(), String> {
        self.stdin = None;
        match self.wait(EXIT_WAIT) {
            Some(status) if status.success() => Ok(()),
            Some(_) => Err(self.autopsy()),
            None => Err(format!("{}: did not exit within {:.0} s", self.name, EXIT_WAIT.as_secs_f64())),
        }
    }

    /// How the child ended, if it has ended by itself.
    pub fn post_mortem(&mut self) -> Option<String> {
        self.wait(Duration::from_millis(200)).map(|_| self.autopsy())
    }

    /// How the child ended, with the last thing it complained about.
    fn autopsy(&mut self) -> String {
        self.stdin = None;
        let ended = match self.wait(Duration::from_secs(2)) {
            Some(status) => status.to_string(),
            None => String::from("closed its output without exiting"),
        };
        self.kill();
        // What it managed to say about the reason comes before what the kernel or a panic says.
        let said = self.lines.try_iter().find_map(|line| match serde_json::from_str(&line) {
            Ok(Line::<serde_json::Value>::Failed(error)) => Some(error),
            _ => None,
        });
        if let Some(error) = said {
            return format!("{}: {error}", self.name);
        }
        let complaints = self.complaints.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        let complaints = complaints.trim();
        if complaints.is_empty() {
            format!("{}: {ended}", self.name)
        } else {
            format!("{}: {ended}: {complaints}", self.name)
        }
    }

    /// Waits until the child has ended or `patience` is over. An error of the wait itself counts as not ended.
    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn kill(&mut self) {
        // Both fail only if the child has been reaped already, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.kill();
    }
}

fn forward_lines(output: impl Read, lines: &Sender<String>) {
    for line in BufReader::new(output).lines() {
        // An unreadable line ends the conversation: the parent sees the closed channel and says so.
        let Ok(line) = line else { return };
        if lines.send(line).is_err() {
            return;
        }
    }
}

/// The end of what a child wrote to its error output.
fn last_words(mut output: impl Read) -> String {
    let mut all = Vec::new();
    // What was read before an error is still worth showing.
    let _ = output.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all);
    let tail: Vec<&str> = text.lines().filter(|line| !line.starts_with("note: run with")).collect();
    tail[tail.len().saturating_sub(3)..].join(" ")
}

/// Child: arranges its own end with that of its parent. To be called first thing in `main`.
///
/// # Errors
/// If this process was not started by [`Helper::start`], or its parent is gone.
pub fn begin() -> Result<(), String> {
    let life = std::env::var(LIFE).map_err(|_| String::from("this command is for internal use"))?;
    let (parent, seconds) = life
        .split_once(' ')
        .and_then(|(parent, seconds)| Some((parent.parse().ok()?, seconds.parse().ok()?)))
        .ok_or_else(|| format!("{LIFE} makes no sense: {life}"))?;
    crate::os::die_with(parent, Duration::from_secs(seconds)).map_err(|error| error.to_string())
}

/// Child: sends one word to the parent.
///
/// # Errors
/// If the parent does not listen any more.
pub fn say<T: Serialize>(word: T) -> Result<(), String> {
    send(&Line::Said(word))
}

/// Child: tells the parent why there will be no figures.
pub fn say_failed(error: impl Into<String>) {
    // If the parent is gone, nobody is left to be told.
    let _ = send(&Line::<()>::Failed(error.into()));
}

fn send<T: Serialize>(line: &Line<T>) -> Result<(), String> {
    let mut text = serde_json::to_string(line).map_err(|error| error.to_string())?;
    text.push('\n');
    // One write call for the whole line, so that two threads of a child cannot mix theirs.
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Line, last_words};

    #[test]
    fn lines_survive_the_pipe() {
        let text = serde_json::to_string(&Line::Said((1u32, "two"))).unwrap();
        let Ok(Line::Said((number, word))) = serde_json::from_str::<Line<(u32, String)>>(&text) else {
            panic!("{text}");
        };
        assert_eq!((number, word.as_str()), (1, "two"));
        let failed = serde_json::to_string(&Line::<()>::Failed("no".into())).unwrap();
        assert!(
            matches!(serde_json::from_str::<Line<u32>>(&failed), Ok(Line::Failed(error)) if error == "no")
        );
    }

    #[test]
    fn last_words_are_the_end_of_the_complaints() {
        assert_eq!(last_words(&b"a\nb\nc\nd\nnote: run with `RUST_BACKTRACE=1`\n"[..]), "b c d");
        assert_eq!(last_words(&b""[..]), "");
    }
}
