//! Futures and outputs of every shape are tasks like any other: over-aligned, without size, and large.
//!
//! The futures here are `Unpin`; the runtime cannot know that, so one that moved between two polls says so.

mod support;

use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::sync::Mutex;
use shopfloor_scheduler::{Scheduler, State, yield_now};
use std::any::type_name;
use std::cell::Cell;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use support::runtime;

/// What a future or an output carries: bytes, at an alignment.
trait Shape: Send + Unpin + 'static {
    fn filled() -> Self;
    fn is_intact(&self) -> bool;
}

macro_rules! shapes {
    ($($name:ident: $alignment:literal, $bytes:literal;)*) => {$(
        #[repr(align($alignment))]
        struct $name([u8; $bytes]);

        impl Shape for $name {
            fn filled() -> Self {
                Self(std::array::from_fn(|place| place as u8))
            }

            fn is_intact(&self) -> bool {
                self.0.iter().enumerate().all(|(place, byte)| *byte == place as u8)
            }
        }
    )*};
}

shapes! {
    Empty: 1, 0;
    EmptyAligned: 128, 0;
    Small: 1, 3;
    Aligned64: 64, 64;
    Aligned128: 128, 100;
    Aligned4096: 4096, 1;
    Kilobyte: 8, 1025;
    Large: 1, 20_000;
    LargeAligned: 4096, 20_000;
}

/// How the future ends, and what becomes of its handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Joined,
    Detached,
    Panicked,
    Aborted,
    ShutDown,
}

const ENDS: [End; 5] = [End::Joined, End::Detached, End::Panicked, End::Aborted, End::ShutDown];
const POLLS: u64 = 4;

#[derive(Default)]
struct Tally {
    polls: Counter,
    /// Polls and drops at an address that is not the first one, or is not aligned, or with other bytes.
    misplaced: Counter,
    futures_dropped: Counter,
    outputs_made: Counter,
    outputs_dropped: Counter,
    /// Keeps a future that waits for ever from being an orphan.
    waker: Mutex<Option<Waker>>,
}

struct ShapedFuture<F: Shape, O: Shape> {
    shape: F,
    address: usize,
    end: End,
    tally: Arc<Tally>,
    _output: std::marker::PhantomData<fn() -> O>,
}

struct ShapedOutput<O: Shape> {
    shape: O,
    tally: Arc<Tally>,
}

impl<F: Shape, O: Shape> ShapedFuture<F, O> {
    fn check_place(&mut self) {
        // Past the black box the compiler does not know that a reference is aligned.
        let address = black_box(&raw const *self).addr();
        let shape = black_box(&raw const self.shape).addr();
        if self.address == 0 {
            self.address = address;
        }
        let in_place = address == self.address && shape.is_multiple_of(align_of::<F>());
        if !in_place || !self.shape.is_intact() {
            self.tally.misplaced.add(1);
        }
    }
}

impl<F: Shape, O: Shape> Future for ShapedFuture<F, O> {
    type Output = ShapedOutput<O>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ShapedOutput<O>> {
        let this = self.get_mut();
        this.check_place();
        this.tally.polls.add(1);
        if this.tally.polls.get() < POLLS {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match this.end {
            End::Joined | End::Detached => {
                this.tally.outputs_made.add(1);
                Poll::Ready(ShapedOutput { shape: O::filled(), tally: Arc::clone(&this.tally) })
            }
            End::Panicked => panic!("the task panics on purpose"),
            End::Aborted | End::ShutDown => {
                *this.tally.waker.lock() = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<F: Shape, O: Shape> Drop for ShapedFuture<F, O> {
    fn drop(&mut self) {
        self.check_place();
        self.tally.futures_dropped.add(1);
    }
}

impl<O: Shape> Drop for ShapedOutput<O> {
    fn drop(&mut self) {
        let address = black_box(&raw const self.shape).addr();
        if !address.is_multiple_of(align_of::<O>()) || !self.shape.is_intact() {
            self.tally.misplaced.add(1);
        }
        self.tally.outputs_dropped.add(1);
    }
}

fn run_until(runtime: &Scheduler, reached: impl Fn() -> bool) {
    runtime.block_on(async {
        while !reached() {
            yield_now().await;
        }
    });
}

fn play<F: Shape, O: Shape>(workers: usize, end: End) {
    let what = format!("{} giving {}, {end:?}, {workers} workers", type_name::<F>(), type_name::<O>());
    let runtime = runtime(workers);
    let tally = Arc::<Tally>::default();
    // Its address is that of the cell, from the first poll on.
    let make = || ShapedFuture::<F, O> {
        shape: F::filled(),
        address: 0,
        end,
        tally: Arc::clone(&tally),
        _output: std::marker::PhantomData,
    };
    let task = runtime.spawn(make());
    match end {
        End::Joined => {
            let output = runtime.block_on(task).expect("nobody aborts it");
            assert!(output.shape.is_intact(), "{what}");
        }
        End::Panicked => assert!(runtime.block_on(task).err().expect("it panics").is_panic(), "{what}"),
        End::Detached => {
            drop(task);
            run_until(&runtime, || tally.outputs_dropped.get() == 1);
        }
        End::Aborted => {
            run_until(&runtime, || task.state() == State::Waiting);
            task.abort();
            assert!(runtime.block_on(task).err().expect("it waits for ever").is_cancelled(), "{what}");
        }
        End::ShutDown => run_until(&runtime, || tally.waker.lock().is_some()),
    }
    drop(runtime);
    drop(tally.waker.lock().take());
    let outputs = u64::from(matches!(end, End::Joined | End::Detached));
    assert_eq!(tally.polls.get(), POLLS, "{what}");
    assert_eq!(tally.misplaced.get(), 0, "{what}");
    assert_eq!(tally.futures_dropped.get(), 1, "{what}");
    assert_eq!((tally.outputs_made.get(), tally.outputs_dropped.get()), (outputs, outputs), "{what}");
    assert_eq!(Arc::strong_count(&tally), 1, "{what}");
}

fn play_all<F: Shape, O: Shape>() {
    for workers in [0, 2] {
        for end in ENDS {
            play::<F, O>(workers, end);
        }
    }
}

#[test]
fn a_future_of_any_shape_stays_where_it_was_polled_and_is_dropped_once() {
    play_all::<Empty, Small>();
    play_all::<EmptyAligned, Small>();
    play_all::<Aligned64, Small>();
    play_all::<Aligned128, Small>();
    play_all::<Aligned4096, Small>();
    play_all::<Kilobyte, Small>();
    play_all::<Large, Small>();
    play_all::<LargeAligned, Small>();
}

#[test]
fn an_output_of_any_shape_arrives_whole_or_is_dropped_once() {
    play_all::<Small, Empty>();
    play_all::<Small, EmptyAligned>();
    play_all::<Small, Aligned64>();
    play_all::<Small, Aligned128>();
    play_all::<Small, Aligned4096>();
    play_all::<Small, Kilobyte>();
    play_all::<Small, Large>();
    play_all::<Small, LargeAligned>();
}

#[test]
fn a_future_and_its_output_may_both_be_of_any_shape() {
    play_all::<Aligned64, Aligned128>();
    play_all::<Aligned4096, Aligned64>();
    play_all::<Large, Kilobyte>();
    play_all::<LargeAligned, LargeAligned>();
    play_all::<EmptyAligned, LargeAligned>();
}

thread_local! {
    static ZERO_SIZED_POLLS: Cell<u64> = const { Cell::new(0) };
    static ZERO_SIZED_DROPS: Cell<u64> = const { Cell::new(0) };
}

/// A future, and its own output, of size zero.
#[repr(align(256))]
struct ZeroSized;

impl Future for ZeroSized {
    type Output = Self;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self> {
        assert!(black_box(&raw const *self).addr().is_multiple_of(align_of::<Self>()));
        ZERO_SIZED_POLLS.set(ZERO_SIZED_POLLS.get() + 1);
        if !ZERO_SIZED_POLLS.get().is_multiple_of(2) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Self)
    }
}

impl Drop for ZeroSized {
    fn drop(&mut self) {
        ZERO_SIZED_DROPS.set(ZERO_SIZED_DROPS.get() + 1);
    }
}

#[test]
fn a_future_and_output_without_size_are_polled_and_dropped_like_any_other() {
    assert_eq!(size_of::<ZeroSized>(), 0);
    // On one thread, so that thread locals can count what has no room for a counter.
    let runtime = runtime(0);
    let output = runtime.block_on(runtime.spawn(ZeroSized)).expect("nobody aborts it");
    assert_eq!((ZERO_SIZED_POLLS.get(), ZERO_SIZED_DROPS.get()), (2, 1));
    drop(output);
    assert_eq!(ZERO_SIZED_DROPS.get(), 2);
    let task = runtime.spawn(ZeroSized);
    task.abort();
    assert!(runtime.block_on(task).err().expect("it was aborted").is_cancelled());
    assert_eq!((ZERO_SIZED_POLLS.get(), ZERO_SIZED_DROPS.get()), (2, 3));
    drop(runtime.spawn(ZeroSized));
    drop(runtime);
    assert_eq!((ZERO_SIZED_POLLS.get(), ZERO_SIZED_DROPS.get()), (2, 4));
}
