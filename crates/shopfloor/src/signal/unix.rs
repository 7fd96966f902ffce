//! Signals on Unix.
//!
//! Each listener has a socket pair of its own. The signal handler, which may do next to nothing, writes a
//! byte into it; the driver sees the other end become readable. So a listener is an I/O source like any
//! other, several runtimes do not share anything, and there is no state of the process but the table of
//! handlers in `signal-hook-registry`, which chains handlers correctly.

use std::ffi::c_int;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll};

use rustix::process;
use shopfloor_driver::SourceKind;
use signal_hook_registry::SigId;

use crate::context::{self, IoWait};
use crate::io::leaf::LeafSource;

/// Which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignalKind(c_int);

impl SignalKind {
    /// A signal by its number.
    pub const fn from_raw(signal_number: c_int) -> Self {
        Self(signal_number)
    }

    fn wait(self) -> IoWait {
        IoWait::Signal(self.0)
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
/// come back when the listener is dropped. Costs a socket pair and five system calls.
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
    let driver = context::current_driver();
    if signal_hook_registry::FORBIDDEN.contains(&kind.0) {
        let refusal = format!("signal {} cannot be listened for", kind.0);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, refusal));
    }
    let (receiver, sender) = UnixStream::pair()?;
    receiver.set_nonblocking(true)?;
    sender.set_nonblocking(true)?;
    let leaf = LeafSource::new(receiver, &driver, SourceKind::Other);
    leaf.source().register_now()?;
    let id = register(kind, sender)?;
    Ok(Signal { kind, leaf, id })
}

/// Has the handler of `kind` write a byte into `sender`.
fn register(kind: SignalKind, sender: UnixStream) -> io::Result<SigId> {
    let owner = std::process::id();
    let action = move || {
        // A child that was forked and has not yet become another program shares the socket.
        if std::process::id() == owner {
            // A full socket wakes the listener as well as one more byte would.
            let _: io::Result<usize> = (&sender).write(&[0]);
        }
    };
    // SAFETY:
    // - the action is async-signal-safe: it calls getpid and write and nothing else, and neither they nor an
    //   `io::Error` made of an error number allocate or take a lock. The handler that calls it saves errno.
    // - the action does not panic: it has no operation that can.
    unsafe { signal_hook_registry::register(kind.0, action) }
}

/// A listener for one kind of signal, made by [`signal`].
///
/// Several signals that arrive before they are received count as one, as they do in the kernel.
pub struct Signal {
    kind: SignalKind,
    leaf: LeafSource<UnixStream>,
    id: SigId,
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
        self.leaf.poll_io(cx, self.kind.wait(), drain).map(Result::ok)
    }

    pub(super) async fn next(&mut self) -> io::Result<()> {
        self.leaf.io(self.kind.wait(), drain).await
    }
}

/// Takes all bytes there are; `WouldBlock` if there are none.
fn drain(mut receiver: &UnixStream) -> io::Result<()> {
    let mut bytes = [0; 64];
    let mut found = false;
    loop {
        match receiver.read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => found = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && found => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signal").field(&self.kind).finish()
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        // Before the receiver closes, so that the handler never writes into a closed socket. It was
        // registered, so there is nothing to learn from the answer.
        let _: bool = signal_hook_registry::unregister(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_nobody_has_received_yet_count_as_one() {
        let (receiver, mut sender) = UnixStream::pair().expect("a pair");
        receiver.set_nonblocking(true).expect("the mode");
        let is_silent =
            |receiver| drain(receiver).expect_err("there is none").kind() == io::ErrorKind::WouldBlock;
        assert!(is_silent(&receiver));
        sender.write_all(&[0; 200]).expect("room for 200 signals");
        drain(&receiver).expect("a signal");
        assert!(is_silent(&receiver));
    }
}
