//! The turn itself: timeouts, interrupts, signals, a second caller, shutdown.

mod support;

use shopfloor_driver::{Direction, Interest, is_shutdown_error};
use std::io::{Read, Write};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use support::{LOST, on_each_backend, read};

#[test]
fn turns_without_events_last_as_long_as_the_timeout_and_are_few() {
    on_each_backend(|floor| {
        for timeout in [Duration::from_micros(300), Duration::from_millis(2), Duration::from_micros(4700)] {
            let (start, mut turns, mut wakers) = (Instant::now(), 0, Vec::new());
            let deadline = start + timeout;
            while let Some(rest) =
                deadline.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero())
            {
                let count = floor.driver.turn(Some(rest), usize::MAX, &mut wakers).expect("a turn");
                assert_eq!((count, wakers.len()), (0, 0));
                turns += 1;
                if turns == 1 {
                    let early = timeout.saturating_sub(start.elapsed());
                    assert!(early <= Duration::from_micros(50), "{early:?} too early on {:?}", floor.backend);
                }
            }
            // A timer of another thread may end a wait by the slack of the kernel's timers too early, and the next one.
            assert!(turns <= 10, "a busy loop of {turns} turns on {:?}", floor.backend);
        }
    });
}

#[test]
fn a_turn_that_only_looks_returns_at_once() {
    on_each_backend(|floor| {
        let mut wakers = Vec::new();
        assert_eq!(floor.driver.turn(Some(Duration::ZERO), usize::MAX, &mut wakers).expect("a turn"), 0);
    });
}

#[test]
fn the_longest_timeout_is_accepted() {
    on_each_backend(|floor| {
        floor.driver.interrupt();
        assert_eq!(floor.driver.turn(Some(Duration::MAX), usize::MAX, &mut Vec::new()).expect("a turn"), 0);
    });
}

#[cfg(unix)]
#[test]
fn a_turn_takes_as_many_events_as_it_is_asked_for_and_leaves_the_others_to_the_next() {
    use shopfloor_driver::{Source, SourceKind};
    use std::future::Future;
    use std::os::unix::net::UnixStream;
    use std::pin::pin;

    on_each_backend(|floor| {
        // What is sent by these is there when the call returns.
        let pair = |_| {
            let (ours, peer) = UnixStream::pair().expect("two sockets");
            ours.set_nonblocking(true).expect("a mode");
            (Source::new(ours, &floor.driver, SourceKind::Other), peer)
        };
        let sockets: Vec<_> = (0..6).map(pair).collect();
        let all_wait = || {
            let mut buffer = [0; 8];
            sockets.iter().for_each(|(ours, _)| {
                let mut reads = pin!(read(ours, &mut buffer));
                assert!(reads.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            });
        };
        all_wait();
        // They were writable, which disarmed them where each event does.
        floor.drain_events();
        all_wait();
        sockets.iter().for_each(|(_, peer)| (&*peer).write_all(b"now").expect("room"));
        let taken = [4, 0, usize::MAX, usize::MAX].map(|events_max| {
            floor.driver.turn(Some(Duration::ZERO), events_max, &mut Vec::new()).expect("a turn")
        });
        assert_eq!(taken, [4, 1, 1, 0], "{:?}", floor.backend);
    });
}

#[test]
fn an_interrupt_before_a_turn_ends_it_and_is_no_event() {
    on_each_backend(|floor| {
        for _ in 0..3 {
            floor.driver.interrupt();
            floor.driver.interrupt();
            assert_eq!(floor.driver.turn(None, usize::MAX, &mut Vec::new()).expect("a turn"), 0);
        }
    });
}

#[test]
fn an_interrupt_during_a_turn_ends_it() {
    on_each_backend(|floor| {
        let (ended, turns) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..200 {
                    let turn = floor.driver.turn(None, usize::MAX, &mut Vec::new());
                    ended.send(turn.expect("a turn")).expect("the test listens");
                }
            });
            for _ in 0..200 {
                floor.driver.interrupt();
                // A late signal of the interrupt before may have ended this turn, but each interrupt ends one.
                assert_eq!(turns.recv_timeout(LOST).expect("the turn ends"), 0);
            }
        });
    });
}

#[test]
fn shutdown_ends_every_wait_with_its_error() {
    on_each_backend(|floor| {
        let (waiting, _peer) = floor.tcp();
        let (unregistered, _other_peer) = floor.tcp();
        let mut buffer = [0; 8];
        let is_shut_down = |result: std::io::Result<usize>| {
            is_shutdown_error(&result.expect_err("the driver was shut down"))
        };
        let results = floor.run_all::<bool>(vec![
            Box::pin(async { is_shut_down(read(&waiting, &mut buffer).await) }),
            Box::pin(async {
                let received = waiting.io(Interest::READABLE, |mut io| io.read(&mut [0; 8])).await;
                is_shut_down(received)
            }),
            Box::pin(async {
                is_shutdown_error(&waiting.ready(Interest::PRIORITY).await.expect_err("an error"))
            }),
            Box::pin(async {
                support::yield_now().await;
                let mut wakers = Vec::new();
                floor.driver.shutdown(&mut wakers);
                assert_eq!(wakers.len(), 3);
                wakers.into_iter().for_each(Waker::wake);
                is_shut_down(read(&unregistered, &mut [0; 8]).await)
            }),
        ]);
        assert_eq!(results, [true; 4]);
    });
}

#[test]
fn an_operation_that_need_not_wait_works_after_shutdown() {
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        floor.driver.shutdown(&mut Vec::new());
        peer.write_all(b"word").expect("a write");
        assert_eq!(floor.run(read(&source, &mut [0; 8])).expect("data"), 4);
        floor.run(support::write_all(&source, b"answer")).expect("a write");
        let error = floor.run(read(&source, &mut [0; 8])).expect_err("this one would wait");
        assert!(is_shutdown_error(&error), "{error}");
        assert!(!is_shutdown_error(&std::io::Error::other("another one")));
    });
}

#[test]
fn a_turn_calls_no_waker() {
    // User code must not run while the right to make turns is held.
    struct Loud;
    impl Wake for Loud {
        fn wake(self: Arc<Self>) {
            panic!("woken inside the turn");
        }
    }
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        let waker = Waker::from(Arc::new(Loud));
        let mut cx = Context::from_waker(&waker);
        let polled = source.poll_io(&mut cx, Direction::Read, |mut io| io.read(&mut [0; 8]));
        assert!(matches!(polled, Poll::Pending));
        peer.write_all(b"word").expect("a write");
        let mut wakers = Vec::new();
        while wakers.is_empty() {
            floor.driver.turn(Some(LOST), usize::MAX, &mut wakers).expect("a turn");
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_during_a_turn_is_invisible() {
    use std::os::unix::thread::JoinHandleExt;
    // SAFETY: the handler does nothing, which is safe in a signal handler.
    unsafe { signal_hook_registry::register(libc::SIGUSR1, || {}) }.expect("a handler");
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        source.register_now().expect("a registration");
        floor.drain_events();
        let driver = Arc::clone(&floor.driver);
        let (ended, turns) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            // A signal may end a turn early, without an error; the event ends one with a count.
            for timeout in [None, Some(LOST)] {
                while driver.turn(timeout, usize::MAX, &mut Vec::new()).expect("a turn") == 0 {}
                ended.send(()).expect("the test listens");
            }
        });
        for _ in 0..2 {
            // Waiting arms the source where an event has disarmed it.
            let mut noop = Context::from_waker(Waker::noop());
            let polled = source.poll_io(&mut noop, Direction::Read, |mut io| io.read(&mut [0; 8]));
            assert!(polled.is_pending());
            for _ in 0..50 {
                // SAFETY: the thread is not joined yet, so its handle is valid; the signal has a handler.
                assert_eq!(unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) }, 0);
                std::thread::yield_now();
            }
            peer.write_all(b"word").expect("a write");
            turns.recv_timeout(LOST).expect("the event ends the turn");
            let read = source.try_io(Interest::READABLE, |mut io| io.read(&mut [0; 8]));
            assert_eq!(read.expect("the data of that event"), 4);
        }
        thread.join().expect("no turn failed");
    });
}
