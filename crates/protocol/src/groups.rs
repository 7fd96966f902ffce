//! Which slot is in which group of workers. Here is no state and nothing to race for; all who must agree ask here.
//!
//! # Checked by
//! Its unit test, and every model with groups.

use std::iter::{Chain, StepBy};
use std::ops::Range;

/// So many groups. Slots are dealt to them in turn, so that workers and their stand-ins are spread alike.
#[derive(Clone, Copy, Debug)]
pub struct Groups(usize);

impl Groups {
    /// # Panics
    /// If `count` is zero.
    pub fn new(count: usize) -> Self {
        assert!(count > 0, "every worker is in a group");
        Self(count)
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.0
    }

    /// All groups, from one on.
    pub fn round(self, first: usize) -> Chain<Range<usize>, Range<usize>> {
        (first..self.0).chain(0..first)
    }

    /// The next one in the round.
    pub fn after(self, group: usize) -> usize {
        if group + 1 < self.0 { group + 1 } else { 0 }
    }

    /// The group of a slot.
    pub fn of(self, slot: usize) -> usize {
        slot % self.0
    }

    /// The number of a slot within its group.
    pub fn place(self, slot: usize) -> usize {
        slot / self.0
    }

    /// The slot with this number within its group.
    pub fn slot(self, group: usize, place: usize) -> usize {
        place * self.0 + group
    }

    /// Those of the first `slots` that are in the group, in the order of their places.
    pub fn slots(self, group: usize, slots: usize) -> StepBy<Range<usize>> {
        (group..slots).step_by(self.0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Groups;

    #[test]
    fn every_slot_has_one_place_in_one_group() {
        let groups = Groups::new(3);
        for slot in 0..8 {
            let (group, place) = (groups.of(slot), groups.place(slot));
            assert_eq!(groups.slot(group, place), slot);
            assert_eq!(groups.slots(group, 8).nth(place), Some(slot));
        }
        let sizes: Vec<_> = (0..3).map(|group| groups.slots(group, 8).len()).collect();
        assert_eq!(sizes, [3, 3, 2]);
        assert_eq!(groups.round(1).collect::<Vec<_>>(), [1, 2, 0]);
        assert_eq!([0, 1, 2].map(|group| groups.after(group)), [1, 2, 0]);
    }
}
