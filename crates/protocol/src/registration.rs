//! How a source becomes known to the kernel, and how a task waits for it: registered at the first operation
//! that would block, once, by one of those who need it.
//!
//! # Parties
//! *Waiting tasks* on any thread; the first becomes the *registrar*. The *driver holder* delivers events,
//! *shutdown* ends the waiting. The *kernel* enters as [`Kernel`].
//!
//! # State table
//! | phase | meaning | who may leave it |
//! |---|---|---|
//! | unregistered | no event can come | any waiting task, by one exchange |
//! | registering | one registrar is in `Kernel::add` | that registrar |
//! | registered(token) | events come under this token | the owner of the source, by `&mut` |
//!
//! # Transitions
//! | from → to | performed by | owes | model |
//! |---|---|---|---|
//! | unregistered → registering | registrar | `add`, then one of the next two | `registration::each_half_meets_its_own_error` |
//! | registering → registered | registrar | observe the readiness word | `registration::data_before_during_or_after_add_is_seen` |
//! | registering → unregistered | registrar, `add` failed | wake everyone, return the error | `registration::each_half_meets_its_own_error` |
//!
//! # Orderings
//! | edge | release side | acquire side | publishes | fails if weakened |
//! |---|---|---|---|---|
//! | G1 | registrar: store of the token | `rearm` and `token`: load | `add` comes before any call for the same token | `registration::rearm_comes_after_add` |
//! | G2 | registrar: store of *unregistered* | next registrar: exchange | the failed `add` is over | `registration::each_half_meets_its_own_error` |
//!
//! # Why nobody sleeps for ever
//! Everyone goes through the same steps: (1) store the waker, (2) register or find somebody registering, (3)
//! observe the word.
//! - *Data before `add`*: the kernel reports what is ready at `add` as an event. That event is recorded after
//!   (1), so it takes the waker.
//! - *Data after `add`*: an ordinary edge.
//! - *`add` fails while another task found "registering"*: the registrar first returns the phase to
//!   unregistered, then takes the wakers under the waiters' lock. If the other stored its waker before that, it
//!   is woken, tries again and registers by itself. If it stored it afterwards, the lock shows it the phase
//!   "unregistered" and it becomes the next registrar at once.
//!
//! A poll mode that disarms a source with each event ("oneshot") adds a step between (2) and (3): arm for the
//! sum of what the present waiters want, under their lock; and an event takes all wakers, whatever it reports.
//! So each armed interest that an event disarms is armed again by the task that has it.
//!
//! # Rejected
//! Registering at construction: accepted connections that are read once and closed pay two system calls more,
//! and so does each source that never waits. Waiting for the registrar: it may be preempted; a stored waker
//! needs no waiting. Ignoring EEXIST instead of the exchange: a failing `add` would leave the other half asleep.
//!
//! # Checked by
//! `registration::*`, `waiters::*` in loom-tests.

use crate::interest::{Direction, Interest, Ready};
use crate::readiness::{Observed, Readiness};
use crate::registry::Token;
use crate::sync::{AtomicUsize, Ordering};
use crate::waiters::{WaiterKey, Waiters, wake_all};
use std::task::{Poll, Waker, ready};

/// What a waiting task needs the outside world for.
pub trait Kernel {
    /// Why registering failed.
    type Error;

    /// Asks for events of both directions; what is ready now is an event, too.
    ///
    /// # Errors
    /// The source is not registered then.
    fn add(&self) -> Result<Token, Self::Error>;

    /// True if an event disarms the source, so that each wait has to arm it.
    fn disarms(&self) -> bool;

    /// Arms a disarmed source; what is ready now is an event, too.
    ///
    /// # Errors
    /// The source is armed as before then.
    fn rearm(&self, token: Token, interest: Interest) -> Result<(), Self::Error>;
}

/// Why a task cannot wait.
#[derive(Debug, PartialEq, Eq)]
pub enum WaitError<E> {
    /// The driver was shut down.
    ShutDown,
    /// The kernel refused.
    Kernel(E),
}

const UNREGISTERED: usize = usize::MAX;
const REGISTERING: usize = usize::MAX - 1;

/// Everything that tasks and driver share about one source. See the [module](self).
#[derive(Debug)]
pub struct SourceState {
    phase: AtomicUsize,
    readiness: Readiness,
    waiters: Waiters,
}

impl SourceState {
    /// The state of a source that the kernel does not know.
    pub fn new() -> Self {
        Self { phase: AtomicUsize::new(UNREGISTERED), readiness: Readiness::new(), waiters: Waiters::new() }
    }

    /// Any thread. The readiness word.
    #[inline]
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Any thread. The token, if the source is registered.
    pub fn token(&self) -> Option<Token> {
        // ordering: Acquire — G1, what is done with the token comes after `add`.
        match self.phase.load(Ordering::Acquire) {
            UNREGISTERED | REGISTERING => None,
            token => Some(Token::from_usize(token)),
        }
    }

    /// Any thread. Waits in the slot of a `poll_*` method until a fact answers `direction`.
    pub fn poll_slot<K: Kernel>(
        &self,
        direction: Direction,
        waker: &Waker,
        kernel: &K,
    ) -> Poll<Result<Observed, WaitError<K::Error>>> {
        let interest = direction.interest();
        self.poll(interest, kernel, || self.waiters.set_slot(direction, waker))
    }

    /// Any thread. Tries `op` (`None` means that it would block) until it does not, clears what it disproves, and
    /// waits with `wait`. The result comes with what was observed before the last try.
    pub fn poll_op<R, E>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> Option<R>,
        mut wait: impl FnMut() -> Poll<Result<Observed, WaitError<E>>>,
    ) -> Poll<Result<(R, Observed), WaitError<E>>> {
        let mut seen = self.readiness.observe();
        if !seen.may_try(interest) {
            seen = ready!(wait())?;
        }
        loop {
            if let Some(result) = op() {
                return Poll::Ready(Ok((result, seen)));
            }
            self.readiness.clear(seen, interest.own_facts());
            seen = ready!(wait())?;
        }
    }

    /// Any thread. Tries `op` once (`None` means that it would block), and not even once if the source is known
    /// not to be ready.
    #[inline]
    pub fn try_op<R>(&self, interest: Interest, op: impl FnOnce() -> Option<R>) -> Option<R> {
        let seen = self.readiness.observe();
        if !seen.may_try(interest) {
            return None;
        }
        let result = op();
        if result.is_none() {
            self.readiness.clear(seen, interest.own_facts());
        }
        result
    }

    /// Any thread. Registers if nobody has begun to; does not wait for one who has.
    ///
    /// # Errors
    /// What `add` failed with; everyone who waits is woken and meets an error of its own.
    pub fn register<K: Kernel>(&self, kernel: &K) -> Result<(), K::Error> {
        // ordering: Acquire — G2, the next `add` comes after a failed one; nothing to release, `add` has not
        // begun. On failure Relaxed — somebody else registers, and `rearm` loads the token by itself.
        let won =
            self.phase.compare_exchange(UNREGISTERED, REGISTERING, Ordering::Acquire, Ordering::Relaxed);
        if won.is_err() {
            return Ok(());
        }
        match kernel.add() {
            Ok(token) => {
                // ordering: Release — G1.
                self.phase.store(token.to_usize(), Ordering::Release);
                Ok(())
            }
            Err(error) => {
                // ordering: Release — G2. Before the wakers are taken: see the module.
                self.phase.store(UNREGISTERED, Ordering::Release);
                let mut wakers = Vec::new();
                self.waiters.take(Ready::ALL, &mut wakers);
                wake_all(wakers);
                Err(error)
            }
        }
    }

    /// Driver holder. Delivers an event and moves out the wakers of those it answers. An event that
    /// `disarmed` the source takes all of them, so that each arms it again.
    pub fn deliver(&self, ready: Ready, disarmed: bool, wakers: &mut Vec<Waker>) {
        self.readiness.record(ready);
        self.waiters.take(if disarmed { Ready::ALL } else { ready }, wakers);
    }

    /// Any thread. From now on whoever would wait gets an error; moves out the wakers of those who do.
    pub fn shut_down(&self, wakers: &mut Vec<Waker>) {
        self.readiness.shut_down();
        self.waiters.take(Ready::ALL, wakers);
    }

    /// The steps of the module: store the waker, register, arm, observe.
    fn poll<K: Kernel>(
        &self,
        interest: Interest,
        kernel: &K,
        store_waker: impl FnOnce(),
    ) -> Poll<Result<Observed, WaitError<K::Error>>> {
        let seen = self.readiness.observe();
        if seen.ready().intersects(interest.answers()) {
            return Poll::Ready(Ok(seen));
        }
        store_waker();
        self.register(kernel).map_err(WaitError::Kernel)?;
        if kernel.disarms() {
            self.rearm(kernel).map_err(WaitError::Kernel)?;
        }
        let seen = self.readiness.observe();
        if seen.ready().intersects(interest.answers()) {
            Poll::Ready(Ok(seen))
        } else if seen.is_shut_down() {
            Poll::Ready(Err(WaitError::ShutDown))
        } else {
            Poll::Pending
        }
    }

    /// Somebody who is registering arms everything by `add`, so only a registered source has to be armed.
    fn rearm<K: Kernel>(&self, kernel: &K) -> Result<(), K::Error> {
        let Some(token) = self.token() else { return Ok(()) };
        self.waiters.with_interest(|interest| match interest {
            Some(interest) => kernel.rearm(token, interest),
            // An event took the waker in between: this task is woken and comes again.
            None => Ok(()),
        })
    }
}

impl Default for SourceState {
    fn default() -> Self {
        Self::new()
    }
}

/// One task in the waiter list of a source; dropping it cancels the wait.
#[derive(Debug)]
pub struct Waiter<'a> {
    source: &'a SourceState,
    interest: Interest,
    key: Option<WaiterKey>,
}

impl<'a> Waiter<'a> {
    /// A waiter that is not in the list yet.
    pub fn new(source: &'a SourceState, interest: Interest) -> Self {
        Self { source, interest, key: None }
    }

    /// Waits in the list until a fact answers the interest.
    pub fn poll<K: Kernel>(
        &mut self,
        waker: &Waker,
        kernel: &K,
    ) -> Poll<Result<Observed, WaitError<K::Error>>> {
        let Self { source, interest, key } = self;
        source.poll(*interest, kernel, || source.waiters.enlist(key, *interest, waker))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.source.waiters.cancel(key);
        }
    }
}
