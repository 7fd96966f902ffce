//! loom's atomics: each ordering is shown to the [`probe`](super::probe), and a load can be made fresh.
//!
//! loom explores a plain load well on the side of *values*: it returns any store that the memory model allows,
//! stale ones included. On the side of *order* it has a hole: a thread that loads an atomic and then writes it
//! hides the race of that write with another thread's load, so some interleavings are never run. A load that
//! is a read-modify-write has no such hole, but reads the newest store only. So the models are run both ways:
//! with `LOOM_TESTS_LOADS=fresh` in the environment every load is a compare-exchange that changes nothing.

use std::sync::OnceLock;

use loom::sync::atomic;
use loom::sync::atomic::Ordering;

use super::probe::{Operation, SpuriousCall, is_spurious, ordering};

fn loads_are_fresh() -> bool {
    static FRESH: OnceLock<bool> = OnceLock::new();
    *FRESH.get_or_init(|| std::env::var_os("LOOM_TESTS_LOADS").is_some_and(|loads| loads == "fresh"))
}

/// One atomic type. There is no way around the probe: what is not here does not compile under loom. `$absent` is
/// a value that no protocol stores.
macro_rules! atomic {
    ($name:ident [$($generic:ident)?], $value:ty, $absent:expr) => {
        /// loom's atomic of this name.
        #[derive(Debug)]
        pub struct $name $(<$generic>)? (atomic::$name $(<$generic>)?);

        impl $(<$generic>)? $name $(<$generic>)? {
            /// Wraps `value`.
            #[track_caller]
            pub fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            /// Reads the value.
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $value {
                self.read(ordering(Operation::Load, order))
            }

            /// Writes the value.
            #[track_caller]
            pub fn store(&self, value: $value, order: Ordering) {
                self.0.store(value, ordering(Operation::Store, order));
            }

            /// Writes the value and returns the one before.
            #[track_caller]
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.0.swap(value, ordering(Operation::Swap, order))
            }

            /// Writes `new` if the value is `current`.
            ///
            /// # Errors
            /// The value, if it is another.
            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let success = ordering(Operation::CompareExchange, success);
                let failure = ordering(Operation::CompareExchangeFailure, failure);
                self.0.compare_exchange(current, new, success, failure)
            }

            /// As [`compare_exchange`](Self::compare_exchange), but may fail without a reason.
            ///
            /// # Errors
            /// The value, which may be `current`.
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let success = ordering(Operation::CompareExchangeWeak, success);
                let failure = ordering(Operation::CompareExchangeWeakFailure, failure);
                if is_spurious(SpuriousCall::CompareExchangeWeak) {
                    return Err(self.read(failure));
                }
                self.0.compare_exchange_weak(current, new, success, failure)
            }

            #[track_caller]
            fn read(&self, order: Ordering) -> $value {
                if loads_are_fresh() {
                    // It fails: a success would be a store, whose place among the others loom does not keep.
                    self.0.compare_exchange($absent, $absent, order, order).unwrap_or_else(|value| value)
                } else {
                    self.0.load(order)
                }
            }
        }
    };
}

/// The operations that numbers have and pointers have not.
macro_rules! arithmetic {
    ($name:ident, $value:ty, $($method:ident $operation:ident),+) => {
        impl $name {
            $(
                /// The operation of this name on loom's atomic.
                #[track_caller]
                pub fn $method(&self, value: $value, order: Ordering) -> $value {
                    self.0.$method(value, ordering(Operation::$operation, order))
                }
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(0)
            }
        }
    };
    ($name:ident, $value:ty) => {
        arithmetic!(
            $name, $value, fetch_add FetchAdd, fetch_sub FetchSub, fetch_and FetchAnd, fetch_or FetchOr,
            fetch_xor FetchXor
        );
    };
}

atomic!(AtomicPtr[T], *mut T, std::ptr::without_provenance_mut(usize::MAX));
atomic!(AtomicU8 [], u8, u8::MAX);
atomic!(AtomicU32 [], u32, u32::MAX);
atomic!(AtomicU64 [], u64, u64::MAX - 1);
atomic!(AtomicUsize [], usize, usize::MAX);

arithmetic!(AtomicU8, u8);
arithmetic!(AtomicU32, u32);
arithmetic!(AtomicU64, u64);
arithmetic!(AtomicUsize, usize);

/// A truth value, in a byte: a `bool` has no value that is never stored.
#[derive(Debug)]
pub struct AtomicBool(AtomicU8);

impl AtomicBool {
    /// Wraps `value`.
    #[track_caller]
    pub fn new(value: bool) -> Self {
        Self(AtomicU8::new(u8::from(value)))
    }

    /// Reads the value.
    #[track_caller]
    pub fn load(&self, order: Ordering) -> bool {
        self.0.load(order) != 0
    }

    /// Writes the value.
    #[track_caller]
    pub fn store(&self, value: bool, order: Ordering) {
        self.0.store(u8::from(value), order);
    }

    /// Writes the value and returns the one before.
    #[track_caller]
    pub fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(u8::from(value), order) != 0
    }

    /// Writes `new` if the value is `current`.
    ///
    /// # Errors
    /// The value, if it is another.
    #[track_caller]
    pub fn compare_exchange(
        &self,
        current: bool,
        new: bool,
        success: Ordering,
        failure: Ordering,
    ) -> Result<bool, bool> {
        self.0
            .compare_exchange(u8::from(current), u8::from(new), success, failure)
            .map(|value| value != 0)
            .map_err(|value| value != 0)
    }
}
