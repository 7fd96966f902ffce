//! Channels, locks and notifications: those of `tokio::sync`, which need no runtime.
//!
//! They are the same types, so a channel of a library and one of yours fit together. To know:
//!
//! - They know no budget here. A loop over a channel that is never empty does not yield by itself and keeps
//!   its worker from everyone else: write
//!   [`task::cooperative(rx.recv())`](crate::task::cooperative) in such a loop.
//! - `blocking_recv`, `blocking_send` and `blocking_lock` block their thread. Inside a task they stop a
//!   worker, and tokio's check that panics there knows only its own runtime. Use them on threads of your own
//!   and in [`spawn_blocking`](crate::task::spawn_blocking).
//! - `mpsc`'s methods with a timeout exist only when some crate switches on tokio's `time`, and need tokio's
//!   runtime. Use [`time::timeout`](crate::time::timeout).
//!
//! What tokio has only with more features does not appear here when another crate switches them on:
//!
//! ```compile_fail,E0432
//! use shopfloor::sync::mpsc::error::SendTimeoutError;
//! ```

// Explicit lists: what another crate adds by switching on tokio's features must not appear here.
pub use tokio::sync::{
    AcquireError, Barrier, BarrierWaitResult, MappedMutexGuard, Mutex, MutexGuard, Notify, OnceCell,
    OwnedMappedMutexGuard, OwnedMutexGuard, OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard,
    OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, RwLockMappedWriteGuard, RwLockReadGuard,
    RwLockWriteGuard, Semaphore, SemaphorePermit, SetError, SetOnce, SetOnceError, TryAcquireError,
    TryLockError,
};

/// A queue of many senders and one receiver, bounded or not.
pub mod mpsc {
    pub use tokio::sync::mpsc::{
        OwnedPermit, Permit, PermitIterator, Receiver, Sender, UnboundedReceiver, UnboundedSender,
        WeakSender, WeakUnboundedSender, channel, unbounded_channel,
    };

    /// Why an operation on the queue failed.
    pub mod error {
        pub use tokio::sync::mpsc::error::{SendError, TryRecvError, TrySendError};
    }
}

/// A channel for one value.
pub mod oneshot {
    pub use tokio::sync::oneshot::{Receiver, Sender, channel};

    /// Why an operation on the channel failed.
    pub mod error {
        pub use tokio::sync::oneshot::error::{RecvError, TryRecvError};
    }
}

/// A queue of which every receiver sees every value.
pub mod broadcast {
    pub use tokio::sync::broadcast::{Receiver, Sender, WeakSender, channel};

    /// Why an operation on the queue failed.
    pub mod error {
        pub use tokio::sync::broadcast::error::{RecvError, SendError, TryRecvError};
    }
}

/// A value of which every receiver sees the latest.
pub mod watch {
    pub use tokio::sync::watch::{Receiver, Ref, Sender, channel};

    /// Why an operation on the value failed.
    pub mod error {
        pub use tokio::sync::watch::error::{RecvError, SendError};
    }
}

/// Futures with a name of their own.
pub mod futures {
    pub use tokio::sync::futures::{Notified, OwnedNotified};
}
