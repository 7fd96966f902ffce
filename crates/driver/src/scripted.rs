//! Tests with a selector that does what a script says: the failures that an operating system seldom shows.

use crate::driver::Driver;
use crate::selector::{BorrowedSource, Event, Selector};
use crate::source::{Source, SourceKind};
use shopfloor_protocol::interest::{Direction, Interest, Ready};
use shopfloor_protocol::registry::Token;
use shopfloor_protocol::sync::{Arc, Mutex};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// What the next calls do; a call that the script does not name succeeds and reports nothing.
#[derive(Debug, Clone, Default)]
struct Script(Arc<Mutex<Steps>>);

#[derive(Debug, Default)]
struct Steps {
    adds: VecDeque<io::ErrorKind>,
    added: Vec<Token>,
    deleted: usize,
    waits: VecDeque<io::Result<Vec<Event>>>,
    blocking: Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>,
    signals: usize,
}

impl Selector for Script {
    fn add(&self, _: BorrowedSource<'_>, token: Token) -> io::Result<()> {
        let mut steps = self.0.lock();
        steps.added.push(token);
        steps.adds.pop_front().map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn delete(&self, _: BorrowedSource<'_>) -> io::Result<()> {
        self.0.lock().deleted += 1;
        Ok(())
    }

    fn disarms(&self) -> bool {
        false
    }

    fn rearm(&self, _: BorrowedSource<'_>, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn holds_on_to_sources(&self) -> bool {
        false
    }

    fn reports_half_close(&self) -> bool {
        true
    }

    fn wait(&self, _: Option<Duration>, _: NonZeroUsize, events: &mut Vec<Event>) -> io::Result<()> {
        let blocking = self.0.lock().blocking.take();
        if let Some((entered, leave)) = blocking {
            entered.send(()).expect("the test listens");
            leave.recv().expect("the test lets it go");
        }
        events.extend(self.0.lock().waits.pop_front().unwrap_or_else(|| Ok(Vec::new()))?);
        Ok(())
    }

    fn signal(&self) -> io::Result<()> {
        self.0.lock().signals += 1;
        Ok(())
    }
}

impl Script {
    fn driver(&self) -> Arc<Driver> {
        Arc::new(Driver::with_selector(Box::new(self.clone())))
    }

    fn report(&self, index: usize, ready: Ready) {
        let mut steps = self.0.lock();
        let token = steps.added[index];
        steps.waits.push_back(Ok(vec![(token, ready)]));
    }
}

fn stream() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours, peer)
}

fn source(driver: &Arc<Driver>) -> (Source<TcpStream>, TcpStream) {
    let (ours, peer) = stream();
    (Source::new(ours, driver, SourceKind::TcpStream), peer)
}

#[derive(Default)]
struct Count(Mutex<usize>);

impl Wake for Count {
    fn wake(self: std::sync::Arc<Self>) {
        *self.0.lock() += 1;
    }
}

fn poll_read(source: &Source<TcpStream>, waker: &Waker) -> Poll<io::Result<usize>> {
    let mut cx = Context::from_waker(waker);
    source.poll_read_io(&mut cx, 8, |mut io| io.read(&mut [0; 8]))
}

fn poll_blocked_write(source: &Source<TcpStream>, waker: &Waker) -> Poll<io::Result<usize>> {
    let mut cx = Context::from_waker(waker);
    source.poll_write_io(&mut cx, 8, |_| Err(io::ErrorKind::WouldBlock.into()))
}

#[test]
fn each_half_returns_the_error_of_its_own_registration() {
    // No memory, no descriptors, no watches left: the half that registers gets the error, and its next attempt
    // is a new registration.
    for kind in [io::ErrorKind::OutOfMemory, io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        let script = Script::default();
        script.0.lock().adds.extend([kind, kind]);
        let driver = script.driver();
        let (source, _peer) = source(&driver);
        for attempt in [poll_read, poll_blocked_write] {
            match attempt(&source, Waker::noop()) {
                Poll::Ready(Err(error)) => assert_eq!(error.kind(), kind),
                other => panic!("{other:?}"),
            }
        }
        assert!(poll_read(&source, Waker::noop()).is_pending(), "the third registration succeeds");
        assert_eq!(script.0.lock().added.len(), 3);
    }
}

#[test]
fn a_task_that_waits_is_woken_when_a_later_registration_of_its_source_fails() {
    let script = Script::default();
    script.0.lock().adds.push_back(io::ErrorKind::StorageFull);
    let driver = script.driver();
    let (source, _peer) = source(&driver);
    let count = std::sync::Arc::new(Count::default());
    let waker = Waker::from(std::sync::Arc::clone(&count));
    assert!(poll_blocked_write(&source, &waker).is_ready());
    assert_eq!(*count.0.lock(), 1, "whoever stored a waker before the failure is woken, the registrar too");
}

#[test]
fn a_failed_registration_leaves_no_token_behind() {
    let script = Script::default();
    script.0.lock().adds.push_back(io::ErrorKind::StorageFull);
    let driver = script.driver();
    let (source, _peer) = source(&driver);
    assert!(poll_read(&source, Waker::noop()).is_ready());
    script.report(0, Ready::READABLE);
    driver.turn(None, usize::MAX, &mut Vec::new()).unwrap();
    assert!(poll_read(&source, Waker::noop()).is_pending());
    let added = script.0.lock().added.clone();
    assert_ne!(added[0], added[1], "the generation of the slot has moved on");
    let slot = |token: Token| token.to_usize() & 0xffff;
    assert_eq!(slot(added[0]), slot(added[1]), "and the slot is used again");
    drop(source);
    assert_eq!(script.0.lock().deleted, 1, "deleted once, since it was added once");
}

#[test]
fn a_late_event_does_not_reach_the_source_that_has_the_slot_now() {
    let script = Script::default();
    let driver = script.driver();
    let (old, _peer) = source(&driver);
    assert!(poll_read(&old, Waker::noop()).is_pending());
    drop(old);
    let (new, _new_peer) = source(&driver);
    assert!(poll_read(&new, Waker::noop()).is_pending());
    script.report(0, Ready::READABLE | Ready::READ_CLOSED);
    let mut wakers = Vec::new();
    assert_eq!(driver.turn(None, usize::MAX, &mut wakers).unwrap(), 1);
    assert!(wakers.is_empty(), "the old source is gone");
    script.report(1, Ready::READABLE);
    driver.turn(None, usize::MAX, &mut wakers).unwrap();
    assert_eq!(wakers.len(), 1);
}

#[test]
fn a_second_turn_at_the_same_time_returns_at_once() {
    let script = Script::default();
    let driver = script.driver();
    let ((entered, has_entered), (leave, may_leave)) = (mpsc::channel(), mpsc::channel());
    script.0.lock().blocking = Some((entered, may_leave));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| driver.turn(None, usize::MAX, &mut Vec::new()));
        has_entered.recv().unwrap();
        script.0.lock().waits.push_back(Err(io::Error::other("only one may wait")));
        assert_eq!(driver.turn(None, usize::MAX, &mut Vec::new()).unwrap(), 0, "the selector is not asked");
        script.0.lock().waits.clear();
        leave.send(()).unwrap();
        first.join().unwrap().unwrap();
    });
    driver.turn(None, usize::MAX, &mut Vec::new()).expect("the turn was given back");
}

#[test]
fn a_failed_wait_is_reported_and_the_next_turn_goes_on() {
    let script = Script::default();
    let driver = script.driver();
    let (source, _peer) = source(&driver);
    assert!(poll_read(&source, Waker::noop()).is_pending());
    script.0.lock().waits.push_back(Err(io::ErrorKind::OutOfMemory.into()));
    script.report(0, Ready::READABLE);
    let error = driver.turn(None, usize::MAX, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    let mut wakers = Vec::new();
    assert_eq!(driver.turn(None, usize::MAX, &mut wakers).unwrap(), 1);
    assert_eq!(wakers.len(), 1);
}

#[test]
fn a_pending_interrupt_costs_no_second_signal() {
    let script = Script::default();
    let driver = script.driver();
    (0..5).for_each(|_| driver.interrupt());
    assert_eq!(script.0.lock().signals, 1);
    driver.turn(None, usize::MAX, &mut Vec::new()).unwrap();
    driver.interrupt();
    assert_eq!(script.0.lock().signals, 2);
}

#[test]
fn a_short_read_is_conclusive_only_if_nothing_may_have_cut_it_short() {
    let cut_short = [Ready::READ_CLOSED, Ready::WRITE_CLOSED, Ready::ERROR, Ready::PRIORITY];
    for (facts, is_conclusive) in
        cut_short.map(|facts| (facts, false)).into_iter().chain([(Ready::EMPTY, true)])
    {
        let script = Script::default();
        let driver = script.driver();
        let (source, mut peer) = source(&driver);
        source.register_now().unwrap();
        script.report(0, Ready::READABLE | facts);
        driver.turn(None, usize::MAX, &mut Vec::new()).unwrap();
        peer.write_all(b"word").unwrap();
        assert!(matches!(poll_read(&source, Waker::noop()), Poll::Ready(Ok(4))));
        let mut attempts = 0;
        let next = source.try_io(Interest::READABLE, |mut io| {
            attempts += 1;
            io.read(&mut [0; 8])
        });
        assert_eq!(next.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(attempts == 0, is_conclusive, "{facts:?}");
    }
}

#[test]
fn an_interrupted_operation_is_repeated() {
    let script = Script::default();
    let driver = script.driver();
    let (source, _peer) = source(&driver);
    let mut attempts = 0;
    let result = source.poll_io(&mut Context::from_waker(Waker::noop()), Direction::Write, |mut io| {
        attempts += 1;
        if attempts < 3 { Err(io::ErrorKind::Interrupted.into()) } else { io.write(b"x") }
    });
    assert!(matches!(result, Poll::Ready(Ok(1))));
    assert_eq!(attempts, 3);
}

#[test]
fn a_waker_in_a_poll_slot_is_woken_when_the_object_is_taken_away() {
    let script = Script::default();
    let driver = script.driver();
    let (source, _peer) = source(&driver);
    let count = std::sync::Arc::new(Count::default());
    assert!(poll_read(&source, &Waker::from(std::sync::Arc::clone(&count))).is_pending());
    drop(source.into_inner().unwrap());
    assert_eq!(*count.0.lock(), 1);
}
