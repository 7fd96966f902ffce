//! When clients act of themselves, not because a reply has come.
use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

/// Makes an epoll return at a moment, to which its own timeout is too coarse: it counts in ms.
#[derive(Debug)]
pub(super) struct Alarm(OwnedFd);

impl Alarm {
    pub(super) fn new() -> io::Result<Self> {
        // Moments may be much closer to each other than the kernel's usual slack.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Self(rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?))
    }

    /// Goes off at `moment`; an earlier alarm, and the sign that it went off, are forgotten.
    pub(super) fn set(&self, moment: Instant) -> io::Result<()> {
        // A time of zero would mean never.
        let delay = moment.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let delay = Timespec::try_from(delay).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: never, it_value: delay };
        rustix::time::timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A slow client waits so long between two pieces of a message.
const PAUSE: Duration = Duration::from_millis(1);

/// Messages at a fixed mean rate, independent of each other, each to the next connection in turn.
#[derive(Debug)]
pub(super) struct Arrivals {
    next: Instant,
    mean_s: f64,
    random: u64,
    connections: usize,
    turn: usize,
}

impl Arrivals {
    pub(super) fn new(rate: f64, connections: usize, start: Instant) -> Self {
        // Any seed will do; a fixed one gives all contestants the same arrivals.
        Self { next: start, mean_s: 1.0 / rate, random: 0x9E37_79B9_7F4A_7C15, connections, turn: 0 }
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// When a message was due that has not been sent, and on which connection.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Instant, usize)> {
        if self.next > now {
            return None;
        }
        let due = (self.next, self.turn);
        self.turn = (self.turn + 1) % self.connections;
        let gap = -(1.0 - self.uniform()).ln() * self.mean_s;
        self.next += Duration::from_secs_f64(gap);
        Some(due)
    }

    /// From 0 to less than 1: xorshift with a multiplication, good enough for gaps.
    fn uniform(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let bits = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
}

/// Slow clients, each with the time of its next piece.
#[derive(Debug, Default)]
pub(super) struct Pieces(VecDeque<(Instant, usize)>);

impl Pieces {
    /// All pauses are equally long, so the order of the calls is the order of the times.
    pub(super) fn pause(&mut self, connection: usize, now: Instant) {
        self.0.push_back((now + PAUSE, connection));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.front().map(|&(time, _)| time)
    }

    pub(super) fn due(&mut self, now: Instant) -> Option<usize> {
        self.0.pop_front_if(|&mut (time, _)| time <= now).map(|(_, connection)| connection)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Arrivals, PAUSE, Pieces};

    #[test]
    fn arrivals_have_their_rate_and_are_spread_over_time_and_connections() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(10_000.0, 4, start);
        let mut dues = Vec::new();
        while let Some(due) = arrivals.due(start + Duration::from_secs(2)) {
            dues.push(due);
        }
        // The deviation of such a count is its root, 141.
        assert!((19_400..20_600).contains(&dues.len()), "{}", dues.len());
        assert!(dues.iter().enumerate().all(|(number, &(_, connection))| connection == number % 4));
        // Of exponential gaps 63 % are below the mean; of equal ones all or none.
        let short = dues.windows(2).filter(|pair| pair[1].0 - pair[0].0 < Duration::from_micros(100));
        let share = short.count() as f64 / dues.len() as f64;
        assert!((0.60..0.66).contains(&share), "{share}");
        assert!(arrivals.next() > start + Duration::from_secs(2));
    }

    #[test]
    fn pieces_come_in_order_and_after_the_pause() {
        let start = Instant::now();
        let mut pieces = Pieces::default();
        pieces.pause(3, start);
        pieces.pause(5, start + PAUSE / 2);
        assert_eq!(pieces.due(start + PAUSE / 2), None);
        assert_eq!(pieces.next(), Some(start + PAUSE));
        assert_eq!(pieces.due(start + PAUSE), Some(3));
        assert_eq!(pieces.due(start + PAUSE), None);
        assert_eq!(pieces.due(start + 2 * PAUSE), Some(5));
        assert_eq!(pieces.next(), None);
    }
}
