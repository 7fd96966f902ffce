//! A whole runtime for one task.
use crate::micro::row::{Effort, Kind, Measurement, Observation, repeated_by};
use crate::runtimes::Runtime;

pub(super) struct StartStop;

impl Observation for StartStop {
    const NAME: &str = "start_stop";
    const OPERATION: &str = "a runtime is started, runs one empty task, and is dropped";
    const KIND: Kind = Kind::Cost;

    fn observe<R: Runtime>(effort: Effort) -> Measurement {
        repeated_by(effort, || R::run(effort.workers, async { 1 }))
    }
}
