//! Counts the system calls of a process by the kernel's tracepoint, without a tracer stopping it at each of them.
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd};

/// Where tracefs is mounted, newest place first.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
const SYS_ENTER: &str = "events/raw_syscalls/sys_enter/id";
/// `PERF_TYPE_TRACEPOINT` of the kernel's interface.
const TYPE_TRACEPOINT: u32 = 2;
/// `PERF_FLAG_FD_CLOEXEC` of the kernel's interface.
const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;
/// The bit `inherit` of the attributes: threads started later are counted as well.
const INHERIT: u64 = 1 << 1;

/// The first published version of the kernel's `perf_event_attr`, which all later kernels accept.
#[repr(C)]
struct EventAttributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    breakpoint_address: u64,
}

/// Counts the system calls of the thread that started it and of all threads that descend from that one.
#[derive(Debug)]
pub struct SyscallCounter(std::fs::File);

impl SyscallCounter {
    /// Starts to count. Threads that exist already are not counted.
    ///
    /// # Errors
    /// If tracefs is not mounted or this user may not use it; the error says what is missing.
    pub fn start() -> Result<Self, String> {
        let id = TRACEFS.iter().find_map(|root| std::fs::read_to_string(format!("{root}/{SYS_ENTER}")).ok());
        let id = id.ok_or_else(|| {
            format!("counting system calls needs tracefs: as root, mount -t tracefs tracefs {}", TRACEFS[0])
        })?;
        let config = id.trim().parse().map_err(|error| format!("{SYS_ENTER} is {id:?}: {error}"))?;
        Self::open(config).map_err(|error| format!("counting system calls: {error}"))
    }

    fn open(tracepoint: u64) -> io::Result<Self> {
        let attributes = EventAttributes {
            kind: TYPE_TRACEPOINT,
            size: size_of::<EventAttributes>() as u32,
            config: tracepoint,
            sample_period: 0,
            sample_type: 0,
            read_format: 0,
            flags: INHERIT,
            wakeup_events: 0,
            breakpoint_type: 0,
            breakpoint_address: 0,
        };
        let (this_thread, any_core, no_group): (libc::pid_t, libc::c_int, libc::c_int) = (0, -1, -1);
        // SAFETY: `attributes` is a perf_event_attr of the size it states and lives across the call, which only
        // reads it; the other arguments are numbers of the types that the call takes.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                this_thread,
                any_core,
                no_group,
                CLOSE_ON_EXEC,
            )
        };
        let fd = libc::c_int::try_from(fd).map_err(io::Error::other)?;
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just returned this open descriptor, which nobody else owns.
        Ok(Self(unsafe { std::fs::File::from_raw_fd(fd) }))
    }

    /// System calls so far.
    ///
    /// # Errors
    /// If the counter cannot be read.
    pub fn count(&self) -> Result<u64, String> {
        let mut bytes = [0; 8];
        let read = (&self.0).read_exact(&mut bytes);
        read.map_err(|error| format!("reading the counter of system calls: {error}"))?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

impl AsFd for SyscallCounter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::SyscallCounter;

    #[test]
    fn calls_of_later_threads_are_counted_or_the_error_says_what_is_missing() {
        let counter = match SyscallCounter::start() {
            Ok(counter) => counter,
            Err(error) => return assert!(error.starts_with("counting system calls"), "{error}"),
        };
        let before = counter.count().unwrap();
        let calls = 1000;
        std::thread::spawn(move || {
            for _ in 0..calls {
                rustix::thread::sched_yield();
            }
        })
        .join()
        .unwrap();
        let counted = counter.count().unwrap() - before;
        // Starting and joining a thread takes a few more.
        assert!((calls..calls + 100).contains(&counted), "{counted}");
    }
}
