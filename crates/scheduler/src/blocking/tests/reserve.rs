//! Back-pressure for tasks.

use super::super::{BlockingPool, PoolClosed};
use super::{Gate, TestJob, doomed, gated, job, pool, shut_down, wait_until};
use shopfloor_protocol::cells::Counter;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn is_pending(future: std::pin::Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[test]
fn producers_that_reserve_are_never_refused() {
    let pool: Arc<BlockingPool<TestJob>> = Arc::new(pool(1, 1));
    let ran = Arc::<Counter>::default();
    let producers: Vec<_> = (0..4)
        .map(|_| {
            let (pool, ran) = (Arc::clone(&pool), Arc::clone(&ran));
            thread::spawn(move || {
                for _ in 0..100 {
                    let ran = Arc::clone(&ran);
                    let permit = block_on(pool.reserve()).expect("the pool is open");
                    permit.submit(job(move || ran.add(1))).expect("there is room for this one");
                }
            })
        })
        .collect();
    producers.into_iter().for_each(|producer| producer.join().expect("no producer panics"));
    wait_until(|| ran.get() == 400);
    shut_down(&pool);
}

#[test]
fn reserved_room_is_kept_and_a_dropped_permit_or_future_passes_it_on() {
    let pool = pool(1, 0);
    let permit = block_on(pool.reserve()).expect("the pool is open");
    assert!(pool.submit(job(|| {})).is_err());
    let mut second = Box::pin(pool.reserve());
    let mut third = Box::pin(pool.reserve());
    assert!(is_pending(second.as_mut()) && is_pending(third.as_mut()));
    drop(permit);
    assert!(is_pending(third.as_mut()), "the second is in front");
    // It has been given the room and goes away without having looked.
    drop(second);
    let permit = block_on(third).expect("the pool is open");
    drop(permit);
    assert_eq!(pool.counts().reserved, 0);
    shut_down(&pool);
}

#[test]
fn shutdown_answers_those_who_wait_and_refuses_those_who_hold_room() {
    let pool = pool(1, 1);
    let (started, starts) = channel();
    let gate = Arc::new(Gate::default());
    pool.submit(gated(&started, &gate)).expect("there is room");
    starts.recv().expect("the job runs");
    let permit = block_on(pool.reserve()).expect("the pool is open");
    let mut waiting = pin!(pool.reserve());
    assert!(is_pending(waiting.as_mut()));
    assert_eq!(pool.shutdown(Duration::ZERO).jobs_running, 1);
    assert_eq!(block_on(waiting).map(drop), Err(PoolClosed));
    assert!(permit.submit(doomed(&Arc::default())).is_err());
    gate.open();
    shut_down(&pool);
}
