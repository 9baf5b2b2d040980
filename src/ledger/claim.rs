//! May this record be sent? The ledger is asked before anything else, and a settled record costs no
//! request and no permit.

use super::model::Intent;
use super::payload::PayloadHash;
use super::record_state::RecordState;
use crate::domain::{EmailKey, Position, Status};

/// A valid record that asks to be sent.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    pub email: EmailKey,
    pub payload: PayloadHash,
    pub position: Position,
}

/// What the user decided about records that ended before.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaimPolicy {
    /// `--retry-rejected`: send again what the API rejected with the same data.
    pub retry_rejected: bool,
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Claim {
    Deliver(Ticket),
    /// Known from an earlier run; nothing is sent.
    Settled(Status),
    /// An earlier row of this run has the same e-mail.
    Duplicate {
        of_row: u64,
    },
}

/// The right to send one record in this run. Only a claim gives one, and only one a record and run.
#[derive(Debug)]
pub struct Ticket {
    pub(super) email: EmailKey,
    pub(super) position: Position,
    pub(super) generation: u32,
    /// Rare, and large.
    pub(super) resumed: Option<Box<Intent>>,
}

impl Ticket {
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    #[must_use]
    pub fn email(&self) -> &EmailKey {
        &self.email
    }

    /// The generation of the key that a new request carries.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether it has a request of an earlier run to resolve.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.resumed.is_some()
    }

    /// The request of an earlier run whose effect is unknown. It must be resolved, with its own
    /// bytes, before anything else is sent.
    pub fn take_resumed(&mut self) -> Option<Intent> {
        self.resumed.take().map(|intent| *intent)
    }
}

pub(super) enum Decision {
    Deliver { generation: u32, resumed: Option<Box<Intent>> },
    Settled(Status),
    Duplicate { of_row: u64 },
}

/// The whole rule of claiming.
pub(super) fn decide(known: Option<&RecordState>, request: &ClaimRequest, run: i64, policy: ClaimPolicy) -> Decision {
    let Some(known) = known else { return Decision::Deliver { generation: 0, resumed: None } };
    if let Some(of_row) = known.claimed_row(run) {
        return Decision::Duplicate { of_row };
    }
    if let Some((_, open)) = known.open.as_deref() {
        return Decision::Deliver { generation: open.generation, resumed: Some(Box::new(open.clone())) };
    }
    match known.status(run, request.payload) {
        // The server replays a stored refusal to its old key, so asking again in earnest takes a
        // new one.
        Status::Rejected if policy.retry_rejected => {
            Decision::Deliver { generation: known.generation + 1, resumed: None }
        }
        settled @ (Status::AlreadyImported | Status::Changed | Status::Exists | Status::Rejected | Status::Created) => {
            Decision::Settled(settled)
        }
        // A failure is proven to have created nothing, and the server may have stored its answer
        // under the old key.
        Status::NotAttempted if known.came_to_nothing() => {
            Decision::Deliver { generation: known.generation + 1, resumed: None }
        }
        Status::Failed
        | Status::InDoubt
        | Status::NotAttempted
        | Status::Duplicate
        | Status::Invalid
        | Status::Valid => Decision::Deliver { generation: known.generation, resumed: None },
    }
}

#[cfg(test)]
mod tests {
    use super::super::record_state::tests::{sent_by, standing};
    use super::*;

    fn request(body: &[u8]) -> ClaimRequest {
        let position = Position { row: 7, line: 8 };
        ClaimRequest { email: EmailKey::of("a@example.com"), payload: PayloadHash::of(body), position }
    }

    fn claim(known: &RecordState, body: &[u8], policy: ClaimPolicy) -> Decision {
        decide(Some(known), &request(body), 2, policy)
    }

    #[test]
    fn i3_a_settled_record_is_never_sent_again() {
        for (was, body, expected) in [
            (Status::Created, b"x", Status::AlreadyImported),
            (Status::Created, b"y", Status::Changed),
            (Status::Exists, b"y", Status::Exists),
            (Status::Rejected, b"x", Status::Rejected),
        ] {
            let decision = claim(&standing(1, was, b"x"), body, ClaimPolicy::default());
            assert!(matches!(decision, Decision::Settled(status) if status == expected), "{was}");
        }
    }

    #[test]
    fn what_ended_without_a_customer_is_taken_up_again() {
        // What failed may be stored under its key, so it gets another; other data has another key
        // anyway.
        for (was, body, expected) in
            [(Status::Failed, b"x", 1), (Status::NotAttempted, b"x", 1), (Status::Rejected, b"y", 0)]
        {
            let decision = claim(&standing(1, was, b"x"), body, ClaimPolicy::default());
            assert!(
                matches!(decision, Decision::Deliver { generation, resumed: None } if generation == expected),
                "{was}"
            );
        }
    }

    #[test]
    fn a_rejected_record_asked_again_in_earnest_gets_a_new_key() {
        let policy = ClaimPolicy { retry_rejected: true };
        let decision = claim(&standing(1, Status::Rejected, b"x"), b"x", policy);
        assert!(matches!(decision, Decision::Deliver { generation: 1, resumed: None }));
    }

    #[test]
    fn an_open_request_is_resolved_first_even_when_the_row_was_edited() {
        let decision = claim(&sent_by(1, standing(1, Status::Failed, b"x")), b"edited", ClaimPolicy::default());
        assert!(matches!(decision, Decision::Deliver { resumed: Some(open), .. } if open.body == b"x"));
    }

    #[test]
    fn a_second_row_of_the_same_run_is_a_duplicate_of_the_first() {
        let decision = claim(&standing(2, Status::Created, b"x"), b"x", ClaimPolicy::default());
        assert!(matches!(decision, Decision::Duplicate { of_row: 1 }));
    }
}
