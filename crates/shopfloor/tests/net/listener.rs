//! TCP listeners: many acceptors, addresses, the backlog, and running out of file descriptors.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
use shopfloor::net::{TcpListener, TcpSocket, TcpStream};
use shopfloor::runtime::IoBackend;

use crate::child::in_a_child;
use crate::{current_thread, multi_thread, on_all_runtimes, watched};

#[test]
fn four_tasks_accept_from_one_listener_and_miss_no_connection() {
    const CONNECTIONS: usize = 200;
    on_all_runtimes(|| async {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.expect("a listener"));
        let addr = listener.local_addr().expect("its address");
        let (accepted, mut peers) = shopfloor::sync::mpsc::unbounded_channel();
        let acceptors: Vec<_> = (0..4)
            .map(|_| {
                let (listener, accepted) = (Arc::clone(&listener), accepted.clone());
                shopfloor::spawn(async move {
                    loop {
                        let (_, peer) = listener.accept().await.expect("a connection");
                        accepted.send(peer).expect("it is counted");
                    }
                })
            })
            .collect();
        let mut clients = BTreeSet::new();
        for _ in 0..CONNECTIONS {
            let client = TcpStream::connect(addr).await.expect("a connection");
            assert!(clients.insert(client.local_addr().expect("an address")));
        }
        for _ in 0..CONNECTIONS {
            assert!(clients.remove(&peers.recv().await.expect("a peer")), "accepted once");
        }
        for acceptor in acceptors {
            acceptor.abort();
            assert!(acceptor.await.expect_err("aborted").is_cancelled());
        }
    });
}

#[test]
fn a_cancelled_accept_loses_no_connection() {
    on_all_runtimes(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let addr = listener.local_addr().expect("its address");
        for _ in 0..100 {
            let waits = std::future::poll_fn(|cx| {
                let polled = std::pin::pin!(listener.accept()).poll(cx);
                std::task::Poll::Ready(polled.is_pending())
            });
            assert!(waits.await, "nobody has connected");
            let client = TcpStream::connect(addr).await.expect("a connection");
            let (_, peer) = listener.accept().await.expect("that connection");
            assert_eq!(client.local_addr().expect("an address"), peer);
        }
    });
}

#[test]
fn binding_tries_one_address_after_the_other() {
    on_all_runtimes(|| async {
        let taken = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let taken = (taken.local_addr().expect("its address"), taken);
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(&[taken.0, free][..]).await.expect("the second one");
        assert_ne!(listener.local_addr().expect("an address"), taken.0);
        let error = TcpListener::bind(taken.0).await.expect_err("it is taken");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn a_restarted_server_gets_its_address_back_at_once() {
    on_all_runtimes(|| async {
        let mut addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        for _ in 0..3 {
            let listener = TcpListener::bind(addr).await.expect("the address");
            addr = listener.local_addr().expect("an address");
            let mut client = TcpStream::connect(addr).await.expect("a connection");
            // The server closes first, so that its end of the connection is the one that lingers.
            drop(listener.accept().await.expect("a connection"));
            assert_eq!(client.read(&mut [0]).await.expect("the end"), 0);
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn more_connections_wait_to_be_accepted_than_the_customary_backlog_holds() {
    let limit = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("the system's limit");
    let limit: usize = limit.trim().parse().expect("a number");
    let connections = limit.min(300);
    watched(move || {
        let runtime = current_thread(IoBackend::Best);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
        let addr = listener.local_addr().expect("its address");
        // A full backlog drops the attempt, and the client's system repeats it after a second.
        let clients: Vec<_> = (0..connections)
            .map(|_| std::net::TcpStream::connect_timeout(&addr, Duration::from_millis(900)))
            .collect();
        assert!(clients.iter().all(Result::is_ok));
    });
}

#[test]
fn a_socket_with_options_listens_and_connects() {
    on_all_runtimes(|| async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        assert!(socket.reuseaddr().expect("an option"));
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("an address");
        let listener = socket.listen(16).expect("a listener");
        let addr = listener.local_addr().expect("its address");

        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_nodelay(true).expect("an option");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("an address");
        let from = socket.local_addr().expect("its address");
        let client = socket.connect(addr).await.expect("a connection");
        assert!(client.nodelay().expect("an option"));
        assert_eq!(listener.accept().await.expect("a connection").1, from);
    });
}

/// The listener is what must survive: no connection that waits while there is no descriptor may be lost.
#[test]
#[cfg(unix)]
fn running_out_of_descriptors_is_reported_and_survived() {
    in_a_child("listener::running_out_of_descriptors_is_reported_and_survived", || {
        runs_out_of_descriptors(IoBackend::Best);
    });
}

/// In a process of its own, too: those of another runtime may be closed a little after its end.
#[test]
#[cfg(unix)]
fn running_out_of_descriptors_is_survived_by_the_portable_backend_too() {
    in_a_child("listener::running_out_of_descriptors_is_survived_by_the_portable_backend_too", || {
        runs_out_of_descriptors(IoBackend::Portable);
    });
}

#[cfg(unix)]
fn runs_out_of_descriptors(backend: IoBackend) {
    watched(move || {
        let runtime = multi_thread(backend);
        runtime.block_on(runtime.spawn(run_out_of_descriptors())).expect("no panic");
    });
}

#[cfg(unix)]
async fn run_out_of_descriptors() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let addr = listener.local_addr().expect("its address");
    let limit = Rlimit { current: Some(64), maximum: Some(64) };
    setrlimit(Resource::Nofile, limit).expect("a lower limit");

    // Clients take every descriptor that is left; their connections wait in the backlog.
    let mut clients = Vec::new();
    let refusal = loop {
        match TcpStream::connect(addr).await {
            Ok(client) => clients.push(client),
            Err(error) => break error,
        }
    };
    assert_eq!(refusal.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()));
    assert!(clients.len() > 20, "{} clients connected", clients.len());

    for _ in 0..3 {
        let error = listener.accept().await.expect_err("no descriptor is left");
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()));
    }

    // Each client that leaves makes room for one accept, of the connection that has waited longest.
    let mut accepted = Vec::new();
    while let Some(mut client) = clients.pop() {
        client.write_all(b"bye").await.expect("the connection stands");
        drop(client);
        accepted.push(listener.accept().await.expect("a connection that has waited").0);
    }
    for mut stream in accepted {
        let mut word = Vec::new();
        stream.read_to_end(&mut word).await.expect("a word and the end");
        assert_eq!(word, b"bye");
    }
}
