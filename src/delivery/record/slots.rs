//! How many records can be under way at once.
//!
//! A record needs a slot before it asks for a permit, and keeps it until its outcome is queued. A
//! slot allows one intent, and so the number of slots is the most that a kill leaves unanswered
//! (I7). A request also needs a place in flight; there are `--concurrency` of those.
//!
//! A place that becomes free would wait for the commit of the next intent. So there are a few more
//! slots than places: as many as places became free while one of the last intents waited for its
//! commit. At the pace of the API itself that is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

/// How many intents can be written ahead for each place in flight.
const MOST_AHEAD: usize = 2;

/// The slots of a run. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Slots(Arc<SlotCounts>);

#[derive(Debug)]
struct SlotCounts {
    /// The free ones; so are the places. Neither is ever closed.
    slots: Semaphore,
    places: Semaphore,
    /// How many places there are.
    size: AtomicUsize,
    /// By how many the slots outnumber the places.
    ahead: AtomicUsize,
    /// How many slots must be given up when they are released.
    surplus: AtomicUsize,
    /// How often a place became free.
    freed: AtomicUsize,
    /// How many intents in a row could have done with one slot less.
    easy: AtomicUsize,
    /// Whether intents can be written ahead at all.
    is_ahead_allowed: bool,
}

/// The right to have an intent, and perhaps a place in flight. Dropping it releases both.
#[derive(Debug)]
pub(crate) struct Slot {
    has_place: bool,
    of: Slots,
}

/// When an intent was handed in, counted in places that had become free by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandedIn(usize);

impl Slots {
    /// Returns slots for one record, and more as places are added.
    pub(crate) fn new(is_ahead_allowed: bool) -> Self {
        Self(Arc::new(SlotCounts {
            slots: Semaphore::new(1),
            places: Semaphore::new(1),
            size: AtomicUsize::new(1),
            ahead: AtomicUsize::new(0),
            surplus: AtomicUsize::new(0),
            freed: AtomicUsize::new(0),
            easy: AtomicUsize::new(0),
            is_ahead_allowed,
        }))
    }

    /// Returns how many requests can be in flight.
    pub(crate) fn size(&self) -> usize {
        self.0.size.load(Ordering::Relaxed)
    }

    /// Adds one place in flight, with its slot.
    pub(crate) fn grow(&self) {
        self.0.size.fetch_add(1, Ordering::Relaxed);
        self.0.slots.add_permits(1);
        self.0.places.add_permits(1);
    }

    /// Waits for a free slot.
    pub(crate) async fn acquire(&self) -> Slot {
        take(&self.0.slots).await;
        self.taken()
    }

    /// Returns a slot if one is free.
    pub(crate) fn try_acquire(&self) -> Option<Slot> {
        self.0.slots.try_acquire().ok()?.forget();
        Some(self.taken())
    }

    fn taken(&self) -> Slot {
        Slot { has_place: false, of: self.clone() }
    }

    pub(crate) fn hands_in(&self) -> HandedIn {
        HandedIn(self.0.freed.load(Ordering::Relaxed))
    }

    /// Adapts the number of slots to the places that became free while an intent waited for its
    /// commit. It rises at once, and falls by one after as many intents as there are places,
    /// because now and then a commit takes longer: it also moves the log into the file.
    pub(crate) fn adapt(&self, HandedIn(then): HandedIn) {
        if !self.0.is_ahead_allowed {
            return;
        }
        let freed = self.0.freed.load(Ordering::Relaxed).wrapping_sub(then).min(MOST_AHEAD * self.size());
        let ahead = self.0.ahead.load(Ordering::Relaxed);
        if freed >= ahead {
            self.0.easy.store(0, Ordering::Relaxed);
            self.0.ahead.store(freed, Ordering::Relaxed);
            let missing = (ahead..freed).filter(|_| !self.take_surplus()).count();
            self.0.slots.add_permits(missing);
        } else if 1 + self.0.easy.fetch_add(1, Ordering::Relaxed) >= self.size() {
            self.0.easy.store(0, Ordering::Relaxed);
            self.0.ahead.store(ahead - 1, Ordering::Relaxed);
            self.0.surplus.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns whether there was a slot too many; then it is one less now.
    fn take_surplus(&self) -> bool {
        let less = |surplus: usize| surplus.checked_sub(1);
        self.0.surplus.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

impl Slot {
    /// Waits for a place in flight, unless this has one.
    pub(crate) async fn take_place(&mut self) {
        if !self.has_place {
            take(&self.of.0.places).await;
            self.has_place = true;
        }
    }

    /// Releases the place in flight, if it has one.
    pub(crate) fn leave_place(&mut self) {
        if std::mem::take(&mut self.has_place) {
            self.of.0.places.add_permits(1);
            self.of.0.freed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.leave_place();
        if !self.of.take_surplus() {
            self.of.0.slots.add_permits(1);
        }
    }
}

/// Waits for one of the free ones and takes it. The slot gives it back.
async fn take(free: &Semaphore) {
    if let Ok(one) = free.acquire().await {
        one.forget();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    /// As many slots as are free.
    fn all(slots: &Slots) -> Vec<Slot> {
        std::iter::from_fn(|| slots.try_acquire()).collect()
    }

    fn in_flight(slots: &Slots, number: usize) -> Vec<Slot> {
        let mut taken: Vec<_> = (0..number).map(|_| slots.try_acquire().unwrap()).collect();
        taken.iter_mut().for_each(|slot| slot.take_place().now_or_never().unwrap());
        taken
    }

    /// Slots of which so many places became free while an intent waited.
    fn after(places: usize, freed: usize) -> Slots {
        let slots = Slots::new(true);
        (1..places).for_each(|_| slots.grow());
        let handed_in = slots.hands_in();
        (0..freed).for_each(|_| drop(in_flight(&slots, 1)));
        slots.adapt(handed_in);
        slots
    }

    #[test]
    fn slots_outnumber_places_by_those_that_became_free_during_a_commit_and_by_twice_as_many_at_most() {
        for (freed, slots) in [(0, 4), (1, 5), (3, 7), (8, 12), (100, 12)] {
            assert_eq!(all(&after(4, freed)).len(), slots, "{freed}");
        }
        assert_eq!(all(&Slots::new(false)).len(), 1);
    }

    #[test]
    fn no_more_records_are_in_flight_than_there_are_places() {
        let slots = after(4, 8);
        let flying = in_flight(&slots, 4);
        let mut next = slots.try_acquire().unwrap();
        assert!(next.take_place().now_or_never().is_none());
        drop(flying);
        assert!(next.take_place().now_or_never().is_some());
    }

    #[test]
    fn slots_that_are_too_many_are_given_up_slowly_and_taken_back_first() {
        let easy = |slots: &Slots, intents: usize| (0..intents).for_each(|_| slots.adapt(slots.hands_in()));
        let slots = after(4, 3);
        for (intents, left) in [(3, 7), (1, 6), (4, 5), (4, 4), (40, 4)] {
            easy(&slots, intents);
            drop(all(&slots));
            assert_eq!(all(&slots).len(), left);
        }
        let slots = after(2, 2);
        let taken = all(&slots);
        assert_eq!(taken.len(), 4);
        // Both are too many while all are in use, and wanted again before any is released.
        easy(&slots, 4);
        let handed_in = slots.hands_in();
        slots.0.freed.fetch_add(2, Ordering::Relaxed);
        slots.adapt(handed_in);
        drop(taken);
        assert_eq!(all(&slots).len(), 4);
    }
}
