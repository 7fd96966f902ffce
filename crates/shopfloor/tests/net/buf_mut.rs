//! Reading into a buffer that grows.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::pin::Pin;

use shopfloor::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use shopfloor::net::UdpSocket;
#[cfg(unix)]
use shopfloor::net::{UnixDatagram, UnixStream};

use crate::on_all_runtimes;
use crate::stream::connected;

/// Reads twice with `try_read_buf` of a stream or half, and once more when nothing is there.
macro_rules! reads_what_is_there {
    ($reader:expr, $writer:expr) => {
        let mut buf = b"<".to_vec();
        for word in [&b"one"[..], b"three"] {
            $writer.write_all(word).await.expect("a write");
            $reader.readable().await.expect("readiness");
            buf.reserve(16);
            assert_eq!($reader.try_read_buf(&mut buf).expect("bytes"), word.len());
        }
        assert_eq!(buf, b"<onethree");
        let error = $reader.try_read_buf(&mut buf).expect_err("nothing is there");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(buf, b"<onethree");
    };
}

#[test]
fn a_tcp_stream_and_its_halves_append_what_is_there() {
    on_all_runtimes(|| async {
        let (mut near, mut far) = connected().await;
        reads_what_is_there!(near, far);
        {
            let (read, _write) = near.split();
            reads_what_is_there!(read, far);
        }
        let (read, _write) = near.into_split();
        reads_what_is_there!(read, far);
        drop(far);
        read.readable().await.expect("readiness");
        assert_eq!(read.try_read_buf(&mut Vec::new()).expect("the end"), 0);
    });
}

#[test]
#[cfg(unix)]
fn a_unix_stream_and_its_halves_append_what_is_there() {
    on_all_runtimes(|| async {
        let (mut near, mut far) = UnixStream::pair().expect("a pair");
        reads_what_is_there!(near, far);
        {
            let (read, _write) = near.split();
            reads_what_is_there!(read, far);
        }
        let (read, _write) = near.into_split();
        reads_what_is_there!(read, far);
    });
}

/// Receives with each of the four methods, and into a buffer without room.
macro_rules! receives {
    ($sender:expr, $receiver:expr, $is_from_sender:expr) => {
        let is_from_sender = $is_from_sender;
        let error = $receiver.try_recv_buf(&mut Vec::new()).expect_err("nothing is there");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let error = $receiver.try_recv_buf_from(&mut Vec::new()).expect_err("nothing is there");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let mut buf = Vec::with_capacity(64);
        $sender.send(b"one").await.expect("a datagram");
        assert_eq!($receiver.recv_buf(&mut buf).await.expect("a datagram"), 3);
        $sender.send(b"three").await.expect("a datagram");
        let (len, from) = $receiver.recv_buf_from(&mut buf).await.expect("a datagram");
        assert!(len == 5 && is_from_sender(from));
        $sender.send(b"eleven").await.expect("a datagram");
        $receiver.readable().await.expect("readiness");
        assert_eq!($receiver.try_recv_buf(&mut buf).expect("a datagram"), 6);
        $sender.send(b"x").await.expect("a datagram");
        $receiver.readable().await.expect("readiness");
        let (len, from) = $receiver.try_recv_buf_from(&mut buf).expect("a datagram");
        assert!(len == 1 && is_from_sender(from));
        assert_eq!(buf, b"onethreeelevenx");

        for datagram in [&b"lost"[..], b"lost, too", b"kept"] {
            $sender.send(datagram).await.expect("a datagram");
        }
        let mut full: &mut [u8] = &mut [];
        assert_eq!($receiver.recv_buf(&mut full).await.expect("a datagram"), 0);
        let (len, from) = $receiver.recv_buf_from(&mut full).await.expect("a datagram");
        assert!(len == 0 && is_from_sender(from));
        buf.clear();
        assert_eq!($receiver.recv_buf(&mut buf).await.expect("a datagram"), 4);
        assert_eq!(buf, b"kept");
    };
}

#[test]
fn udp_datagrams_are_appended_and_lost_without_room() {
    on_all_runtimes(|| async {
        let sender = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let receiver = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        sender.connect(receiver.local_addr().expect("an address")).await.expect("a peer");
        let addr = sender.local_addr().expect("an address");
        receives!(sender, receiver, |from| from == addr);
    });
}

#[test]
#[cfg(unix)]
fn unix_datagrams_are_appended_and_lost_without_room() {
    on_all_runtimes(|| async {
        let (sender, receiver) = UnixDatagram::pair().expect("a pair");
        receives!(sender, receiver, |from: shopfloor::net::unix::SocketAddr| from.is_unnamed());
    });
}

#[test]
fn a_read_initialises_no_more_of_a_buffer_than_it_fills() {
    on_all_runtimes(|| async {
        let (mut near, mut far) = connected().await;
        far.write_all(b"abc").await.expect("a write");
        let mut memory = [MaybeUninit::uninit(); 4096];
        let mut buf = ReadBuf::uninit(&mut memory);
        poll_fn(|cx| Pin::new(&mut near).poll_read(cx, &mut buf)).await.expect("a read");
        assert_eq!((buf.filled(), buf.initialized().len()), (&b"abc"[..], 3));

        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        socket.send_to(b"abcd", address).await.expect("a datagram");
        let mut memory = [MaybeUninit::uninit(); 4096];
        let mut buf = ReadBuf::uninit(&mut memory);
        poll_fn(|cx| socket.poll_recv(cx, &mut buf)).await.expect("a datagram");
        assert_eq!((buf.filled(), buf.initialized().len()), (&b"abcd"[..], 4));
    });
}
