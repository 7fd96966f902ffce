//! CPU work of a request handler that the compiler cannot fold away.
use std::time::{Duration, Instant};

/// Does `steps` dependent steps of about a nanosecond each.
///
/// A linear congruence would be folded into a few instructions by LLVM, a shift-xor-multiply chain is not.
#[inline(never)]
pub fn spend(steps: u64) {
    let mut x = std::hint::black_box(0x9E37_79B9_7F4A_7C15_u64);
    for _ in 0..steps {
        x ^= x >> 29;
        x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    std::hint::black_box(x);
}

/// How many steps take `work` on this machine: the best of several trials, so that a preempted one does not count.
///
/// The parent calibrates once for all contestants, so that everybody does the same work.
pub fn steps_for(work: Duration) -> u64 {
    const TRIAL: u64 = 200_000;
    if work.is_zero() {
        return 0;
    }
    let trial = || {
        let start = Instant::now();
        spend(TRIAL);
        start.elapsed()
    };
    let best = (0..20).map(|_| trial()).min().unwrap_or(Duration::ZERO).max(Duration::from_nanos(1));
    let steps = work.as_nanos() * u128::from(TRIAL) / best.as_nanos();
    u64::try_from(steps).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{spend, steps_for};

    #[test]
    fn no_work_is_no_steps() {
        assert_eq!(steps_for(Duration::ZERO), 0);
    }

    #[test]
    fn work_is_not_folded_away() {
        // A folded loop would take nanoseconds; the slowest credible machine is bounded only from below.
        let steps = steps_for(Duration::from_millis(2));
        let start = Instant::now();
        spend(steps);
        assert!(start.elapsed() > Duration::from_micros(500), "{steps} steps in {:?}", start.elapsed());
    }
}
