//! The clonable reference to a runtime.

use crate::block_on;
use crate::blocking_job::{self, BlockingFuture};
use crate::config::Flavor;
use crate::context::{self, EnterGuard};
use crate::driver::Driver;
use crate::floor::Floor;
use crate::join_handle::JoinHandle;
use crate::timer::{Clock, Wheels};
use shopfloor_protocol::shutdown::RuntimePhase;
use shopfloor_task::{Kind, Unlisted, new_task};
use std::any::Any;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// A reference to a runtime, through which anything may be spawned on it. It does not keep the runtime open: what
/// is spawned after the shutdown is dropped at once, and its handle reports cancellation.
#[derive(Clone)]
pub struct Handle {
    pub(crate) floor: Arc<Floor>,
}

/// There is no runtime here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryCurrentError {
    has_locals: bool,
}

/// Spawns a task on the runtime that this thread is inside of. As [`Handle::spawn`], without a handle.
///
/// # Panics
/// Outside a runtime.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // SAFETY: the future and its output are `Send`.
    let (task, join) = unsafe { new_task(Kind::Async, Location::caller(), future) };
    list_here(task);
    JoinHandle::new(join)
}

/// Lists a task on the runtime that this thread is inside of. Apart from [`spawn`], of which each future has its own.
///
/// # Panics
/// Outside a runtime.
#[track_caller]
fn list_here(task: Unlisted<Floor>) {
    let mut task = Some(task);
    let refused = context::with_current(|current| {
        let task = task.take().expect("called once");
        current.floor.list(current.worker.as_deref(), task).err()
    });
    // Here a refused future is dropped, or that of a thread without a runtime.
    if refused.map(drop).is_none() {
        drop(task);
        panic!("{}", TryCurrentError { has_locals: context::has_locals() });
    }
}

impl TryCurrentError {
    /// Whether the thread is inside no runtime.
    pub fn is_missing_context(&self) -> bool {
        self.has_locals
    }

    /// Whether the thread is ending, so that nothing is known of its runtime any more.
    pub fn is_thread_local_destroyed(&self) -> bool {
        !self.has_locals
    }
}

impl fmt::Display for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.has_locals {
            return f.write_str("the thread is ending, and is inside no shopfloor runtime any more");
        }
        f.write_str("there is no shopfloor runtime here: call this from a task, inside `Runtime::block_on`, or under `Runtime::enter`")
    }
}

impl std::error::Error for TryCurrentError {}

impl Handle {
    /// The runtime that this thread is inside of.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"),
        }
    }

    /// The runtime that this thread is inside of.
    ///
    /// # Errors
    /// Outside a runtime.
    pub fn try_current() -> Result<Self, TryCurrentError> {
        context::current()
            .map(|current| Self { floor: current.floor })
            .ok_or(TryCurrentError { has_locals: context::has_locals() })
    }

    /// As [`current`](Self::current), for what is made and dropped often: workers would else meet at the one count
    /// of the runtime.
    ///
    /// # Panics
    /// Outside a runtime.
    #[doc(hidden)]
    #[track_caller]
    pub fn current_nearby() -> Arc<Self> {
        Self::try_current_nearby().unwrap_or_else(|| Arc::new(Self::current()))
    }

    /// The same; `None` outside a runtime.
    #[doc(hidden)]
    pub fn try_current_nearby() -> Option<Arc<Self>> {
        context::current_nearby().or_else(|| Self::try_current().ok().map(Arc::new))
    }

    /// Makes this the thread's runtime while the guard lives, for `spawn`, timers and sockets.
    pub fn enter(&self) -> EnterGuard<'_> {
        context::enter(Arc::clone(&self.floor))
    }

    /// Spawns a task. Takes one block of memory, and one lock that only this worker and walkers of the task table
    /// take.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // SAFETY: the future and its output are `Send`.
        unsafe { self.spawn_anywhere(future) }
    }

    /// # Safety
    /// If the future or its output is not `Send`: the runtime is driven by this thread only, and the handle
    /// stays on it.
    #[track_caller]
    pub(crate) unsafe fn spawn_anywhere<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // SAFETY: by the contract.
        let (task, join) = unsafe { new_task(Kind::Async, Location::caller(), future) };
        self.floor.spawn(task);
        JoinHandle::new(join)
    }

    /// Runs a closure that may block on a thread of the blocking pool.
    ///
    /// If the pool's queue is full, or there is no thread and none can be started, the handle reports
    /// cancellation and a `tracing` event says why.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let future = BlockingFuture::new(closure);
        // SAFETY: the closure and its result are `Send`, so the future is.
        let (task, join) = unsafe { new_task(Kind::Blocking, Location::caller(), future) };
        blocking_job::spawn(&self.floor, task);
        JoinHandle::new(join)
    }

    /// Runs a future on this thread, inside the runtime, without driving it: on a current-thread runtime,
    /// somebody else has to be in `Runtime::block_on`, or timers and sockets stand still.
    ///
    /// # Panics
    /// On a thread that runs tasks: use `block_in_place` around it. Panics of the future go on here.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on::without_driving(&self.floor, future)
    }

    /// Who runs the tasks.
    pub fn runtime_flavor(&self) -> Flavor {
        self.floor.config.flavor
    }

    /// The driver for a new source of events, if it is a `D`. Where there are several, they take turns.
    #[doc(hidden)]
    pub fn next_driver<D: Driver>(&self) -> Option<Arc<D>> {
        self.driver_of(self.floor.source_rotation.next(self.floor.groups.len()))
    }

    /// The driver of the first group, if it is a `D`: for what a runtime has once. Nobody's turn.
    #[doc(hidden)]
    pub fn first_driver<D: Driver>(&self) -> Option<Arc<D>> {
        self.driver_of(0)
    }

    fn driver_of<D: Driver>(&self, group: usize) -> Option<Arc<D>> {
        let driver: Arc<dyn Any + Send + Sync> = Arc::clone(&self.floor.groups[group].driver) as _;
        driver.downcast().ok()
    }

    /// Whether it has several drivers, and `is_it` holds for one of them.
    #[doc(hidden)]
    pub fn is_one_of_several_drivers<D: Driver>(&self, is_it: impl Fn(&D) -> bool) -> bool {
        let groups = &self.floor.groups;
        let mut drivers = groups.iter().map(|group| &*group.driver as &dyn Any);
        groups.len() > 1 && drivers.any(|driver| driver.downcast_ref().is_some_and(&is_it))
    }

    /// The wheels that hold this runtime's timers.
    #[doc(hidden)]
    pub fn timers(&self) -> &Wheels {
        &self.floor.timers
    }

    /// The clock by which they turn.
    #[doc(hidden)]
    pub fn clock(&self) -> &Clock {
        &self.floor.clock
    }

    /// The wheel in which this thread files its timers.
    #[doc(hidden)]
    pub fn wheel(&self) -> usize {
        let floor = &*self.floor;
        context::with_worker(floor, |worker| worker.slot()).flatten().unwrap_or(floor.timers.outside())
    }

    /// To be called when a timer was filed in `wheel`: a thread that is no worker has the driver look at it at
    /// once, a worker looks itself before it parks.
    #[doc(hidden)]
    pub fn timer_filed(&self, wheel: usize) {
        let floor = &*self.floor;
        if wheel == floor.timers.outside() {
            floor.show_timers(wheel);
        }
    }

    /// Whether the runtime is being, or has been, shut down.
    pub fn is_shutting_down(&self) -> bool {
        self.floor.lifecycle.phase() != RuntimePhase::Open
    }

    /// Whether both are the same runtime.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.floor, &other.floor)
    }

    /// What the runtime has counted up to now. A snapshot: ask again for later numbers.
    pub fn metrics(&self) -> MetricsSnapshot {
        let floor = &*self.floor;
        MetricsSnapshot {
            workers: floor.config.workers,
            tasks: floor.rosters().map(|roster| roster.lock().len()).sum(),
            tasks_alive: floor.tasks_alive(),
            polls: floor.slots.iter().map(|slot| slot.polls.get()).sum(),
            injector_len: floor.injector.len(),
            workers_parked: floor.idle.parked(),
            stalls: floor.foreman.stalls.get(),
            stand_ins_started: floor.foreman.stand_ins.get(),
            stand_ins_missing: floor.foreman.stand_ins_missing.get(),
            driver_errors: floor.foreman.driver_errors.get(),
            orphans: floor.orphans.get(),
            user_panics: floor.mishaps.get(),
            blocking_threads: floor.blocking.counts().threads,
        }
    }
}

/// What a runtime has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// Workers that were asked for.
    pub workers: usize,
    /// Tasks whose memory is in use, done ones with a handle or waker left included.
    pub tasks: usize,
    /// Tasks that have been spawned and not ended. Blocking jobs do not count.
    pub tasks_alive: usize,
    /// Polls since the start.
    pub polls: u64,
    /// Tasks in the injector.
    pub injector_len: usize,
    /// Workers that are parked.
    pub workers_parked: usize,
    /// Polls that lasted for 10 ms or more; in calm times, in which the foreman looks less often, for 20 ms or more.
    pub stalls: u64,
    /// Stand-in workers that were started.
    pub stand_ins_started: u64,
    /// Looks of the foreman, one every 2 ms, at which a stand-in worker was needed and there was none.
    pub stand_ins_missing: u64,
    /// Turns of the drivers that failed. The first one of a kind in a row is also an error event of `tracing`.
    pub driver_errors: u64,
    /// Tasks that were left without a waker.
    pub orphans: u64,
    /// Panics of wakers and of drops of outputs, which no join handle reports.
    pub user_panics: u64,
    /// Threads of the blocking pool.
    pub blocking_threads: usize,
}

impl MetricsSnapshot {
    /// Workers that were asked for; 1 on a current-thread runtime.
    pub fn num_workers(&self) -> usize {
        self.workers
    }

    /// Tasks that have been spawned and not ended. Blocking jobs do not count.
    pub fn num_alive_tasks(&self) -> usize {
        self.tasks_alive
    }

    /// Tasks that wait in the queue that all workers share, the injector.
    pub fn global_queue_depth(&self) -> usize {
        self.injector_len
    }
}

// A panic of the user's code ends in its task and leaves nothing half changed in the runtime.
impl UnwindSafe for Handle {}
impl RefUnwindSafe for Handle {}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("floor", &self.floor).finish()
    }
}
