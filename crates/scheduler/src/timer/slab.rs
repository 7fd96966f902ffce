//! Numbered places: where in a wheel each of its entries is filed, by a key that stays.
//!
//! Places are indices into one `Vec`, so looking one up costs one access and no `unsafe`.

/// "No place": the end of the free list.
const NIL: u32 = u32::MAX;

/// In no bucket: the place is free.
const FREE: u16 = u16::MAX;

/// An emptied slab of more places than this gives its memory back.
const RETAINED_PLACES_MAX: usize = 1024;

/// Names one entry from its insertion to its removal.
///
/// The generation tells a late key from the present user of the same place. It would take exactly a
/// multiple of 2^32 insertions, the last of them into the same place, to confuse the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey {
    pub(super) place: u32,
    generation: u32,
}

#[derive(Debug)]
struct TimerPlace {
    generation: u32,
    /// The bucket that holds the entry, and where in it; in a free place `position` is the free list.
    bucket: u16,
    position: u32,
}

/// The places of one wheel.
#[derive(Debug)]
pub(super) struct Slab {
    places: Vec<TimerPlace>,
    free: u32,
    len: usize,
    /// Of the latest insertion.
    generation: u32,
}

impl Slab {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), free: NIL, len: 0, generation: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many places there is memory for.
    pub(super) fn capacity(&self) -> usize {
        self.places.capacity()
    }

    /// Takes a place for an entry that is filed in `bucket` at `position`.
    ///
    /// # Panics
    /// At 2^32 − 1 entries.
    pub(super) fn insert(&mut self, bucket: u16, position: u32) -> TimerKey {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let taken = TimerPlace { generation, bucket, position };
        let place = if self.free == NIL {
            let place = u32::try_from(self.places.len()).expect("a wheel holds fewer than 2^32 timers");
            assert_ne!(place, NIL, "a wheel holds fewer than 2^32 timers");
            self.places.push(taken);
            place
        } else {
            let place = self.free;
            self.free = self.places[place as usize].position;
            self.places[place as usize] = taken;
            place
        };
        self.len += 1;
        TimerKey { place, generation }
    }

    /// Frees a place.
    pub(super) fn remove(&mut self, place: u32) {
        let freed = &mut self.places[place as usize];
        freed.bucket = FREE;
        freed.position = self.free;
        self.free = place;
        self.len -= 1;
        if self.len == 0 && self.places.len() > RETAINED_PLACES_MAX {
            self.places = Vec::new();
            self.free = NIL;
        }
    }

    /// The bucket and the position where the entry of `key` is, if it is still there.
    pub(super) fn find(&self, key: TimerKey) -> Option<(usize, u32)> {
        let place = self.places.get(key.place as usize)?;
        let is_there = place.bucket != FREE && place.generation == key.generation;
        is_there.then_some((usize::from(place.bucket), place.position))
    }

    /// Notes that an entry has been moved.
    pub(super) fn moved(&mut self, place: u32, bucket: u16, position: u32) {
        let place = &mut self.places[place as usize];
        place.bucket = bucket;
        place.position = position;
    }
}
