//! Which orderings a run of the models reaches, and what it is told to do in their place.
//!
//! Each use of an ordering is a *site*: where it stands, the operation and the ordering as written, as one line
//! of text such as `crates/protocol/src/idle.rs:124:9 fence SeqCst`. The two orderings of a compare-exchange are
//! two sites. A helper that takes the ordering or the step as a parameter is `#[track_caller]` under loom, so
//! that each of its callers is a site of its own.
//!
//! A run can be told to do one thing otherwise ([`Alteration`]): weaken one site, or let one call come back
//! spuriously, which std allows and loom never does. A model that still holds with a weaker ordering does not
//! depend on it; one that fails with a spurious return depends on what nobody promises.
//!
//! loom runs all threads of a model on one thread of the system, so what is kept here is thread-local.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::Location;

use loom::sync::atomic::Ordering;

/// What a run does otherwise than the source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// Uses another ordering at one site; `None` leaves the operation, which is a fence, out.
    Ordering {
        /// The site, as in [`sites`].
        site: String,
        /// What is used there.
        instead: Option<Ordering>,
    },
    /// Lets the n-th call of an execution, counted from 1, come back without a reason.
    Spurious {
        /// Of which function.
        call: SpuriousCall,
        /// Which call.
        nth: u32,
    },
}

/// A function that may come back spuriously.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SpuriousCall {
    /// It fails although the value is the expected one.
    CompareExchangeWeak,
    /// It ends without a notification.
    Wait,
}

#[derive(Debug, Default)]
struct State {
    alteration: Option<Alteration>,
    sites: BTreeSet<String>,
    /// How often the alteration took effect.
    altered: u64,
    /// Calls of the altered function in this execution.
    calls: u32,
    /// Whether there was a call, by function.
    called: [bool; 2],
}

/// The operations that have an ordering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Operation {
    Load,
    Store,
    Swap,
    CompareExchange,
    CompareExchangeFailure,
    CompareExchangeWeak,
    CompareExchangeWeakFailure,
    FetchAdd,
    FetchSub,
    FetchAnd,
    FetchOr,
    FetchXor,
    Fence,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Store => "store",
            Self::Swap => "swap",
            Self::CompareExchange => "compare_exchange",
            Self::CompareExchangeFailure => "compare_exchange-failure",
            Self::CompareExchangeWeak => "compare_exchange_weak",
            Self::CompareExchangeWeakFailure => "compare_exchange_weak-failure",
            Self::FetchAdd => "fetch_add",
            Self::FetchSub => "fetch_sub",
            Self::FetchAnd => "fetch_and",
            Self::FetchOr => "fetch_or",
            Self::FetchXor => "fetch_xor",
            Self::Fence => "fence",
        }
    }
}

/// A site that was met before, and what is done there.
#[derive(Clone, Copy, Debug)]
struct Known {
    location: &'static Location<'static>,
    operation: Operation,
    written: Ordering,
    instead: Option<Ordering>,
}

/// Places for known sites; two that share a place drive each other out, which costs time only.
const PLACES: usize = 128;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
    static KNOWN: [Cell<Option<Known>>; PLACES] = const { [const { Cell::new(None) }; PLACES] };
}

/// Does `alteration` from now on. To be called before the model runs.
pub fn alter(alteration: Alteration) {
    STATE.with_borrow_mut(|state| state.alteration = Some(alteration));
}

/// To be called at the start of each execution: calls are counted anew.
pub fn start_execution() {
    STATE.with_borrow_mut(|state| state.calls = 0);
}

/// Every site that was reached so far.
pub fn sites() -> BTreeSet<String> {
    STATE.with_borrow(|state| state.sites.clone())
}

/// Whether a function that may come back spuriously was called so far.
pub fn called(call: SpuriousCall) -> bool {
    STATE.with_borrow(|state| state.called[call as usize])
}

/// How often the alteration took effect so far.
pub fn altered() -> u64 {
    STATE.with_borrow(|state| state.altered)
}

/// The ordering to use for an access.
#[track_caller]
pub(super) fn ordering(operation: Operation, written: Ordering) -> Ordering {
    ordering_at(Location::caller(), operation, written).expect("only a fence can be left out")
}

/// The ordering to use for a fence, if it is to be done at all.
#[track_caller]
pub(super) fn fence_ordering(written: Ordering) -> Option<Ordering> {
    ordering_at(Location::caller(), Operation::Fence, written)
}

fn ordering_at(
    location: &'static Location<'static>,
    operation: Operation,
    written: Ordering,
) -> Option<Ordering> {
    let address = std::ptr::from_ref(location).addr();
    let place = (address / align_of::<Location<'_>>()).wrapping_mul(7).wrapping_add(operation as usize);
    KNOWN.with(|known| {
        let known = &known[place % PLACES];
        let is_it = |known: &Known| {
            std::ptr::eq(known.location, location) && known.operation == operation && known.written == written
        };
        let instead = match known.get().filter(is_it) {
            Some(known) => known.instead,
            None => {
                let instead = meet(location, operation, written);
                known.set(Some(Known { location, operation, written, instead }));
                instead
            }
        };
        if instead != Some(written) {
            STATE.with_borrow_mut(|state| state.altered += 1);
        }
        instead
    })
}

/// Records a site and looks up what is done there.
fn meet(location: &Location<'_>, operation: Operation, written: Ordering) -> Option<Ordering> {
    // The compiler was given the path of this crate from the package of the models.
    let file = location.file().rsplit("../").next().expect("a split has a part");
    let (line, column) = (location.line(), location.column());
    let site = format!("{file}:{line}:{column} {} {written:?}", operation.name());
    STATE.with_borrow_mut(|state| {
        let instead = match &state.alteration {
            Some(Alteration::Ordering { site: altered, instead }) if *altered == site => *instead,
            _ => Some(written),
        };
        state.sites.insert(site);
        instead
    })
}

/// Whether this call is the one that comes back spuriously.
pub(super) fn is_spurious(call: SpuriousCall) -> bool {
    STATE.with_borrow_mut(|state| {
        state.called[call as usize] = true;
        let Some(Alteration::Spurious { call: altered, nth }) = state.alteration else { return false };
        if altered != call {
            return false;
        }
        state.calls += 1;
        let spurious = state.calls == nth;
        state.altered += u64::from(spurious);
        spurious
    })
}
