//! `--metrics-file`: the state of the run for others to watch, written once it is planned, at every sign of life, and at its end whatever that is.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;

use crate::atomic_file::AtomicFile;
use crate::cli::ImportArgs;
use crate::domain::{Tally, shown};
use crate::event::Event;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::Metrics;
use crate::settings::{self, TargetSettings};

/// Idle where no file was named.
#[derive(Debug)]
pub(super) struct Meter {
    /// By the monotonic clock; a wall clock that is set must not lengthen a run.
    begun: Instant,
    file: Option<(PathBuf, RefCell<Metrics>)>,
}

impl Meter {
    /// Refuses a file that cannot be written or is another one's place; everything that goes wrong after that is told in the file.
    pub(super) fn start(args: &ImportArgs) -> Result<Self, Failure> {
        let file = match &args.metrics_file {
            Some(path) => Some((path.clone(), RefCell::new(metrics(path, args)?))),
            None => None,
        };
        Ok(Self { begun: Instant::now(), file })
    }

    pub(super) fn planned(&self, records: u64, doubts: u64) {
        self.change(|metrics| metrics.planned(records, doubts));
        self.write(|metrics| metrics.running(self.begun.elapsed()));
    }

    pub(super) fn on(&self, event: &Event) {
        self.change(|metrics| metrics.on(event, Instant::now()));
        if *event == Event::Heartbeat {
            self.write(|metrics| metrics.running(self.begun.elapsed()));
        }
    }

    pub(super) fn reported(&self, tally: &Tally, doubts: u64) {
        self.change(|metrics| metrics.reported(tally, doubts));
    }

    pub(super) fn end(&self, exit: Exit) {
        self.write(|metrics| metrics.ended(Timestamp::now(), exit.code(), self.begun.elapsed()));
    }

    fn change(&self, change: impl FnOnce(&mut Metrics)) {
        if let Some((_, metrics)) = &self.file {
            change(&mut metrics.borrow_mut());
        }
    }

    /// What became of the records does not depend on who can watch it, so a file that cannot be written is told and changes nothing.
    fn write(&self, text: impl FnOnce(&Metrics) -> String) {
        if let Some((path, metrics)) = &self.file
            && let Err(error) = replace(path, &text(&metrics.borrow()))
        {
            tracing::error!("cannot write the metrics to {}: {error}", shown(path));
        }
    }
}

fn metrics(path: &Path, args: &ImportArgs) -> Result<Metrics, Failure> {
    let target = TargetSettings::of(&args.target).ok().flatten();
    let ledger = args.target.ledger.as_deref().or(target.as_ref().map(|target| target.ledger.as_path()));
    let others = settings::own_files(ledger, Some(&args.credentials));
    settings::check_metrics_file(path, &args.output, &args.input.input, &others)?;
    let earlier = std::fs::read(path).unwrap_or_default();
    let host =
        if args.sandbox { "sandbox" } else { target.as_ref().map(|target| target.base.host()).unwrap_or_default() };
    Ok(Metrics::new(host, &args.target.account, Timestamp::now(), &String::from_utf8_lossy(&earlier)))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?.readable_by_all()?;
    file.write_all(text.as_bytes())?;
    file.commit()
}
