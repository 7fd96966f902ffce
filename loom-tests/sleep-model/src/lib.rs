//! How workers fall asleep and are woken, as a model of more workers than loom can explore.
//!
//! loom runs the code itself, with every ordering, for four threads. This model has the *steps* of the code, each
//! of them at once and for all to see, and goes through all their interleavings for up to six workers: pushes by
//! foreign threads and by workers to their own queues, deferred wakes, events of the driver, polls that never
//! end, the foreman, stand-ins that come and leave. Every step has the name of the function, or the words of
//! the comment, that it stands for in the code ([`Transition`]); a test looks each of them up there.
//!
//! # What is checked
//! | property | in words |
//! |---|---|
//! | [`STRANDED`] | a task is queued, a worker sleeps, and nobody is awake or on the way |
//! | [`UNATTENDED`] | a task is in the injector, a worker sleeps, and all who are awake are inside polls |
//! | [`UNDRIVEN`] | workers sleep beside a free driver token, and nobody is awake or on the way |
//! | [`UNDERFLOW`] | a count of parked or of searching workers is below zero |
//! | [`UNFINISHED`] | nobody can take a step, and a task that was pushed has not been run |
//!
//! None may be reachable. That every task is *eventually* run then follows from [`progress`]: while a task waits no
//! execution goes round in a circle, so it comes to a state in which none waits, or in which nobody can take a
//! step, and there none waits either. That needs no fairness beyond "somebody who can take a step does", and of
//! the foreman that others take a step between two ticks, if they can.
//!
//! # What is left out
//! Orderings: all steps are sequentially consistent, as the fences make those that matter. A look at all queues
//! of one kind (the other workers' queues, their LIFO slots) is one step. A worker does not look at the driver or
//! the injector out of turn, or at the driver before it steals; one that looks at the driver before it sleeps there is in it; the workers are
//! one group, since no other sleeps in its driver, and whom a push of another wakes is left to loom; one that has relied on a searcher does not ask
//! again after its poll, and a busy one takes nothing from others (`worker/relief.rs`); a steal takes half of a queue as the deque does. The foreman's own sleep is a
//! protocol with models of its own (`foreman_sleep::*`); here it looks whenever a look would change something.
//!
//! # Symmetry
//! Workers differ by nothing but their state, so a state lists them in sorted order, and no step names one by
//! its number. That divides the number of states by up to 720.

mod floor;
mod model;
pub mod progress;
mod transition;
mod wake;
mod worker;

pub use floor::{Actor, Fault, Floor, Scenario, Task};
pub use model::{STRANDED, SleepModel, Step, UNATTENDED, UNDERFLOW, UNDRIVEN, UNFINISHED};
pub use transition::{TRANSITIONS, Transition};
