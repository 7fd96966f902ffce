//! Against servers that are honest, and against some that are not.
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{LoadPlan, run};
use crate::compare::case::Traffic;
use crate::compare::echo;
use crate::compare::session::{FromLoad, LoadFigures};

const MESSAGE: usize = 64;

/// A server that handles each connection with `handle` on a thread of its own.
fn server(connections: usize, handle: fn(TcpStream)) -> SocketAddr {
    let listener = echo::listen().unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for _ in 0..connections {
            let (stream, _) = listener.accept().unwrap();
            std::thread::spawn(move || handle(stream));
        }
    });
    address
}

fn measure(address: SocketAddr, connections: usize) -> (Result<(), String>, Vec<FromLoad>) {
    measure_with(|plan| LoadPlan { address, connections, ..plan })
}

fn measure_with(change: impl FnOnce(LoadPlan) -> LoadPlan) -> (Result<(), String>, Vec<FromLoad>) {
    let plan = change(LoadPlan {
        address: (std::net::Ipv4Addr::LOCALHOST, 0).into(),
        traffic: Traffic::PingPong,
        connections: 1,
        idle: 0,
        size: MESSAGE,
        rate: 0.0,
        warm_up: Duration::from_millis(10),
        window: Duration::from_millis(50),
        silence_max: Duration::from_secs(2),
    });
    let mut said = Vec::new();
    let result = run(
        &plan,
        |word| {
            said.push(word);
            Ok(())
        },
        || Ok(()),
    );
    (result, said)
}

fn figures(said: &[FromLoad]) -> &LoadFigures {
    match said {
        [FromLoad::Connected, FromLoad::WindowBegins, FromLoad::WindowEnds, FromLoad::Done(figures)] => {
            figures
        }
        other => panic!("said {other:?}"),
    }
}

#[test]
fn honest_server_is_measured_without_errors() {
    let address = server(3, |mut stream| {
        let mut buffer = [0; MESSAGE];
        // One byte first: replies in pieces count once.
        while stream.read_exact(&mut buffer).is_ok() {
            if stream.write_all(&buffer[..1]).and_then(|()| stream.write_all(&buffer[1..])).is_err() {
                return;
            }
        }
    });
    let (result, said) = measure(address, 3);
    result.unwrap();
    let figures = figures(&said);
    assert_eq!(figures.errors, 0, "{figures:?}");
    assert!(figures.requests > 0 && figures.requests <= figures.requests_total, "{figures:?}");
    assert!(figures.p50_us > 0.0 && figures.p50_us <= figures.p99_us && figures.p99_us <= figures.max_us);
    assert!(figures.seconds >= 0.05);
}

#[test]
fn changed_byte_is_an_error() {
    let address = server(1, |mut stream| {
        let mut buffer = [0; MESSAGE];
        while stream.read_exact(&mut buffer).is_ok() {
            buffer[MESSAGE - 1] ^= 1;
            if stream.write_all(&buffer).is_err() {
                return;
            }
        }
    });
    let (result, _) = measure(address, 1);
    assert!(result.unwrap_err().contains("other bytes came back"));
}

#[test]
fn surplus_byte_is_an_error() {
    let address = server(1, |mut stream| {
        let mut buffer = [0; MESSAGE + 1];
        while stream.read_exact(&mut buffer[..MESSAGE]).is_ok() {
            if stream.write_all(&buffer).is_err() {
                return;
            }
        }
    });
    let (result, _) = measure(address, 1);
    assert!(result.unwrap_err().contains("more bytes came back"));
}

#[test]
fn connection_that_falls_silent_is_named() {
    let address = server(2, |mut stream| {
        let mut buffer = [0; MESSAGE];
        while stream.read_exact(&mut buffer).is_ok() {
            // The sixth request of connection 1 is never answered, though the connection stays open.
            if (buffer[8] == 1 && buffer[0] > 5) || stream.write_all(&buffer).is_ok() {
                continue;
            }
            return;
        }
    });
    let (result, _) = measure(address, 2);
    let error = result.unwrap_err();
    assert!(error.starts_with("1 of 2 connections had no reply"), "{error}");
    assert!(error.contains("connection 1 stopped"), "{error}");
}

#[test]
fn lost_connection_is_counted_and_the_others_go_on() {
    let address = server(2, |mut stream| {
        let mut buffer = [0; MESSAGE];
        while stream.read_exact(&mut buffer).is_ok() {
            // Connection 1 is hung up on.
            if buffer[8] == 1 || stream.write_all(&buffer).is_err() {
                return;
            }
        }
    });
    let (result, said) = measure(address, 2);
    result.unwrap();
    let figures = figures(&said);
    assert_eq!(figures.errors, 1);
    assert!(figures.first_error.as_deref().is_some_and(|error| error.starts_with("connection 1:")));
    assert_eq!(figures.replies_min, 0);
    assert!(figures.replies_max > 0);
    assert!(figures.requests > 0);
}

/// Echoes whatever comes, in pieces of any size.
fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

#[test]
fn messages_larger_than_the_sockets_buffers_come_back_whole() {
    for traffic in [Traffic::PingPong, Traffic::Streaming] {
        let address = server(1, echo);
        let (result, said) = measure_with(|plan| LoadPlan { address, traffic, size: 16 << 20, ..plan });
        result.unwrap();
        let figures = figures(&said);
        assert!(figures.errors == 0 && figures.requests_total >= 1, "{figures:?}");
    }
}

#[test]
fn a_storm_makes_a_connection_per_message() {
    let address = server(usize::MAX, echo);
    let (result, said) =
        measure_with(|plan| LoadPlan { address, traffic: Traffic::Storm, connections: 4, ..plan });
    result.unwrap();
    let figures = figures(&said);
    assert_eq!(figures.first_error, None);
    assert!(figures.requests > 0, "{figures:?}");
    assert_eq!(figures.connections_made, figures.requests_total);
}

#[test]
fn idle_connections_are_made_and_have_no_share() {
    let address = server(5, echo);
    let (result, said) =
        measure_with(|plan| LoadPlan { address, traffic: Traffic::Idle, connections: 2, idle: 3, ..plan });
    result.unwrap();
    let figures = figures(&said);
    assert_eq!(figures.connections_made, 5);
    assert!(figures.replies_min > 0, "{figures:?}");
}

#[test]
fn slow_clients_have_figures_of_their_own() {
    let address = server(2, echo);
    let (result, said) =
        measure_with(|plan| LoadPlan { address, traffic: Traffic::Mixed, connections: 2, ..plan });
    result.unwrap();
    let figures = figures(&said);
    // One fast client: its requests are the fewest and the most, and some others are the slow one's.
    assert_eq!(figures.replies_min, figures.replies_max);
    assert!(figures.requests > figures.replies_max && figures.slow_p99_us.is_some(), "{figures:?}");
}

#[test]
fn held_traffic_keeps_coming_whether_or_not_the_server_keeps_up() {
    let address = server(2, |mut stream| {
        let mut buffer = [0; MESSAGE];
        while stream.read_exact(&mut buffer).is_ok() {
            // Fewer than come: each waits for those before it.
            std::thread::sleep(Duration::from_millis(5));
            if stream.write_all(&buffer).is_err() {
                return;
            }
        }
    });
    let (result, said) = measure_with(|plan| LoadPlan {
        address,
        traffic: Traffic::Held,
        connections: 2,
        rate: 1000.0,
        ..plan
    });
    result.unwrap();
    let figures = figures(&said);
    assert!(figures.requests < figures.requests_total, "{figures:?}");
    // A closed loop would see 5 ms; of some 30 messages per connection the last one waits for all others.
    assert!(figures.max_us > 15_000.0, "{figures:?}");
}
