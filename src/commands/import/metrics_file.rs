//! `--metrics-file`: the state of the run for monitoring. Written once the run is planned, at every
//! heartbeat, and at the end of the run, however it ends.

use std::cell::{OnceCell, RefCell};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;

use crate::atomic_file::AtomicFile;
use crate::domain::{KnownBad, Status, Tally, shown};
use crate::event::Event;
use crate::exit::Exit;
use crate::ledger::{LeaseFigures, Ledger, LedgerFigures, LedgerWatch};
use crate::report::{LeaseGauges, LedgerGauges, Metrics, Plan};
use crate::settings::MetricsSettings;

/// Does nothing if no file was named.
#[derive(Debug)]
pub(super) struct MetricsFile {
    /// Of the monotonic clock, because setting the wall clock must not lengthen a run.
    begun: Instant,
    file: Option<(PathBuf, RefCell<Metrics>)>,
    ledger: OnceCell<LedgerWatch>,
}

impl MetricsFile {
    /// Starts the record. Everything that fails from here on appears in the file.
    pub(super) fn start(settings: Option<MetricsSettings>) -> Self {
        let file = settings.map(|MetricsSettings { path, host, account }| {
            let earlier = std::fs::read(&path).unwrap_or_default();
            let metrics = Metrics::new(&host, &account, Timestamp::now(), &String::from_utf8_lossy(&earlier));
            (path, RefCell::new(metrics))
        });
        Self { begun: Instant::now(), file, ledger: OnceCell::new() }
    }

    /// From here on the file shows how this ledger fares.
    pub(super) fn watch(&self, ledger: &Ledger) {
        // A run opens one ledger.
        drop(self.ledger.set(ledger.watch()));
    }

    /// Returns whether another run has taken the ledger over from this one.
    pub(super) fn has_lost_ledger(&self) -> bool {
        let lease = self.ledger.get().and_then(|ledger| ledger.figures().lease);
        lease.is_some_and(|lease| lease.losses > 0)
    }

    pub(super) fn planned(&self, plan: &Plan) {
        let doubts = plan.tally.get(Status::InDoubt) + plan.doubts_elsewhere;
        let records = plan.tally.total();
        self.change(|metrics| metrics.planned(records, doubts));
        self.write(|metrics| metrics.running(self.begun.elapsed()));
    }

    pub(super) fn on(&self, event: &Event) {
        self.change(|metrics| metrics.on(event, Instant::now()));
        if *event == Event::Heartbeat {
            self.write(|metrics| metrics.running(self.begun.elapsed()));
        }
    }

    pub(super) fn reported(&self, tally: &Tally, known_bad: KnownBad, doubts: u64) {
        self.change(|metrics| metrics.reported(tally, known_bad, doubts));
    }

    pub(super) fn end(&self, exit: Exit) {
        self.write(|metrics| metrics.ended(Timestamp::now(), exit.code(), self.begun.elapsed()));
    }

    fn change(&self, change: impl FnOnce(&mut Metrics)) {
        if let Some((_, metrics)) = &self.file {
            change(&mut metrics.borrow_mut());
        }
    }

    /// Writes the file. If that fails, only logs an error, because the records do not depend on it.
    fn write(&self, text: impl FnOnce(&Metrics) -> String) {
        if let Some(ledger) = self.ledger.get() {
            self.change(|metrics| metrics.ledger(gauges(ledger.figures())));
        }
        if let Some((path, metrics)) = &self.file
            && let Err(error) = replace(path, &text(&metrics.borrow()))
        {
            tracing::error!("cannot write the metrics to {}: {error}", shown(path));
        }
    }
}

fn gauges(figures: LedgerFigures) -> LedgerGauges {
    let LedgerFigures { commits, commit_time, lease } = figures;
    let lease = lease.map(|LeaseFigures { is_held, epoch, losses, reconnects, unknown_commits }| LeaseGauges {
        is_held,
        epoch,
        losses,
        reconnects,
        unknown_commits,
    });
    LedgerGauges { commits, commit_time, lease }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?.readable_by_all()?;
    file.write_all(text.as_bytes())?;
    file.commit()
}
