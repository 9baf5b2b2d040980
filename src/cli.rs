//! What can be typed. Nothing here reads a file or decides anything; `settings` does.

use std::ffi::OsString;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser, PossibleValue};
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::delivery::{FailureLimit, Rate};
use crate::intake::{ExtraRule, Format, MapRule, Preset, SetRule, parse_delimiter, parse_encoding};
use crate::process::logging::LogFormat;
use crate::sandbox;

/// The variable that may hold the token itself.
pub const TOKEN_VARIABLE: &str = "CUSTOMER_IMPORT_TOKEN";
/// The variable that may hold the secret of the account that logs in.
pub const APP_SECRET_VARIABLE: &str = "CUSTOMER_IMPORT_APP_SECRET";

/// In the environment, repeatable options have one entry a line.
const ENTRIES: char = '\n';

/// Move customers from a CSV or NDJSON file into the Add Customer API: no doubles, no losses, a
/// true report.
#[derive(Debug, Parser)]
#[command(name = "customer-import", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub log: LogArgs,
    /// A TOML file whose keys are the long options; what is typed or in the environment comes
    /// first.
    #[arg(long, global = true, value_name = "FILE", env = "CUSTOMER_IMPORT_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Post the customers of a file, and report what became of each.
    Import(Box<ImportArgs>),
    /// Dry run: validate a file and show what an import would do. Opens no socket.
    Check(CheckArgs),
    /// Make the reports again from a file and the ledger, also while an import is running. Sends
    /// nothing.
    Report(ReportArgs),
    /// Look at the memory of what was sent, resolve its doubts, teach it, or make it forget.
    #[command(subcommand)]
    Ledger(Box<LedgerCommand>),
    /// A local stand-in of the API, for rehearsals and tests.
    Sandbox(SandboxArgs),
    /// Print the completion script of a shell.
    Completions { shell: clap_complete::Shell },
    /// Print the manual page.
    Man,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct LogArgs {
    /// How log lines look on standard error.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "CUSTOMER_IMPORT_LOG_FORMAT",
        hide_env_values = true
    )]
    pub log_format: LogFormat,
    /// Say more; twice for everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl LogArgs {
    /// Finds `--log-format` in arguments that failed to parse, so that the parse error is printed
    /// in the requested format.
    #[must_use]
    pub fn of_misunderstood(words: &[OsString]) -> Self {
        let after = |pair: &[OsString]| (pair[0] == "--log-format").then(|| pair[1].clone());
        let joined = |word: &OsString| word.to_str()?.strip_prefix("--log-format=").map(OsString::from);
        let typed = words.windows(2).find_map(after).or_else(|| words.iter().find_map(joined));
        let format = typed.or_else(|| std::env::var_os("CUSTOMER_IMPORT_LOG_FORMAT"));
        let log_format = if format.is_some_and(|format| format == "json") { LogFormat::Json } else { LogFormat::Text };
        Self { log_format, verbose: 0, quiet: false }
    }
}

impl ValueEnum for LogFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Text, Self::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Text => "text",
            Self::Json => "json",
        }))
    }
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub credentials: CredentialArgs,
    #[command(flatten)]
    pub sending: SendingArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// Validate and show the plan, send nothing: the same as `check`.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_DRY_RUN", hide_env_values = true)]
    pub dry_run: bool,
    /// Import into a stand-in of the API inside this process: the way to try everything. A world
    /// that forgets: without --ledger it uses a throw-away ledger.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_SANDBOX", hide_env_values = true)]
    pub sandbox: bool,
    /// Do not ask before sending.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_YES", hide_env_values = true)]
    pub yes: bool,
    /// A bar on a terminal, a line every 30 seconds elsewhere.
    #[arg(long, value_enum, default_value_t, env = "CUSTOMER_IMPORT_PROGRESS", hide_env_values = true)]
    pub progress: ProgressChoice,
    /// Keep the state of the run in this file, for node_exporter's textfile collector: give it the
    /// ending .prom.
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "Output",
        env = "CUSTOMER_IMPORT_METRICS_FILE",
        hide_env_values = true
    )]
    pub metrics_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// The pace to plan with: `auto`, N/s, N/m or N/h.
    #[arg(long, default_value = "auto", env = "CUSTOMER_IMPORT_RATE", hide_env_values = true)]
    pub rate: Rate,
    /// Send records again that the API rejected with the same data.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_RETRY_REJECTED", hide_env_values = true)]
    pub retry_rejected: bool,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// Speak as of this run: `last`, or the id that its summary showed.
    #[arg(long, default_value = "last", value_name = "ID", env = "CUSTOMER_IMPORT_RUN", hide_env_values = true)]
    pub run: String,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// The file with the customers, as it is or packed with gzip or zstd; `-` for standard input.
    pub input: PathBuf,
    /// Found out from the content unless given.
    #[arg(
        long,
        default_value = "auto",
        value_name = "auto|csv|ndjson",
        env = "CUSTOMER_IMPORT_FORMAT",
        hide_env_values = true
    )]
    pub format: Format,
    /// The character between the cells of a CSV file; found out from the content unless given.
    /// `tab` is a tabulator.
    #[arg(long, value_name = "C", value_parser = parse_delimiter, env = "CUSTOMER_IMPORT_DELIMITER", hide_env_values = true)]
    pub delimiter: Option<u8>,
    /// The encoding of a file without a byte order mark, such as `windows-1252` or `utf-16le`;
    /// UTF-8 unless given.
    #[arg(long, value_name = "NAME", value_parser = parse_encoding, env = "CUSTOMER_IMPORT_ENCODING", hide_env_values = true)]
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// Take the columns of another system's export: stripe, shopify, hubspot, salesforce, auth0,
    /// supabase, paypal, google, outlook, mailchimp, klaviyo, woocommerce, magento, zendesk,
    /// intercom, xero, quickbooks, odoo, keycloak, okta, cognito, firebase, chargebee or square.
    /// What --map says of a field comes first.
    #[arg(long = "from", value_name = "PRESET", env = "CUSTOMER_IMPORT_FROM", hide_env_values = true)]
    pub from: Option<Preset>,
    /// The column of a field, or a template that joins several: 'customer_name={First Name} {Last
    /// Name}'. Repeatable.
    #[arg(long = "map", value_name = "FIELD=COLUMN", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_MAP", hide_env_values = true)]
    pub maps: Vec<MapRule>,
    /// The value of a field where its column is absent or the cell is empty. Repeatable.
    #[arg(long = "set", value_name = "FIELD=VALUE", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_SET", hide_env_values = true)]
    pub sets: Vec<SetRule>,
    /// One more request field, nested by dots: customer_address.city=City. Repeatable.
    #[arg(long = "extra", value_name = "JSON.PATH=COLUMN", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_EXTRA", hide_env_values = true)]
    pub extras: Vec<ExtraRule>,
    /// The country of phone numbers without `+`; the record's own unless given.
    #[arg(long, value_name = "CC", env = "CUSTOMER_IMPORT_REGION", hide_env_values = true)]
    pub region: Option<String>,
    /// An input column to carry into the report, such as the old system's id. Repeatable.
    #[arg(long = "keep", value_name = "COLUMN", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_KEEP", hide_env_values = true)]
    pub keep: Vec<String>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Target and ledger")]
pub struct TargetArgs {
    /// Where the API is, such as `https://api.yativo.com/api/v1`. Plain http only to this machine.
    #[arg(long, value_name = "URL", env = "CUSTOMER_IMPORT_BASE_URL", hide_env_values = true)]
    pub base_url: Option<String>,
    /// The account's name in the ledger.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "default", value_parser = NonEmptyStringValueParser::new(), env = "CUSTOMER_IMPORT_ACCOUNT",
        hide_env_values = true
    )]
    pub account: String,
    /// The memory of what was sent; one file a target in the state directory unless given.
    #[arg(long, value_name = "PATH", env = "CUSTOMER_IMPORT_LEDGER", hide_env_values = true)]
    pub ledger: Option<PathBuf>,
    /// The ledger must exist; for cron, where a missing disk must not look like a first run.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_REQUIRE_LEDGER", hide_env_values = true)]
    pub require_ledger: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    next_help_heading = "Credentials (secrets stand in the environment: CUSTOMER_IMPORT_TOKEN, or CUSTOMER_IMPORT_APP_SECRET)"
)]
pub struct CredentialArgs {
    /// A file with the bearer token; read again when the token is refused.
    #[arg(long, value_name = "PATH", env = "CUSTOMER_IMPORT_TOKEN_FILE", hide_env_values = true)]
    pub token_file: Option<PathBuf>,
    /// A command that prints the bearer token; run again when the token is refused.
    #[arg(long, value_name = "COMMAND", env = "CUSTOMER_IMPORT_TOKEN_COMMAND", hide_env_values = true)]
    pub token_command: Option<String>,
    /// The account to log in as, with its app secret; tokens are then renewed before they end. An
    /// id is an e-mail in base64, so it is better kept in the environment than typed.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), env = "CUSTOMER_IMPORT_ACCOUNT_ID", hide_env_values = true)]
    pub account_id: Option<String>,
    /// A file with the app secret of --account-id, where it is not in the environment.
    #[arg(long, value_name = "PATH", env = "CUSTOMER_IMPORT_APP_SECRET_FILE", hide_env_values = true)]
    pub app_secret_file: Option<PathBuf>,
    /// One more certificate authority to trust (PEM).
    #[arg(long, value_name = "PATH", env = "CUSTOMER_IMPORT_CA_FILE", hide_env_values = true)]
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Pace, retries, limits")]
pub struct SendingArgs {
    /// `auto` follows what the server announces, leaves a margin and never exceeds 6000/m; N/s, N/m
    /// or N/h is exact.
    #[arg(long, default_value = "auto", env = "CUSTOMER_IMPORT_RATE", hide_env_values = true)]
    pub rate: Rate,
    /// Most requests in flight.
    #[arg(long, value_name = "N", default_value = "8", env = "CUSTOMER_IMPORT_CONCURRENCY", hide_env_values = true)]
    pub concurrency: NonZeroUsize,
    /// Longest wait for a whole answer.
    #[arg(long, value_name = "D", default_value = "75s", value_parser = parse_duration, env = "CUSTOMER_IMPORT_TIMEOUT", hide_env_values = true)]
    pub timeout: Duration,
    /// Longest wait for a connection.
    #[arg(long, value_name = "D", default_value = "10s", value_parser = parse_duration, env = "CUSTOMER_IMPORT_CONNECT_TIMEOUT", hide_env_values = true)]
    pub connect_timeout: Duration,
    /// Attempts of a record in one run; throttled and unsent ones are not counted.
    #[arg(long, value_name = "N", default_value = "5", env = "CUSTOMER_IMPORT_MAX_ATTEMPTS", hide_env_values = true)]
    pub max_attempts: NonZeroU32,
    /// How long an unanswered request may still take effect, from the start of its send.
    #[arg(long, value_name = "D", default_value = "90s", value_parser = parse_duration, env = "CUSTOMER_IMPORT_SETTLE", hide_env_values = true)]
    pub settle: Duration,
    /// How long the server is trusted to remember an idempotency key.
    #[arg(long, value_name = "D", default_value = "45m", value_parser = parse_duration, env = "CUSTOMER_IMPORT_KEY_VALIDITY", hide_env_values = true)]
    pub key_validity: Duration,
    /// Stop (69) after this long without any conclusive answer.
    #[arg(long, value_name = "D", default_value = "30m", value_parser = parse_duration, env = "CUSTOMER_IMPORT_GIVE_UP_AFTER", hide_env_values = true)]
    pub give_up_after: Duration,
    /// Do not use `GET /customer`.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_NO_LOOKUP", hide_env_values = true)]
    pub no_lookup: bool,
    /// If no look-up can be had, let the server's unique e-mail guard a new key after an answered
    /// failure. Without it such a record ends in doubt.
    #[arg(
        long,
        value_parser = FalseyValueParser::new(),
        env = "CUSTOMER_IMPORT_TRUST_UNIQUE_EMAIL",
        hide_env_values = true
    )]
    pub trust_unique_email: bool,
    /// Send nothing if any record is invalid.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_STRICT", hide_env_values = true)]
    pub strict: bool,
    /// Stop after this many records were sent: a trial before the whole.
    #[arg(long, value_name = "N", env = "CUSTOMER_IMPORT_LIMIT", hide_env_values = true)]
    pub limit: Option<NonZeroU64>,
    /// Stop at this many rejected and failed records, or this share of the records to send.
    #[arg(long, value_name = "N|P%", env = "CUSTOMER_IMPORT_MAX_FAILURES", hide_env_values = true)]
    pub max_failures: Option<FailureLimit>,
    /// Send records again that the API rejected with the same data in an earlier run.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_RETRY_REJECTED", hide_env_values = true)]
    pub retry_rejected: bool,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Where the report goes; the ending (.csv, .ndjson) is its format. Repeatable. Default:
    /// `customers.csv` is reported in `customers.report.csv` beside it.
    #[arg(long = "report", value_name = "PATH", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_REPORT", hide_env_values = true)]
    pub reports: Vec<PathBuf>,
    /// Where invalid and rejected records go, as they were read and with what is wrong: mend and
    /// import that file.
    #[arg(long, value_name = "PATH", env = "CUSTOMER_IMPORT_REJECTS", hide_env_values = true)]
    pub rejects: Option<PathBuf>,
    /// The summary at the end, on standard output.
    #[arg(long, value_enum, default_value_t, env = "CUSTOMER_IMPORT_SUMMARY", hide_env_values = true)]
    pub summary: SummaryFormat,
}

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// How many records are known and how they ended; what waits in doubt; or all that is known of
    /// one e-mail.
    Show {
        email: Option<String>,
        #[command(flatten)]
        target: TargetArgs,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Finish what earlier runs left in doubt, whether or not it is in any input: ask again with
    /// the same key, or look up.
    Resolve {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        credentials: CredentialArgs,
        #[command(flatten)]
        sending: SendingArgs,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a doubt with what you found out yourself.
    #[command(group(clap::ArgGroup::new("truth").required(true).args(["created", "absent"])))]
    Settle {
        email: String,
        /// The customer is there, with this id.
        #[arg(long, value_name = "ID")]
        created: Option<String>,
        /// There is no such customer; the next run sends the record again.
        #[arg(long)]
        absent: bool,
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Learn the customers that the account has already, page by page, so that they are never
    /// posted.
    Pull {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        credentials: CredentialArgs,
        #[command(flatten)]
        sending: SendingArgs,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Erase a person, or everything of the target, for data protection. What is forgotten may be
    /// sent again.
    #[command(group(clap::ArgGroup::new("whom").required(true).args(["email", "all"])))]
    Forget {
        email: Option<String>,
        /// Everything of the target.
        #[arg(long = "target", id = "all")]
        all: bool,
        /// Do not ask before everything, or a request that may have taken effect, is forgotten. It
        /// is typed each time: what is remembered for imports is no consent to this.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: TargetArgs,
    },
}

#[derive(Clone, Debug, Args)]
pub struct SandboxArgs {
    /// The port on this machine; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Which of the documented servers answers: seed, docs or laravel.
    #[arg(long, default_value = "seed")]
    pub dialect: sandbox::Dialect,
    /// Requests a fixed window: N/s, N/m or N/h.
    #[arg(long, default_value = "60/m")]
    pub limit: sandbox::Limit,
    /// The only token that is let in; any token unless given. Invented, as everything here.
    #[arg(long = "token", value_name = "TOKEN")]
    pub let_in: Option<String>,
    /// The only account that may log in, and its secret; any may unless given. Invented, as
    /// everything here.
    #[arg(long, value_name = "ID:SECRET")]
    pub login: Option<sandbox::Credentials>,
    /// How long a token from a login lives.
    #[arg(long, value_name = "D", default_value = "10m", value_parser = sandbox::parse_duration)]
    pub token_life: Duration,
    /// Whether repeated idempotency keys are answered from a store: store or none.
    #[arg(long, default_value = "store")]
    pub idempotency: sandbox::IdempotencyMode,
    /// How long a key is remembered.
    #[arg(long, value_name = "D", default_value = "1h", value_parser = sandbox::parse_duration)]
    pub key_life: Duration,
    /// How long an answer takes: 20ms, or 10ms..50ms.
    #[arg(long, value_name = "D[..D]", default_value = "0s")]
    pub latency: sandbox::Latency,
    /// Check e-mails and keys, wait, and only then rely on it: overlapping requests double.
    #[arg(long)]
    pub racy: bool,
    /// Call e-mails equal that differ in accents and width only, as most collations of MySQL do.
    #[arg(long)]
    pub folded: bool,
    /// Honour only idempotency keys: an e-mail may have any number of customers.
    #[arg(long, conflicts_with = "email_only")]
    pub key_only: bool,
    /// Honour only the unique e-mail: the same as --idempotency none.
    #[arg(long, conflicts_with = "idempotency")]
    pub email_only: bool,
    /// Offer no look-up.
    #[arg(long)]
    pub no_lookup: bool,
    /// Pack every answer with gzip although the client did not ask for it.
    #[arg(long)]
    pub packed: bool,
    /// Write an HTML notice before the JSON of every answer and a comment after it.
    #[arg(long)]
    pub notices: bool,
    /// What goes wrong, and for whom: by rate (500:0.1), by e-mail (500:a*@example.com), for the
    /// first requests of an e-mail (500:first=2). gateway-503=4s answers in a gateway's place while
    /// the work goes on for 4 s. An unknown kind prints all of them. Repeatable.
    #[arg(long = "fault", value_name = "KIND[:RATE|:PATTERN]")]
    pub faults: Vec<sandbox::Fault>,
    /// Where chance begins: the same seed brings the same faults.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// The request log to append to, one JSON object a line.
    #[arg(long, value_name = "PATH")]
    pub log: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// Variables that look like ours and are none: a misspelt one must not be a real import where a dry
/// run was meant.
#[must_use]
pub fn unknown_variables() -> Vec<String> {
    fn collect(command: &clap::Command, known: &mut Vec<OsString>) {
        known.extend(command.get_arguments().filter_map(|argument| argument.get_env().map(ToOwned::to_owned)));
        command.get_subcommands().for_each(|command| collect(command, known));
    }
    let mut known = vec![TOKEN_VARIABLE.into(), APP_SECRET_VARIABLE.into()];
    collect(&Cli::command(), &mut known);
    let ours =
        std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("CUSTOMER_IMPORT_"));
    ours.filter(|name| !known.contains(name)).map(|name| name.to_string_lossy().into_owned()).collect()
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text:?} is not a duration above 0 such as 300ms, 90s or 10m");
    let duration: jiff::SignedDuration = text.parse().map_err(|_| refused())?;
    Duration::try_from(duration).ok().filter(|duration| !duration.is_zero()).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_option_takes_a_secret_and_no_help_shows_one() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(!["token", "app_secret", "secret", "password"].contains(&name), "{name}");
                assert!(argument.get_env().is_none() || argument.is_hide_env_values_set(), "{name}");
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }

    #[test]
    fn every_environment_variable_bears_the_name_of_its_option() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let (Some(long), Some(variable)) = (argument.get_long(), argument.get_env()) else { continue };
                let expected = format!("CUSTOMER_IMPORT_{}", long.to_uppercase().replace('-', "_"));
                assert_eq!(variable.to_string_lossy(), expected);
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }

    #[test]
    fn durations_are_read_as_written_or_refused() {
        for (text, millis) in [("300ms", 300), ("90s", 90_000), ("10m", 600_000), ("1h", 3_600_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)));
        }
        for wrong in ["", "0s", "-1s", "5", "soon"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
