//! Many tasks on one source, and readiness that is waited for rather than an operation.

mod support;

use shopfloor_driver::{Direction, Interest, Ready, Source, SourceKind};
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use support::{Floor, Task, localhost, on_each_backend, read};

#[test]
fn two_queued_datagrams_are_both_received_into_large_buffers() {
    // A datagram is always short; nothing may be concluded from that.
    on_each_backend(|floor| {
        let (source, peer) = floor.udp();
        let receiver = async {
            for datagram in [b"first".as_slice(), b"second"] {
                let mut buffer = [0; 1500];
                let received = std::future::poll_fn(|cx| {
                    source.poll_read_io(cx, buffer.len(), |io| io.recv(&mut buffer))
                });
                let count = received.await.expect("a datagram");
                assert_eq!(&buffer[..count], datagram);
            }
        };
        floor.while_waiting(receiver, || {
            peer.send(b"first").expect("a datagram");
            peer.send(b"second").expect("a datagram");
        });
    });
}

#[test]
fn four_tasks_on_one_udp_socket_each_receive_a_datagram() {
    on_each_backend(|floor| {
        let (source, peer) = floor.udp();
        let mut tasks: Vec<Task<'_, u8>> = Vec::new();
        for _ in 0..4 {
            tasks.push(Box::pin(async {
                let mut buffer = [0; 16];
                source.io(Interest::READABLE, |io| io.recv(&mut buffer)).await.expect("a datagram");
                buffer[0]
            }));
        }
        tasks.push(Box::pin(async {
            support::yield_now().await;
            for number in 0..4 {
                peer.send(&[number]).expect("a datagram");
            }
            9
        }));
        let mut received = floor.run_all(tasks);
        received.sort_unstable();
        assert_eq!(received, [0, 1, 2, 3, 9]);
    });
}

#[test]
fn four_tasks_on_one_listener_each_accept_a_connection() {
    on_each_backend(|floor| {
        let (source, address) = listener(floor);
        let mut tasks: Vec<Task<'_, ()>> = Vec::new();
        for _ in 0..4 {
            tasks.push(Box::pin(async {
                source.io(Interest::READABLE, TcpListener::accept).await.expect("a connection");
            }));
        }
        tasks.push(Box::pin(async {
            support::yield_now().await;
            for _ in 0..4 {
                TcpStream::connect(address).expect("a connection");
            }
        }));
        floor.run_all(tasks);
    });
}

#[test]
fn a_waiter_that_is_dropped_takes_no_wake_up_with_it() {
    on_each_backend(|floor| {
        let (source, peer) = floor.udp();
        let mut buffer = [0; 16];
        let received = floor.run(async {
            {
                let mut dropped = pin!(source.ready(Interest::READABLE));
                std::future::poll_fn(|cx| {
                    assert!(dropped.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
            let mut stays = pin!(source.io(Interest::READABLE, |io| io.recv(&mut buffer)));
            std::future::poll_fn(|cx| {
                assert!(stays.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            peer.send(b"one").expect("a datagram");
            stays.await
        });
        assert_eq!(received.expect("a datagram"), 3);
    });
}

#[test]
fn readable_and_recv_at_once_are_both_answered() {
    on_each_backend(|floor| {
        let (source, peer) = floor.udp();
        let mut buffer = [0; 16];
        let tasks: Vec<Task<'_, bool>> = vec![
            Box::pin(async { source.ready(Interest::READABLE).await.expect("readiness").is_readable() }),
            Box::pin(async {
                let received = source.io(Interest::READABLE, |io| io.recv(&mut buffer)).await;
                received.expect("a datagram") == 3
            }),
            Box::pin(async {
                support::yield_now().await;
                peer.send(b"one").is_ok()
            }),
        ];
        assert_eq!(floor.run_all(tasks), [true; 3]);
    });
}

#[test]
fn the_task_that_polled_last_is_woken() {
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        let mut first = Context::from_waker(Waker::noop());
        let attempt = source.poll_io(&mut first, Direction::Read, |mut io| io.read(&mut [0; 8]));
        assert!(attempt.is_pending());
        let reader = async { read(&source, &mut [0; 8]).await.expect("data") };
        let writer = async {
            support::yield_now().await;
            peer.write(b"word").expect("a write")
        };
        assert_eq!(floor.run_all(vec![Box::pin(reader), Box::pin(writer)]), [4, 4]);
    });
}

#[test]
fn readiness_is_what_the_kernel_said_and_not_a_guess() {
    // Catches `readable()` answered before registration, which makes the documented loop a busy one.
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        let mut attempts = 0;
        let reader = async {
            loop {
                let ready = source.ready(Interest::READABLE).await.expect("readiness");
                assert!(ready.is_readable());
                attempts += 1;
                match source.try_io(Interest::READABLE, |mut io| io.read(&mut [0; 8])) {
                    Ok(count) => return count,
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
            }
        };
        let writer = async {
            for _ in 0..50 {
                support::yield_now().await;
            }
            peer.write(b"word").expect("a write")
        };
        assert_eq!(floor.run_all(vec![Box::pin(reader), Box::pin(writer)]), [4, 4]);
        assert!(attempts <= 2, "{attempts} attempts on {:?}", floor.backend);
    });
}

#[test]
fn try_io_is_not_attempted_on_a_source_that_is_known_not_to_be_ready() {
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        let mut attempts = 0;
        let mut attempt = || {
            source.try_io(Interest::READABLE, |mut io| {
                attempts += 1;
                io.read(&mut [0; 8])
            })
        };
        assert_eq!(attempt().expect_err("no data").kind(), io::ErrorKind::WouldBlock);
        // Unregistered: nobody would ever say that there is data, so it is tried each time.
        peer.write_all(b"word").expect("a write");
        assert_eq!(attempt().expect("data"), 4);
        source.register_now().expect("a registration");
        peer.write_all(b"word").expect("a write");
        floor.run(source.ready(Interest::READABLE)).expect("readiness");
        assert_eq!(attempt().expect("data"), 4);
        assert_eq!(attempt().expect_err("no data").kind(), io::ErrorKind::WouldBlock);
        assert_eq!(attempt().expect_err("no data").kind(), io::ErrorKind::WouldBlock);
        assert_eq!(attempts, 4, "the last one was answered from the readiness word");
        let is_writable = source.try_io(Interest::WRITABLE, |mut io| io.write(b"x"));
        assert_eq!(is_writable.expect("the other direction is not concerned"), 1);
    });
}

#[test]
fn clearing_what_was_observed_before_a_newer_event_changes_nothing() {
    on_each_backend(|floor| {
        let (source, peer) = floor.udp();
        peer.send(b"one").expect("a datagram");
        let seen = floor.run(source.observe_ready(Interest::READABLE)).expect("readiness");
        let mut buffer = [0; 16];
        let mut receive = || source.try_io(Interest::READABLE, |io| io.recv(&mut buffer));
        receive().expect("a datagram");
        receive().expect_err("no second one");
        peer.send(b"two").expect("a datagram");
        floor.run(source.ready(Interest::READABLE)).expect("readiness");
        source.clear_ready(seen, Ready::READABLE);
        floor.run(source.ready(Interest::READABLE)).expect("the newer event is still there");
    });
}

#[test]
fn a_wait_for_both_directions_is_answered_by_either() {
    on_each_backend(|floor| {
        let (source, _peer) = floor.tcp();
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = floor.run(source.ready(both)).expect("readiness");
        assert!(ready.is_writable() && !ready.is_readable());
    });
}

#[test]
fn poll_ready_waits_in_its_own_direction() {
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        let writable = std::future::poll_fn(|cx| source.poll_ready(cx, Direction::Write));
        assert!(floor.run(writable).expect("readiness").is_writable());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(source.poll_ready(&mut cx, Direction::Read).is_pending());
        peer.write_all(b"word").expect("a write");
        let readable = std::future::poll_fn(|cx| source.poll_ready(cx, Direction::Read));
        assert!(floor.run(readable).expect("readiness").is_readable());
    });
}

#[test]
fn tasks_on_several_threads_lose_no_datagram() {
    // The driver turns on one thread while four others wait on the same socket.
    const TASKS: usize = 4;
    const ROUNDS: usize = 100;
    on_each_backend(|floor| {
        let (source, peer) = floor.udp();
        let (result, results) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..TASKS {
                let (result, source) = (result.clone(), &source);
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        let mut buffer = [0; 16];
                        let receive = source.io(Interest::READABLE, |io| io.recv(&mut buffer));
                        result.send(support::block_on_thread(receive)).expect("the test listens");
                    }
                });
            }
            let turning = support::Turning::start(&floor.driver);
            for _ in 0..ROUNDS {
                // As many at a time as the buffer of a socket certainly holds.
                (0..TASKS).for_each(|_| assert_eq!(peer.send(b"datagram").expect("a datagram"), 8));
                for _ in 0..TASKS {
                    let received = results.recv_timeout(support::LOST).expect("each datagram is received");
                    assert_eq!(received.expect("a datagram"), 8);
                }
            }
            turning.stop();
        });
    });
}

fn listener(floor: &Floor) -> (Source<TcpListener>, std::net::SocketAddr) {
    let listener = TcpListener::bind(localhost()).expect("a listener");
    listener.set_nonblocking(true).expect("a mode");
    let address = listener.local_addr().expect("an address");
    (Source::new(listener, &floor.driver, SourceKind::Other), address)
}
