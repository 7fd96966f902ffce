//! TCP streams: bytes both ways, halves, half-close, readiness.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;

use shopfloor::io::{AsyncReadExt, AsyncWriteExt, Interest};
use shopfloor::net::{TcpListener, TcpStream};

use crate::on_all_runtimes;

/// Two ends of one TCP connection.
pub(crate) async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a listener");
    let addr = listener.local_addr().expect("its address");
    let client = shopfloor::spawn(TcpStream::connect(addr));
    let (server, peer) = listener.accept().await.expect("a connection");
    let client = client.await.expect("no panic").expect("a connection");
    assert_eq!(client.local_addr().expect("an address"), peer);
    (client, server)
}

/// Bytes that differ from their neighbours at each place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[test]
fn a_megabyte_comes_back_from_an_echo() {
    on_all_runtimes(|| async {
        let (client, mut server) = connected().await;
        let echo = shopfloor::spawn(async move {
            let (mut from, mut to) = server.split();
            shopfloor::io::copy(&mut from, &mut to).await.expect("an echo");
        });
        let (mut read, mut write) = client.into_split();
        let sent = pattern(1 << 20);
        let sending = sent.clone();
        let writer = shopfloor::spawn(async move {
            write.write_all(&sending).await.expect("a write");
            write.shutdown().await.expect("a shutdown");
        });
        let mut received = Vec::new();
        read.read_to_end(&mut received).await.expect("a read");
        assert!(received == sent, "{} bytes came back", received.len());
        writer.await.expect("no panic");
        echo.await.expect("no panic");
    });
}

#[test]
fn both_ends_of_a_connection_send_and_receive_at_once() {
    on_all_runtimes(|| async {
        const LEN: usize = 1 << 20;
        async fn exchange(stream: TcpStream) {
            let (mut read, mut write) = stream.into_split();
            let writer = shopfloor::spawn(async move { write.write_all(&pattern(LEN)).await });
            let mut received = vec![0; LEN];
            read.read_exact(&mut received).await.expect("a read");
            assert!(received == pattern(LEN));
            writer.await.expect("no panic").expect("a write");
        }
        let (a, b) = connected().await;
        let other = shopfloor::spawn(exchange(b));
        exchange(a).await;
        other.await.expect("no panic");
    });
}

#[test]
fn a_half_close_that_arrives_with_data_is_seen_a_thousand_times() {
    on_all_runtimes(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let addr = listener.local_addr().expect("its address");
        let server = shopfloor::spawn(async move {
            for _ in 0..1000 {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut question = Vec::new();
                stream.read_to_end(&mut question).await.expect("the question and its end");
                stream.write_all(&question).await.expect("an answer");
            }
        });
        for round in 0..1000_u32 {
            let mut stream = TcpStream::connect(addr).await.expect("a connection");
            stream.write_all(&round.to_be_bytes()).await.expect("a question");
            stream.shutdown().await.expect("a half-close");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("the answer and its end");
            assert_eq!(answer, round.to_be_bytes());
        }
        server.await.expect("no panic");
    });
}

#[test]
fn dropping_the_owned_write_half_ends_the_stream_for_the_peer() {
    on_all_runtimes(|| async {
        let (client, mut server) = connected().await;
        let (mut read, mut write) = client.into_split();
        write.write_all(b"last words").await.expect("a write");
        drop(write);
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.expect("a read");
        assert_eq!(received, b"last words");
        server.write_all(b"answer").await.expect("the other direction is open");
        let mut answer = [0; 6];
        read.read_exact(&mut answer).await.expect("a read");
    });
}

#[test]
fn a_forgotten_write_half_leaves_the_stream_open() {
    on_all_runtimes(|| async {
        let (client, server) = connected().await;
        let (read, write) = client.into_split();
        write.forget();
        assert_eq!(server.try_read(&mut [0]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
        drop(read);
        server.readable().await.expect("the end");
        assert_eq!(server.try_read(&mut [0]).expect("the end"), 0);
    });
}

#[test]
fn halves_of_one_stream_reunite_and_halves_of_two_do_not() {
    on_all_runtimes(|| async {
        let (a, mut b) = connected().await;
        let (c, _d) = connected().await;
        let (a_read, a_write) = a.into_split();
        let (c_read, c_write) = c.into_split();
        let error = a_read.reunite(c_write).expect_err("of two streams");
        let (a_read, c_write) = (error.0, error.1);
        c_read.reunite(c_write).expect("of one stream");
        let mut a = a_write.reunite(a_read).expect("of one stream");
        a.write_all(b"x").await.expect("it is not closed");
        b.read_exact(&mut [0]).await.expect("a byte");
    });
}

#[test]
fn several_buffers_are_written_and_read_in_order() {
    on_all_runtimes(|| async {
        let (mut client, server) = connected().await;
        let words = [IoSlice::new(b"one "), IoSlice::new(b"two "), IoSlice::new(b"three")];
        assert!(tokio::io::AsyncWrite::is_write_vectored(&client));
        assert_eq!(client.write_vectored(&words).await.expect("a write"), 13);
        let (mut first, mut second) = ([0; 4], [0; 32]);
        let len = loop {
            server.readable().await.expect("readiness");
            let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
            match server.try_read_vectored(&mut bufs) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                outcome => break outcome.expect("a read"),
            }
        };
        assert_eq!((len, &first, &second[..9]), (13, b"one ", &b"two three"[..]));
    });
}

/// More than one system call takes.
const MANY_BUFFERS: usize = 1500;

#[test]
fn more_buffers_than_one_call_takes_are_written_though_the_peer_reads_nothing_yet() {
    on_all_runtimes(|| async {
        let (mut client, mut server) = connected().await;
        // The driver knows it, so that a conclusion could be drawn.
        client.writable().await.expect("there is room");
        let mut left = &[IoSlice::new(b"x"); MANY_BUFFERS][..];
        while !left.is_empty() {
            left = &left[client.write_vectored(left).await.expect("a write")..];
        }
        server.read_exact(&mut [0; MANY_BUFFERS]).await.expect("all of it");
    });
}

#[test]
fn more_buffers_than_one_call_takes_are_filled_with_what_is_there() {
    on_all_runtimes(|| async {
        let (mut client, mut server) = connected().await;
        client.write_all(&[7; MANY_BUFFERS]).await.expect("a write");
        server.readable().await.expect("there is something");
        let mut bytes = [0; MANY_BUFFERS];
        let mut read = 0;
        while read < MANY_BUFFERS {
            let mut bufs: Vec<_> = bytes[read..].chunks_mut(1).map(IoSliceMut::new).collect();
            let stream = &mut server;
            let one = std::future::poll_fn(|cx| {
                futures_io::AsyncRead::poll_read_vectored(Pin::new(&mut *stream), cx, &mut bufs)
            });
            read += one.await.expect("a read");
        }
        assert_eq!(bytes, [7; MANY_BUFFERS]);
    });
}

#[test]
fn a_stream_is_a_stream_of_futures_io_as_well() {
    async fn read(stream: &mut (impl futures_io::AsyncRead + Unpin), buf: &mut [u8]) -> usize {
        std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, buf)).await.expect("a read")
    }
    async fn write_and_close(stream: &mut (impl futures_io::AsyncWrite + Unpin), buf: &[u8]) {
        let written = std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, buf)).await;
        assert_eq!(written.expect("a write"), buf.len());
        std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await.expect("a flush");
        std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_close(cx)).await.expect("a close");
    }
    on_all_runtimes(|| async {
        let (mut client, mut server) = connected().await;
        write_and_close(&mut client, b"hello").await;
        let mut buf = [0; 16];
        assert_eq!(read(&mut server, &mut buf).await, 5);
        assert_eq!(read(&mut server, &mut buf).await, 0);
    });
}

#[test]
fn peeking_leaves_the_bytes_in_the_stream() {
    on_all_runtimes(|| async {
        let (mut client, mut server) = connected().await;
        let peeking = shopfloor::spawn(async move {
            let mut buf = [0; 16];
            let len = server.peek(&mut buf).await.expect("a peek");
            assert_eq!(server.peek(&mut buf).await.expect("another peek"), len);
            let mut word = [0; 4];
            server.read_exact(&mut word).await.expect("a read");
            word
        });
        client.write_all(b"word").await.expect("a write");
        assert_eq!(&peeking.await.expect("no panic"), b"word");
    });
}

#[test]
fn the_loop_of_readable_and_try_read_does_not_spin() {
    const ROUNDS: usize = 100;
    on_all_runtimes(|| async {
        let (mut client, mut server) = connected().await;
        let reading = shopfloor::spawn(async move {
            let (mut rounds, mut waits) = (0, 0);
            while rounds < ROUNDS {
                server.readable().await.expect("readiness");
                waits += 1;
                match server.try_read(&mut [0; 64]) {
                    Ok(len) => {
                        assert_eq!(len, 1);
                        rounds += 1;
                        server.write_all(b"x").await.expect("an answer");
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
            waits
        });
        for _ in 0..ROUNDS {
            client.write_all(b"x").await.expect("a write");
            client.read_exact(&mut [0]).await.expect("an answer");
        }
        let waits = reading.await.expect("no panic");
        assert!(waits <= 2 * ROUNDS + 1, "{waits} waits for {ROUNDS} bytes that came one by one");
    });
}

#[test]
fn a_fresh_stream_is_writable_and_not_readable() {
    on_all_runtimes(|| async {
        let (client, _server) = connected().await;
        let ready = client.ready(Interest::READABLE | Interest::WRITABLE).await.expect("readiness");
        assert!(ready.is_writable() && !ready.is_readable(), "{ready:?}");
    });
}

#[test]
fn a_writer_waits_for_a_slow_reader_and_loses_nothing() {
    on_all_runtimes(|| async {
        let (client, mut server) = connected().await;
        let mut written = 0;
        loop {
            client.writable().await.expect("readiness");
            match client.try_write(&[7; 1 << 16]) {
                Ok(len) => written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let waiting = shopfloor::spawn(async move {
            let mut client = client;
            client.write_all(&[7; 1 << 16]).await.expect("a write");
        });
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.expect("everything");
        assert_eq!(received.len(), written + (1 << 16));
        waiting.await.expect("no panic");
    });
}

#[test]
fn a_connection_that_nobody_accepts_is_refused() {
    on_all_runtimes(|| async {
        let error = TcpStream::connect(nobody_there().await).await.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn connecting_tries_one_address_after_the_other() {
    on_all_runtimes(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let good = listener.local_addr().expect("its address");
        let addrs = [nobody_there().await, good];
        let stream = TcpStream::connect(&addrs[..]).await.expect("the second one");
        assert_eq!(stream.peer_addr().expect("an address"), good);
        let none: &[SocketAddr] = &[];
        assert_eq!(TcpStream::connect(none).await.expect_err("none").kind(), ErrorKind::InvalidInput);
    });
}

/// An address at which nobody listens: one that was just free.
async fn nobody_there() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    listener.local_addr().expect("its address")
}

#[test]
fn a_cancelled_read_loses_no_byte() {
    on_all_runtimes(|| async {
        let (mut client, mut server) = connected().await;
        for byte in 0..200_u8 {
            let mut buf = [0];
            let cancelled = std::future::poll_fn(|cx| {
                let polled = std::pin::pin!(server.read(&mut buf)).poll(cx);
                std::task::Poll::Ready(polled.is_pending())
            });
            assert!(cancelled.await, "there is nothing to read");
            client.write_all(&[byte]).await.expect("a write");
            server.read_exact(&mut buf).await.expect("a read");
            assert_eq!(buf, [byte]);
        }
    });
}
