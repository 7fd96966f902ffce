//! Streams: what a short read or write may be taken for, and what may not hide behind it.

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use support::{on_each_backend, read, read_to_end, write_all};

#[test]
fn a_half_close_that_arrives_with_its_data_is_seen() {
    // Catches a short read that is taken for an empty socket although the end of the stream lies behind it.
    const TIMES: usize = 1000;
    on_each_backend(|floor| {
        for _ in 0..TIMES {
            let (source, mut peer) = floor.tcp();
            let all = floor.while_waiting(read_to_end(&source, 1024), || {
                peer.write_all(b"last words").expect("a write");
                peer.shutdown(Shutdown::Write).expect("a half-close");
            });
            assert_eq!(all.expect("the end"), b"last words");
        }
    });
}

#[test]
fn a_short_first_read_before_registration_does_not_stop_the_connection() {
    // Catches a clear of the readiness of a source that the kernel does not watch yet.
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        let mut buffer = [0; 64];
        for word in [b"one", b"two"] {
            peer.write_all(word).expect("a write");
            // Loopback delivers before the write returns.
            assert_eq!(floor.run(read(&source, &mut buffer)).expect("data"), 3);
            assert_eq!(&buffer[..3], word);
        }
    });
}

#[test]
fn more_than_the_socket_holds_goes_through_in_both_directions() {
    // Catches a short write or read after which nobody is woken.
    on_each_backend(|floor| {
        let data: Vec<u8> = (0..8_000_000_u32).map(|index| index.to_le_bytes()[0] ^ 0x5a).collect();
        let (source, mut peer) = floor.tcp();
        let echo = std::thread::spawn(move || {
            let mut buffer = vec![0; 100_000];
            loop {
                match peer.read(&mut buffer).expect("a read") {
                    0 => return,
                    count => peer.write_all(&buffer[..count]).expect("a write"),
                }
            }
        });
        let sent = async {
            write_all(&source, &data).await.expect("a write");
            source.get_ref().shutdown(Shutdown::Write).expect("a half-close");
            Vec::new()
        };
        let received = async { read_to_end(&source, 50_000).await.expect("a read") };
        let results = floor.run_all(vec![Box::pin(sent), Box::pin(received)]);
        assert!(results[1] == data, "what comes back is what was sent");
        echo.join().expect("the echo ends");
    });
}

#[test]
fn a_reset_is_an_error_for_the_waiting_reader() {
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        floor.run(write_all(&source, b"never read")).expect("a write");
        // A close with unread data in the socket is a reset.
        let mut byte = [0];
        peer.read_exact(&mut byte).expect("a byte");
        let reader = async {
            let error = read(&source, &mut [0; 16]).await.expect_err("a reset");
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        };
        let closer = async {
            support::yield_now().await;
            drop(peer);
        };
        floor.run_all(vec![Box::pin(reader), Box::pin(closer)]);
    });
}

#[cfg(target_os = "linux")]
mod linux {
    use super::support::{on_each_backend, read};
    use rustix::net::{
        RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, send,
        sendmsg,
    };
    use shopfloor_driver::{Direction, Source, SourceKind};
    use std::io::{IoSlice, IoSliceMut, Write};
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn data_behind_an_urgent_byte_is_read() {
        // Catches a read that ends at the urgent mark and is taken for an empty socket.
        on_each_backend(|floor| {
            let (source, mut peer) = floor.tcp();
            let reader = async {
                let (mut all, mut buffer) = (Vec::new(), [0; 64]);
                while all.len() < 12 {
                    let count = read(&source, &mut buffer).await.expect("data");
                    all.extend_from_slice(&buffer[..count]);
                }
                all
            };
            let all = floor.while_waiting(reader, || {
                peer.write_all(b"before").expect("a write");
                assert_eq!(send(&peer, b"!", SendFlags::OOB).expect("an urgent byte"), 1);
                peer.write_all(b"behind").expect("a write");
            });
            assert_eq!(all, b"beforebehind");
        });
    }

    #[test]
    fn an_urgent_byte_after_the_first_read_does_not_stop_the_connection() {
        on_each_backend(|floor| {
            let (source, mut peer) = floor.tcp();
            let mut buffer = [0; 64];
            for round in 0..20_u8 {
                peer.write_all(&[round; 3]).expect("a write");
                assert_eq!(floor.run(read(&source, &mut buffer)).expect("data"), 3);
                send(&peer, b"!", SendFlags::OOB).expect("an urgent byte");
                peer.write_all(&[round; 5]).expect("a write");
                let mut count = 0;
                while count < 5 {
                    count += floor.run(read(&source, &mut buffer)).expect("data");
                }
                assert_eq!(count, 5);
            }
        });
    }

    #[test]
    fn two_messages_with_descriptors_on_a_unix_stream_both_arrive() {
        // A Unix stream ends a read at a message with descriptors, although more lies behind it.
        on_each_backend(|floor| {
            let (ours, peer) = UnixStream::pair().expect("a pair");
            ours.set_nonblocking(true).expect("a mode");
            let source = Source::new(ours, &floor.driver, SourceKind::Other);
            let reader = async {
                for word in [b"first".as_slice(), b"second"] {
                    let mut buffer = [0; 64];
                    let count = std::future::poll_fn(|cx| {
                        source.poll_read_io(cx, buffer.len(), |io| receive(io, &mut buffer))
                    });
                    let count = count.await.expect("a message");
                    assert_eq!(&buffer[..count], word);
                }
            };
            floor.while_waiting(reader, || {
                send_descriptor(&peer, b"first");
                send_descriptor(&peer, b"second");
            });
        });
    }

    #[test]
    fn a_peek_leaves_the_data_for_the_read() {
        on_each_backend(|floor| {
            let (source, mut peer) = floor.tcp();
            peer.write_all(b"data").expect("a write");
            for _ in 0..3 {
                let mut buffer = [0; 64];
                let peeked = floor.run(std::future::poll_fn(|cx| {
                    source.poll_io(cx, Direction::Read, |io| io.peek(&mut buffer))
                }));
                assert_eq!(peeked.expect("data"), 4);
            }
            assert_eq!(floor.run(read(&source, &mut [0; 64])).expect("data"), 4);
        });
    }

    fn send_descriptor(stream: &UnixStream, data: &[u8]) {
        let descriptors = [stream.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let sent = sendmsg(stream, &[IoSlice::new(data)], &mut control, SendFlags::empty());
        assert_eq!(sent.expect("a message"), data.len());
    }

    fn receive(stream: &UnixStream, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut buffers = [IoSliceMut::new(buffer)];
        Ok(recvmsg(stream, &mut buffers, &mut control, RecvFlags::empty())?.bytes)
    }
}
