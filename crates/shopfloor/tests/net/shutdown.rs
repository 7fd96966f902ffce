//! Sockets outside of their runtime: before, after, and in another one.

use std::io::Write;
use std::panic::catch_unwind;

use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
use shopfloor::net::{TcpListener, TcpStream, UdpSocket};
use shopfloor::runtime::IoBackend;

use crate::stream::connected;
use crate::{all_runtimes, current_thread, multi_thread, on_each_backend, watched};

/// A task on a runtime that lives, with a socket of one that is gone.
fn elsewhere<F: Future>(future: F) -> F::Output {
    current_thread(IoBackend::Best).block_on(future)
}

#[test]
fn what_would_wait_fails_after_the_runtime_and_what_need_not_works() {
    watched(|| {
        for runtime in all_runtimes() {
            let (mut client, mut server) = runtime.block_on(connected());
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
            let addr = listener.local_addr().expect("an address");
            drop(runtime);
            elsewhere(async {
                assert_eq!(client.write(b"word").await.expect("there is room"), 4);
                let mut word = [0; 4];
                server.read_exact(&mut word).await.expect("it has arrived");
                let error = server.read(&mut word).await.expect_err("it would wait");
                assert!(error.to_string().contains("shut down"), "{error}");
                assert!(shopfloor::runtime::is_rt_shutdown_err(&error));
                assert!(server.readable().await.is_err());
                assert!(listener.accept().await.is_err());
                let _waiting = std::net::TcpStream::connect(addr).expect("the listener still listens");
                listener.accept().await.expect("it need not wait");
            });
        }
    });
}

#[test]
fn an_operation_that_waits_when_the_runtime_ends_fails() {
    watched(|| {
        for runtime in all_runtimes() {
            let (_client, mut server) = runtime.block_on(connected());
            let (waits, has_begun) = std::sync::mpsc::channel();
            let waiting = std::thread::spawn(move || {
                elsewhere(async {
                    let mut read = std::pin::pin!(server.read_u8());
                    let pending = std::future::poll_fn(|cx| {
                        std::task::Poll::Ready(read.as_mut().poll(cx).is_pending())
                    });
                    assert!(pending.await, "there is nothing to read");
                    waits.send(()).expect("it is waited for");
                    read.await
                })
            });
            has_begun.recv().expect("the read waits");
            drop(runtime);
            waiting.join().expect("no panic").expect_err("nobody will ever see a byte arrive");
        }
    });
}

#[test]
fn sockets_are_dropped_after_their_runtime() {
    watched(|| {
        for runtime in all_runtimes() {
            let (client, server) = runtime.block_on(connected());
            let udp = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).expect("a socket");
            // Registered, because it has waited.
            let waits = runtime.block_on(std::future::poll_fn(|cx| {
                std::task::Poll::Ready(std::pin::pin!(udp.readable()).poll(cx).is_pending())
            }));
            assert!(waits, "nobody has sent anything");
            drop(runtime);
            let (read, write) = server.into_split();
            std::thread::spawn(|| drop((udp, read))).join().expect("no panic");
            drop(write);
            elsewhere(async move {
                let mut client = client;
                assert_eq!(client.read(&mut [0]).await.expect("the peer has closed"), 0);
            });
        }
    });
}

#[test]
fn a_socket_is_driven_by_its_own_runtime_wherever_it_is_polled() {
    watched(|| {
        on_each_backend(|backend| {
            let home = multi_thread(backend);
            let (mut client, mut server) = home.block_on(connected());
            let reading = std::thread::spawn(move || {
                current_thread(backend).block_on(async move {
                    let mut word = [0; 4];
                    server.read_exact(&mut word).await.expect("a read");
                    word
                })
            });
            home.block_on(client.write_all(b"word")).expect("a write");
            assert_eq!(&reading.join().expect("no panic"), b"word");
        });
    });
}

#[test]
fn a_socket_goes_to_the_standard_library_and_back() {
    watched(|| {
        on_each_backend(|backend| {
            let runtime = multi_thread(backend);
            let (mut client, server) = runtime.block_on(connected());
            let waits = runtime.block_on(std::future::poll_fn(|cx| {
                std::task::Poll::Ready(std::pin::pin!(server.readable()).poll(cx).is_pending())
            }));
            assert!(waits, "it is registered");
            let mut server = server.into_std().expect("it lets go");
            server.set_nonblocking(false).expect("the mode");
            server.write_all(b"word").expect("a write");
            let mut word = [0; 4];
            runtime.block_on(client.read_exact(&mut word)).expect("a read");
            let (mut server, other) = {
                let _inside = runtime.enter();
                let twin = server.try_clone().expect("another descriptor of the socket");
                (
                    TcpStream::from_std(server).expect("it takes it"),
                    TcpStream::from_std(twin).expect("it takes it"),
                )
            };
            runtime.block_on(client.write_all(b"back")).expect("a write");
            runtime.block_on(server.read_exact(&mut word)).expect("it is non-blocking again");
            drop(other);
            assert_eq!(&word, b"back");
        });
    });
}

#[test]
fn making_a_socket_outside_a_runtime_panics_with_one_sentence() {
    fn sentence(make: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let panic = catch_unwind(make).expect_err("there is no runtime");
        panic.downcast_ref::<String>().expect("a sentence").clone()
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let panics = [
        sentence(|| drop(TcpListener::from_std(listener))),
        #[cfg(unix)]
        sentence(|| drop(shopfloor::net::UnixStream::pair())),
        #[cfg(unix)]
        sentence(|| drop(shopfloor::io::AsyncFd::new(std::io::stdin()))),
        #[cfg(unix)]
        sentence(|| drop(shopfloor::signal::unix::signal(shopfloor::signal::unix::SignalKind::hangup()))),
    ];
    for panic in panics {
        assert!(panic.starts_with("there is no shopfloor runtime here"), "{panic}");
    }
}
