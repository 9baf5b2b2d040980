//! Ends a run: writes the reports from the input, or else from the ledger, then the end of the run
//! in the ledger, then the summary.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::run::{Import, SendingEnd};
use crate::commands::{report, resume};
use crate::delivery::Verdict;
use crate::domain::{self, Status, StopWords, Tally};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{EndedRun, LedgerError, LedgerLocation, Reader, RunCounters, RunId, RunInfo, RunState};
use crate::process::{signals, stdout};
use crate::reconcile::line::{AsOf, PassCounts, Reconciler};
use crate::reconcile::outputs::Outputs;
use crate::reconcile::{all_runs, from_ledger, inquiry, page_facts, pass};
use crate::report::{Activity, PageFacts, Summary, log_end};
use crate::settings::{Rendering, TargetSettings};

/// How an import ended.
pub(super) struct Finished {
    pub exit: Exit,
    /// The command that resumes it, as the summary shows it. `None` if nothing is left to do.
    pub next_command: Option<String>,
}

/// What a summary shows of the end of a run.
struct RunEnding {
    counters: RunCounters,
    counted: PassCounts,
    exit: Exit,
    stopped: Option<StopWords>,
    is_limited: bool,
    next_command: Option<String>,
}

/// What a page shows of the end of a run that the ledger does not have yet.
struct PageEnd {
    counters: RunCounters,
    stopped: Option<StopWords>,
    is_limited: bool,
}

impl Import<'_> {
    /// Writes the reports, the end of the run in the ledger, and the summary.
    pub(super) async fn report(&self, run: &RunId, sent: SendingEnd, begun: Instant) -> Result<Finished, Failure> {
        let SendingEnd { verdict, counters, unread, mut stopped } = sent;
        self.check_held(&verdict).await?;
        let activity = Activity::counting(self.progress, "writing the reports", self.input.rows_read());
        let memory = self.memory(&verdict).await?;
        let is_limited = matches!(verdict, Some(Verdict::LimitReached));
        let counted = match unread {
            Some(failure) => Err(failure),
            None => self.count(run, &memory, PageEnd { counters, stopped: stopped.clone(), is_limited }).await,
        };
        let mut counted = match counted {
            Err(unread) if unread.exit == Exit::Input => {
                // If the input stopped the run, the verdict looks like an interrupt.
                let stopped = stopped.filter(|_| !matches!(verdict, Some(Verdict::Interrupted)));
                let sent = SendingEnd { verdict, counters, unread: None, stopped };
                return Err(self.report_from_ledger(run, &memory, begun, sent, unread).await);
            }
            counted => counted,
        };
        let exit = match (&counted, &verdict) {
            (Err(failure), _) => failure.exit,
            (Ok(counted), Some(verdict)) => Exit::of_run(verdict, self.signals.caught.get(), &self.judged(counted)),
            (Ok(counted), None) => Exit::of_nothing_sent(&self.judged(counted)),
        };
        if let (Exit::Io, Some(Verdict::Finished), Ok(counted)) = (exit, &verdict, &counted) {
            let forgotten = domain::counted(counted.tally.get(Status::NotAttempted), "record");
            stopped = Some(format!("the ledger is damaged: it has no outcome for {forgotten} that had to end").into());
        }
        if let (Ok(counted), Ok(doubts)) = (&counted, memory.doubts()) {
            self.metrics.reported(&counted.tally, counted.known_bad, doubts);
        }
        // If the ledger failed before, this fails too, and the verdict already says so.
        let end = EndedRun {
            counters,
            exit_code: exit.code(),
            stopped: stopped.clone(),
            records_read: counted.as_ref().ok().map(|counted| counted.tally.total()),
            known_bad: counted.as_ref().ok().map(|counted| counted.known_bad.total()),
            is_completed: self.is_completed(verdict.as_ref(), counted.as_ref().ok()),
            bad_records: counted
                .as_mut()
                .map_or_else(|_| Vec::new(), |counted| std::mem::take(&mut counted.bad_records)),
        };
        let ended = self.ledger.end_run(run, end).await;
        if let (Err(error), false) = (ended, matches!(verdict, Some(Verdict::LedgerFailed(_)))) {
            return Err(failed_after_report(error));
        }
        drop(activity);
        let counted = counted.map_err(|failure| failure.hint(self.hint_to_resume()))?;
        log_end(exit.code(), stopped.as_ref());
        let resumable = !self.forgets && !memory.lacks_name && counted.tally.unfinished() > 0;
        let after_loss = || verdict.as_ref().and_then(resume::after_run);
        let next_command = resumable.then(|| resume::command(&self.input)).or_else(after_loss);
        let ending = RunEnding { counters, counted, exit, stopped, is_limited, next_command: next_command.clone() };
        let summary = self.summary(run, &memory, begun, ending)?;
        self.notice.count(&summary);
        // Cron mails everything that is printed, and --quiet asks for no mail about a run that went
        // well. A run that met changed records, or no records, went well too, but a person must see
        // that. JSON is for a program, which always expects it.
        if self.log.is_quiet() && exit == Exit::Done && self.rendering != Rendering::Json {
            let lines = summary.quiet_lines();
            if !lines.is_empty() {
                stdout::write_unless_signalled(lines, &self.signals.caught).await;
            }
        } else {
            self.print(&summary).await;
        }
        Ok(Finished { exit, next_command })
    }

    /// Fails if another run has taken the ledger over. It goes on there, and a report of this one
    /// would say what is no longer so.
    async fn check_held(&self, verdict: &Option<Verdict>) -> Result<(), Failure> {
        let lost = match verdict {
            Some(Verdict::LedgerFailed(error)) => Some(error.clone()),
            _ => self.ledger.check_hold().await.err(),
        };
        match lost.filter(LedgerError::is_taken_over) {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Returns the counts that the exit code depends on.
    fn judged(&self, counted: &PassCounts) -> Tally {
        if self.excuses_known_bad { counted.tally.without(counted.known_bad) } else { counted.tally.clone() }
    }

    /// Returns whether every record of the input ended. A run with `--limit` is a trial, even if it
    /// did not reach its limit.
    fn is_completed(&self, verdict: Option<&Verdict>, counted: Option<&PassCounts>) -> bool {
        let all_ended = counted.is_some_and(|counted| counted.tally.get(Status::NotAttempted) == 0);
        matches!(verdict, Some(Verdict::Finished)) && self.sender.sending.limit.is_none() && all_ended
    }

    /// Returns the outputs, with what a page says of this run if one of them is a page.
    async fn outputs(&self, run: &RunId, memory: &Memory, end: PageEnd) -> Result<Outputs, Failure> {
        let outputs = self.outputs.with_checks(inquiry::was_ever_made(&memory.reader()?)?);
        if !outputs.has_page() {
            return Ok(outputs);
        }
        // The last minute was handed in without waiting for it. The queue answers in order, so that
        // minute is committed when this question is answered. If the ledger failed, the page lacks
        // it.
        drop(self.ledger.has_created().await);
        let (reader, target) = (memory.reader()?, &self.sender.server.target);
        let info = memory.info(&reader, run)?;
        let ended = RunState::Ended(Timestamp::now());
        let PageEnd { counters, stopped, is_limited } = end;
        let mut facts = page_facts::of_run(&reader, &target.target, &info, ended)?;
        facts = facts.of_ending_run(counters.requests, stopped);
        (facts.retries, facts.throttled) = (counters.retries, counters.throttled);
        (facts.recovered, facts.limit) = (counters.recovered, self.sender.sending.limit.filter(|_| is_limited));
        facts.options.extend(self.sender.sending.shown());
        let is_kept = !self.forgets && !memory.lacks_name;
        Ok(outputs.with_facts(PageFacts {
            input: self.input.shown(),
            run: Some(facts),
            next_command: is_kept.then(|| resume::command(&self.input)),
            settle_command: is_kept.then(|| resume::settle(target)),
            correction: Some(resume::correction(&self.input, &self.outputs, self.is_ndjson)),
        }))
    }

    async fn print(&self, summary: &Summary) {
        stdout::write_unless_signalled(report::rendered(summary, self.rendering), &self.signals.caught).await;
    }

    fn summary(&self, run: &RunId, memory: &Memory, begun: Instant, ending: RunEnding) -> Result<Summary, Failure> {
        let RunEnding { counters, counted, exit, stopped, is_limited, next_command } = ending;
        let is_kept = !self.forgets && !memory.lacks_name;
        let (reader, target) = (memory.reader()?, &self.sender.server.target);
        let info = memory.info(&reader, run)?;
        Ok(Summary {
            run: run.name.clone(),
            target: target.base.as_str().to_owned(),
            account: target.target.account.clone(),
            input: self.input.shown(),
            ledger: is_kept.then(|| target.absolute_ledger()),
            started_at: info.started_at,
            // If the ledger failed, it does not have the end.
            ended_at: Some(info.ended_at.unwrap_or_else(Timestamp::now)),
            tally: counted.tally,
            requests: counters.requests,
            throttled: counters.throttled,
            retries: counters.retries,
            recovered: counters.recovered,
            duration: begun.elapsed(),
            mails: counted.mails,
            all_runs: all_runs::up_to(&reader, &info)?,
            errors: counted.errors,
            changed: counted.changed,
            known_bad: counted.known_bad.total(),
            excuses_known_bad: self.excuses_known_bad,
            shared_ids: report::shared_ids(&reader, run.number)?,
            reports: self.outputs.reports.clone(),
            rejects: self.outputs.rejects.clone(),
            exit_code: exit.code(),
            stopped,
            unended: None,
            limit: self.sender.sending.limit.filter(|_| is_limited),
            partial: false,
            notes: Vec::new(),
            next_command,
            correction: Some(resume::correction(&self.input, &self.outputs, self.is_ndjson)),
            settle_command: is_kept.then(|| resume::settle(target)),
        })
    }

    /// Does the same from the ledger alone, if the input changed or cannot be read any more.
    async fn report_from_ledger(
        &self,
        run: &RunId,
        memory: &Memory,
        begun: Instant,
        sent: SendingEnd,
        unread: Failure,
    ) -> Failure {
        let SendingEnd { verdict, counters, stopped: why, .. } = sent;
        let advice = why.as_ref().and_then(|words| words.advice.clone());
        let why = why.map(|words| words.why);
        let joined = |words: &[Option<String>]| {
            let why = words.iter().flatten().map(String::as_str).collect::<Vec<_>>().join("; ");
            StopWords { why, advice: advice.clone() }
        };
        let stopped = joined(&[why.clone(), Some(unread.words())]);
        let end = PageEnd { counters, stopped: Some(stopped), is_limited: false };
        let counted = match self.count_from_ledger(run, memory, end).await {
            Ok(counted) => counted,
            Err(failure) => return failure.hint(self.hint_to_resume()),
        };
        let exit = unread.exit;
        let stopped = joined(&[why, Some(unread.words()), Some(self.made_from_ledger(&counted.tally))]);
        if let Ok(doubts) = memory.doubts() {
            self.metrics.reported(&counted.tally, counted.known_bad, doubts);
        }
        let end = EndedRun { counters, exit_code: exit.code(), stopped: Some(stopped.clone()), ..EndedRun::default() };
        let ended = self.ledger.end_run(run, end).await;
        if let (Err(error), false) = (ended, matches!(verdict, Some(Verdict::LedgerFailed(_)))) {
            return failed_after_report(error);
        }
        log_end(exit.code(), Some(&stopped));
        let after_loss = verdict.as_ref().and_then(resume::after_run);
        let next_command = after_loss.or_else(|| (!memory.lacks_name).then(|| resume::command(&self.input)));
        let resume = next_command.as_ref().map(|command| format!(", then resume with: {command}")).unwrap_or_default();
        let hint = format!("nothing that was read after the change was sent; check the file{resume}");
        let stopped_by = Some(stopped.clone());
        let ending = RunEnding { counters, counted, exit, stopped: stopped_by, is_limited: false, next_command };
        match self.summary(run, memory, begun, ending) {
            // No rejects, because they need the cells of the input.
            Ok(summary) => {
                let summary = Summary { partial: true, rejects: None, ..summary };
                self.notice.count(&summary);
                self.print(&summary).await;
            }
            Err(failure) => return failure,
        }
        Failure::new(exit, stopped.why).hint(hint)
    }

    fn made_from_ledger(&self, tally: &Tally) -> String {
        let missing = self.plan.tally.total().saturating_sub(tally.total());
        let why = if self.input.check_unchanged().is_err() { "changed" } else { "cannot be read again" };
        let mut words = format!("the report was made from the ledger, because the input {why}");
        if missing > 0 {
            let missing = domain::counted(missing, "row");
            words.push_str(&format!("; {missing} that were not reached or needed no request are missing from it"));
        }
        if self.outputs.rejects.is_some() {
            words.push_str("; no file of rejects was written");
        }
        words
    }

    async fn count_from_ledger(&self, run: &RunId, memory: &Memory, end: PageEnd) -> Result<PassCounts, Failure> {
        let outputs = self.outputs(run, memory, end).await?;
        let (reader, run, kept) = (memory.reader()?, run.number, self.kept.clone());
        let pass = signals::on_thread(move || from_ledger::pass(&reader, run, &outputs, &kept))?;
        self.unless_leaving(pass).await
    }

    /// Makes the reports in a pass over the input. Fails if a second signal arrives.
    async fn count(&self, run: &RunId, memory: &Memory, end: PageEnd) -> Result<PassCounts, Failure> {
        let outputs = self.outputs(run, memory, end).await?;
        let reconciler = Reconciler::new(Arc::clone(&self.duplicates), Some(memory.reader()?), AsOf::Run(run.number));
        let input = Arc::clone(&self.input);
        let pass = signals::on_thread(move || pass::pass(&input, &outputs, reconciler, |_, _| {}))?;
        self.unless_leaving(pass).await
    }

    /// Returns the ledger to make the reports from: the one at its path, or a copy if one of its
    /// files has lost its name.
    async fn memory(&self, verdict: &Option<Verdict>) -> Result<Memory, Failure> {
        let target = self.sender.server.target.clone();
        let Some(Verdict::LedgerFailed(lost @ LedgerError::Lost { .. })) = verdict else {
            return Ok(Memory { target, lacks_name: false, copy: None });
        };
        // Names the ledger first, because where it is now matters more than why there is no report.
        let failed = |error: &dyn std::fmt::Display| {
            Failure::from(lost.clone())
                .context(format!("cannot make the report of a run that lost its ledger ({error})"))
        };
        let copy = tempfile::Builder::new().prefix(".customer-import.").tempdir().map_err(|error| failed(&error))?;
        let ledger = copy.path().join("ledger.db");
        self.ledger.copy_to(ledger.clone()).await.map_err(|error| failed(&error))?;
        let lacks_name = lost.is_without_name();
        Ok(Memory {
            target: TargetSettings { ledger: LedgerLocation::File(ledger), ..target },
            lacks_name,
            copy: Some(copy),
        })
    }
}

/// A ledger to read from.
struct Memory {
    target: TargetSettings,
    /// The ledger has lost its name, so the same command would create a new one.
    lacks_name: bool,
    /// Deleted with this value.
    #[expect(dead_code, reason = "it is there to be dropped")]
    copy: Option<tempfile::TempDir>,
}

impl Memory {
    fn reader(&self) -> Result<Reader, Failure> {
        self.target.reader()
    }

    fn info(&self, reader: &Reader, run: &RunId) -> Result<RunInfo, Failure> {
        let info = reader.run(&run.name)?;
        info.ok_or_else(|| Failure::new(Exit::Io, format!("the ledger has lost the run {}", run.name)))
    }

    fn doubts(&self) -> Result<u64, Failure> {
        Ok(self.reader()?.open_requests()?.len() as u64)
    }
}

/// Returns the failure of a ledger that could not note the end of a run whose report is there
/// already. The report is true of that run, and older than that of a run that took over.
fn failed_after_report(error: LedgerError) -> Failure {
    let is_taken_over = error.is_taken_over();
    let failure = Failure::from(error);
    if is_taken_over {
        failure.hint(
            "nothing more was sent; the report of this run was written just before, and that run goes on with the \
             ledger, so look at its report instead",
        )
    } else {
        failure
    }
}
