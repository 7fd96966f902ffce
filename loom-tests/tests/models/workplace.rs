//! The workplace of a model that needs another answer than its floor's.

use protocol_loom::idle::Workplace;

/// What is left to a group is work, and nothing else.
pub struct ByClosures<W, U> {
    pub has_work: W,
    pub unpark: U,
}

impl<W: Fn() -> bool, U: Fn(usize)> Workplace for ByClosures<W, U> {
    fn has_work(&self) -> bool {
        (self.has_work)()
    }

    fn needs_a_worker(&self, _: usize) -> bool {
        self.has_work()
    }

    fn unpark(&self, slot: usize) {
        (self.unpark)(slot);
    }
}
