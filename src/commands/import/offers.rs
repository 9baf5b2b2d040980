//! Offers the records of the input to delivery.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::delivery::{Offer, Payload, Shutdown};
use crate::domain::{InputRecord, RecordVerdict, Status};
use crate::failure::Failure;
use crate::process::signals;
use crate::reconcile::input::InputHandle;
use crate::reconcile::known::KnownRows;

/// How often the input is checked for changes while nothing is read from it.
const LOOK: Duration = Duration::from_secs(1);

/// Reads the input to its end, or until the receiver is dropped.
pub(super) fn read(input: &InputHandle, known: &KnownRows, offers: &mpsc::Sender<Offer>) -> Result<(), Failure> {
    for records in input.feed(false)?.in_parallel(Vec::<InputRecord<'_>>::new)? {
        for record in records? {
            let offer = offer(record, known);
            if matches!(offer, Offer::Valid { .. }) {
                input.check_unchanged()?;
            }
            if offers.blocking_send(offer).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Drains the run soon after the input changed, even if all of it has been read.
pub(super) async fn watch(input: Arc<InputHandle>, shutdown: Shutdown) {
    loop {
        tokio::time::sleep(LOOK).await;
        let input = Arc::clone(&input);
        // Checked on a thread of its own, which may hang on a dead disk without blocking the
        // runtime. If the thread cannot be started, the next check will do, because each record is
        // checked before it is sent anyway.
        let Ok(looking) = signals::on_thread(move || input.check_unchanged()) else { continue };
        if looking.await.is_err() {
            return shutdown.drain();
        }
    }
}

fn offer(record: InputRecord<'_>, known: &KnownRows) -> Offer {
    let position = record.position;
    match (record.verdict, known.status(position.row)) {
        (RecordVerdict::Invalid { .. }, _) => Offer::Settled { position, status: Status::Invalid },
        (RecordVerdict::Valid { .. }, Some(status)) => Offer::Settled { position, status },
        (RecordVerdict::Valid { customer, .. }, None) => {
            Offer::Valid { position, email: customer.email.key(), payload: Payload::of(&customer) }
        }
    }
}
