//! UDP sockets.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use shopfloor::io::{Interest, ReadBuf};
use shopfloor::net::UdpSocket;

use crate::on_all_runtimes;

async fn pair() -> (UdpSocket, UdpSocket) {
    let a = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let b = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    a.connect(b.local_addr().expect("an address")).await.expect("a peer");
    b.connect(a.local_addr().expect("an address")).await.expect("a peer");
    (a, b)
}

#[test]
fn four_tasks_receive_from_one_socket_and_miss_no_datagram() {
    const DATAGRAMS: u8 = 200;
    on_all_runtimes(|| async {
        let (sender, receiver) = pair().await;
        let receiver = Arc::new(receiver);
        let (received, mut results) = shopfloor::sync::mpsc::unbounded_channel();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (receiver, received) = (Arc::clone(&receiver), received.clone());
                shopfloor::spawn(async move {
                    let mut datagram = [0; 16];
                    loop {
                        let len = receiver.recv(&mut datagram).await.expect("a datagram");
                        received.send((len, datagram[0])).expect("it is counted");
                    }
                })
            })
            .collect();
        // One at a time: the kernel may drop what the receiver's buffer does not hold.
        for number in 0..DATAGRAMS {
            assert_eq!(sender.send(&[number]).await.expect("a datagram"), 1);
            assert_eq!(results.recv().await, Some((1, number)));
        }
        tasks.iter().for_each(|task| task.abort());
    });
}

#[test]
fn readable_and_recv_wait_at_once() {
    on_all_runtimes(|| async {
        let (sender, receiver) = pair().await;
        let receiver = Arc::new(receiver);
        let watching = Arc::clone(&receiver);
        // Both wait before anything is sent; the readiness that `recv` uses up has been reported to both.
        let watching = shopfloor::spawn(async move { watching.readable().await });
        let receiving = Arc::clone(&receiver);
        let receiving = shopfloor::spawn(async move { receiving.recv(&mut [0; 16]).await });
        for _ in 0..100 {
            shopfloor::task::yield_now().await;
        }
        sender.send(b"one").await.expect("a datagram");
        assert_eq!(receiving.await.expect("no panic").expect("a datagram"), 3);
        // Whoever comes second may find the datagram gone, and then has to wait for the next one.
        sender.send(b"two").await.expect("a datagram");
        watching.await.expect("no panic").expect("readiness");
    });
}

#[test]
fn queued_datagrams_are_received_one_by_one_into_large_buffers() {
    on_all_runtimes(|| async {
        let (sender, receiver) = pair().await;
        let waits = std::future::poll_fn(|cx| {
            let polled = std::pin::pin!(receiver.recv(&mut [0; 1500])).poll(cx);
            std::task::Poll::Ready(polled.is_pending())
        });
        assert!(waits.await, "the socket is registered now");
        for datagram in [&b"one"[..], b"three", b"eleven"] {
            sender.send(datagram).await.expect("a datagram");
        }
        let mut buf = [0; 1500];
        for len in [3, 5, 6] {
            assert_eq!(receiver.recv(&mut buf).await.expect("a datagram"), len);
        }
        assert_eq!(receiver.try_recv(&mut buf).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
    });
}

#[test]
fn senders_are_named_and_datagrams_can_be_looked_at_first() {
    on_all_runtimes(|| async {
        let a = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let b = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let (from, to) = (a.local_addr().expect("an address"), b.local_addr().expect("an address"));
        a.send_to(b"hello", to).await.expect("a datagram");
        assert_eq!(b.peek_sender().await.expect("a sender"), from);
        let mut buf = [0; 16];
        assert_eq!(b.peek_from(&mut buf).await.expect("a datagram"), (5, from));
        assert_eq!(b.peek(&mut buf).await.expect("a datagram"), 5);
        assert_eq!(b.try_peek_from(&mut buf).expect("a datagram"), (5, from));
        assert_eq!(b.recv_from(&mut buf).await.expect("a datagram"), (5, from));

        assert_eq!(b.try_send_to(b"yes", from).expect("room"), 3);
        let mut buf = [0; 16];
        let mut buf = ReadBuf::new(&mut buf);
        let sender: SocketAddr =
            std::future::poll_fn(|cx| a.poll_recv_from(cx, &mut buf)).await.expect("a datagram");
        assert_eq!((sender, buf.filled()), (to, &b"yes"[..]));
    });
}

#[test]
fn operations_of_ones_own_wait_for_readiness() {
    on_all_runtimes(|| async {
        let (sender, receiver) = pair().await;
        let receiving = shopfloor::spawn(async move {
            let mut attempts = 0;
            let outcome = receiver
                .async_io(Interest::READABLE, || {
                    attempts += 1;
                    socket2::SockRef::from(&receiver).peek_sender()
                })
                .await;
            (outcome.expect("a sender").as_socket(), attempts)
        });
        let from = sender.local_addr().expect("an address");
        sender.send(b"x").await.expect("a datagram");
        let (sender, attempts) = receiving.await.expect("no panic");
        assert_eq!(sender, Some(from));
        assert!(attempts <= 3, "{attempts} attempts for one datagram");
    });
}

#[test]
fn an_operation_of_ones_own_that_was_interrupted_says_so() {
    on_all_runtimes(|| async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let interrupted = || Err::<(), _>(ErrorKind::Interrupted.into());
        let outcome: std::io::Result<()> = socket.async_io(Interest::WRITABLE, interrupted).await;
        assert_eq!(outcome.expect_err("it says so").kind(), ErrorKind::Interrupted);
    });
}

#[test]
fn options_are_those_of_the_system() {
    on_all_runtimes(|| async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        socket.set_broadcast(true).expect("an option");
        assert!(socket.broadcast().expect("an option"));
        socket.set_ttl(17).expect("an option");
        assert_eq!(socket.ttl().expect("an option"), 17);
        assert!(socket.peer_addr().is_err(), "it has no peer");
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_traffic_class_is_that_of_the_system() {
    on_all_runtimes(|| async {
        let socket = UdpSocket::bind("[::1]:0").await.expect("a socket");
        socket.set_tclass_v6(96).expect("an option");
        assert_eq!(socket.tclass_v6().expect("an option"), 96);
        assert_eq!(socket2::SockRef::from(&socket).tclass_v6().expect("an option"), 96);
    });
}

/// Whether a process without privileges may bind to an interface depends on the kernel.
#[test]
#[cfg(target_os = "linux")]
fn a_socket_is_bound_to_an_interface_that_exists() {
    on_all_runtimes(|| async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        assert_eq!(socket.device().expect("an option"), None);
        socket.bind_device(Some(b"no-such-device")).expect_err("there is no such interface");
        match socket.bind_device(Some(b"lo")) {
            Ok(()) => assert_eq!(socket.device().expect("an option").as_deref(), Some(&b"lo"[..])),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
        }
    });
}
