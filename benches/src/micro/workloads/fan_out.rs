//! An event on a connection makes many tasks ready at once.
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::micro::lateness::Lateness;
use crate::micro::row::{Effort, Kind, Measurement, Observation, Stopwatch};
use crate::runtimes::Runtime;

const REQUESTS: u64 = 500;
const TASKS: u64 = 8;
const TASK_NS: u64 = 100_000;
/// Long enough that the workers sleep again.
const PAUSE: Duration = Duration::from_micros(300);

/// Each request is answered when the tasks that it starts have ended.
pub(super) struct FanOut;

impl Observation for FanOut {
    const NAME: &str = "fan_out";
    const OPERATION: &str = "one of 500 requests on a connection, 300 µs apart, answered after 8 tasks of 100 µs of CPU \
        time each that it starts; the lateness is that of the answer";
    const KIND: Kind = Kind::Lateness;

    fn observe<R: Runtime>(effort: Effort) -> Measurement {
        let requests = effort.shrunk(REQUESTS);
        let stopwatch = Stopwatch::start();
        let (connection, client) = connect(requests);
        let answered = R::run(effort.workers, async move {
            let mut connection = R::watch(connection);
            let mut answered = 0;
            while let Some(request) = R::read_byte(&mut connection).await {
                let task = || async move { effort.work_ns(TASK_NS) };
                let tasks: Vec<R::Join<()>> = (0..TASKS).map(|_| R::spawn(task())).collect();
                for task in tasks {
                    task.await;
                }
                R::write_byte(&mut connection, request).await;
                answered += 1;
            }
            answered
        });
        assert_eq!(answered, requests, "each request is answered once");
        let lateness =
            client.join().expect("the client panics only if a workload does").expect("loopback works");
        lateness.measurement(&stopwatch)
    }
}

/// A connection to a thread that sends so many requests, each when the one before is answered.
fn connect(requests: u64) -> (TcpStream, JoinHandle<io::Result<Lateness>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
    let address = listener.local_addr().expect("a listener has an address");
    let client = std::thread::spawn(move || {
        let mut server = TcpStream::connect(address)?;
        server.set_nodelay(true)?;
        let mut lateness = Lateness::with_capacity(requests);
        for request in 0..requests {
            std::thread::sleep(PAUSE);
            let request = [request as u8];
            let mut answer = [0];
            let sent = Instant::now();
            server.write_all(&request)?;
            server.read_exact(&mut answer)?;
            lateness.happened(sent);
            assert_eq!(answer, request, "answers come in the order of the requests");
        }
        Ok(lateness)
    });
    let (connection, _) = listener.accept().expect("the client connects");
    connection.set_nodelay(true).expect("a connected socket takes the option");
    (connection, client)
}
