//! When a source is known to the operating system, and that it is forgotten in time.

mod support;

use shopfloor_driver::{Driver, Interest, Source, SourceKind};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use support::{on_each_backend, read};

#[test]
fn a_source_that_never_waits_is_never_registered() {
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        peer.write_all(b"word").expect("a write");
        assert_eq!(floor.run(read(&source, &mut [0; 64])).expect("data"), 4);
        peer.write_all(b"word").expect("a write");
        let count = floor.driver.turn(Some(Duration::ZERO), usize::MAX, &mut Vec::new()).expect("a turn");
        assert_eq!(count, 0, "nobody asked for events");
    });
}

#[test]
fn an_object_that_was_handed_back_gives_no_more_events_even_if_a_duplicate_lives() {
    // Catches a registration that is left to the close of a descriptor: a duplicate keeps it.
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        source.register_now().expect("a registration");
        floor.drain_events();
        let duplicate = source.get_ref().try_clone().expect("a duplicate");
        let mut stream = source.into_inner().expect("the object");
        peer.write_all(b"word").expect("a write");
        assert_eq!(floor.driver.turn(Some(Duration::ZERO), usize::MAX, &mut Vec::new()).expect("a turn"), 0);
        let mut buffer = [0; 4];
        stream.read_exact(&mut buffer).expect("data");
        drop(duplicate);
    });
}

#[test]
fn a_dropped_source_gives_no_more_events_even_if_a_duplicate_lives() {
    on_each_backend(|floor| {
        let (source, mut peer) = floor.tcp();
        source.register_now().expect("a registration");
        floor.drain_events();
        let duplicate = source.get_ref().try_clone().expect("a duplicate");
        drop(source);
        peer.write_all(b"word").expect("a write");
        assert_eq!(floor.driver.turn(Some(Duration::ZERO), usize::MAX, &mut Vec::new()).expect("a turn"), 0);
        drop(duplicate);
    });
}

#[test]
fn a_source_on_a_reused_descriptor_sees_its_own_events_only() {
    on_each_backend(|floor| {
        for _ in 0..100 {
            let (old, mut old_peer) = floor.tcp();
            old.register_now().expect("a registration");
            old_peer.write_all(b"old").expect("a write");
            drop(old);
            // The lowest free descriptor and the slot of the old source are taken again.
            let (new, _new_peer) = floor.tcp();
            new.register_now().expect("a registration");
            floor.drain_events();
            let ready = floor.run(new.ready(Interest::READABLE | Interest::WRITABLE)).expect("readiness");
            assert!(!ready.is_readable(), "{ready:?}");
        }
    });
}

#[test]
fn a_source_may_outlive_whoever_made_its_driver() {
    on_each_backend(|floor| {
        let driver = Arc::new(Driver::with_backend(floor.backend).expect("a driver"));
        let (theirs, _peer) = floor.tcp();
        let stream: TcpStream = theirs.into_inner().expect("the object");
        let source = Source::new(stream, &driver, SourceKind::TcpStream);
        source.register_now().expect("a registration");
        let mut wakers = Vec::new();
        driver.shutdown(&mut wakers);
        drop(driver);
        let error = floor.run(read(&source, &mut [0; 8])).expect_err("nobody makes turns any more");
        assert!(shopfloor_driver::is_shutdown_error(&error));
        drop(source.into_inner().expect("the object"));
    });
}

#[test]
fn registering_twice_is_one_registration() {
    on_each_backend(|floor| {
        let (source, _peer) = floor.tcp();
        source.register_now().expect("a registration");
        source.register_now().expect("nothing to do");
    });
}

#[test]
fn two_sources_of_one_descriptor_do_not_share_a_registration() {
    // EEXIST is an error: ignored, one of the two would wait for ever.
    #[cfg(unix)]
    on_each_backend(|floor| {
        struct Shared(Arc<TcpStream>);
        impl std::os::fd::AsFd for Shared {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.0.as_fd()
            }
        }
        let (source, _peer) = floor.tcp();
        let stream = Arc::new(source.into_inner().expect("the object"));
        let first = Source::new(Shared(Arc::clone(&stream)), &floor.driver, SourceKind::Other);
        let second = Source::new(Shared(stream), &floor.driver, SourceKind::Other);
        first.register_now().expect("a registration");
        let error = second.register_now().expect_err("it is registered already");
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    });
}

#[test]
fn a_source_works_on_after_its_object_was_borrowed_mutably() {
    on_each_backend(|floor| {
        let (mut source, mut peer) = floor.tcp();
        source.register_now().expect("a registration");
        floor.drain_events();
        source.get_mut().set_nodelay(false).expect("an option");
        let reader = async { read(&source, &mut [0; 8]).await.expect("data") };
        let writer = async {
            support::yield_now().await;
            peer.write(b"word").expect("a write")
        };
        assert_eq!(floor.run_all(vec![Box::pin(reader), Box::pin(writer)]), [4, 4]);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_object_without_readiness_is_refused_at_once() {
    on_each_backend(|floor| {
        let file = std::fs::File::open("/proc/self/exe").expect("a regular file");
        let source = Source::new(file, &floor.driver, SourceKind::Other);
        for _ in 0..2 {
            let error = source.register_now().expect_err("a regular file has no readiness");
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        }
        let error = floor.run(source.ready(Interest::READABLE)).expect_err("the same");
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_named_pipe_that_is_opened_again_is_waited_for_again() {
    // Catches an end of the stream that is taken as final: the reader would spin on "would block".
    use std::os::unix::fs::OpenOptionsExt;
    on_each_backend(|floor| {
        let directory = std::env::temp_dir();
        let name = format!("shopfloor-driver-{}-{:?}", std::process::id(), floor.backend);
        let path = directory.join(name);
        let path_c = std::ffi::CString::new(path.to_str().expect("a name")).expect("a name");
        // SAFETY: the path is a valid C string.
        assert_eq!(unsafe { libc::mkfifo(path_c.as_ptr(), 0o600) }, 0);
        let nonblocking = |options: &mut std::fs::OpenOptions| {
            options.custom_flags(libc::O_NONBLOCK).open(&path).expect("the pipe")
        };
        let reader = nonblocking(std::fs::OpenOptions::new().read(true));
        let source = Source::new(reader, &floor.driver, SourceKind::Other);
        let mut buffer = [0; 8];
        for word in [b"first".as_slice(), b"second"] {
            let mut writer = nonblocking(std::fs::OpenOptions::new().write(true));
            let received = floor.run_all::<usize>(vec![
                Box::pin(async { read(&source, &mut buffer).await.expect("data") }),
                Box::pin(async {
                    support::yield_now().await;
                    writer.write(word).expect("a write")
                }),
            ]);
            assert_eq!(received, [word.len(); 2]);
            drop(writer);
            // The end is recorded, and then taken back by the next writer.
            floor.drain_events();
            assert_eq!(floor.run(read(&source, &mut buffer)).expect("the end"), 0);
        }
        std::fs::remove_file(&path).expect("the pipe's name");
    });
}
