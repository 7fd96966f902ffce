//! Something that is not atomic, which an edge has to publish.

use protocol_loom::sync::UnsafeCell;

/// A number that is written once; loom fails a model in which the write and a read are not ordered.
#[derive(Debug)]
pub struct Payload(UnsafeCell<u32>);

// SAFETY: the protocol under test orders the accesses; where it fails to, loom fails the model.
unsafe impl Sync for Payload {}
// SAFETY: as above.
unsafe impl Send for Payload {}

impl Payload {
    pub fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    pub fn write(&self) {
        // SAFETY: the protocol excludes every other access; loom checks it.
        self.0.with_mut(|value| unsafe { *value = 1 });
    }

    /// Fails the model if it was not written.
    pub fn read(&self) {
        // SAFETY: the protocol puts every write before; loom checks it.
        assert_eq!(self.0.with(|value| unsafe { *value }), 1, "read before it was written");
    }
}
