//! Signals on Unix.
//!
//! The listeners of a runtime for one kind share a socket pair, an I/O source like any other, into which the signal
//! handler writes (`relay`). Several runtimes do not share anything, and there is no state of the process but the
//! table of handlers in `signal-hook-registry`, which chains handlers correctly.

use std::ffi::c_int;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::process;
use shopfloor_protocol::sync::Arc;
use tokio::sync::watch;

use super::relay::Relay;
use crate::context;

/// Which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignalKind(c_int);

impl SignalKind {
    /// A signal by its number.
    pub const fn from_raw(signal_number: c_int) -> Self {
        Self(signal_number)
    }

    /// The number.
    pub const fn as_raw_value(&self) -> c_int {
        self.0
    }
}

impl From<c_int> for SignalKind {
    fn from(signal_number: c_int) -> Self {
        Self::from_raw(signal_number)
    }
}

impl From<SignalKind> for c_int {
    fn from(kind: SignalKind) -> Self {
        kind.as_raw_value()
    }
}

macro_rules! kinds {
    ($($name:ident = $signal:ident, $meaning:literal;)*) => {
        impl SignalKind {$(
            #[doc = concat!("`SIG", stringify!($signal), "`: ", $meaning, ".")]
            pub const fn $name() -> Self {
                Self(process::Signal::$signal.as_raw())
            }
        )*}
    };
}

kinds! {
    alarm = ALARM, "a timer of the process has run out";
    child = CHILD, "the state of a child process has changed";
    hangup = HUP, "the terminal is gone; for servers by custom: read the configuration again";
    interrupt = INT, "Ctrl-C";
    io = IO, "a file descriptor is ready";
    pipe = PIPE, "a write had no reader";
    quit = QUIT, "Ctrl-\\";
    terminate = TERM, "a polite request to end";
    user_defined1 = USR1, "what the program likes";
    user_defined2 = USR2, "what the program likes";
    window_change = WINCH, "the terminal has a new size";
}

/// Starts to listen for `kind`.
///
/// The default action of the signal, such as ending the process, no longer happens from now on, and does not
/// come back when the listener is dropped. The first listener for a kind in a runtime costs a socket pair and five system
/// calls, each further one a read.
///
/// ```no_run
/// use shopfloor::signal::unix::{SignalKind, signal};
///
/// # async fn reload() -> std::io::Result<()> {
/// let mut hangup = signal(SignalKind::hangup())?;
/// while hangup.recv().await.is_some() {
///     // Read the configuration again.
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the signal is one that cannot be handled (`SIGKILL`, `SIGSTOP`) or must not be waited for (`SIGSEGV`,
/// `SIGILL`, `SIGFPE`), or the system refuses.
///
/// # Panics
/// Outside a runtime.
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    let io_driver = context::first_io_driver();
    if signal_hook_registry::FORBIDDEN.contains(&kind.0) {
        let refusal = format!("signal {} cannot be listened for", kind.0);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, refusal));
    }
    let relay = io_driver.relays.of(kind, &io_driver.driver)?;
    let ear = relay.listen();
    Ok(Signal { next: Box::pin(Arc::clone(&relay).next(ear)), relay })
}

/// The wait for the next signal, which goes on where it was left.
type Next = Pin<Box<dyn Future<Output = (io::Result<()>, watch::Receiver<()>)> + Send + Sync>>;

/// A listener for one kind of signal, made by [`signal`].
///
/// Several signals that arrive before they are received count as one, as they do in the kernel.
pub struct Signal {
    relay: Arc<Relay>,
    next: Next,
}

impl Signal {
    /// Waits for the next signal. `None` means that there will be none: the runtime has shut down.
    ///
    /// # Cancel safety
    /// No signal is lost.
    pub async fn recv(&mut self) -> Option<()> {
        self.next().await.ok()
    }

    /// As [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.poll_next(cx).map(Result::ok)
    }

    pub(super) async fn next(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (outcome, ear) = ready!(self.next.as_mut().poll(cx));
        self.next = Box::pin(Arc::clone(&self.relay).next(ear));
        Poll::Ready(outcome)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signal").field(&self.relay.kind()).finish()
    }
}
