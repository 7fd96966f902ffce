//! Many tasks, joined in the order in which they end.

use shopfloor_protocol::ready_list::{Listing, ReadyList};
use shopfloor_scheduler::{AbortHandle, Handle, Id, JoinError, JoinHandle};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// A set of tasks with one type of output. Dropping it aborts them all.
///
/// ```
/// # #[shopfloor::main]
/// # async fn main() {
/// let mut set: shopfloor::task::JoinSet<u32> = (0..10).map(|n| async move { n }).collect();
/// let mut sum = 0;
/// while let Some(output) = set.join_next().await {
///     sum += output.expect("nobody aborts it");
/// }
/// assert_eq!(sum, 45);
/// # }
/// ```
pub struct JoinSet<T> {
    members: Vec<Option<Member<T>>>,
    vacant: Vec<usize>,
    ready: Arc<ReadyList>,
}

struct Member<T> {
    handle: JoinHandle<T>,
    waker: Arc<MemberWaker>,
}

/// Puts its member on the ready list, once until that is looked at.
struct MemberWaker {
    listing: Listing,
    ready: Arc<ReadyList>,
}

impl Wake for MemberWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.wake(&self.listing);
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self { members: Vec::new(), vacant: Vec::new(), ready: Arc::new(ReadyList::new()) }
    }

    /// How many tasks have not been joined.
    pub fn len(&self) -> usize {
        self.members.len() - self.vacant.len()
    }

    /// Whether all tasks have been joined.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Aborts all tasks; they stay in the set until they are joined.
    pub fn abort_all(&mut self) {
        self.members.iter().flatten().for_each(|member| member.handle.abort());
    }

    /// Empties the set; its tasks go on.
    pub fn detach_all(&mut self) {
        self.members.clear();
        self.vacant.clear();
        // Wakers of the old members must not list numbers of new ones.
        self.ready = Arc::new(ReadyList::new());
    }

    fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        let number = self.vacant.pop().unwrap_or_else(|| {
            self.members.push(None);
            self.members.len() - 1
        });
        let waker = Arc::new(MemberWaker { listing: Listing::new(number), ready: Arc::clone(&self.ready) });
        // The first poll leaves this waker with the task.
        waker.wake_by_ref();
        self.members[number] = Some(Member { handle, waker });
        abort
    }

    fn poll_listed(&mut self, waker: Option<&Waker>) -> Option<Result<(Id, T), JoinError>> {
        let ready = Arc::clone(&self.ready);
        ready.poll_listed(waker, |number| self.poll_member(number))
    }

    fn poll_member(&mut self, number: usize) -> Option<Result<(Id, T), JoinError>> {
        // A waker of a member that is gone may still list its number.
        let member = self.members.get_mut(number)?.as_mut()?;
        if !member.waker.listing.start_poll() {
            return None;
        }
        let waker = Waker::from(Arc::clone(&member.waker));
        let id = member.handle.id();
        let poll = shopfloor_scheduler::coop::with_unconstrained(|| {
            Pin::new(&mut member.handle).poll(&mut Context::from_waker(&waker))
        });
        let Poll::Ready(output) = poll else { return None };
        self.members[number] = None;
        self.vacant.push(number);
        Some(output.map(|output| (id, output)))
    }

    /// The next output with its task's id, if a task has ended; `Ready(None)` if the set is empty.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        let unit = std::task::ready!(shopfloor_scheduler::coop::poll_proceed(cx));
        if let Some(output) = self.poll_listed(Some(cx.waker())) {
            unit.made_progress();
            return Poll::Ready(Some(output));
        }
        shopfloor_scheduler::wait::note(shopfloor_scheduler::WaitReason::Join);
        Poll::Pending
    }

    /// The next output, if a task has ended; `Ready(None)` if the set is empty.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx).map(|next| next.map(|output| output.map(|(_, output)| output)))
    }

    /// Waits for the next task that ends; `None` if the set is empty.
    ///
    /// # Cancel safety
    /// No output is lost: one that is not returned stays in the set.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](Self::join_next), with the task's id.
    ///
    /// # Cancel safety
    /// As [`join_next`](Self::join_next).
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// The output of a task that has ended, without waiting; `None` if there is none, or the set is empty.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id().map(|output| output.map(|(_, output)| output))
    }

    /// As [`try_join_next`](Self::try_join_next), with the task's id.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        self.poll_listed(None)
    }

    /// Aborts all tasks and waits until their futures are dropped. Panics of tasks are dropped with them.
    ///
    /// # Cancel safety
    /// All tasks are aborted in any case; those not joined yet stay in the set.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for all tasks and gives their outputs in the order in which they ended.
    ///
    /// # Panics
    /// If a task panicked, with its panic, or was aborted; the others are aborted then.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropping the future aborts all tasks and drops the outputs.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(output) = self.join_next().await {
            match output {
                Ok(output) => outputs.push(output),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(error) => panic!("{error}"),
            }
        }
        outputs
    }
}

impl<T: Send + 'static> JoinSet<T> {
    /// Spawns a task in the set.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.insert(super::spawn(future))
    }

    /// Spawns a task in the set on the runtime of `handle`.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.insert(handle.spawn(future))
    }

    /// Runs a closure that may block on the blocking pool, as a task of the set.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, closure: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.insert(super::spawn_blocking(closure))
    }

    /// As [`spawn_blocking`](Self::spawn_blocking), on the runtime of `handle`.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, closure: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.insert(handle.spawn_blocking(closure))
    }
}

impl<T> JoinSet<T> {
    /// Spawns a task in the set that stays on this thread.
    ///
    /// # Panics
    /// Outside the `block_on` of a [`LocalRuntime`](crate::runtime::LocalRuntime).
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        self.insert(super::spawn_local(future))
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    /// Spawns each future.
    ///
    /// # Panics
    /// Outside a runtime.
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        set.extend(futures);
        set
    }
}

impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    /// Spawns each future, beside the tasks that are in the set.
    ///
    /// # Panics
    /// Outside a runtime.
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        futures.into_iter().for_each(|future| drop(self.spawn(future)));
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}
