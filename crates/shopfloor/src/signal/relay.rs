//! What the listeners of one runtime for one kind of signal share.
//!
//! The signal handler, which may do next to nothing, writes a byte into a socket pair; the driver sees the other end
//! become readable. All listeners wait for that. Who comes first takes the bytes and tells the others. The pair stays for
//! as long as the runtime does, so that a listener that is made for each wait needs no descriptor, and
//! does not fail where there is none left.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::Poll;

use shopfloor_driver::{Driver, SourceKind};
use shopfloor_protocol::sync::{Arc, Mutex};
use signal_hook_registry::SigId;
use tokio::sync::watch;

use super::unix::SignalKind;
use crate::context::IoWait;
use crate::io::leaf::LeafSource;

/// Those of one runtime, one for each kind that was ever listened for.
#[derive(Debug, Default)]
pub(crate) struct Relays(Mutex<Vec<Arc<Relay>>>);

#[derive(Debug)]
pub(crate) struct Relay {
    kind: SignalKind,
    leaf: LeafSource<UnixStream>,
    /// Each send is a signal that has come.
    came: watch::Sender<()>,
    id: SigId,
}

impl Relays {
    /// The one for `kind`, on `driver` if there is none yet.
    pub(crate) fn of(&self, kind: SignalKind, driver: &Arc<Driver>) -> io::Result<Arc<Relay>> {
        let mut relays = self.0.lock();
        if let Some(relay) = relays.iter().find(|relay| relay.kind == kind) {
            return Ok(Arc::clone(relay));
        }
        let relay = Arc::new(Relay::new(kind, driver)?);
        relays.push(Arc::clone(&relay));
        Ok(relay)
    }
}

impl Relay {
    fn new(kind: SignalKind, driver: &Arc<Driver>) -> io::Result<Self> {
        let (receiver, sender) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        let leaf = LeafSource::new(receiver, driver, SourceKind::Other);
        leaf.source().register_now()?;
        let id = register(kind, sender)?;
        Ok(Self { kind, leaf, came: watch::Sender::new(()), id })
    }

    pub(crate) fn kind(&self) -> SignalKind {
        self.kind
    }

    /// Begins to listen: what came before is not heard, unless somebody is just about to hand it out.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        // Nothing to take, or an error that whoever waits will meet as well.
        let _: io::Result<()> = self.take(self.leaf.get_ref());
        self.came.subscribe()
    }

    /// Waits for the next signal, and gives the ear back.
    pub(crate) async fn next(
        self: Arc<Self>,
        mut ear: watch::Receiver<()>,
    ) -> (io::Result<()>, watch::Receiver<()>) {
        let outcome = {
            let mut told = pin!(ear.changed());
            let mut taken =
                pin!(self.leaf.io(IoWait::Signal(self.kind.as_raw_value()), |end| self.take(end)));
            // Whoever takes the bytes tells those who have found none: they listen before they look.
            poll_fn(|cx| match told.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(Ok(())),
                Poll::Pending => taken.as_mut().poll(cx),
            })
            .await
        };
        // Told by ourselves, perhaps.
        ear.mark_unchanged();
        (outcome, ear)
    }

    /// Takes the bytes that there are and tells all listeners; `WouldBlock` if there are none.
    fn take(&self, receiver: &UnixStream) -> io::Result<()> {
        drain(receiver)?;
        self.came.send_replace(());
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Before the receiver closes, so that the handler never writes into a closed socket. It was
        // registered, so there is nothing to learn from the answer.
        let _: bool = signal_hook_registry::unregister(self.id);
    }
}

/// Has the handler of `kind` write a byte into `sender`.
fn register(kind: SignalKind, sender: UnixStream) -> io::Result<SigId> {
    let owner = std::process::id();
    let action = move || {
        // A child that was forked and has not yet become another program shares the socket.
        if std::process::id() == owner {
            // A full socket wakes the listeners as well as one more byte would.
            let _: io::Result<usize> = (&sender).write(&[0]);
        }
    };
    // SAFETY:
    // - the action is async-signal-safe: it calls getpid and write and nothing else, and neither they nor an
    //   `io::Error` made of an error number allocate or take a lock. The handler that calls it saves errno.
    // - the action does not panic: it has no operation that can.
    unsafe { signal_hook_registry::register(kind.as_raw_value(), action) }
}

/// Takes all bytes there are; `WouldBlock` if there are none.
fn drain(mut receiver: &UnixStream) -> io::Result<()> {
    let mut bytes = [0; 64];
    let mut found = false;
    loop {
        match receiver.read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => found = true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && found => return Ok(()),
            Err(error) => return Err(error),
        }
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
