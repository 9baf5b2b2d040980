//! The ledger as reports, plans and people read it.

use super::field_hashes::FieldHashes;
use super::handle::owner_digest;
use super::keyed_hasher::{BadRecordDigest, KeyedHasher};
use super::model::{OpenRequest, RunInfo, RunState, SharedId};
use super::record_state::{Claimed, KnownRecord, RecordState};
use super::store::LedgerReader;
use super::{LedgerError, Occupied};
use crate::domain::{ChangedFields, EmailKey, MinuteTraffic, Tally};

/// How many records a store is asked for at a time.
pub(super) const PIECE: usize = 500;

/// A view of the ledger as it was when the view was opened. It does not hinder a writer and writes
/// nothing.
#[derive(Debug)]
pub struct Reader {
    store: Box<dyn LedgerReader>,
    secret: Vec<u8>,
    hasher: KeyedHasher,
}

impl Reader {
    pub(super) fn over(store: impl LedgerReader + 'static, secret: &[u8]) -> Result<Self, hmac::digest::InvalidLength> {
        Ok(Self { store: Box::new(store), secret: secret.to_owned(), hasher: KeyedHasher::new(secret)? })
    }

    /// Returns what hashes with the secret of this ledger.
    #[must_use]
    pub const fn hasher(&self) -> &KeyedHasher {
        &self.hasher
    }

    /// Returns whether it knows any record of this target.
    pub fn knows_any(&self) -> Result<bool, LedgerError> {
        self.store.knows_any()
    }

    /// Returns what is known of an e-mail as of `run`, or of all runs if that is `None`.
    pub fn state(&self, email: &EmailKey, run: Option<i64>) -> Result<Option<RecordState>, LedgerError> {
        Ok(self.states(&[email], run)?.pop().flatten())
    }

    /// The same, with the rest of the last outcome.
    pub fn outcome(&self, email: &EmailKey, run: Option<i64>) -> Result<Option<KnownRecord>, LedgerError> {
        Ok(self.outcomes(&[email], run)?.pop().flatten())
    }

    /// Returns what is known of each e-mail, in their order.
    pub fn states(&self, emails: &[&EmailKey], run: Option<i64>) -> Result<Vec<Option<RecordState>>, LedgerError> {
        in_pieces(emails, |piece| self.store.states(piece, as_of(run)))
    }

    /// The same, with the rest of the last outcomes.
    pub fn outcomes(&self, emails: &[&EmailKey], run: Option<i64>) -> Result<Vec<Option<KnownRecord>>, LedgerError> {
        in_pieces(emails, |piece| self.store.outcomes(piece, as_of(run)))
    }

    /// Returns how each body differs from what was sent for the last outcome of its e-mail, in
    /// their order. Hashing takes a few microseconds each, so ask only for records that have
    /// changed.
    pub fn changed_fields(
        &self,
        bodies: &[(&EmailKey, &[u8])],
        run: Option<i64>,
    ) -> Result<Vec<ChangedFields>, LedgerError> {
        let emails: Vec<_> = bodies.iter().map(|(email, _)| *email).collect();
        let sent = in_pieces(&emails, |piece| self.store.sent_fields(piece, as_of(run)))?;
        let changed = |(sent, (email, body)): (Option<FieldHashes>, &(&EmailKey, &[u8]))| {
            let now = self.hasher.fields(email, body);
            let both = sent.zip(now);
            both.map_or(ChangedFields::Unknown, |(sent, now)| FieldHashes::compare(&sent, &now))
        };
        Ok(sent.into_iter().zip(bodies).map(changed).collect())
    }

    /// Returns whether the last completed run of an input of this target reported these records, in
    /// their order.
    pub fn known_bad(&self, digests: &[BadRecordDigest]) -> Result<Vec<bool>, LedgerError> {
        in_pieces(digests, |piece| self.store.known_bad(piece))
    }

    /// Shows what is known, as of `run`, of each record that it claimed, in the order of its rows.
    pub fn each_claimed<E: From<LedgerError>>(
        &self,
        run: i64,
        mut show: impl FnMut(Claimed) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut shown = Ok(());
        self.store.each_claimed(run, &mut |claimed| {
            shown = show(claimed);
            shown.is_ok()
        })?;
        shown
    }

    /// Returns the newest run over this input.
    pub fn last_run(&self, input: &str) -> Result<Option<RunInfo>, LedgerError> {
        self.store.last_run(input)
    }

    /// Returns the newest runs over this input, at most so many, the newest first.
    pub fn runs_of(&self, input: &str, most: u32) -> Result<Vec<RunInfo>, LedgerError> {
        self.store.runs_of(input, most)
    }

    /// Returns the newest run over this input that completed.
    pub fn last_completed(&self, input: &str) -> Result<Option<RunInfo>, LedgerError> {
        self.store.last_completed(input)
    }

    /// Counts the records by the last outcome that the run itself brought, and those with an open
    /// request of it as in doubt. Records that it found settled are not among them.
    pub fn tally_of(&self, run: i64) -> Result<Tally, LedgerError> {
        self.store.tally_of(run)
    }

    /// Returns the minutes of a run in which something happened, in their order.
    pub fn minutes(&self, run: i64) -> Result<Vec<MinuteTraffic>, LedgerError> {
        self.store.minutes(run)
    }

    /// Returns the run of this name.
    pub fn run(&self, name: &str) -> Result<Option<RunInfo>, LedgerError> {
        self.store.run(name)
    }

    /// Returns the requests of this target whose effect is unknown, the oldest first.
    pub fn open_requests(&self) -> Result<Vec<OpenRequest>, LedgerError> {
        self.store.open_requests()
    }

    /// Returns how far a run is. If it seems cut off, ask another view, because the run may have
    /// ended after this one was opened.
    pub fn state_of(&self, run: &RunInfo) -> Result<RunState, LedgerError> {
        self.store.state_of(run)
    }

    /// Counts the records of this target by their last outcome; those with an open request count as
    /// in doubt.
    pub fn tally(&self) -> Result<Tally, LedgerError> {
        self.store.tally()
    }

    /// Returns whether the target was first used by another owner than this one.
    pub fn belongs_to_another(&self, owner: &str) -> Result<bool, LedgerError> {
        let first = self.store.owner()?;
        Ok(first.is_some_and(|first| first != owner_digest(&self.secret, owner)))
    }

    /// Checks the whole ledger. Fails if anything is damaged. This takes seconds for each gigabyte.
    pub fn check(&self) -> Result<(), LedgerError> {
        self.store.check()
    }

    /// Returns the run that holds the ledger for writing, or `None` if none does.
    #[must_use]
    pub fn holder(&self) -> Option<Occupied> {
        self.store.holder()
    }

    /// Counts the runs of this target.
    pub fn runs(&self) -> Result<u64, LedgerError> {
        self.store.runs()
    }

    /// Returns the ids that a run got for more than one record. Each is an alarm, because every
    /// customer has an id of its own.
    pub fn shared_ids(&self, run: i64) -> Result<Vec<SharedId>, LedgerError> {
        self.store.shared_ids(run)
    }
}

fn as_of(run: Option<i64>) -> i64 {
    run.unwrap_or(i64::MAX)
}

fn in_pieces<Q, T>(questions: &[Q], ask: impl Fn(&[Q]) -> Result<Vec<T>, LedgerError>) -> Result<Vec<T>, LedgerError> {
    let mut found = Vec::with_capacity(questions.len());
    for piece in questions.chunks(PIECE) {
        found.extend(ask(piece)?);
    }
    Ok(found)
}
