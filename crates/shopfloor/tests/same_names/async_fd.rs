//! File descriptors of any kind, and signals.

macro_rules! names {
    ($runtime:ident) => {
        #[allow(dead_code, deprecated, reason = "it is compiled, not run; tokio prefers `unsafe` constructors")]
        mod $runtime {
            use std::fmt::Debug;
            use std::hash::Hash;
            use std::io;
            use std::os::fd::{AsFd, AsRawFd, OwnedFd};
            use std::task::{Context, Poll};

            use $runtime::io::unix::{AsyncFd, AsyncFdReadyGuard, AsyncFdReadyMutGuard, TryIoError};
            use $runtime::io::{Interest, Ready};
            use $runtime::signal::unix::{Signal, SignalKind};

            implements! {
                AsyncFd<OwnedFd>: [Debug + AsFd + AsRawFd + Send + Sync + Unpin];
                AsyncFdReadyGuard<'static, OwnedFd>: [Debug + Send + Sync + Unpin];
                AsyncFdReadyMutGuard<'static, OwnedFd>: [Debug + Send + Sync + Unpin];
                TryIoError: [Debug + Send + Sync];
                Interest: [Copy + Debug + Eq + Send + Sync + std::ops::BitOr + std::ops::BitOrAssign];
                Ready: [Copy + Debug + Ord + Send + Sync + std::ops::BitOr + std::ops::BitAnd + std::ops::Sub];
                Signal: [Debug + Send + Sync + Unpin];
                SignalKind: [Copy + Debug + Eq + Hash + Send + Sync + From<i32> + Into<i32>];
            }

            fn make(fd: OwnedFd, other: OwnedFd) -> io::Result<OwnedFd> {
                let fd: AsyncFd<OwnedFd> = AsyncFd::new(fd)?;
                let _: AsyncFd<OwnedFd> = AsyncFd::with_interest(other, Interest::READABLE)?;
                Ok(fd.into_inner())
            }

            async fn wait(fd: &mut AsyncFd<OwnedFd>, interest: Interest) -> io::Result<()> {
                let _: &OwnedFd = fd.get_ref();
                let _: &mut OwnedFd = fd.get_mut();
                let _: AsyncFdReadyGuard<'_, OwnedFd> = fd.ready(interest).await?;
                let _: AsyncFdReadyGuard<'_, OwnedFd> = fd.readable().await?;
                let _: AsyncFdReadyGuard<'_, OwnedFd> = fd.writable().await?;
                let _: AsyncFdReadyMutGuard<'_, OwnedFd> = fd.ready_mut(interest).await?;
                let _: AsyncFdReadyMutGuard<'_, OwnedFd> = fd.readable_mut().await?;
                let _: AsyncFdReadyMutGuard<'_, OwnedFd> = fd.writable_mut().await?;
                let _: u8 = fd.async_io(interest, |_: &OwnedFd| Ok(1)).await?;
                let _: u8 = fd.async_io_mut(interest, |_: &mut OwnedFd| Ok(1)).await?;
                let _: u8 = fd.try_io(interest, |_: &OwnedFd| Ok(1))?;
                Ok(())
            }

            fn poll(fd: &mut AsyncFd<OwnedFd>, cx: &mut Context<'_>) {
                let _: Poll<io::Result<AsyncFdReadyGuard<'_, OwnedFd>>> = fd.poll_read_ready(cx);
                let _: Poll<io::Result<AsyncFdReadyGuard<'_, OwnedFd>>> = fd.poll_write_ready(cx);
                let _: Poll<io::Result<AsyncFdReadyMutGuard<'_, OwnedFd>>> = fd.poll_read_ready_mut(cx);
                let _: Poll<io::Result<AsyncFdReadyMutGuard<'_, OwnedFd>>> = fd.poll_write_ready_mut(cx);
            }

            fn guard(guard: &mut AsyncFdReadyGuard<'_, OwnedFd>, ready: Ready) {
                guard.clear_ready();
                guard.clear_ready_matching(ready);
                guard.retain_ready();
                let _: Ready = guard.ready();
                let _: Result<io::Result<u8>, TryIoError> = guard.try_io(|_: &AsyncFd<OwnedFd>| Ok(1));
                let _: &AsyncFd<OwnedFd> = guard.get_ref();
                let _: &OwnedFd = guard.get_inner();
            }

            fn outlives_the_guard<'a>(guard: AsyncFdReadyGuard<'a, OwnedFd>) -> (&'a OwnedFd, &'a AsyncFd<OwnedFd>) {
                (guard.get_inner(), guard.get_ref())
            }

            fn guard_mut(guard: &mut AsyncFdReadyMutGuard<'_, OwnedFd>, ready: Ready) {
                guard.clear_ready();
                guard.clear_ready_matching(ready);
                guard.retain_ready();
                let _: Ready = guard.ready();
                let _: Result<io::Result<u8>, TryIoError> = guard.try_io(|_: &mut AsyncFd<OwnedFd>| Ok(1));
                let _: &AsyncFd<OwnedFd> = guard.get_ref();
                let _: &mut AsyncFd<OwnedFd> = guard.get_mut();
                let _: &OwnedFd = guard.get_inner();
                let _: &mut OwnedFd = guard.get_inner_mut();
            }

            fn readiness(interest: Interest, ready: Ready) {
                let _: [Interest; 4] =
                    [Interest::READABLE, Interest::WRITABLE, Interest::ERROR, Interest::PRIORITY];
                let _: Interest = Interest::READABLE.add(interest);
                let _: Option<Interest> = interest.remove(interest);
                let _: bool = interest.is_readable() || interest.is_writable();
                let _: bool = interest.is_error() || interest.is_priority();
                let _: [Ready; 4] = [Ready::EMPTY, Ready::READABLE, Ready::WRITABLE, Ready::ALL];
                let _: [Ready; 4] =
                    [Ready::READ_CLOSED, Ready::WRITE_CLOSED, Ready::ERROR, Ready::PRIORITY];
                let _: bool = ready.is_empty() || ready.is_readable() || ready.is_writable();
                let _: bool = ready.is_read_closed() || ready.is_write_closed();
                let _: bool = ready.is_error() || ready.is_priority();
            }

            async fn signals(signal: &mut Signal, cx: &mut Context<'_>) -> io::Result<()> {
                let _: Signal = $runtime::signal::unix::signal(SignalKind::alarm())?;
                let _: SignalKind = SignalKind::from_raw(1);
                let _: i32 = SignalKind::child().as_raw_value();
                let _: [SignalKind; 5] = [
                    SignalKind::hangup(),
                    SignalKind::interrupt(),
                    SignalKind::io(),
                    SignalKind::pipe(),
                    SignalKind::quit(),
                ];
                let _: [SignalKind; 4] = [
                    SignalKind::terminate(),
                    SignalKind::user_defined1(),
                    SignalKind::user_defined2(),
                    SignalKind::window_change(),
                ];
                let _: Option<()> = signal.recv().await;
                let _: Poll<Option<()>> = signal.poll_recv(cx);
                $runtime::signal::ctrl_c().await
            }
        }
    };
}

names!(shopfloor);
names!(tokio);
