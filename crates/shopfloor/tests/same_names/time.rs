//! Instants and timers.

macro_rules! names {
    ($runtime:ident) => {
        #[allow(dead_code, reason = "it is compiled, not run")]
        mod $runtime {
            use std::error::Error;
            use std::fmt::{Debug, Display};
            use std::future::{Ready, ready};
            use std::hash::Hash;
            use std::io;
            use std::ops::{Add, AddAssign, Sub, SubAssign};
            use std::panic::{RefUnwindSafe, UnwindSafe};
            use std::pin::Pin;
            use std::task::{Context, Poll};
            use std::time::Instant as StdInstant;

            use $runtime::time::error::Elapsed;
            use $runtime::time::{self, Duration, Instant, Interval, MissedTickBehavior, Sleep, Timeout};

            implements! {
                Instant: [Copy + Debug + Ord + Hash + Send + Sync + From<StdInstant> + Into<StdInstant>];
                Instant: [Add<Duration, Output = Instant> + AddAssign<Duration> + UnwindSafe + RefUnwindSafe];
                Instant: [Sub<Duration, Output = Instant> + SubAssign<Duration>];
                Instant: [Sub<Instant, Output = Duration>];
                Sleep: [Future<Output = ()> + Debug + Send + Sync];
                Interval: [Debug + Send + Sync + Unpin];
                MissedTickBehavior: [Copy + Debug + Default + Eq + Send + Sync];
                Timeout<Ready<u8>>: [Future<Output = Result<u8, Elapsed>> + Debug + Send + Sync];
                Elapsed: [Error + Debug + Display + Eq + Send + Sync + Into<io::Error>];
            }

            fn instant(instant: Instant, std: StdInstant, by: Duration) {
                let _: Instant = Instant::now();
                let _: Instant = Instant::from_std(std);
                let _: StdInstant = instant.into_std();
                let _: Duration = instant.duration_since(instant);
                let _: Option<Duration> = instant.checked_duration_since(instant);
                let _: Duration = instant.saturating_duration_since(instant);
                let _: Duration = instant.elapsed();
                let _: Option<Instant> = instant.checked_add(by);
                let _: Option<Instant> = instant.checked_sub(by);
            }

            fn sleep(mut sleep: Pin<&mut Sleep>, at: Instant, by: Duration) {
                let _: Sleep = time::sleep(by);
                let _: Sleep = time::sleep_until(at);
                let _: Instant = sleep.deadline();
                let _: bool = sleep.is_elapsed();
                sleep.as_mut().reset(at);
            }

            async fn interval(interval: &mut Interval, cx: &mut Context<'_>, at: Instant, by: Duration) {
                let _: Interval = time::interval(by);
                let _: Interval = time::interval_at(at, by);
                let _: Instant = interval.tick().await;
                let _: Poll<Instant> = interval.poll_tick(cx);
                interval.reset();
                interval.reset_immediately();
                interval.reset_after(by);
                interval.reset_at(at);
                let _: MissedTickBehavior = interval.missed_tick_behavior();
                interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
                interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
                interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
                let _: Duration = interval.period();
            }

            fn timeout(mut timeout: Timeout<Ready<u8>>, at: Instant, by: Duration) {
                let _: Timeout<Ready<u8>> = time::timeout(by, ready(1));
                let _: Timeout<Ready<u8>> = time::timeout_at(at, ready(1));
                let _: &Ready<u8> = timeout.get_ref();
                let _: &mut Ready<u8> = timeout.get_mut();
                let _: Ready<u8> = timeout.into_inner();
            }
        }
    };
}

names!(shopfloor);
names!(tokio);
