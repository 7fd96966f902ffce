//! A program that is written once, with the name of the crate left open, and runs on tokio and on shopfloor.
#![cfg(unix)]

#[path = "net/child.rs"]
mod child;

use std::collections::BTreeSet;

use rustix::process::{Signal, getpid, kill_process};

/// The program, for one crate.
macro_rules! program {
    ($runtime:ident) => {
        mod $runtime {
            use std::io;
            use std::os::unix::net::UnixStream as StdUnixStream;
            use std::sync::Arc;
            use std::time::Duration;

            use $runtime::io::unix::AsyncFd;
            use $runtime::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
            use $runtime::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixStream};
            use $runtime::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
            use $runtime::signal::unix::{SignalKind, signal};
            use $runtime::sync::{Mutex, Notify, Semaphore, broadcast, mpsc, oneshot, watch};
            use $runtime::task::{self, AbortHandle, JoinError, JoinHandle, JoinSet};
            use $runtime::time::{self, Instant, MissedTickBehavior};

            $runtime::task_local! {
                static REQUEST: u32;
            }

            fn runtimes() -> [Runtime; 2] {
                let several = Builder::new_multi_thread()
                    .worker_threads(2)
                    .max_blocking_threads(4)
                    .thread_name("ported")
                    .thread_stack_size(1 << 20)
                    .thread_keep_alive(Duration::from_secs(1))
                    .global_queue_interval(31)
                    .event_interval(61)
                    .on_thread_start(|| ())
                    .on_thread_stop(|| ())
                    .on_thread_park(|| ())
                    .on_thread_unpark(|| ())
                    .enable_all()
                    .build();
                let one = Builder::new_current_thread().enable_io().enable_time().build();
                [several.expect("a runtime"), one.expect("a runtime")]
            }

            async fn serve(listener: TcpListener, mut stop: watch::Receiver<bool>) -> io::Result<u32> {
                let mut served = 0;
                loop {
                    $runtime::select! {
                        accepted = listener.accept() => {
                            let (stream, _) = accepted?;
                            stream.set_nodelay(true)?;
                            let (reader, mut writer) = stream.into_split();
                            $runtime::spawn(async move {
                                let mut lines = BufReader::new(reader).lines();
                                while let Some(line) = lines.next_line().await? {
                                    writer.write_all(format!("{line}!\n").as_bytes()).await?;
                                }
                                Ok::<(), io::Error>(())
                            });
                            served += 1;
                        }
                        changed = stop.changed() => {
                            changed.expect("the sender is there");
                            return Ok(served);
                        }
                    }
                }
            }

            async fn tcp() -> io::Result<()> {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let addr = listener.local_addr()?;
                let (stop, stopped) = watch::channel(false);
                let server: JoinHandle<io::Result<u32>> = $runtime::spawn(serve(listener, stopped));
                let mut clients = JoinSet::new();
                for number in 0..3 {
                    clients.spawn(async move {
                        let mut stream = TcpStream::connect(addr).await?;
                        let (mut reader, mut writer) = stream.split();
                        let ask = async {
                            writer.write_all(format!("{number}\n").as_bytes()).await?;
                            writer.shutdown().await
                        };
                        let mut answer = String::new();
                        let ((), len) = $runtime::try_join!(ask, reader.read_to_string(&mut answer))?;
                        assert_eq!(len, 3);
                        Ok::<_, io::Error>(answer)
                    });
                }
                let mut answers = Vec::new();
                while let Some(answer) = clients.join_next().await {
                    answers.push(answer.expect("no client panics")?);
                }
                answers.sort();
                assert_eq!(answers, ["0!\n", "1!\n", "2!\n"]);
                stop.send(true).expect("the server listens");
                assert_eq!(server.await.expect("the server does not panic")?, 3);

                let socket = TcpSocket::new_v4()?;
                socket.set_reuseaddr(true)?;
                socket.bind("127.0.0.1:0".parse().expect("an address"))?;
                let listener = socket.listen(8)?;
                let (near, far) =
                    $runtime::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
                let ((near, _), (far, _)) = (near?.into_split(), far?);
                far.writable().await?;
                assert_eq!(far.try_write(b"ready")?, 5);
                assert!(near.ready(Interest::READABLE).await?.is_readable());
                let mut buf = Vec::with_capacity(16);
                assert_eq!(near.try_read_buf(&mut buf)?, 5);
                assert_eq!(buf, b"ready");
                Ok(())
            }

            async fn datagrams() -> io::Result<()> {
                let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
                a.connect(b.local_addr()?).await?;
                a.send(b"one").await?;
                a.send(b"two").await?;
                let mut buf = Vec::with_capacity(16);
                assert_eq!(b.recv_buf(&mut buf).await?, 3);
                assert_eq!(b.recv_buf_from(&mut buf).await?, (3, a.local_addr()?));
                assert_eq!(buf, b"onetwo");
                let (a, b) = UnixDatagram::pair()?;
                a.send(b"three").await?;
                b.readable().await?;
                assert_eq!(b.try_recv_buf(&mut buf)?, 5);
                assert_eq!(buf, b"onetwothree");
                Ok(())
            }

            // tokio's own constructor without `unsafe` is deprecated there, and here it is the only one.
            #[allow(deprecated, reason = "the constructor that both crates have")]
            async fn descriptors() -> io::Result<()> {
                let (mut near, far) = UnixStream::pair()?;
                let far: StdUnixStream = far.into_std()?;
                let far = AsyncFd::with_interest(far, Interest::READABLE)?;
                near.write_all(b"raw").await?;
                let mut buf = [0; 8];
                loop {
                    let mut guard = far.readable().await?;
                    match guard.try_io(|fd| io::Read::read(&mut fd.get_ref(), &mut buf)) {
                        Ok(len) => break assert_eq!(&buf[..len?], b"raw"),
                        Err(_would_block) => continue,
                    }
                }
                Ok(())
            }

            async fn timers() {
                let start = Instant::now();
                let mut ticks = time::interval(Duration::from_millis(1));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
                assert!(ticks.tick().await >= start);
                ticks.tick().await;
                let sleep = time::sleep(Duration::from_millis(1));
                $runtime::pin!(sleep);
                sleep.as_mut().reset(start + Duration::from_millis(2));
                sleep.await;
                let never = std::future::pending::<()>();
                let elapsed: Result<(), time::error::Elapsed> =
                    time::timeout(Duration::from_millis(1), never).await;
                elapsed.expect_err("it is never ready");
                let late = time::timeout_at(start, std::future::pending::<()>()).await;
                assert_eq!(io::Error::from(late.expect_err("it is late")).kind(), io::ErrorKind::TimedOut);
            }

            async fn channels() {
                let (lines, mut received) = mpsc::channel::<oneshot::Sender<u32>>(4);
                let (events, mut seen) = broadcast::channel(4);
                let count = Arc::new(Mutex::new(0));
                let served = Arc::clone(&count);
                let counter = task::spawn(async move {
                    while let Some(answer) = received.recv().await {
                        let mut count = served.lock().await;
                        *count += 1;
                        answer.send(*count).expect("somebody asked");
                    }
                    events.send("closed").expect("somebody listens");
                });
                let (ask, answer) = oneshot::channel();
                lines.send(ask).await.expect("it counts");
                assert_eq!(answer.await, Ok(1));
                drop(lines);
                assert_eq!(seen.recv().await, Ok("closed"));
                counter.await.expect("the counter does not panic");
                let (notify, permits) = (Notify::new(), Semaphore::new(1));
                notify.notify_one();
                notify.notified().await;
                let _permit = permits.acquire().await.expect("it is open");
                assert!(permits.try_acquire().is_err());
            }

            async fn tasks() {
                let blocked = task::spawn_blocking(|| Handle::current().block_on(async { 6 * 7 }));
                assert_eq!(blocked.await.expect("the closure does not panic"), 42);
                if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
                    assert_eq!(task::block_in_place(|| 7), 7);
                }
                let stuck = $runtime::spawn(std::future::pending::<()>());
                let handle: AbortHandle = stuck.abort_handle();
                handle.abort();
                let error: JoinError = stuck.await.expect_err("it is aborted");
                assert!(error.is_cancelled() && error.id() == handle.id());
                let task = $runtime::spawn(REQUEST.scope(7, async {
                    task::yield_now().await;
                    task::consume_budget().await;
                    REQUEST.get()
                }));
                assert_eq!(task.await.expect("the value is there"), 7);
                let mut set: JoinSet<u32> = (0..3).map(|number| async move { number }).collect();
                set.spawn_blocking(|| 3);
                set.extend([std::future::ready(4), std::future::ready(5)]);
                let mut outputs = set.join_all().await;
                outputs.sort();
                assert_eq!(outputs, [0, 1, 2, 3, 4, 5]);
            }

            /// Waits for a Ctrl-C and another signal, both sent by `send`.
            pub(super) fn signals(send: fn(SignalKind)) {
                for runtime in runtimes() {
                    runtime.block_on(async {
                        let mut hangup = signal(SignalKind::hangup()).expect("a handler");
                        $runtime::select! {
                            biased;
                            _ = hangup.recv() => panic!("nobody has sent it"),
                            _ = $runtime::signal::ctrl_c() => panic!("nobody has interrupted"),
                            () = std::future::ready(()) => {}
                        }
                        let interrupt = $runtime::signal::ctrl_c();
                        $runtime::pin!(interrupt);
                        let sending = async {
                            send(SignalKind::interrupt());
                            send(SignalKind::hangup());
                        };
                        // Polled in this order: whoever waits is there before the signals are sent.
                        let (interrupted, hung_up, ()) =
                            $runtime::join!(biased; interrupt, hangup.recv(), sending);
                        interrupted.expect("a Ctrl-C");
                        hung_up.expect("a hangup");
                    });
                }
            }

            /// Runs everything on runtimes of both kinds and says which parts have ended.
            pub(super) fn run() -> Vec<&'static str> {
                let mut ended = Vec::new();
                for runtime in runtimes() {
                    ended.extend(runtime.block_on(async {
                        time::timeout(Duration::from_secs(60), async {
                            tcp().await.expect("TCP");
                            datagrams().await.expect("datagrams");
                            descriptors().await.expect("descriptors");
                            timers().await;
                            channels().await;
                            tasks().await;
                            ["tcp", "datagrams", "descriptors", "timers", "channels", "tasks"]
                        })
                        .await
                        .expect("the program does not hang")
                    }));
                    let _entered = runtime.enter();
                    drop(runtime.handle().spawn(std::future::pending::<()>()));
                }
                ended
            }

            #[$runtime::main(flavor = "current_thread")]
            async fn attribute() -> u32 {
                task::yield_now().await;
                7
            }

            #[test]
            fn the_attribute_makes_a_runtime() {
                assert_eq!(attribute(), 7);
            }
        }
    };
}

program!(shopfloor);
program!(tokio);

#[test]
fn a_program_for_tokio_does_the_same_here_when_only_the_name_of_the_crate_changes() {
    let parts = shopfloor::run();
    assert_eq!(parts.len(), 12, "six parts on each of two runtimes");
    assert_eq!(parts, tokio::run());
    assert_eq!(BTreeSet::from_iter(parts).len(), 6);
}

/// Sends a signal to this process.
macro_rules! send {
    ($runtime:ident) => {
        |kind: ::$runtime::signal::unix::SignalKind| {
            let signal = Signal::from_named_raw(kind.as_raw_value()).expect("it has a name");
            kill_process(getpid(), signal).expect("a signal to ourselves");
        }
    };
}

#[test]
fn signals_end_the_same_waits() {
    child::in_a_child("signals_end_the_same_waits", || {
        shopfloor::signals(send!(shopfloor));
        tokio::signals(send!(tokio));
    });
}
