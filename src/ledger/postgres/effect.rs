//! What an operation changes, as values.
//!
//! A commit that is not acknowledged may have happened, so the same effects are written again after
//! it. Each therefore says what shall be, and not what to add, and writing it twice leaves what
//! writing it once leaves.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::{EmailKey, Moment, Status};
use crate::ledger::field_hashes::{FieldHash, FieldHashes};
use crate::ledger::minute_codec::EncodedMinute;
use crate::ledger::model::{self, CheckedStatus, EndedRun, Intent, RunStart, StoredOutcome};
use crate::ledger::payload::PayloadHash;
use crate::ledger::store::Settlement;

#[derive(Clone, Debug)]
pub(super) enum Effect {
    BeginRun {
        number: i64,
        name: String,
        start: RunStart,
    },
    EndRun {
        run: i64,
        end: EndedRun,
    },
    /// The whole minute, with what was known of it before.
    SetMinute {
        run: i64,
        minute: i64,
        encoded: EncodedMinute,
    },
    Claim {
        run: i64,
        email: EmailKey,
        row: u64,
    },
    AddOutcome(Box<NumberedOutcome>),
    /// No request of the record is open.
    Erase(EmailKey),
    Intend {
        run: i64,
        email: EmailKey,
        row: u64,
        intent: Arc<Intent>,
    },
    /// The record is known, without a row of an input.
    Learn {
        run: i64,
        email: EmailKey,
    },
    SetChecks(Vec<(EmailKey, CheckedStatus)>),
    SetOwner(Vec<u8>),
    /// No process sends before this moment, nor before an earlier such moment.
    HoldBack(Moment),
    Forget {
        email: EmailKey,
        person: FieldHash,
    },
    ForgetAll,
}

/// An outcome with its number. With the epoch of the lease that is its identity, so one that is
/// written twice is there once.
#[derive(Clone, Debug)]
pub(super) struct NumberedOutcome {
    pub seq: i64,
    pub run: i64,
    pub email: EmailKey,
    pub payload: PayloadHash,
    pub fields: Option<FieldHashes>,
    pub status: Status,
    pub stored: StoredOutcome,
    /// `None`: when it is written.
    pub settled_at: Option<Timestamp>,
}

/// Counts the outcomes of an epoch.
#[derive(Debug, Default)]
pub(super) struct Numbering(i64);

impl Numbering {
    /// Returns the effects of an outcome: it is added, and the request is not open any more unless
    /// doubt stays.
    pub(super) fn settle(&mut self, run: i64, email: &EmailKey, settlement: Settlement) -> Vec<Effect> {
        self.0 += 1;
        let Settlement { payload, fields, outcome } = settlement;
        let (status, stored) = model::stored(&outcome);
        let (seq, of) = (self.0, email.clone());
        let outcome = NumberedOutcome { seq, run, email: of, payload, fields, status, stored, settled_at: None };
        let mut effects = vec![Effect::AddOutcome(Box::new(outcome))];
        if status != Status::InDoubt {
            effects.push(Effect::Erase(email.clone()));
        }
        effects
    }
}
