//! The list of the tasks that one slot has spawned, and its closing.
//!
//! Every task is listed before it can be scheduled and unlisted when its cell is freed, both under the lock
//! of its roster. So shutdown needs no hand-shake with those who spawn: it closes the roster and then walks
//! it, and what the walk does not see was refused.
//!
//! # States
//! | state | insert | remove |
//! |---|---|---|
//! | open | yes | yes |
//! | closed | refused: the spawner drops its future | yes; the one that empties it is told so |
//!
//! The roster keeps something alive (the runtime's shared part) for the cells that it lists: it is given
//! with the first insert and given back when the roster is closed and empty. A waker that outlives the
//! runtime therefore still finds what it points to.
//!
//! # Orderings
//! All under the lock. A walker pins a cell under the lock
//! ([`TaskState::pin`](crate::task_state::TaskState::pin)), and may use it after.
//!
//! # Rejected
//! Acknowledgement of the closing phase by each worker, for a spawn that takes no lock: more states, and a
//! stuck worker delays the walk. Dead cells that stay listed and are used again without the lock: slower, for what
//! they have to look up.
//!
//! # Checked by
//! The models `roster::*`.

use crate::sync::{Mutex, MutexGuard};

/// A list of cells under a lock.
#[derive(Debug)]
pub struct Roster<L, K> {
    state: Mutex<RosterState<L, K>>,
}

/// What the lock protects.
#[derive(Debug)]
pub struct RosterState<L, K> {
    /// The list.
    pub list: L,
    open: bool,
    len: usize,
    keep: Option<K>,
}

impl<L, K> Roster<L, K> {
    /// Open, with an empty list.
    pub fn new(list: L) -> Self {
        Self { state: Mutex::new(RosterState { list, open: true, len: 0, keep: None }) }
    }

    /// Any thread. Lists a cell by `link`, unless the roster is closed. `keep` is called for the first one.
    #[must_use]
    pub fn insert(&self, link: impl FnOnce(&mut L), keep: impl FnOnce() -> K) -> bool {
        let mut state = self.state.lock();
        if !state.open {
            return false;
        }
        link(&mut state.list);
        state.len += 1;
        if state.keep.is_none() {
            state.keep = Some(keep());
        }
        true
    }

    /// Whoever frees a cell. Unlists it by `unlink`. What is returned is dropped after the cell is freed:
    /// it may be the last owner of the roster itself.
    #[must_use]
    pub fn remove(&self, unlink: impl FnOnce(&mut L)) -> Option<K> {
        let mut state = self.state.lock();
        unlink(&mut state.list);
        state.len -= 1;
        state.release()
    }

    /// Shutdown. Refuses every later insert. What is returned is dropped by the caller, who owns the roster.
    #[must_use]
    pub fn close(&self) -> Option<K> {
        let mut state = self.state.lock();
        state.open = false;
        state.release()
    }

    /// A walker. The list cannot change while the guard lives.
    pub fn lock(&self) -> MutexGuard<'_, RosterState<L, K>> {
        self.state.lock()
    }
}

impl<L, K> RosterState<L, K> {
    fn release(&mut self) -> Option<K> {
        if self.open || self.len > 0 { None } else { self.keep.take() }
    }

    /// Shutdown. Whether no task of this roster keeps the runtime from being closed: it takes no more, and
    /// `any_incomplete` finds none. An open roster always does: what it takes later has to be run or aborted.
    pub fn is_drained(&self, any_incomplete: impl FnOnce(&L) -> bool) -> bool {
        !self.open && !any_incomplete(&self.list)
    }

    /// How many cells are listed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no cell is listed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
