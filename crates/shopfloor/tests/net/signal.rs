//! Signals. Each test that sends one runs in a process of its own.
#![cfg(unix)]

use rustix::process::{Resource, Rlimit, Signal as Number, getpid, getrlimit, kill_process, setrlimit};
use shopfloor::runtime::IoBackend;
use shopfloor::signal::ctrl_c;
use shopfloor::signal::unix::{SignalKind, signal};
use std::future::poll_fn;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::Poll;

use crate::child::in_a_child;
use crate::{all_runtimes, current_thread, on_all_runtimes, watched};

async fn waits(mut future: Pin<&mut impl Future>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

fn send(number: Number) {
    kill_process(getpid(), number).expect("a signal to ourselves");
}

#[test]
fn ctrl_c_is_a_future_and_no_longer_the_end_of_the_process() {
    in_a_child("signal::ctrl_c_is_a_future_and_no_longer_the_end_of_the_process", || {
        on_all_runtimes(|| async {
            for _ in 0..3 {
                let mut ctrl_c = std::pin::pin!(ctrl_c());
                assert!(waits(ctrl_c.as_mut()).await, "there was none yet");
                send(Number::INT);
                ctrl_c.await.expect("a Ctrl-C");
            }
        });
    });
}

#[test]
fn every_listener_gets_every_signal_of_its_kind() {
    in_a_child("signal::every_listener_gets_every_signal_of_its_kind", || {
        on_all_runtimes(|| async {
            let mut first = signal(SignalKind::user_defined1()).expect("a listener");
            let mut second = signal(SignalKind::user_defined1()).expect("a listener");
            let mut other = signal(SignalKind::user_defined2()).expect("a listener");
            for _ in 0..10 {
                send(Number::USR1);
                assert_eq!((first.recv().await, second.recv().await), (Some(()), Some(())));
            }
            assert!(waits(std::pin::pin!(other.recv())).await, "nobody sent that kind");
            drop(second);
            send(Number::USR1);
            assert_eq!(first.recv().await, Some(()));
        });
    });
}

/// Sends `SIGUSR1`, and comes back when all who listened have been told: handlers run in the order in which they were made.
fn send_and_wait_for_the_handler() {
    std::thread::scope(|scope| {
        let witness = scope.spawn(|| {
            current_thread(IoBackend::Best).block_on(async {
                let mut last = signal(SignalKind::user_defined1()).expect("a listener");
                send(Number::USR1);
                last.recv().await
            })
        });
        assert_eq!(witness.join().expect("it does not panic"), Some(()));
    });
}

#[test]
fn a_listener_hears_what_comes_after_it_began_to_listen() {
    in_a_child("signal::a_listener_hears_what_comes_after_it_began_to_listen", || {
        on_all_runtimes(|| async {
            let mut first = signal(SignalKind::user_defined1()).expect("a listener");
            send_and_wait_for_the_handler();
            let mut late = signal(SignalKind::user_defined1()).expect("a listener");
            assert!(waits(std::pin::pin!(late.recv())).await, "that one was before it");
            assert_eq!(first.recv().await, Some(()), "and is for the one who listened then");
            send(Number::USR1);
            assert_eq!((late.recv().await, first.recv().await), (Some(()), Some(())));
        });
    });
}

#[test]
fn to_listen_for_a_signal_again_takes_no_descriptor() {
    in_a_child("signal::to_listen_for_a_signal_again_takes_no_descriptor", || {
        on_all_runtimes(|| async {
            let mut first = std::pin::pin!(ctrl_c());
            assert!(waits(first.as_mut()).await);
            let limit = getrlimit(Resource::Nofile);
            setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..limit }).expect("a lower limit");
            UnixStream::pair().expect_err("there is no descriptor to be had");
            for _ in 0..3 {
                let mut again = std::pin::pin!(ctrl_c());
                assert!(waits(again.as_mut()).await);
                send(Number::INT);
                again.await.expect("a Ctrl-C");
            }
            setrlimit(Resource::Nofile, limit).expect("the limit that was");
        });
    });
}

#[test]
fn a_burst_that_nobody_receives_does_not_block_the_process() {
    in_a_child("signal::a_burst_that_nobody_receives_does_not_block_the_process", || {
        on_all_runtimes(|| async {
            let mut listener = signal(SignalKind::user_defined1()).expect("a listener");
            // More than the socket behind it holds: the handler must not wait for room.
            for _ in 0..5000 {
                send(Number::USR1);
            }
            assert_eq!(listener.recv().await, Some(()));
        });
    });
}

#[test]
fn a_listener_ends_with_its_runtime() {
    in_a_child("signal::a_listener_ends_with_its_runtime", || {
        watched(|| {
            for runtime in all_runtimes() {
                let mut listener =
                    runtime.block_on(async { signal(SignalKind::user_defined1()) }).expect("a listener");
                drop(runtime);
                assert_eq!(current_thread(IoBackend::Best).block_on(listener.recv()), None);
            }
        });
    });
}

#[test]
fn signals_that_cannot_be_handled_are_refused() {
    on_all_runtimes(|| async {
        for number in [Number::KILL, Number::STOP, Number::SEGV, Number::FPE, Number::ILL] {
            let error = signal(SignalKind::from_raw(number.as_raw())).expect_err("it cannot be handled");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
        assert_eq!(i32::from(SignalKind::from(Number::HUP.as_raw())), i32::from(SignalKind::hangup()));
        signal(SignalKind::from_raw(4711)).expect_err("there is no such signal");
    });
}
