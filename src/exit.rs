//! Exit codes, and how the end of a run becomes one. Users rely on the codes, so they never change;
//! from 64 on they follow sysexits if it has a code for the case.

use crate::delivery::Verdict;
use crate::domain::{Status, StopReason, Tally};
use crate::ledger::{DatabaseProblem, LedgerError};

/// Why the process ends: one variant per exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// No record is left to do, and none was lost in this run or an earlier one.
    Done,
    /// Finished or stopped; some records are invalid, rejected or failed.
    SomeFailed,
    Usage,
    /// Finished; some records are in doubt.
    InDoubt,
    /// Another run holds the ledger, or has taken it over.
    Locked,
    /// The input cannot be read as customers, or changed while it was read.
    Input,
    /// The API cannot be reached or understood.
    Unavailable,
    /// The ledger or a report cannot be read or written.
    Io,
    Credentials,
    Configuration,
    Interrupted(Signal),
}

/// A signal that stops a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Hangup,
    Interrupt,
    Terminate,
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hangup => "SIGHUP (hangup)",
            Self::Interrupt => "SIGINT (interrupt)",
            Self::Terminate => "SIGTERM (termination)",
        })
    }
}

impl Exit {
    /// Returns the number that the process exits with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::Usage => 2,
            Self::InDoubt => 4,
            Self::Locked => 5,
            Self::Input => 65,
            Self::Unavailable => 69,
            Self::Io => 74,
            Self::Credentials => 77,
            Self::Configuration => 78,
            Self::Interrupted(Signal::Hangup) => 129,
            Self::Interrupted(Signal::Interrupt) => 130,
            Self::Interrupted(Signal::Terminate) => 143,
        }
    }

    /// Returns the exit code of a run. A stop takes precedence over the records, and doubt over
    /// failure.
    #[must_use]
    pub fn of_run(verdict: &Verdict, signal: Option<Signal>, tally: &Tally) -> Self {
        match verdict {
            // If all were delivered but the ledger has no outcome of some, it contradicts itself.
            Verdict::Finished if tally.get(Status::NotAttempted) > 0 => Self::Io,
            Verdict::Finished | Verdict::LimitReached => Self::of_records(tally),
            Verdict::Interrupted => Self::Interrupted(signal.unwrap_or(Signal::Interrupt)),
            Verdict::TooManyFailures(_) => Self::SomeFailed,
            Verdict::RejectedAlike { .. } => Self::Configuration,
            Verdict::Stopped(reason) => reason.into(),
            Verdict::LedgerFailed(error) => error.into(),
            Verdict::Crashed(_) => Self::Io,
        }
    }

    /// Returns the exit code if `--strict`, or the answer to the question, held everything back.
    #[must_use]
    pub fn of_nothing_sent(tally: &Tally) -> Self {
        match Self::of_records(tally) {
            Self::Done => Self::SomeFailed,
            other => other,
        }
    }

    /// Returns the exit code of a report: `Done` only if every record has an outcome.
    #[must_use]
    pub fn of_report(tally: &Tally) -> Self {
        match Self::of_records(tally) {
            Self::Done if tally.get(Status::NotAttempted) > 0 => Self::SomeFailed,
            other => other,
        }
    }

    /// Returns the exit code that the records alone give: doubt takes precedence over failure.
    #[must_use]
    pub fn of_records(tally: &Tally) -> Self {
        if tally.get(Status::InDoubt) > 0 {
            Self::InDoubt
        } else if tally.has_losses() {
            Self::SomeFailed
        } else {
            Self::Done
        }
    }
}

impl From<&StopReason> for Exit {
    fn from(reason: &StopReason) -> Self {
        match reason {
            StopReason::Configuration(_) => Self::Configuration,
            StopReason::Credentials(_) => Self::Credentials,
            StopReason::Unreachable(_) => Self::Unavailable,
        }
    }
}

impl From<&LedgerError> for Exit {
    fn from(error: &LedgerError) -> Self {
        match error {
            LedgerError::Locked(_) => Self::Locked,
            LedgerError::Missing(_)
            | LedgerError::Empty(_)
            | LedgerError::Foreign { .. }
            | LedgerError::Folder(_)
            | LedgerError::SeveralNames { .. }
            | LedgerError::MountPoint(_)
            | LedgerError::NetworkDisk { .. }
            | LedgerError::Unlockable { .. }
            | LedgerError::Distrusted { .. }
            | LedgerError::OpenFolder { .. }
            | LedgerError::Newer { .. }
            | LedgerError::Moved { .. }
            | LedgerError::OtherAccount { .. } => Self::Configuration,
            LedgerError::Damaged { .. }
            | LedgerError::Lost { .. }
            | LedgerError::Limit { .. }
            | LedgerError::Io { .. } => Self::Io,
            LedgerError::Database { problem, .. } => match problem {
                DatabaseProblem::TakenOver { .. } => Self::Locked,
                DatabaseProblem::Settings(_)
                | DatabaseProblem::Refused(_)
                | DatabaseProblem::Missing
                | DatabaseProblem::Foreign(_)
                | DatabaseProblem::Older { .. }
                | DatabaseProblem::Newer { .. }
                | DatabaseProblem::Knows { .. } => Self::Configuration,
                DatabaseProblem::Unreachable(_)
                | DatabaseProblem::Forgot { .. }
                | DatabaseProblem::Damaged(_)
                | DatabaseProblem::Failed(_) => Self::Io,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_beats_failure_and_a_stop_beats_both() {
        let failed = Tally::of(&[Status::Created, Status::Rejected]);
        let doubtful = Tally::of(&[Status::Rejected, Status::InDoubt]);
        let stop = Verdict::Stopped(StopReason::Credentials("".into()));
        let code = |verdict: &Verdict, tally: &Tally| Exit::of_run(verdict, None, tally).code();
        assert_eq!(code(&Verdict::Finished, &failed), 1);
        assert_eq!(code(&Verdict::Finished, &doubtful), 4);
        assert_eq!(code(&stop, &doubtful), 77);
    }

    #[test]
    fn known_changed_and_repeated_records_are_no_failure() {
        use Status::{AlreadyImported, Changed, Created, Duplicate, Exists, NotAttempted};
        let fine = Tally::of(&[Created, Exists, AlreadyImported, Changed, Duplicate, NotAttempted]);
        assert_eq!(Exit::of_run(&Verdict::LimitReached, None, &fine), Exit::Done);
    }

    #[test]
    fn a_fault_of_this_program_is_not_blamed_on_the_server() {
        let crashed = Verdict::Crashed("a task panicked".to_owned());
        assert_eq!(Exit::of_run(&crashed, None, &Tally::default()), Exit::Io);
    }

    #[test]
    fn a_finished_run_whose_ledger_lacks_an_outcome_is_never_called_done() {
        let forgotten = Tally::of(&[Status::Created, Status::NotAttempted]);
        assert_eq!(Exit::of_run(&Verdict::Finished, None, &forgotten), Exit::Io);
        assert_eq!(Exit::of_run(&Verdict::LimitReached, None, &forgotten), Exit::Done);
    }

    #[test]
    fn a_report_of_records_that_did_not_end_is_never_called_done() {
        let code = |statuses: &[Status]| Exit::of_report(&Tally::of(statuses)).code();
        assert_eq!(code(&[Status::Created, Status::Duplicate]), 0);
        assert_eq!(code(&[Status::Created, Status::NotAttempted]), 1);
        assert_eq!(code(&[Status::InDoubt, Status::NotAttempted]), 4);
    }

    #[test]
    fn an_interrupt_looks_like_one_to_the_shell() {
        let code = |signal| Exit::of_run(&Verdict::Interrupted, Some(signal), &Tally::default()).code();
        assert_eq!([code(Signal::Hangup), code(Signal::Interrupt), code(Signal::Terminate)], [129, 130, 143]);
    }
}
