//! Keeps requests for look-alike e-mails apart.
//!
//! A server's collation may treat two e-mails as equal that are two records here. If both requests
//! were in flight at once, a server that checks before it inserts would create two customers. So a
//! record waits while a look-alike is in progress. If a look-alike ended in doubt, now or in an
//! earlier run, the record also waits until that settle time is over, because only then is the
//! server done with that request. A waiting record is set aside: it holds no in-flight slot and
//! blocks no other record.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use tokio::time::Instant;

use crate::domain::{EmailKey, lookalike};

/// Hash of the form that look-alikes share. If two forms have the same hash, their records are only
/// sent one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LookHash(u64);

#[derive(Debug)]
pub(crate) struct Apart<T> {
    hasher: RandomState,
    under_way: HashSet<LookHash>,
    /// Until when requests in doubt may still be processed by the server.
    doubts: HashMap<LookHash, Instant>,
    /// The waiting records, in the order in which they would have been started.
    aside: VecDeque<(LookHash, T)>,
    room: usize,
}

impl<T> Apart<T> {
    /// `room` is how many records can wait before no more should be claimed.
    pub(crate) fn new(room: usize) -> Self {
        let (under_way, doubts, aside) = (HashSet::new(), HashMap::new(), VecDeque::new());
        Self { hasher: RandomState::new(), under_way, doubts, aside, room }
    }

    pub(crate) fn look(&self, email: &EmailKey) -> LookHash {
        LookHash(self.hasher.hash_one(lookalike(email.as_str())))
    }

    /// Records that a request is in doubt.
    pub(crate) fn doubt(&mut self, look: LookHash, until: Instant, now: Instant) {
        if self.doubts.len() == self.doubts.capacity() {
            self.doubts.retain(|_, until| *until > now);
        }
        let latest = self.doubts.entry(look).or_insert(until);
        *latest = until.max(*latest);
    }

    /// Returns the record if it can start now, and sets it aside otherwise. A record that resolves
    /// its own doubt waits for its settle time itself, so here it waits only for look-alikes in
    /// progress.
    pub(crate) fn admit(&mut self, look: LookHash, resolves: bool, record: T, now: Instant) -> Option<T> {
        if self.under_way.contains(&look) || (!resolves && self.is_in_doubt(look, now)) {
            self.aside.push_back((look, record));
            return None;
        }
        self.under_way.insert(look);
        Some(record)
    }

    /// Records that a started record has ended.
    pub(crate) fn ended(&mut self, look: LookHash) {
        self.under_way.remove(&look);
    }

    /// Returns the records that may be able to start now, in their order.
    pub(crate) fn take_freed(&mut self, now: Instant) -> Vec<T> {
        if self.aside.is_empty() {
            return Vec::new();
        }
        let mut freed = Vec::new();
        let mut next = HashSet::new();
        for (look, record) in std::mem::take(&mut self.aside) {
            // Of several look-alikes only the first can start.
            let waits = self.under_way.contains(&look) || self.is_in_doubt(look, now) || !next.insert(look);
            if waits {
                self.aside.push_back((look, record));
            } else {
                freed.push(record);
            }
        }
        freed
    }

    /// Returns the next moment at which [`Self::take_freed`] may return something even if no other
    /// record ends.
    pub(crate) fn free_at(&self) -> Option<Instant> {
        let idle = self.aside.iter().filter(|(look, _)| !self.under_way.contains(look));
        idle.filter_map(|(look, _)| self.doubts.get(look).copied()).min()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.aside.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.aside.len() < self.room
    }

    /// Drops the waiting records.
    pub(crate) fn clear(&mut self) {
        self.aside.clear();
    }

    fn is_in_doubt(&mut self, look: LookHash, now: Instant) -> bool {
        let is_in_doubt = self.doubts.get(&look).is_some_and(|until| *until > now);
        if !is_in_doubt {
            self.doubts.remove(&look);
        }
        is_in_doubt
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn looks(apart: &Apart<u32>, emails: &[&str]) -> Vec<LookHash> {
        emails.iter().map(|email| apart.look(&EmailKey::of(email))).collect()
    }

    #[test]
    fn the_first_look_alike_starts_and_each_other_one_after_the_end_of_the_one_before() {
        let (mut apart, now) = (Apart::new(2), Instant::now());
        let look = looks(&apart, &["jose@example.com", "josé@example.com", "JOSÉ@example.com", "ann@example.com"]);
        assert_eq!((look[0], look[1] == look[2], look[0] == look[3]), (look[1], true, false));
        let started: Vec<_> =
            (1..=4).zip(look.clone()).filter_map(|(row, look)| apart.admit(look, false, row, now)).collect();
        assert_eq!((started, apart.has_room()), (vec![1, 4], false));
        assert_eq!((apart.take_freed(now), apart.free_at()), (Vec::new(), None), "nothing frees them but an end");
        apart.ended(look[0]);
        assert_eq!((apart.take_freed(now), apart.has_room()), (vec![2], true));
        assert_eq!(apart.admit(look[1], false, 2, now), Some(2));
        apart.ended(look[1]);
        assert_eq!((apart.take_freed(now), apart.is_empty()), (vec![3], true));
    }

    #[test]
    fn a_look_alike_of_a_doubt_waits_for_its_settle_time_and_the_doubts_own_record_does_not() {
        let (mut apart, now) = (Apart::new(8), Instant::now());
        let look = looks(&apart, &["strasse@example.com"])[0];
        let later = now + Duration::from_secs(90);
        apart.doubt(look, later, now);
        apart.doubt(look, now, now);
        assert_eq!(apart.admit(look, false, 1, now), None);
        assert_eq!((apart.take_freed(now), apart.free_at()), (Vec::new(), Some(later)));
        assert_eq!(apart.admit(look, true, 2, now), Some(2));
        assert_eq!((apart.take_freed(later), apart.free_at()), (Vec::new(), None), "it is under way by now");
        apart.ended(look);
        assert_eq!(apart.take_freed(later), [1]);
        assert_eq!(apart.doubts.len(), 0, "what is over is forgotten");
    }

    #[test]
    fn doubts_that_are_over_take_no_memory() {
        let (mut apart, mut now) = (Apart::<u32>::new(8), Instant::now());
        for number in 0..100_000 {
            apart.doubt(LookHash(number), now + Duration::from_secs(90), now);
            now += Duration::from_secs(1);
        }
        assert!(apart.doubts.capacity() < 1000, "{}", apart.doubts.capacity());
    }
}
