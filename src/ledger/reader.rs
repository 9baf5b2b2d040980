//! The ledger as reports, plans and people read it.

use super::LedgerError;
use super::model::{OpenRequest, RunInfo, RunState, SharedId};
use super::record_state::{Claimed, KnownRecord, RecordState};
use super::store::LedgerReader;
use crate::domain::{EmailKey, Tally};

/// How many records a store is asked for at a time.
pub(super) const PIECE: usize = 500;

/// A view of the ledger as it was when the view was opened. It does not hinder a writer and writes
/// nothing.
#[derive(Debug)]
pub struct Reader {
    store: Box<dyn LedgerReader>,
}

impl Reader {
    pub(super) fn over(store: impl LedgerReader + 'static) -> Self {
        Self { store: Box::new(store) }
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

fn in_pieces<T>(
    emails: &[&EmailKey],
    ask: impl Fn(&[&EmailKey]) -> Result<Vec<T>, LedgerError>,
) -> Result<Vec<T>, LedgerError> {
    let mut found = Vec::with_capacity(emails.len());
    for piece in emails.chunks(PIECE) {
        found.extend(ask(piece)?);
    }
    Ok(found)
}
