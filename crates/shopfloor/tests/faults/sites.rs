//! Which call fails how, and what is promised about it: the table that the run checks and prints.

use rustix::io::Errno;

/// What becomes of an injected error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// The call is repeated: every connection is served, nobody is told.
    Repeated,
    /// The call is as good as not made: it is made again after the next event of its source. Nobody is told.
    NextEvent,
    /// Each one is told to a caller, who is named; nothing else fails.
    Told(&'static [&'static str]),
    /// As `Told`, or to nobody where the error changes nothing.
    ToldIfItMatters(&'static [&'static str]),
    /// Told to each who waits for it, which may be several; to nobody where the error changes nothing.
    ToldToEach(&'static [&'static str]),
    /// Something else does the same; nobody is told.
    Replaced,
}

impl Promise {
    pub(crate) fn text(self) -> String {
        match self {
            Self::Repeated => "repeated at once; nobody is told".to_owned(),
            Self::NextEvent => "tried again at the next event; nobody is told".to_owned(),
            Self::Told(whom) => format!("told once each, by {}", whom.join(", ")),
            Self::ToldIfItMatters(whom) => {
                format!("told by {}, unless it changes nothing", whom.join(", "))
            }
            Self::ToldToEach(whom) => {
                format!("told to each who waits for it, by {}, unless it changes nothing", whom.join(", "))
            }
            Self::Replaced => "done in another way; nobody is told".to_owned(),
        }
    }

    /// The ledger's entries that may count it.
    pub(crate) fn told_by(self) -> &'static [&'static str] {
        match self {
            Self::Told(whom) | Self::ToldIfItMatters(whom) | Self::ToldToEach(whom) => whom,
            Self::Repeated | Self::NextEvent | Self::Replaced => &[],
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    /// What strace is to watch; `?` marks a call that not every architecture has.
    pub(crate) calls: &'static str,
    pub(crate) error: &'static str,
    pub(crate) errno: Errno,
    pub(crate) promise: Promise,
    /// What the whole run is under beside it.
    pub(crate) beside: Option<&'static str>,
    /// Calls are counted once the runtime has been built, or else from the start.
    pub(crate) is_running: bool,
}

/// Entries of the ledger. `build` is the error of `Builder::build`.
const READ_OR_WRITE: &[&str] = &["failed", "dial_errors"];
const REGISTER: &[&str] = &["build", "accept_errors", "failed", "dial_errors", "pipe_errors"];
const SOCKET: &[&str] = &["bind_errors", "dial_errors"];
const THREAD: &[&str] = &["build", "jobs_cancelled"];

/// The wait of the driver, by any of its names.
const WAITS: &str = "?epoll_wait,?epoll_pwait,?epoll_pwait2";
/// A kernel without `epoll_pwait2`, or a filter that forbids it.
const NO_PWAIT2: &str = "?epoll_pwait2:error=ENOSYS";

const fn site(calls: &'static str, error: &'static str, errno: Errno, promise: Promise) -> Site {
    Site { calls, error, errno, promise, beside: None, is_running: false }
}

const fn beside(site: Site, beside: &'static str) -> Site {
    Site { beside: Some(beside), ..site }
}

const fn running(site: Site) -> Site {
    Site { is_running: true, ..site }
}

use Promise::{NextEvent, Repeated, Replaced, Told, ToldIfItMatters, ToldToEach};

/// Left out, because no kernel says so of the call: EAGAIN on `write`, since the runtime's only one is to an eventfd
/// whose counter would have to be full; EINTR on `connect`, which does not wait; the shortages on a wait. And futex:
/// the locks rest on its documented errors.
#[rustfmt::skip] // a table
pub(crate) const SITES: &[Site] = &[
    site(WAITS, "EINTR", Errno::INTR, Repeated),
    beside(site(WAITS_OLD, "EINTR", Errno::INTR, Repeated), NO_PWAIT2),
    site("?epoll_pwait2", "ENOSYS", Errno::NOSYS, Replaced),
    site("?epoll_pwait2", "EPERM", Errno::PERM, Replaced),
    beside(site("timerfd_create", "EMFILE", Errno::MFILE, Repeated), NO_PWAIT2),
    beside(site("timerfd_create", "ENFILE", Errno::NFILE, Repeated), NO_PWAIT2),
    beside(site("timerfd_create", "ENOMEM", Errno::NOMEM, Repeated), NO_PWAIT2),
    site("epoll_create1", "EMFILE", Errno::MFILE, Told(&["build"])),
    site("epoll_create1", "ENFILE", Errno::NFILE, Told(&["build"])),
    site("epoll_create1", "ENOMEM", Errno::NOMEM, Told(&["build"])),
    site("eventfd2", "EMFILE", Errno::MFILE, ToldIfItMatters(&["build"])),
    site("eventfd2", "ENFILE", Errno::NFILE, ToldIfItMatters(&["build"])),
    site("eventfd2", "ENOMEM", Errno::NOMEM, ToldIfItMatters(&["build"])),
    site("epoll_ctl", "ENOMEM", Errno::NOMEM, ToldIfItMatters(REGISTER)),
    site("epoll_ctl", "ENOSPC", Errno::NOSPC, ToldIfItMatters(REGISTER)),
    site("accept4", "EINTR", Errno::INTR, Repeated),
    site("accept4", "EAGAIN", Errno::AGAIN, NextEvent),
    site("accept4", "EMFILE", Errno::MFILE, Told(&["accept_errors"])),
    site("accept4", "ENFILE", Errno::NFILE, Told(&["accept_errors"])),
    site("accept4", "ENOMEM", Errno::NOMEM, Told(&["accept_errors"])),
    site("accept4", "ECONNABORTED", Errno::CONNABORTED, Told(&["accept_errors"])),
    site("recvfrom", "EINTR", Errno::INTR, Repeated),
    site("recvfrom", "EAGAIN", Errno::AGAIN, NextEvent),
    site("recvfrom", "ENOMEM", Errno::NOMEM, Told(READ_OR_WRITE)),
    site("sendto", "EINTR", Errno::INTR, Repeated),
    site("sendto", "EAGAIN", Errno::AGAIN, NextEvent),
    site("sendto", "ENOMEM", Errno::NOMEM, Told(READ_OR_WRITE)),
    site("read", "EINTR", Errno::INTR, Repeated),
    site("read", "EAGAIN", Errno::AGAIN, NextEvent),
    site("write", "EINTR", Errno::INTR, Repeated),
    site("socket", "EMFILE", Errno::MFILE, Told(SOCKET)),
    site("socket", "ENFILE", Errno::NFILE, Told(SOCKET)),
    site("socket", "ENOMEM", Errno::NOMEM, Told(SOCKET)),
    site("connect", "EAGAIN", Errno::AGAIN, Told(&["dial_errors"])),
    site("connect", "ENOMEM", Errno::NOMEM, Told(&["dial_errors"])),
    running(site("epoll_ctl", "ENOMEM", Errno::NOMEM, ToldIfItMatters(REGISTER))),
    running(site("epoll_ctl", "ENOSPC", Errno::NOSPC, ToldIfItMatters(REGISTER))),
    running(site("clone3", "EAGAIN", Errno::AGAIN, ToldToEach(THREAD))),
    running(site("clone3", "ENOMEM", Errno::AGAIN, ToldToEach(THREAD))),
    site("clone3", "EAGAIN", Errno::AGAIN, ToldToEach(THREAD)),
    // The C library says EAGAIN for either.
    site("clone3", "ENOMEM", Errno::AGAIN, ToldToEach(THREAD)),
];

/// The waits that are left without `epoll_pwait2`.
const WAITS_OLD: &str = "?epoll_wait,?epoll_pwait";
