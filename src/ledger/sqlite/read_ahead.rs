//! Records that are read before they are asked for.
//!
//! A nightly file has most of its customers in the order in which the ledger first met them, and in
//! that order its tables lie on the disk. So after two answers in a row the records behind them are
//! read in one go, which takes a fraction of the time of a search for each. The answers are the
//! same: a record is only ever found by its whole e-mail.

use std::collections::VecDeque;

use crate::domain::EmailKey;
use crate::ledger::record_state::KnownRecord;

/// How many records are skipped at most, because the file does not have them any more.
const NEAR: usize = 32;

/// How many records are read at once at first, and at most.
const FIRST: usize = 8;
const MOST: usize = 64;

/// What is asked of each record. Answers to one question are none to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// The run as of which the answer is.
    pub as_of: i64,
    /// Whether the answer has the whole outcome, and not only its status.
    pub wants_outcome: bool,
}

/// A record, and where it lies.
pub(super) struct FoundRecord {
    pub id: i64,
    pub email: String,
    pub known: KnownRecord,
}

/// Hides the e-mail.
impl std::fmt::Debug for FoundRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoundRecord").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Some records in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    question: Option<Question>,
    /// The id of the last answer.
    last: Option<i64>,
    /// The records behind it.
    records: VecDeque<FoundRecord>,
    /// How many to read next. 0 as long as the answers do not lie behind each other.
    more: usize,
}

impl ReadAhead {
    /// Forgets all records that were read for another question.
    pub(super) fn turn_to(&mut self, question: Question) {
        if self.question != Some(question) {
            *self = Self { question: Some(question), ..Self::default() };
        }
    }

    /// Returns the ids of the records to read now. `None` if there are enough, or if the questions
    /// do not follow the order of the ids.
    pub(super) fn wants(&self) -> Option<std::ops::RangeInclusive<i64>> {
        let last = self.last.filter(|_| self.records.is_empty() && self.more > 0)?;
        Some(last + 1..=last.saturating_add(i64::try_from(self.more).ok()?))
    }

    /// Takes the records that were wanted. It gets none if no more lie behind the last answer.
    pub(super) fn fill(&mut self, records: VecDeque<FoundRecord>) {
        self.more = if records.is_empty() { 0 } else { (2 * self.more).min(MOST) };
        self.records = records;
    }

    /// Takes a record out if it is one of the next.
    pub(super) fn take(&mut self, email: &EmailKey) -> Option<KnownRecord> {
        let at = self.records.iter().take(NEAR).position(|record| record.email == email.as_str())?;
        let FoundRecord { id, known, .. } = self.records.drain(..=at).next_back()?;
        self.last = Some(id);
        Some(known)
    }

    /// Notes the id of a record that had to be searched for.
    pub(super) fn searched(&mut self, id: i64) {
        let distance = self.last.and_then(|last| usize::try_from(id - last).ok());
        self.more = if distance.is_some_and(|distance| (1..=NEAR).contains(&distance)) { FIRST } else { 0 };
        self.last = Some(id);
        self.records.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::record_state::RecordState;

    fn records(ids: std::ops::RangeInclusive<i64>) -> VecDeque<FoundRecord> {
        let state = RecordState { generation: 0, claimed_run: 1, claimed_row: 1, open: None, latest: None };
        ids.map(|id| FoundRecord { id, email: format!("p{id}"), known: (state.clone(), None) }).collect()
    }

    #[test]
    fn only_answers_behind_each_other_are_a_reason_to_read_ahead_and_each_time_more_is_read() {
        let mut ahead = ReadAhead::default();
        ahead.searched(7);
        assert_eq!(ahead.wants(), None);
        ahead.searched(900);
        assert_eq!(ahead.wants(), None);
        ahead.searched(902);
        assert_eq!(ahead.wants(), Some(903..=910));
        ahead.fill(records(903..=910));
        assert_eq!(ahead.wants(), None, "they are not used up");
        assert!(ahead.take(&EmailKey::of("p903")).is_some() && ahead.take(&EmailKey::of("p910")).is_some());
        assert_eq!(ahead.wants(), Some(911..=926));
        ahead.fill(VecDeque::new());
        assert_eq!(ahead.wants(), None, "there is nothing more");
        ahead.searched(3);
        assert_eq!(ahead.wants(), None, "the order is another one");
    }

    #[test]
    fn what_was_read_for_one_question_is_no_answer_to_another() {
        let mut ahead = ReadAhead::default();
        let question = Question { as_of: 1, wants_outcome: true };
        ahead.turn_to(question);
        ahead.fill(records(1..=2));
        ahead.turn_to(question);
        assert!(ahead.take(&EmailKey::of("p1")).is_some());
        ahead.turn_to(Question { as_of: 2, ..question });
        assert!(ahead.take(&EmailKey::of("p2")).is_none());
    }
}
