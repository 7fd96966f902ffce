//! What the actions of a runtime cost: nanoseconds, as measured on a virtual machine with two cores (Zen 4, Linux
//! 6.18), where waking a thread on another core is dear.

/// Costs, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Waking a sleeping thread, for the waker.
    pub wake: u64,
    /// From the begin of a wake, by a thread or by the kernel, until the sleeper runs.
    pub sleeper_runs_after: u64,
    /// CPU time of falling asleep and getting up again.
    pub sleep: u64,
    /// A look at the queue of another worker.
    pub look: u64,
    /// Stealing a batch.
    pub steal: u64,
    /// A turn of the driver without its events.
    pub turn: u64,
    /// An event in a turn of the driver, with the wake of its task.
    pub event: u64,
    /// How long a worker looks at its driver at most before it sleeps in it; 0: not at all.
    pub spin: u64,
}

impl Costs {
    /// As measured.
    pub const MEASURED: Self = Self {
        wake: 7_000,
        sleeper_runs_after: 4_700,
        sleep: 2_000,
        look: 30,
        steal: 250,
        turn: 500,
        event: 300,
        spin: 50_000,
    };

    /// Nothing costs anything, as in theory.
    pub const NOTHING: Self =
        Self { wake: 0, sleeper_runs_after: 0, sleep: 0, look: 0, steal: 0, turn: 0, event: 0, spin: 0 };
}
