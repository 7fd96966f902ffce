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

/// Waits for at most `timeout`; returns the events, as many as `buffer` holds.
pub(super) fn epoll_pwait2<'a, const N: usize>(
    epoll: BorrowedFd<'_>,
    buffer: &'a mut [MaybeUninit<epoll::Event>; N],
    timeout: Duration,
) -> io::Result<&'a mut [epoll::Event]> {
    let timeout = KernelTimespec {
        seconds: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: i64::from(timeout.subsec_nanos()),
    };
    let len = c_int::try_from(N).unwrap_or(c_int::MAX);
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
