//! What this process asks the kernel: resource usage, memory, limits, placement, deadlines.
use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

/// CPU time and context switches of a whole process since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time in user mode, µs.
    pub user_us: u64,
    /// CPU time in the kernel, µs.
    pub system_us: u64,
    /// Context switches because a thread waited.
    pub voluntary: u64,
    /// Context switches because the kernel preferred somebody else.
    pub involuntary: u64,
}

impl Usage {
    /// Usage of this process, all threads, finished ones included.
    ///
    /// # Panics
    /// If the kernel refuses, which it has no reason to for the calling process.
    pub fn of_this_process() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
        // SAFETY: `usage` is writable memory of the size of a rusage, and lives across the call.
        let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        assert_eq!(result, 0, "getrusage of the own process cannot fail");
        // SAFETY: the call succeeded, so the kernel has filled the whole structure.
        let usage = unsafe { usage.assume_init() };
        let micros =
            |time: libc::timeval| time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_usec.unsigned_abs();
        Self {
            user_us: micros(usage.ru_utime),
            system_us: micros(usage.ru_stime),
            voluntary: usage.ru_nvcsw.unsigned_abs(),
            involuntary: usage.ru_nivcsw.unsigned_abs(),
        }
    }

    /// What was used between `earlier` and `self`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            user_us: self.user_us - earlier.user_us,
            system_us: self.system_us - earlier.system_us,
            voluntary: self.voluntary - earlier.voluntary,
            involuntary: self.involuntary - earlier.involuntary,
        }
    }
}

/// A number from `/proc/self/status`, such as `VmHWM` (kB), `VmRSS` (kB) or `Threads`.
///
/// # Errors
/// If the file cannot be read or has no such line.
pub fn own_status(key: &str) -> io::Result<u64> {
    proc_number("/proc/self/status", key)
}

/// A number from a file of `key: number` lines under `/proc`.
///
/// # Errors
/// If the file cannot be read or has no such line.
pub fn proc_number(path: &str, key: &str) -> io::Result<u64> {
    let text = std::fs::read_to_string(path)?;
    number_of(&text, key).ok_or_else(|| io::Error::other(format!("{path} has no number for {key}")))
}

fn number_of(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Confines this process, and the threads it will start, to one core.
///
/// # Errors
/// If the core does not exist or is not allowed to this process.
pub fn pin_to(core: usize) -> io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    if core >= rustix::thread::CpuSet::MAX_CPU {
        return Err(io::Error::other(format!("no core {core}")));
    }
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set)
        .map_err(|error| io::Error::other(format!("pinning to core {core}: {error}")))
}

/// Raises the soft limit of open files to the hard one and returns it. Children inherit it.
///
/// # Errors
/// If the kernel refuses.
pub fn raise_open_files() -> io::Result<u64> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Makes the kernel kill this process when `parent` dies, or after `deadline`, whichever comes first.
///
/// # Errors
/// If the kernel refuses, or `parent` is gone already.
pub fn die_with(parent: u32, deadline: Duration) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the request above: then the signal will never come.
    let current = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if current != Some(parent) {
        return Err(io::Error::other("the parent is gone"));
    }
    let seconds = u32::try_from(deadline.as_secs()).unwrap_or(u32::MAX).max(1);
    // SAFETY: alarm has no preconditions; nobody handles SIGALRM, so it ends the process, which is the purpose.
    unsafe { libc::alarm(seconds) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Usage, number_of, own_status};

    #[test]
    fn status_numbers_are_found_by_their_whole_key() {
        let text = "VmHWMx:\t 1 kB\nVmHWM:\t  4321 kB\nThreads:\t7\n";
        assert_eq!(number_of(text, "VmHWM"), Some(4321));
        assert_eq!(number_of(text, "Threads"), Some(7));
        assert_eq!(number_of(text, "Thread"), None);
    }

    #[test]
    fn this_process_has_threads_and_memory() {
        assert!(own_status("Threads").unwrap() >= 1);
        assert!(own_status("VmHWM").unwrap() >= own_status("VmRSS").unwrap() / 2);
        assert!(own_status("NoSuchKey").is_err());
    }

    #[test]
    fn usage_of_this_process_grows_with_its_work() {
        let before = Usage::of_this_process();
        let mut x = 1u64;
        while Usage::of_this_process().since(&before).user_us == 0 {
            for _ in 0..10_000 {
                x = std::hint::black_box(x.wrapping_mul(3));
            }
        }
        assert!(Usage::of_this_process().user_us > before.user_us, "{x}");
    }
}
