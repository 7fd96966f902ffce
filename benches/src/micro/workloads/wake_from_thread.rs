//! A thread that is no worker wakes a task whose workers all sleep.
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::micro::lateness::Lateness;
use crate::micro::row::{Effort, Kind, Measurement, Observation, Stopwatch};
use crate::runtimes::Runtime;

const WAKES: u64 = 1000;
/// Long enough that the workers sleep again.
const PAUSE: Duration = Duration::from_micros(300);
const ALIVE: &str = "the receiver waits for all";

pub(super) struct WakeFromThread;

impl Observation for WakeFromThread {
    const NAME: &str = "wake_from_thread";
    const OPERATION: &str = "one of 1000 messages from an OS thread to a task, 300 µs apart, by tokio::sync::mpsc \
        (threads: by std's channel); the lateness is from before the send to the receipt";
    const KIND: Kind = Kind::Lateness;

    fn observe<R: Runtime>(effort: Effort) -> Measurement {
        let wakes = effort.shrunk(WAKES);
        R::run(effort.workers, async move {
            let (sender, mut moments) = mpsc::unbounded_channel();
            let stopwatch = Stopwatch::start();
            let thread = send(wakes, move |moment| sender.send(moment).expect(ALIVE));
            let mut lateness = Lateness::with_capacity(wakes);
            while let Some(moment) = moments.recv().await {
                lateness.happened(moment);
            }
            thread.join().expect(ALIVE);
            let measurement = lateness.measurement(&stopwatch);
            assert_eq!(measurement.operations, wakes, "each message arrives once");
            measurement
        })
    }
}

/// An OS thread wakes another one.
pub(super) fn thread(effort: Effort) -> Measurement {
    let wakes = effort.shrunk(WAKES);
    let (sender, moments) = std_mpsc::channel();
    let stopwatch = Stopwatch::start();
    let thread = send(wakes, move |moment| sender.send(moment).expect(ALIVE));
    let mut lateness = Lateness::with_capacity(wakes);
    while let Ok(moment) = moments.recv() {
        lateness.happened(moment);
    }
    thread.join().expect(ALIVE);
    lateness.measurement(&stopwatch)
}

fn send(wakes: u64, to_receiver: impl Fn(Instant) + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for _ in 0..wakes {
            std::thread::sleep(PAUSE);
            to_receiver(Instant::now());
        }
    })
}
