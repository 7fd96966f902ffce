//! What has to hold of every task, whatever the schedule.
//!
//! Its locks are std's: the ledger is outside the schedule, and looking at it is no step.

#![allow(clippy::disallowed_types, reason = "outside the schedule, so shuttle must not see these")]

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// The tasks and jobs of one schedule.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    entries: Vec<Entry>,
    complaints: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    polling: bool,
    finished: bool,
    dropped: bool,
}

/// A future, or the state of a job, whose life is in the ledger.
#[derive(Debug)]
pub struct Tracked<F> {
    future: Pin<Box<F>>,
    line: Line,
}

/// An entry; its drop is the end of what it stands for.
#[derive(Debug)]
struct Line {
    ledger: Arc<Ledger>,
    number: usize,
}

impl Ledger {
    /// Enters a task.
    pub fn track<F: Future>(self: &Arc<Self>, future: F) -> Tracked<F> {
        Tracked { future: Box::pin(future), line: self.open() }
    }

    /// Enters a blocking job.
    pub fn track_job<R, F: FnOnce() -> R>(self: &Arc<Self>, job: F) -> impl FnOnce() -> R + use<R, F> {
        let line = self.open();
        move || {
            line.update(Entry::start);
            let result = job();
            line.update(|entry| entry.stop(true));
            result
        }
    }

    /// Something that must not be is.
    pub fn complain(&self, what: impl Into<String>) {
        self.write().complaints.push(what.into());
    }

    /// Every task has ended exactly once, and nobody has complained.
    ///
    /// # Panics
    /// If not.
    pub fn settle(&self) {
        let book = self.write();
        assert!(book.complaints.is_empty(), "{:?}", book.complaints);
        let alive = book.entries.iter().filter(|entry| !entry.dropped).count();
        assert_eq!(alive, 0, "futures that were not dropped, of {}", book.entries.len());
    }

    fn open(self: &Arc<Self>) -> Line {
        let mut book = self.write();
        book.entries.push(Entry::default());
        Line { ledger: Arc::clone(self), number: book.entries.len() - 1 }
    }

    fn write(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn update(&self, change: impl FnOnce(&mut Entry) -> Result<(), &'static str>) {
        let mut book = self.ledger.write();
        if let Err(complaint) = change(&mut book.entries[self.number]) {
            book.complaints.push(format!("task {} {complaint}", self.number));
        }
    }
}

impl Entry {
    fn start(&mut self) -> Result<(), &'static str> {
        if std::mem::replace(&mut self.polling, true) {
            return Err("is polled by two threads");
        }
        if self.finished || self.dropped { Err("is polled after its end") } else { Ok(()) }
    }

    fn stop(&mut self, finished: bool) -> Result<(), &'static str> {
        self.finished = finished;
        if std::mem::replace(&mut self.polling, false) { Ok(()) } else { Err("was polled by two threads") }
    }

    fn end(&mut self) -> Result<(), &'static str> {
        if std::mem::replace(&mut self.dropped, true) {
            return Err("ends twice");
        }
        if self.polling { Err("ends during its poll") } else { Ok(()) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.update(Entry::end);
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.line.update(Entry::start);
        let polled = self.future.as_mut().poll(cx);
        self.line.update(|entry| entry.stop(polled.is_ready()));
        polled
    }
}
