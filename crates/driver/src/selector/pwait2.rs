//! `epoll_pwait2`: a wait with a timeout in nanoseconds.
//!
//! rustix makes this call only if it is compiled for Linux 5.11 and later, and then for every user of rustix in
//! the program, without a way back to `epoll_wait`. So the call is made here, by number: the C library may be
//! older than the kernel.

use rustix::event::epoll;
use std::ffi::{c_int, c_long};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

/// `struct __kernel_timespec`, the same on every architecture.
#[repr(C)]
struct KernelTimespec {
    seconds: i64,
    nanoseconds: i64,
}

const _: () = assert!(
    size_of::<epoll::Event>() == size_of::<libc::epoll_event>(),
    "rustix's event is the kernel's `struct epoll_event`"
);

/// Waits until there are events or `timeout` is over: about then, a little earlier if the kernel ends the wait together with another
/// timer. Returns the events, as many as `buffer` holds.
pub(super) fn epoll_pwait2<'a>(
    epoll: BorrowedFd<'_>,
    buffer: &'a mut [MaybeUninit<epoll::Event>],
    timeout: Duration,
) -> io::Result<&'a mut [epoll::Event]> {
    let timeout = before_slack(timeout);
    let timeout = KernelTimespec {
        seconds: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: i64::from(timeout.subsec_nanos()),
    };
    let len = c_int::try_from(buffer.len()).unwrap_or(c_int::MAX);
    // SAFETY: the arguments are those of epoll_pwait2(2):
    // - `epoll` is open, since it is borrowed;
    // - the kernel writes at most `len` events into `buffer`, which has room for them; the size of an event is
    //   asserted above;
    // - `timeout` is a valid `__kernel_timespec` for the time of the call, and only read;
    // - a null signal mask changes nothing, and its size is not looked at.
    let count = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            c_long::from(epoll.as_raw_fd()),
            buffer.as_mut_ptr(),
            c_long::from(len),
            &raw const timeout,
            ptr::null::<libc::sigset_t>(),
            0 as c_long,
        )
    };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has initialised the first `count` events.
    Ok(unsafe { buffer[..count].assume_init_mut() })
}

/// The timeout that ends with `timeout` if the kernel uses up its slack, as it mostly does. If it does not, the wait is early, and the
/// caller waits for the rest; what is shorter than a slack may end by a slack too late.
fn before_slack(timeout: Duration) -> Duration {
    timeout.checked_sub(slack(timeout)).filter(|rest| !rest.is_zero()).unwrap_or(timeout)
}

/// By how much later the kernel may end a wait, so that timers that are close to each other end together: a thousandth of the timeout, but
/// at least the slack of the thread, of which this is the default, and at most a tenth of a second. A thread that has less, or none as a
/// real-time one, wakes early each time, and waits once or twice more.
/// Source: `PR_SET_TIMERSLACK` in prctl(2); `select_estimate_accuracy` in the kernel's `fs/select.c`.
fn slack(timeout: Duration) -> Duration {
    (timeout / 1000).clamp(Duration::from_micros(50), Duration::from_millis(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_shortened_by_what_the_kernel_may_add_unless_nothing_would_be_left() {
        let shortened = |micros| before_slack(Duration::from_micros(micros)).as_micros();
        assert_eq!([1, 50, 51, 1_000, 50_000].map(shortened), [1, 50, 1, 950, 49_950]);
        assert_eq!([60_000_000, 1_000_000_000].map(shortened), [59_940_000, 999_900_000]);
        assert_eq!(before_slack(Duration::MAX), Duration::MAX - Duration::from_millis(100));
    }
}
