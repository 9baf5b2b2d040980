//! Writes what an inquiry learns into the ledger.

use std::time::{Duration, Instant};

use crate::delivery::{InquiryKeeper, InquiryPlan, Rate, Way};
use crate::domain::{EmailKey, counted};
use crate::failure::Failure;
use crate::ledger::{CheckedStatus, EndedRun, Ledger, LedgerError, RunId};
use crate::process::signals;
use crate::report::{KycCounts, about};
use crate::settings::TargetSettings;

/// Answers are written at the latest after this time.
const SOON: Duration = Duration::from_secs(5);
/// The ledger is held for at most one part in so many of the time, because opening a large one
/// takes seconds.
const SHARE: u32 = 20;
/// How often to look whether an import has begun.
const LOOK: Duration = Duration::from_secs(1);
/// How often to say how far the inquiry is.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Answers that are not written yet, and the ledger that they go to.
#[derive(Debug)]
pub(super) struct StatusKeeper {
    /// Names the ledger. It is open only while answers are written: a reader that stays open keeps
    /// the log of SQLite from being emptied, and loses its lock when this process closes the file.
    target: TargetSettings,
    rate: Rate,
    unwritten: Vec<(EmailKey, CheckedStatus)>,
    written_at: Instant,
    writing_took: Duration,
    looked_at: Instant,
    told_at: Instant,
    /// The first plan does not know how long the API's list is.
    has_plan: bool,
    /// The statuses that the API named, those of an unfinished inquiry included.
    pub counts: KycCounts,
}

impl StatusKeeper {
    pub(super) fn new(target: TargetSettings, rate: Rate, counts: KycCounts) -> Self {
        let now = Instant::now();
        Self {
            target,
            rate,
            unwritten: Vec::new(),
            written_at: now,
            writing_took: Duration::ZERO,
            looked_at: now,
            told_at: now,
            has_plan: false,
            counts,
        }
    }

    /// Writes what is left, and the end of the run.
    pub(super) async fn close(&mut self, run: &RunId, end: EndedRun) -> Result<(), Failure> {
        let ledger = self.open().await?;
        ledger.learn_status(self.unwritten.clone()).await?;
        self.unwritten.clear();
        Ok(ledger.end_run(run, end).await?)
    }

    /// Returns how many answers are not written.
    pub(super) fn unwritten(&self) -> u64 {
        self.unwritten.len() as u64
    }

    async fn open(&self) -> Result<Ledger, Failure> {
        let target = self.target.clone();
        signals::on_thread(move || target.open_for_a_moment())?.await
    }

    async fn write(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        let ledger = self.open().await?;
        ledger.learn_status(self.unwritten.clone()).await?;
        // Only now, so that what could not be written is counted.
        self.unwritten.clear();
        drop(ledger);
        (self.written_at, self.writing_took) = (Instant::now(), begun.elapsed());
        Ok(())
    }

    fn is_due(&self) -> bool {
        !self.unwritten.is_empty() && self.written_at.elapsed() >= SOON.max(self.writing_took * SHARE)
    }

    /// Fails if another run holds the ledger.
    fn look(&mut self) -> Result<(), Failure> {
        if self.looked_at.elapsed() < LOOK {
            return Ok(());
        }
        self.looked_at = Instant::now();
        match Ledger::holder(&self.target.ledger, &self.target.target) {
            Some(occupied) if occupied.by.as_ref().is_none_or(|by| by.stays) => {
                Err(LedgerError::Locked(occupied).into())
            }
            _ => Ok(()),
        }
    }

    fn tell(&mut self, left: usize) {
        if self.told_at.elapsed() >= HEARTBEAT {
            self.told_at = Instant::now();
            tracing::info!("{} left", counted(left as u64, "customer"));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn time(&self, requests: u64) -> Duration {
        Duration::from_secs_f64(requests as f64 * 60.0 / self.rate.per_minute())
    }
}

impl InquiryKeeper for StatusKeeper {
    type Error = Failure;

    fn planned(&mut self, plan: InquiryPlan) {
        let is_first = !std::mem::replace(&mut self.has_plan, true);
        let how = match plan.way {
            Way::Pages if is_first => "by pages or one by one",
            Way::Pages => "by pages",
            Way::OneByOne => "one by one",
        };
        let (requests, time) = (counted(plan.requests, "request"), about(self.time(plan.requests)));
        if plan.requests > 0 {
            tracing::info!("asking {how}: at most {requests}, about {time} at this pace");
        }
    }

    fn paused(&mut self, pause: Duration) {
        tracing::info!("the API asked for a pause of {} (429)", about(pause));
    }

    async fn keep(&mut self, answers: Vec<(EmailKey, CheckedStatus)>, left: usize) -> Result<(), Failure> {
        for (_, status) in &answers {
            self.counts.add(status.kyc_status.as_deref());
        }
        self.unwritten.extend(answers);
        self.tell(left);
        self.look()?;
        if self.is_due() { self.write().await } else { Ok(()) }
    }
}
