//! File descriptors that this crate has no type for.
#![cfg(unix)]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::pipe::{PipeFlags, pipe_with};
use shopfloor::io::unix::AsyncFdReadyGuard;
use shopfloor::io::{AsyncFd, Interest, Ready};
use shopfloor::runtime::IoBackend;

use crate::{multi_thread, on_all_runtimes, watched};

fn pipe() -> (AsyncFd<File>, AsyncFd<File>) {
    let (reader, writer) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).expect("a pipe");
    let reader = AsyncFd::with_interest(File::from(reader), Interest::READABLE).expect("a reader");
    let writer = AsyncFd::with_interest(File::from(writer), Interest::WRITABLE).expect("a writer");
    (reader, writer)
}

#[test]
fn a_pipe_carries_more_than_it_holds() {
    const LEN: usize = 1 << 20;
    on_all_runtimes(|| async {
        let (reader, writer) = pipe();
        let writing = shopfloor::spawn(async move {
            let mut left = vec![3; LEN];
            while !left.is_empty() {
                let written = writer.async_io(Interest::WRITABLE, |mut fd| fd.write(&left)).await;
                left.truncate(left.len() - written.expect("a write"));
            }
        });
        let mut received = 0;
        let mut buf = [0; 5000];
        loop {
            let mut guard = reader.readable().await.expect("readiness");
            match guard.try_io(|fd| fd.get_ref().read(&mut buf)) {
                Ok(Ok(0)) => break,
                Ok(outcome) => received += outcome.expect("a read"),
                Err(_would_block) => {}
            }
        }
        assert_eq!(received, LEN);
        writing.await.expect("no panic");
    });
}

#[test]
fn a_regular_file_is_refused_at_construction() {
    on_all_runtimes(|| async {
        let path = std::env::current_exe().expect("this file");
        let error = AsyncFd::new(File::open(path).expect("a file")).expect_err("it is always ready");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    });
}

#[test]
fn readiness_stays_until_it_is_cleared() {
    on_all_runtimes(|| async {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("the mode");
        let mut ours = AsyncFd::new(ours).expect("it has readiness");
        theirs.write_all(b"xy").expect("two bytes");
        for _ in 0..3 {
            let mut guard = ours.readable().await.expect("readiness");
            assert!(guard.ready().is_readable());
            guard.retain_ready();
        }
        let mut guard = ours.readable_mut().await.expect("readiness");
        assert_eq!(guard.get_inner_mut().read(&mut [0; 16]).expect("two bytes"), 2);
        assert!(guard.try_io(|fd| fd.get_mut().read(&mut [0; 16])).is_err(), "nothing is left");
        drop(guard);
        let waits = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::pin!(ours.readable()).poll(cx).is_pending())
        });
        assert!(waits.await, "the readiness was cleared");
        theirs.write_all(b"z").expect("a byte");
        let byte = ours.async_io_mut(Interest::READABLE, |fd| fd.read(&mut [0; 16])).await;
        assert_eq!(byte.expect("a byte"), 1);
        ours.into_inner().write_all(b"still open").expect("a write");
    });
}

#[test]
fn an_operation_that_would_block_leaves_the_readiness_of_the_other_direction() {
    on_all_runtimes(|| async {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("the mode");
        let mut ours = AsyncFd::new(ours).expect("it has readiness");
        theirs.write_all(b"x").expect("a byte");
        let read = ours.async_io_mut(Interest::READABLE, |fd| fd.read(&mut [0; 16])).await;
        assert_eq!(read.expect("a byte"), 1);
        let would_block = |guard: &mut AsyncFdReadyGuard<'_, _>| {
            guard.try_io(|fd: &AsyncFd<UnixStream>| fd.get_ref().read(&mut [0; 16])).is_err()
        };
        theirs.write_all(b"y").expect("a byte");
        let mut guard = ours.readable().await.expect("readiness");
        assert!(guard.ready().is_readable() && !guard.ready().is_writable(), "of what was asked for");
        while !would_block(&mut guard) {}
        assert_eq!(guard.ready(), Ready::EMPTY);
        drop(guard);
        ours.writable().await.expect("nothing was written").retain_ready();

        theirs.write_all(b"z").expect("a byte");
        ours.readable().await.expect("readiness").retain_ready();
        loop {
            let mut guard = ours.writable().await.expect("readiness");
            if guard.try_io(|fd| fd.get_ref().write(&[0; 4096])).is_err() {
                break;
            }
        }
        ours.readable().await.expect("the byte is still there").clear_ready();
        assert_eq!(ours.get_ref().read(&mut [0; 16]).expect("the byte"), 1);
    });
}

/// The other backend does not know it.
#[cfg(target_os = "linux")]
#[test]
fn that_the_peer_has_closed_is_not_cleared() {
    watched(|| {
        multi_thread(IoBackend::Best).block_on(async {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            ours.set_nonblocking(true).expect("the mode");
            let ours = AsyncFd::new(ours).expect("it has readiness");
            theirs.shutdown(Shutdown::Write).expect("it is open");
            ours.readable().await.expect("readiness").retain_ready();
            let either = Interest::READABLE | Interest::WRITABLE;
            loop {
                let mut guard = ours.ready(either).await.expect("readiness");
                if guard.try_io(|fd| fd.get_ref().write(&[0; 4096])).is_err() {
                    break;
                }
            }
            assert!(ours.readable().await.expect("readiness").ready().is_read_closed());
        });
    });
}

#[test]
fn an_object_whose_descriptor_was_closed_behind_our_back_is_handed_back() {
    on_all_runtimes(|| async {
        let (ours, _theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("the mode");
        let mut watched = AsyncFd::new(OwnedFd::from(ours)).expect("it has readiness");
        let number = watched.as_raw_fd();
        // Closes the socket: the system does not know what has its number now.
        let other = File::open("/dev/null").expect("a file");
        rustix::io::dup2(&other, watched.get_mut()).expect("another file under the number");
        assert_eq!(watched.into_inner().as_raw_fd(), number);
    });
}

#[test]
fn several_tasks_wait_for_one_descriptor() {
    on_all_runtimes(|| async {
        let (reader, writer) = pipe();
        let reader = std::sync::Arc::new(reader);
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let reader = std::sync::Arc::clone(&reader);
                shopfloor::spawn(async move { reader.readable().await.map(drop) })
            })
            .collect();
        shopfloor::task::yield_now().await;
        writer.get_ref().write_all(b"x").expect("a byte");
        for task in waiting {
            task.await.expect("no panic").expect("readiness");
        }
    });
}

#[test]
fn waiting_for_what_was_not_asked_for_is_an_error() {
    on_all_runtimes(|| async {
        let (reader, writer) = pipe();
        assert_eq!(reader.writable().await.expect_err("a reader").kind(), ErrorKind::InvalidInput);
        assert_eq!(writer.readable().await.expect_err("a writer").kind(), ErrorKind::InvalidInput);
        let either = Interest::READABLE | Interest::WRITABLE;
        assert!(writer.ready(either).await.expect("readiness").ready().is_writable());
    });
}
