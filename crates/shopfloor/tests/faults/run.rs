//! One run of the program, and whether it kept what is promised.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::peers::{Seen, visit};
use crate::sites::{Promise, Site};

/// The program gives itself up after a third of this.
const HANG: Duration = Duration::from_secs(60);

/// Entries of the ledger that count errors.
const ERRORS: [&str; 6] =
    ["bind_errors", "accept_errors", "failed", "jobs_cancelled", "dial_errors", "pipe_errors"];

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(BTreeMap<String, u64>);

impl Ledger {
    fn get(&self, entry: &str) -> u64 {
        self.0.get(entry).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = self.0.iter().map(|(name, count)| format!("{name} {count}")).collect();
        f.write_str(&entries.join(", "))
    }
}

/// What is known after a run.
#[derive(Debug)]
pub(crate) struct Run {
    name: String,
    /// What the program said.
    said: Vec<String>,
    ledger: Ledger,
    errnos: Vec<i32>,
    seen: Seen,
    succeeded: bool,
    pub(crate) injected: u64,
    seconds: f64,
}

/// The child, and the tracer if there is one: killed and waited for, whatever happens.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // An error says that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Run {
    /// Runs the program, under the k-th failure of a site if one is given; the tracer's log goes to the path.
    pub(crate) fn of(upstream: SocketAddr, injection: Option<(&Site, u32, &Path)>) -> io::Result<Self> {
        let started = Instant::now();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--shop").arg(upstream.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Killed(command.spawn()?);
        let lines = lines_of(child.0.stdout.take().expect("it is piped"));
        let mut said = Vec::new();
        let mut stdin: ChildStdin = child.0.stdin.take().expect("it is piped");
        let mut tracer = None;
        for (place, is_running) in [("ready", false), ("built", true)] {
            hear(&lines, &mut said, |line| line == place || line.starts_with("refused "));
            if let Some((site, k, log)) = injection.filter(|(site, ..)| site.is_running == is_running) {
                tracer = Some(attach(child.0.id(), site, k, log)?);
            }
            // One that was refused listens no more.
            let _ = stdin.write_all(b"go\n");
        }
        let port = hear(&lines, &mut said, |line| line.starts_with("port "))
            .and_then(|line| line.strip_prefix("port ")?.parse().ok());
        let mut seen = Seen::default();
        let waited = Mutex::new(&mut child);
        let has_ended = || {
            let mut child = waited.lock().expect("nobody panics with it");
            child.0.try_wait().is_ok_and(|status| status.is_some())
        };
        if let Some(port) = port {
            seen = visit(SocketAddr::from(([127, 0, 0, 1], port)), has_ended);
        }
        let give_up = started + HANG;
        while !has_ended() && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(2));
        }
        let succeeded = child.0.try_wait()?.is_some_and(|status| status.success());
        drop(child);
        said.extend(lines);
        drop(tracer);
        let injected = injection.map_or(Ok(0), |(site, _, log)| injections(site, log))?;
        let (ledger, errnos) = parse(&said);
        let name = injection.map_or("no fault".to_owned(), |(site, k, _)| {
            let when = if site.is_running { " of a running runtime" } else { "" };
            format!("{} {} call {k}{when}", site.calls.replace('?', ""), site.error)
        });
        let seconds = started.elapsed().as_secs_f64();
        Ok(Self { name, said, ledger, errnos, seen, succeeded, injected, seconds })
    }

    fn refused(&self) -> Option<i32> {
        self.said.iter().find_map(|line| line.strip_prefix("refused ")?.parse().ok())
    }

    /// Who was told how often.
    pub(crate) fn told(&self, site: &Site) -> Ledger {
        let mut told = Ledger::default();
        for name in site.promise.told_by() {
            let count =
                if *name == "build" { u64::from(self.refused().is_some()) } else { self.ledger.get(name) };
            if count > 0 {
                told.0.insert((*name).to_owned(), count);
            }
        }
        told
    }

    /// What is wrong with the run. Without a site, no error at all is right.
    pub(crate) fn faults(&self, site: Option<&Site>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, what: String| {
            if !holds {
                faults.push(what);
            }
        };
        check(self.succeeded, "the program did not end by itself".to_owned());
        let told_by = site.map_or(&[][..], |site| site.promise.told_by());
        let told: u64 = site.map_or(0, |site| self.told(site).0.values().sum());
        let to_each = site.is_some_and(|site| matches!(site.promise, Promise::ToldToEach(_)));
        let at_most = if to_each && self.injected > 0 { u64::MAX } else { self.injected };
        check(told <= at_most, format!("{told} errors were told, {} were injected", self.injected));
        if let Some(errno) = self.refused() {
            check(told_by.contains(&"build"), "the runtime was refused".to_owned());
            check(site.is_some_and(|site| site.errno.raw_os_error() == errno), format!("refused by {errno}"));
            return faults;
        }
        let exactly = site.is_some_and(|site| matches!(site.promise, Promise::Told(_)));
        check(!exactly || told == self.injected, format!("{told} of {} errors were told", self.injected));
        let closed = self.said.iter().any(|line| line == "closed clean=true");
        check(closed, format!("it said {:?}", self.said.last()));
        for name in ERRORS.iter().filter(|name| !told_by.contains(name)) {
            check(self.ledger.get(name) == 0, format!("{name} is {}", self.ledger.get(name)));
        }
        for errno in &self.errnos {
            let is_ours = site.is_some_and(|site| site.errno.raw_os_error() == *errno);
            check(is_ours, format!("error {errno} was told, which was not injected"));
        }
        let (opened, accepted) = (self.ledger.get("opened"), self.ledger.get("accepted"));
        let accounted = self.ledger.get("served") + self.ledger.get("failed");
        check(
            opened == accepted && opened == accounted,
            format!("the ledger does not balance: {}", self.ledger),
        );
        // Those who came with their last words after the program had all it waited for.
        let late = self.seen.opened.saturating_sub(opened);
        check(
            opened > 0 && late < self.seen.last_words.max(1),
            format!("it knows of {opened}: {:?}", self.seen),
        );
        check(self.seen.stranded == 0, format!("clients are stranded: {:?}", self.seen));
        check(
            self.seen.closed <= self.ledger.get("failed"),
            format!("more closed than told: {:?}", self.seen),
        );
        let piped = self.ledger.get("piped") > 0 || self.ledger.get("pipe_errors") > 0;
        check(piped, "the pipe is forgotten".to_owned());
        faults
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} injected; ", self.name, self.injected)?;
        match self.refused() {
            Some(errno) => write!(f, "refused by {errno}")?,
            None => write!(f, "{}", self.ledger)?,
        }
        write!(f, " ({:.1} s)", self.seconds)
    }
}

fn lines_of(pipe: impl io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        // To its end, whether anybody still listens or not: a closed pipe would end the writer.
        BufReader::new(pipe).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    lines
}

/// Waits for a line; none if the other side ends or hangs before.
fn hear(lines: &Receiver<String>, said: &mut Vec<String>, is_it: impl Fn(&str) -> bool) -> Option<String> {
    let give_up = Instant::now() + HANG;
    while let Ok(line) = lines.recv_timeout(give_up.saturating_duration_since(Instant::now())) {
        said.push(line.clone());
        if is_it(&line) {
            return Some(line);
        }
    }
    None
}

/// Starts the tracer and waits until it has taken its place.
fn attach(program: u32, site: &Site, k: u32, log: &Path) -> io::Result<Killed> {
    let mut command = Command::new("strace");
    command.args(["-f", "-p", &program.to_string(), "-o"]).arg(log);
    let beside = site.beside.iter().flat_map(|beside| beside.split(':').next());
    let traced: Vec<&str> = beside.chain([site.calls]).collect();
    command.arg("-e").arg(format!("trace={}", traced.join(",")));
    command.arg("-e").arg(format!("inject={}:error={}:when={k}", site.calls, site.error));
    if let Some(beside) = site.beside {
        command.arg("-e").arg(format!("inject={beside}"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut tracer = Killed(command.spawn()?);
    let lines = lines_of(tracer.0.stderr.take().expect("it is piped"));
    let mut said = Vec::new();
    match hear(&lines, &mut said, |line| line.contains("attached")) {
        Some(_) => Ok(tracer),
        None => Err(io::Error::other(format!("strace does not attach: {}", said.join("; ")))),
    }
}

fn injections(site: &Site, log: &Path) -> io::Result<u64> {
    let mark = format!("= -1 {} ", site.error);
    let text = fs::read_to_string(log)?;
    Ok(text.lines().filter(|line| line.contains(&mark) && line.contains("(INJECTED)")).count() as u64)
}

fn parse(said: &[String]) -> (Ledger, Vec<i32>) {
    let mut ledger = Ledger::default();
    let mut errnos = Vec::new();
    for entry in said.iter().filter_map(|line| line.strip_prefix("ledger ")).flat_map(str::split_whitespace) {
        match entry.split_once('=') {
            Some(("errnos", list)) => {
                errnos.extend(list.split(',').filter_map(|errno| errno.parse::<i32>().ok()))
            }
            Some((name, count)) => {
                ledger.0.insert(name.to_owned(), count.parse().expect("the program writes numbers"));
            }
            None => {}
        }
    }
    (ledger, errnos)
}
