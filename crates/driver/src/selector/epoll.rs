//! epoll, called directly: one system call per wait.
//!
//! - `polling::Poller` makes and owns the epoll instance, but its `wait` costs three system calls, five with a
//!   timeout. Waits, registrations and the interrupt are made here on its descriptor.
//! - Sources are registered with `RDHUP` and `PRI`, which `polling` does not ask for: a half-close that arrives
//!   together with data would otherwise hide behind a short read.
//! - The interrupt is an edge-triggered eventfd that is never read: each write to it is one event.
//! - A timeout in nanoseconds takes `epoll_pwait2`, which is asked for a little less, since the kernel ends it late. Where that call is
//!   missing (Linux before 5.11) or forbidden (some seccomp filters), `epoll_wait` rounds up to milliseconds and a timerfd, set only when
//!   the deadline changes, ends it in time.

use super::pwait2::epoll_pwait2;
use super::{BorrowedSource, EVENTS_PER_WAIT_MAX, Event, Selector};
use polling::Poller;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::{Errno, retry_on_intr, write};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use shopfloor_protocol::interest::{Interest, Ready};
use shopfloor_protocol::registry::Token;
use shopfloor_protocol::sync::Mutex;
use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Words of our own events. `usize::MAX` is `polling`'s; nothing of it is ever armed here.
const INTERRUPT: u64 = Token::RESERVED as u64;
const TIMER: u64 = Token::RESERVED as u64 + 1;

/// Two deadlines this close are the same: callers compute a timeout from a deadline, so it comes back with the
/// jitter of two clock readings. A fifth of the lateness that timers promise.
const DEADLINE_SLACK: Duration = Duration::from_micros(20);

type Buffer = [MaybeUninit<epoll::Event>];
type PreciseWait = for<'a> fn(BorrowedFd<'_>, &'a mut Buffer, Duration) -> io::Result<&'a mut [epoll::Event]>;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Epoll {
    poller: Poller,
    interrupt: OwnedFd,
    precise_wait: PreciseWait,
    make_timer: MakeTimer,
    /// Present once `precise_wait` was refused. Uncontended: one thread waits at a time.
    timer: Mutex<Option<Timer>>,
}

#[derive(Debug)]
struct Timer {
    fd: OwnedFd,
    armed: Option<Instant>,
}

impl Epoll {
    /// A selector without sources.
    pub(crate) fn new() -> io::Result<Self> {
        Self::with(epoll_pwait2, Timer::new)
    }

    fn with(precise_wait: PreciseWait, make_timer: MakeTimer) -> io::Result<Self> {
        let poller = Poller::new()?;
        let interrupt = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        add_own(&poller, &interrupt, INTERRUPT)?;
        Ok(Self { poller, interrupt, precise_wait, make_timer, timer: Mutex::new(None) })
    }

    /// As `Selector::wait`, but an interrupted system call is an error. One system call, unless the deadline
    /// has to be set first.
    fn wait_once(
        &self,
        timeout: Option<Duration>,
        at_most: NonZeroUsize,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        let timer = &mut *self.timer.lock();
        let mut buffer = [const { MaybeUninit::uninit() }; EVENTS_PER_WAIT_MAX];
        let buffer = &mut buffer[..at_most.get()];
        let looks_only = timeout == Some(Duration::ZERO);
        if let (Some(timeout), false, None) = (timeout, looks_only, &timer) {
            match (self.precise_wait)(self.poller.as_fd(), buffer, timeout) {
                // Without a descriptor for the timer this wait ends by whole milliseconds, rounded up; the next one
                // tries again. An error would keep the events from everybody.
                Err(error) if is_missing(&error) => *timer = (self.make_timer)(&self.poller).ok(),
                result => {
                    append(result?, timer, events);
                    return Ok(());
                }
            }
        }
        if let (Some(timer), false) = (&mut *timer, looks_only) {
            timer.set(timeout)?;
        }
        let timeout = timeout.map(in_milliseconds);
        let (ready, _) = epoll::wait(&self.poller, buffer, timeout.as_ref())?;
        append(ready, timer, events);
        Ok(())
    }
}

type MakeTimer = fn(&Poller) -> io::Result<Timer>;

/// A timeout for the wait that counts milliseconds, up to which it is rounded. That takes 24 days at most; a wait that is
/// to be longer ends early.
fn in_milliseconds(timeout: Duration) -> Timespec {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    Timespec::try_from(timeout.min(LONGEST)).expect("a day is in the range of the kernel's clock")
}

/// Appends the events of sources; notes one of the timer.
fn append(reported: &[epoll::Event], timer: &mut Option<Timer>, events: &mut Vec<Event>) {
    for event in reported {
        let (data, flags) = (event.data, event.flags);
        match data.u64() {
            INTERRUPT => {}
            TIMER => timer.iter_mut().for_each(|timer| timer.armed = None),
            word => events.push((Token::from_usize(word as usize), ready(flags))),
        }
    }
}

impl Selector for Epoll {
    fn add(&self, source: BorrowedSource<'_>, token: Token) -> io::Result<()> {
        use epoll::EventFlags as Flags;
        let flags = Flags::IN | Flags::OUT | Flags::PRI | Flags::RDHUP | Flags::ET;
        let word = epoll::EventData::new_u64(token.to_usize() as u64);
        Ok(epoll::add(&self.poller, source, word, flags)?)
    }

    fn delete(&self, source: BorrowedSource<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.poller, source)?)
    }

    fn disarms(&self) -> bool {
        false
    }

    fn rearm(&self, _: BorrowedSource<'_>, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn holds_on_to_sources(&self) -> bool {
        false
    }

    fn reports_half_close(&self) -> bool {
        true
    }

    fn wait(
        &self,
        timeout: Option<Duration>,
        at_most: NonZeroUsize,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        match self.wait_once(timeout, at_most, events) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    fn signal(&self) -> io::Result<()> {
        // The counter is never read, so that this is an edge each time; it overflows after 2^64 - 2 of them.
        retry_on_intr(|| write(&self.interrupt, &1_u64.to_ne_bytes()))?;
        Ok(())
    }
}

impl Timer {
    fn new(poller: &Poller) -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        add_own(poller, &fd, TIMER)?;
        Ok(Self { fd, armed: None })
    }

    /// Sets the deadline, unless it is set already.
    fn set(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let now = Instant::now();
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
        if !needs_setting(self.armed, deadline, now) {
            return Ok(());
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = timeout.and_then(|timeout| Timespec::try_from(timeout).ok()).unwrap_or(zero);
        let value = Itimerspec { it_interval: zero, it_value };
        timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &value)?;
        self.armed = deadline;
        Ok(())
    }
}

/// True if the timer does not end a wait at `deadline` as it stands: a deadline that has passed is disarmed.
fn needs_setting(armed: Option<Instant>, deadline: Option<Instant>, now: Instant) -> bool {
    match (armed, deadline) {
        (None, None) => false,
        (Some(armed), Some(deadline)) => {
            let apart = armed.max(deadline) - armed.min(deadline);
            armed <= now || apart > DEADLINE_SLACK
        }
        _ => true,
    }
}

/// An edge-triggered descriptor of our own that is never read.
fn add_own(poller: &Poller, fd: &OwnedFd, word: u64) -> io::Result<()> {
    let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
    Ok(epoll::add(poller, fd, epoll::EventData::new_u64(word), flags)?)
}

fn is_missing(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno == Some(Errno::NOSYS) || errno == Some(Errno::PERM)
}

fn ready(flags: epoll::EventFlags) -> Ready {
    use epoll::EventFlags as Flags;
    let mut ready = Ready::EMPTY;
    let facts = [
        (Flags::IN, Ready::READABLE),
        (Flags::OUT, Ready::WRITABLE),
        (Flags::PRI, Ready::READABLE | Ready::PRIORITY),
        (Flags::RDHUP, Ready::READABLE | Ready::READ_CLOSED),
        (Flags::HUP, Ready::READABLE | Ready::WRITABLE | Ready::READ_CLOSED | Ready::WRITE_CLOSED),
        (Flags::ERR, Ready::READABLE | Ready::WRITABLE | Ready::ERROR),
    ];
    for (_, facts) in facts.into_iter().filter(|(flag, _)| flags.contains(*flag)) {
        ready |= facts;
    }
    ready
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use std::sync::mpsc;

    fn refused<'a>(_: BorrowedFd<'_>, _: &'a mut Buffer, _: Duration) -> io::Result<&'a mut [epoll::Event]> {
        Err(Errno::NOSYS.into())
    }

    fn forbidden<'a>(
        _: BorrowedFd<'_>,
        _: &'a mut Buffer,
        _: Duration,
    ) -> io::Result<&'a mut [epoll::Event]> {
        Err(Errno::PERM.into())
    }

    fn broken<'a>(_: BorrowedFd<'_>, _: &'a mut Buffer, _: Duration) -> io::Result<&'a mut [epoll::Event]> {
        Err(Errno::NOMEM.into())
    }

    fn interrupted<'a>(
        _: BorrowedFd<'_>,
        _: &'a mut Buffer,
        _: Duration,
    ) -> io::Result<&'a mut [epoll::Event]> {
        Err(Errno::INTR.into())
    }

    const MANY: NonZeroUsize = NonZeroUsize::new(EVENTS_PER_WAIT_MAX).unwrap();
    const SHORT: Duration = Duration::from_micros(1300);

    #[test]
    fn without_a_precise_wait_a_timer_ends_it_and_never_early() {
        for precise_wait in [refused as PreciseWait, forbidden] {
            let selector = Epoll::with(precise_wait, Timer::new).unwrap();
            for timeout in [SHORT, SHORT, Duration::from_micros(200), Duration::from_millis(3)] {
                let mut rest = Some(timeout);
                let deadline = Instant::now() + timeout;
                while let Some(timeout) = rest {
                    selector.wait(Some(timeout), MANY, &mut Vec::new()).unwrap();
                    rest = deadline.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero());
                }
                assert!(selector.timer.lock().is_some());
            }
        }
    }

    #[test]
    fn without_a_descriptor_for_the_timer_a_wait_is_rounded_up_and_the_next_one_tries_again() {
        fn full(_: &Poller) -> io::Result<Timer> {
            Err(Errno::MFILE.into())
        }
        let mut selector = Epoll::with(refused, full).unwrap();
        let (ours, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
        selector.add(ours.as_fd(), Token::from_usize(7)).unwrap();
        let mut events = Vec::new();
        selector.wait(Some(Duration::from_secs(20)), MANY, &mut events).unwrap();
        assert_eq!(events, [(Token::from_usize(7), Ready::WRITABLE)]);
        let start = Instant::now();
        selector.wait(Some(SHORT), MANY, &mut Vec::new()).unwrap();
        assert!(start.elapsed() >= SHORT, "never early");
        assert!(selector.timer.lock().is_none());
        selector.make_timer = Timer::new;
        selector.wait(Some(SHORT), MANY, &mut Vec::new()).unwrap();
        assert!(selector.timer.lock().is_some());
    }

    #[test]
    fn without_a_precise_wait_events_and_interrupts_still_end_a_wait() {
        let selector = Epoll::with(refused, Timer::new).unwrap();
        let (ours, peer) = std::os::unix::net::UnixStream::pair().unwrap();
        selector.add(ours.as_fd(), Token::from_usize(7)).unwrap();
        let mut events = Vec::new();
        while events.is_empty() {
            selector.wait(Some(Duration::from_secs(20)), MANY, &mut events).unwrap();
        }
        assert_eq!(events, [(Token::from_usize(7), Ready::WRITABLE)]);
        drop(peer);
        selector.wait(None, MANY, &mut events).unwrap();
        assert!(events[1].1.is_read_closed() && events[1].1.is_write_closed());
        let (done, ended) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                selector.wait(Some(Duration::from_secs(60)), MANY, &mut Vec::new()).unwrap();
                done.send(()).unwrap();
            });
            selector.signal().unwrap();
            ended.recv_timeout(Duration::from_secs(20)).expect("the signal ends the wait");
        });
    }

    #[test]
    fn a_timer_that_was_not_reached_does_not_end_an_endless_wait() {
        let selector = Epoll::with(refused, Timer::new).unwrap();
        selector.signal().unwrap();
        selector.wait(Some(SHORT), MANY, &mut Vec::new()).unwrap();
        // Sets the timer for nothing: looking leaves it as it is, waiting for ever disarms it.
        selector.wait(Some(Duration::ZERO), MANY, &mut Vec::new()).unwrap();
        assert!(selector.timer.lock().as_ref().unwrap().armed.is_some());
        selector.signal().unwrap();
        selector.wait(None, MANY, &mut Vec::new()).unwrap();
        assert!(selector.timer.lock().as_ref().unwrap().armed.is_none());
    }

    #[test]
    fn the_timer_is_set_only_when_the_deadline_changes() {
        let now = Instant::now();
        let at = |micros| now + Duration::from_micros(micros);
        assert!(!needs_setting(None, None, now));
        assert!(needs_setting(None, Some(at(500)), now));
        assert!(needs_setting(Some(at(500)), None, now));
        assert!(!needs_setting(Some(at(500)), Some(at(510)), now), "the jitter of two clock readings");
        assert!(!needs_setting(Some(at(510)), Some(at(500)), now));
        assert!(needs_setting(Some(at(500)), Some(at(600)), now));
        assert!(needs_setting(Some(now), Some(at(10)), now), "it has fired already");
    }

    #[test]
    fn an_interrupted_wait_is_no_error_and_another_one_is() {
        let selector = Epoll::with(interrupted, Timer::new).unwrap();
        assert!(selector.wait(Some(SHORT), MANY, &mut Vec::new()).is_ok());
        let selector = Epoll::with(broken, Timer::new).unwrap();
        let error = selector.wait(Some(SHORT), MANY, &mut Vec::new()).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::NOMEM));
        assert!(selector.timer.lock().is_none(), "the precise wait is not given up for it");
    }

    #[test]
    fn a_wait_by_milliseconds_is_no_longer_than_they_can_say() {
        for timeout in [Duration::MAX, Duration::from_secs(60 * 24 * 60 * 60)] {
            let milliseconds = u128::try_from(in_milliseconds(timeout).tv_sec).unwrap() * 1000;
            assert!(milliseconds < i32::MAX as u128);
            assert!(Duration::from_secs(60 * 60).as_millis() < milliseconds, "no busy loop");
        }
        assert_eq!(in_milliseconds(SHORT), Timespec::try_from(SHORT).unwrap());
    }

    #[test]
    fn the_precise_wait_is_the_kernels() {
        let selector = Epoll::new().unwrap();
        selector.wait(Some(SHORT), MANY, &mut Vec::new()).unwrap();
        assert!(selector.timer.lock().is_none(), "this kernel has epoll_pwait2");
    }

    #[test]
    fn waits_return_events_in_the_order_in_which_they_came() {
        let selector = Epoll::new().unwrap();
        let add = |index| {
            let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
            selector.add(fd.as_fd(), Token::from_usize(index)).unwrap();
            fd
        };
        let sources: Vec<_> = (0..8).map(add).collect();
        // All are writable at first.
        let mut events = Vec::new();
        selector.wait(Some(Duration::ZERO), MANY, &mut events).unwrap();
        let order: [usize; 8] = [5, 0, 7, 2, 6, 1, 4, 3];
        order.iter().for_each(|&index| assert_eq!(write(&sources[index], &1_u64.to_ne_bytes()), Ok(8)));
        events.clear();
        let three = NonZeroUsize::new(3).unwrap();
        let lens = [three; 4].map(|at_most| {
            selector.wait(Some(Duration::ZERO), at_most, &mut events).unwrap();
            events.len()
        });
        assert_eq!(lens, [3, 6, 8, 8]);
        assert!(events.iter().map(|(token, _)| token.to_usize()).eq(order));
    }

    #[test]
    fn one_wait_returns_at_most_its_share_of_the_events_and_the_rest_comes_next() {
        // More than a process may open unless it asks.
        let files = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).unwrap();
        let selector = Epoll::new().unwrap();
        let sources: Vec<_> = (0..EVENTS_PER_WAIT_MAX + 10)
            .map(|index| {
                let fd = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
                selector.add(fd.as_fd(), Token::from_usize(index)).unwrap();
                fd
            })
            .collect();
        let mut events = Vec::new();
        selector.wait(Some(Duration::ZERO), MANY, &mut events).unwrap();
        assert_eq!(events.len(), EVENTS_PER_WAIT_MAX);
        selector.wait(Some(Duration::ZERO), MANY, &mut events).unwrap();
        let mut tokens: Vec<usize> = events.iter().map(|(token, _)| token.to_usize()).collect();
        tokens.sort_unstable();
        assert_eq!(tokens, (0..sources.len()).collect::<Vec<_>>());
    }
}
