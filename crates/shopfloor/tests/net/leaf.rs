//! Sockets as leaves of the scheduler: the budget that they spend, the reason that they leave.

use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
use shopfloor::net::{TcpListener, UdpSocket};
use shopfloor_scheduler::WaitReason;

use crate::on_all_runtimes;
use crate::stream::connected;

#[test]
fn a_stream_that_is_always_ready_makes_its_task_yield() {
    const BYTES: usize = 1000;
    on_all_runtimes(|| async {
        let (mut client, mut server) = connected().await;
        client.write_all(&[1; BYTES]).await.expect("a write");
        while server.peek(&mut [0; BYTES]).await.expect("a peek") < BYTES {}
        let mut yields = 0;
        {
            let mut reading = pin!(async {
                for _ in 0..BYTES {
                    server.read_u8().await.expect("a byte");
                }
            });
            std::future::poll_fn(|cx| {
                let polled = reading.as_mut().poll(cx);
                yields += usize::from(polled.is_pending());
                polled
            })
            .await;
        }
        let budget = usize::from(shopfloor_scheduler::coop::UNITS);
        assert!(yields >= BYTES / budget, "{} yields", yields);
        assert!(yields <= BYTES / budget + 2, "{} yields", yields);
    });
}

#[test]
fn what_blocks_costs_no_budget() {
    on_all_runtimes(|| async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        std::future::poll_fn(|cx| {
            for _ in 0..1000 {
                assert!(pin!(socket.readable()).poll(cx).is_pending());
            }
            assert!(shopfloor_scheduler::coop::has_budget_remaining());
            Poll::Ready(())
        })
        .await;
    });
}

#[test]
#[cfg(unix)]
fn a_waiting_task_says_on_which_descriptor_and_for_what() {
    use std::os::fd::AsRawFd;

    on_all_runtimes(|| async {
        let (_client, mut server) = connected().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let (reading, accepting) = (server.as_raw_fd(), listener.as_raw_fd());
        let reader = shopfloor::spawn(async move { server.read_u8().await });
        let acceptor = shopfloor::spawn(async move { listener.accept().await.map(drop) });
        while reader.wait_reason() != (WaitReason::Read { fd: reading })
            || acceptor.wait_reason() != (WaitReason::Accept { fd: accepting })
        {
            shopfloor::task::yield_now().await;
        }
        reader.abort();
        acceptor.abort();
    });
}

#[test]
#[cfg(unix)]
fn a_task_that_waits_to_write_says_so() {
    use std::os::fd::AsRawFd;

    on_all_runtimes(|| async {
        let (mut client, _server) = connected().await;
        let fd = client.as_raw_fd();
        let writer = shopfloor::spawn(async move { client.write_all(&vec![0; 1 << 26]).await });
        while writer.wait_reason() != (WaitReason::Write { fd }) {
            shopfloor::task::yield_now().await;
        }
        writer.abort();
        assert!(writer.await.expect_err("aborted").is_cancelled());
    });
}

#[test]
fn many_tasks_share_one_stream_without_a_lost_wake() {
    const ROUNDS: usize = 200;
    on_all_runtimes(|| async {
        let (mut client, server) = connected().await;
        let server = Arc::new(server);
        let (read, mut counted) = shopfloor::sync::mpsc::unbounded_channel();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (server, read) = (Arc::clone(&server), read.clone());
                shopfloor::spawn(async move {
                    loop {
                        server.readable().await.expect("readiness");
                        match server.try_read(&mut [0; 8]) {
                            Ok(len) => read.send(len).expect("it is counted"),
                            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                        }
                    }
                })
            })
            .collect();
        for _ in 0..ROUNDS {
            client.write_all(b"x").await.expect("a byte");
            assert_eq!(counted.recv().await, Some(1));
        }
        readers.iter().for_each(|reader| reader.abort());
    });
}
