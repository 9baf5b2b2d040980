//! Settings of sending: pace, retries, limits.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::{ServerSettings, TargetSettings};
use crate::cli::{CredentialArgs, ProgressChoice, SendingArgs, TargetArgs};
use crate::delivery::{GuardPolicy, Rate, RetryPolicy};
use crate::failure::Failure;
use crate::ledger::ClaimPolicy;
use crate::process::logging::LogSettings;
use crate::report::{Style, about};

/// Pace, retries and limits of a run.
#[derive(Clone, Debug)]
pub(crate) struct SendingSettings {
    pub rate: Rate,
    pub concurrency: NonZeroUsize,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub retry: RetryPolicy,
    pub guard: GuardPolicy,
    pub claims: ClaimPolicy,
    pub lookups: bool,
    /// Maximum number of records to send.
    pub limit: Option<u64>,
}

impl From<&SendingArgs> for SendingSettings {
    fn from(args: &SendingArgs) -> Self {
        Self {
            rate: args.rate,
            concurrency: args.concurrency,
            timeout: args.timeout,
            connect_timeout: args.connect_timeout,
            retry: RetryPolicy {
                max_attempts: args.max_attempts,
                settle: args.settle,
                grace: args.grace,
                connect_timeout: args.connect_timeout.min(args.timeout),
                key_validity: args.key_validity,
                trust_unique_email: args.trust_unique_email,
            },
            guard: GuardPolicy { max_failures: args.max_failures, give_up_after: args.give_up_after },
            claims: ClaimPolicy { retry_rejected: args.retry_rejected },
            lookups: !args.no_lookup,
            limit: args.limit.map(Into::into),
        }
    }
}

impl SendingSettings {
    /// Returns the settings that explain how a run went, as names and texts.
    pub(crate) fn shown(&self) -> Vec<(String, String)> {
        let texts = [
            ("rate", format!("planned with {:.0} requests per minute", self.rate.per_minute())),
            ("concurrency", self.concurrency.to_string()),
            ("timeout", about(self.timeout)),
            ("settle", about(self.retry.settle)),
            ("limit", self.limit.map(|limit| limit.to_string()).unwrap_or_default()),
        ];
        let given = texts.into_iter().filter(|(_, text)| !text.is_empty());
        given.map(|(name, text)| (name.to_owned(), text)).collect()
    }
}

/// Settings of `ledger resolve` and `ledger pull`.
#[derive(Debug)]
pub(crate) struct ResolveSettings {
    pub server: ServerSettings,
    pub sending: SendingSettings,
    pub progress: Style,
}

impl ResolveSettings {
    /// Decides everything. Reads the credentials, so it may block.
    pub(crate) fn of(
        target: &TargetArgs,
        credentials: &CredentialArgs,
        sending: &SendingArgs,
        log: LogSettings,
    ) -> Result<Self, Failure> {
        Ok(Self {
            server: ServerSettings::at(TargetSettings::required(target)?.for_sending(sending)?, credentials)?,
            sending: sending.into(),
            progress: super::log::progress_style(ProgressChoice::Auto, log),
        })
    }
}
