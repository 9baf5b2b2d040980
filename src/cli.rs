//! The command line: commands, options and their help texts. Nothing here reads a file or decides
//! anything; `settings` does.

pub mod after_help;

use std::ffi::OsString;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser, PossibleValue};
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::delivery::Rate;
use crate::domain::CountOrShare;
use crate::exit::Exit;
use crate::intake::{
    ExtraRule, Format, HoldRule, MapRule, Preset, SetRule, ValueRule, WhereRule, parse_delimiter, parse_encoding,
};
use crate::output::{self, Weight};
use crate::process::logging::LogFormat;
use crate::process::stdout;
use crate::sandbox;
use crate::style::{ColorMode, Paint};

/// The environment variable of `--config`.
pub const CONFIG_VARIABLE: &str = "CUSTOMER_IMPORT_CONFIG";
/// The environment variable that can hold the token itself.
pub const TOKEN_VARIABLE: &str = "CUSTOMER_IMPORT_TOKEN";
/// The environment variable that can hold the app secret of the account that logs in.
pub const APP_SECRET_VARIABLE: &str = "CUSTOMER_IMPORT_APP_SECRET";

/// Separates the values of a repeatable option in its environment variable: one per line.
const ENTRIES: char = '\n';

/// The hidden option that carries a value from the file of --config.
pub const FILE_VALUE: &str = "file-value";

/// What people call this process, for those who find the shared ledger held.
pub const HOLDER_VARIABLE: &str = "CUSTOMER_IMPORT_HOLDER";

const TARGET: &str = "Target and ledger";
const SHARED_LEDGER: &str =
    "Shared ledger (the password is read from the environment variable PGPASSWORD, ~/.pgpass, a file or a command)";
const PACE: &str = "Pace, retries, limits";
/// For options that come after a flattened group, because they would inherit its heading.
const NO_HEADING: Option<&str> = None;

/// Import customers from a CSV, NDJSON or XLSX file into the Add Customer API: no duplicates, no
/// losses, and a report of every record.
#[derive(Debug, Parser)]
#[command(name = "customer-import", version, max_term_width = 100, after_help = after_help::PROGRAM)]
pub struct Cli {
    #[command(flatten)]
    pub log: LogArgs,
    /// TOML file whose keys are the long options; the command line and the environment override it.
    #[arg(long, global = true, value_name = "FILE", env = CONFIG_VARIABLE, hide_env_values = true)]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create the customers of a file in the API, and report how each record ended.
    #[command(after_help = after_help::IMPORT)]
    Import(Box<ImportArgs>),
    /// Validate a file and show what an import would do. Sends nothing and opens no connection.
    #[command(after_help = after_help::CHECK)]
    Check(CheckArgs),
    /// Write the reports again from a file and the ledger, even while an import is running. Sends
    /// nothing.
    #[command(after_help = after_help::REPORT)]
    Report(ReportArgs),
    /// Ask the API for the KYC status of a file's customers, and keep it in the ledger for the
    /// reports. Creates no customer.
    #[command(after_help = after_help::STATUS)]
    Status(Box<StatusArgs>),
    /// Look at a file, ask what is unclear, and write how to read it to a file for --config. Sends
    /// nothing and opens no connection.
    #[command(after_help = after_help::INIT)]
    Init(Box<InitArgs>),
    /// Try the host, TLS, credentials, rate limit, look-ups, ledger, clock and disk, and show what
    /// would hinder an import. Creates no customer.
    #[command(after_help = after_help::DOCTOR)]
    Doctor(Box<DoctorArgs>),
    /// Show what the ledger remembers of earlier runs, and resolve, add or erase it.
    #[command(subcommand, after_help = after_help::LEDGER)]
    Ledger(Box<LedgerCommand>),
    /// Start a simulated API on this machine, for rehearsals and tests.
    #[command(after_help = after_help::SANDBOX)]
    Sandbox(SandboxArgs),
    /// Print the completion script of a shell.
    #[command(after_help = after_help::COMPLETIONS)]
    Completions {
        /// Shell to print the script for.
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program or of a command.
    #[command(after_help = after_help::MAN)]
    Man {
        /// Command whose page to print, such as `import` or `ledger show` [default: the program].
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
}

impl Command {
    /// Returns how many requests can be in flight at once, or 0 if the command sends nothing.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        let sending = match self {
            Self::Import(args) if !args.dry_run => Some(&args.sending),
            Self::Ledger(command) => match &**command {
                LedgerCommand::Resolve { sending, .. } | LedgerCommand::Pull { sending, .. } => Some(sending),
                _ => None,
            },
            _ => None,
        };
        sending.map_or(0, |sending| sending.concurrency.get())
    }
}

#[derive(Clone, Copy, Debug, Args)]
pub struct LogArgs {
    /// Format of the log on standard error.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "CUSTOMER_IMPORT_LOG_FORMAT",
        hide_env_values = true
    )]
    pub log_format: LogFormat,
    /// When to use colors: `auto` on a terminal, unless NO_COLOR is set or TERM is `dumb`, and
    /// everywhere if CLICOLOR_FORCE is set.
    #[arg(long, global = true, value_enum, default_value_t, env = "CUSTOMER_IMPORT_COLOR", hide_env_values = true)]
    pub color: ColorMode,
    /// Increase verbosity (-v, -vv).
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log errors only; an import that ends well prints no summary.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl LogArgs {
    /// Finds `--log-format` and `--color` in arguments that failed to parse, so that the parse
    /// error is printed as requested.
    #[must_use]
    pub fn of_misunderstood(words: &[OsString]) -> Self {
        Self {
            log_format: found(words, "--log-format", "CUSTOMER_IMPORT_LOG_FORMAT"),
            color: found(words, "--color", "CUSTOMER_IMPORT_COLOR"),
            verbose: 0,
            quiet: false,
        }
    }
}

/// Returns the value of an option in arguments or else in the environment, or the default if there
/// is none that the option has.
fn found<T: ValueEnum + Default>(words: &[OsString], option: &str, variable: &str) -> T {
    let after = |pair: &[OsString]| (pair[0] == option).then(|| pair[1].clone());
    let joined = |word: &OsString| word.to_str()?.strip_prefix(option)?.strip_prefix('=').map(OsString::from);
    let typed = words.windows(2).find_map(after).or_else(|| words.iter().find_map(joined));
    let value = typed.or_else(|| std::env::var_os(variable));
    value.and_then(|value| T::from_str(value.to_str()?, false).ok()).unwrap_or_default()
}

/// Prints help, the version, or what is wrong with the arguments, and returns the exit code.
pub fn show(error: &clap::Error) -> Exit {
    let (is_wrong, styled) = (error.use_stderr(), error.render());
    let paint = if is_wrong { Paint::stderr() } else { Paint::stdout() };
    let text = if paint.is_colored() { styled.ansi().to_string() } else { styled.to_string() };
    if is_wrong {
        output::show(text.as_bytes(), Weight::Needed);
        return Exit::Usage;
    }
    stdout::write(text.as_bytes());
    Exit::Done
}

impl ValueEnum for ColorMode {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Always, Self::Never]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }))
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
    /// Validate and show the plan without sending anything, as `check` does.
    #[arg(long, help_heading = NO_HEADING, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_DRY_RUN", hide_env_values = true)]
    pub dry_run: bool,
    /// Import into a simulated API inside this process; nothing leaves the machine. Nothing is kept
    /// between runs unless --ledger is given.
    #[arg(long, help_heading = NO_HEADING, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_SANDBOX", hide_env_values = true)]
    pub sandbox: bool,
    /// Refuse (65) an input with fewer than N records, or than P% of the records of the last
    /// completed import of the same --input-name. The first import has none to compare with.
    #[arg(long, help_heading = PACE, value_name = "N|P%", env = "CUSTOMER_IMPORT_MIN_RECORDS", hide_env_values = true)]
    pub min_records: Option<CountOrShare>,
    /// Which invalid and rejected records count for the exit code, --strict and --max-failures:
    /// all, or only new ones. A record is not new if a completed import of this target reported it
    /// with the same cells and codes.
    #[arg(long, help_heading = PACE, value_enum, default_value_t, env = "CUSTOMER_IMPORT_FAIL_ON", hide_env_values = true)]
    pub fail_on: FailOn,
    /// Send without asking for confirmation.
    #[arg(long, help_heading = NO_HEADING, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_YES", hide_env_values = true)]
    pub yes: bool,
    /// Show progress: a bar on a terminal, a line every 30 seconds elsewhere.
    #[arg(
        long,
        value_enum,
        default_value_t,
        help_heading = "Output",
        env = "CUSTOMER_IMPORT_PROGRESS",
        hide_env_values = true
    )]
    pub progress: ProgressChoice,
    /// File (.prom) to keep the state of the run in, for the textfile collector of node_exporter.
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "Output",
        env = "CUSTOMER_IMPORT_METRICS_FILE",
        hide_env_values = true
    )]
    pub metrics_file: Option<PathBuf>,
    /// File that holds an address to post to when the import ends, however it ends: counts and
    /// codes as JSON, no data of customers. Only its owner may read it.
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "Output",
        env = "CUSTOMER_IMPORT_NOTIFY_URL_FILE",
        hide_env_values = true
    )]
    pub notify_url_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// Pace to plan with: `auto`, N/s, N/m or N/h.
    #[arg(long, help_heading = PACE, default_value = "auto", env = "CUSTOMER_IMPORT_RATE", hide_env_values = true)]
    pub rate: Rate,
    /// Plan to send records again that the API rejected with the same data.
    #[arg(long, help_heading = PACE, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_RETRY_REJECTED", hide_env_values = true)]
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
    /// Run to report on: `last`, or the id from its summary.
    #[arg(long, help_heading = NO_HEADING, default_value = "last", value_name = "ID", env = "CUSTOMER_IMPORT_RUN", hide_env_values = true)]
    pub run: String,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub credentials: CredentialArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Stop (69) after this time without a conclusive response.
    #[arg(long, help_heading = PACE, value_name = "D", default_value = "30m", value_parser = parse_duration, env = "CUSTOMER_IMPORT_GIVE_UP_AFTER", hide_env_values = true)]
    pub give_up_after: Duration,
    /// Print the result as JSON.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The pace of a command that asks the API and creates no customer.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = PACE)]
pub struct PaceArgs {
    /// Pace of requests. `auto` follows the limit that the server announces, leaves a margin and
    /// never exceeds 6000/m; N/s, N/m or N/h is exact.
    #[arg(long, default_value = "auto", env = "CUSTOMER_IMPORT_RATE", hide_env_values = true)]
    pub rate: Rate,
    /// Maximum time to wait for a complete response.
    #[arg(long, value_name = "D", default_value = "75s", value_parser = parse_duration, env = "CUSTOMER_IMPORT_TIMEOUT", hide_env_values = true)]
    pub timeout: Duration,
    /// Maximum time to wait for a connection.
    #[arg(long, value_name = "D", default_value = "10s", value_parser = parse_duration, env = "CUSTOMER_IMPORT_CONNECT_TIMEOUT", hide_env_values = true)]
    pub connect_timeout: Duration,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// File to write [default: `customers.toml` beside `customers.csv`].
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long, help_heading = "Output")]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub credentials: CredentialArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Print the result as JSON.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// File with the customers: CSV or NDJSON, plain or compressed with gzip or zstd, or a workbook
    /// (.xlsx); `-` for standard input.
    pub input: PathBuf,
    /// Format of the file: csv, ndjson or xlsx; `auto` detects it.
    #[arg(long, default_value = "auto", value_name = "FORMAT", env = "CUSTOMER_IMPORT_FORMAT", hide_env_values = true)]
    pub format: Format,
    /// Character between the cells of a CSV file; use `tab` for a tab character [default:
    /// detected].
    #[arg(long, value_name = "C", value_parser = parse_delimiter, env = "CUSTOMER_IMPORT_DELIMITER", hide_env_values = true)]
    pub delimiter: Option<u8>,
    /// Encoding of a file without a byte order mark, such as `windows-1252` or `utf-16le` [default:
    /// UTF-8].
    #[arg(long, value_name = "NAME", value_parser = parse_encoding, env = "CUSTOMER_IMPORT_ENCODING", hide_env_values = true)]
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// Sheet of an Excel workbook [default: the only visible one that has values].
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), env = "CUSTOMER_IMPORT_SHEET", hide_env_values = true)]
    pub sheet: Option<String>,
    /// Use the columns of another system's export: stripe, shopify, hubspot, salesforce, auth0,
    /// supabase, paypal, google, outlook, mailchimp, klaviyo, woocommerce, magento, zendesk,
    /// intercom, xero, quickbooks, odoo, keycloak, okta, cognito, firebase, chargebee or square.
    /// --map overrides them.
    #[arg(long = "from", value_name = "PRESET", env = "CUSTOMER_IMPORT_FROM", hide_env_values = true)]
    pub from: Option<Preset>,
    /// Column of a field, or a template that joins several: 'customer_name={First Name} {Last
    /// Name}'. Repeatable.
    #[arg(long = "map", value_name = "FIELD=COLUMN", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_MAP", hide_env_values = true)]
    pub maps: Vec<MapRule>,
    /// Value that takes the place of another in a field: customer_type:Firma=business. The whole
    /// text must match. Repeatable.
    #[arg(long = "value", value_name = "FIELD:FROM=TO", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_VALUE", hide_env_values = true)]
    pub values: Vec<ValueRule>,
    /// Values of the file of --config. Typed values win over them one by one.
    #[arg(long = FILE_VALUE, hide = true, value_parser = ValueRule::of_entry)]
    pub file_values: Vec<ValueRule>,
    /// Value of a field if its column is missing or the cell is empty. Repeatable.
    #[arg(long = "set", value_name = "FIELD=VALUE", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_SET", hide_env_values = true)]
    pub sets: Vec<SetRule>,
    /// Additional request field, nested by dots: customer_address.city=City. Repeatable.
    #[arg(long = "extra", value_name = "JSON.PATH=COLUMN", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_EXTRA", hide_env_values = true)]
    pub extras: Vec<ExtraRule>,
    /// Country of phone numbers without `+` [default: the country of the record].
    #[arg(long, value_name = "CC", env = "CUSTOMER_IMPORT_REGION", hide_env_values = true)]
    pub region: Option<String>,
    /// Only import the rows with this value in this column: role=end-user. If given several times,
    /// all must hold. Repeatable.
    #[arg(long = "where", value_name = "COLUMN=VALUE", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_WHERE", hide_env_values = true)]
    pub where_rules: Vec<WhereRule>,
    /// Warning that holds its records back as a problem does: name.looks_garbled. Repeatable.
    #[arg(long = "hold", value_name = "CODE", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_HOLD", hide_env_values = true)]
    pub holds: Vec<HoldRule>,
    /// Input column to copy into the report, such as the id of the old system. Repeatable.
    #[arg(long = "keep", value_name = "COLUMN", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_KEEP", hide_env_values = true)]
    pub keep: Vec<String>,
    /// Name by which the ledger knows the input from run to run, for files whose names change
    /// [default: the path].
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), env = "CUSTOMER_IMPORT_INPUT_NAME", hide_env_values = true)]
    pub input_name: Option<String>,
    /// Folder in which standard input is kept until its run ends well. A shared ledger needs one
    /// that the next run can read too [default: in the state directory].
    #[arg(long, value_name = "DIR", env = "CUSTOMER_IMPORT_SPOOL", hide_env_values = true)]
    pub spool: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = TARGET)]
pub struct TargetArgs {
    /// Address of the API, such as `https://api.yativo.com/api/v1`. Plain http is allowed for this
    /// machine only.
    #[arg(long, value_name = "URL", env = "CUSTOMER_IMPORT_BASE_URL", hide_env_values = true)]
    pub base_url: Option<String>,
    /// Name of the account in the ledger.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "default", value_parser = NonEmptyStringValueParser::new(), env = "CUSTOMER_IMPORT_ACCOUNT",
        hide_env_values = true
    )]
    pub account: String,
    /// Ledger: the file that remembers what was sent, or the address of a PostgreSQL database that
    /// several hosts share: postgres://USER@HOST/DATABASE [default: one file per target in the
    /// state directory].
    #[arg(long, value_name = "PATH|URL", env = "CUSTOMER_IMPORT_LEDGER", hide_env_values = true)]
    pub ledger: Option<PathBuf>,
    /// Fail if the ledger does not exist. For scheduled runs, in which a missing disk must not look
    /// like a first import.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_REQUIRE_LEDGER", hide_env_values = true)]
    pub require_ledger: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = SHARED_LEDGER)]
pub struct DatabaseArgs {
    /// File with the password of the database; read at every connection. Without it, PGPASSWORD and
    /// ~/.pgpass are used.
    #[arg(long, value_name = "PATH", env = "CUSTOMER_IMPORT_LEDGER_PASSWORD_FILE", hide_env_values = true)]
    pub ledger_password_file: Option<PathBuf>,
    /// Command that prints the password of the database; run at every connection.
    #[arg(long, value_name = "COMMAND", env = "CUSTOMER_IMPORT_LEDGER_PASSWORD_COMMAND", hide_env_values = true)]
    pub ledger_password_command: Option<String>,
    /// Additional certificate authority to trust for the database, as a PEM file.
    #[arg(long, value_name = "PATH", env = "CUSTOMER_IMPORT_LEDGER_CA_FILE", hide_env_values = true)]
    pub ledger_ca_file: Option<PathBuf>,
    /// How long another host waits before it takes the ledger over from a run that went silent, at
    /// least 6s.
    #[arg(long, value_name = "D", default_value = "15s", value_parser = parse_lease, env = "CUSTOMER_IMPORT_LEASE", hide_env_values = true)]
    pub lease: Duration,
    /// How long to wait for a ledger that another run holds, as a standby does [default: do not
    /// wait].
    #[arg(long, value_name = "D", value_parser = parse_duration, env = "CUSTOMER_IMPORT_WAIT_FOR_LEASE", hide_env_values = true)]
    pub wait_for_lease: Option<Duration>,
}

#[derive(Clone, Debug, Args)]
#[command(
    next_help_heading = "Credentials (secrets are read from environment variables: CUSTOMER_IMPORT_TOKEN or CUSTOMER_IMPORT_APP_SECRET)"
)]
pub struct CredentialArgs {
    /// File with the bearer token; read again if the API rejects the token.
    #[arg(long, value_name = "PATH", env = "CUSTOMER_IMPORT_TOKEN_FILE", hide_env_values = true)]
    pub token_file: Option<PathBuf>,
    /// Command that prints the bearer token; run again if the API rejects the token.
    #[arg(long, value_name = "COMMAND", env = "CUSTOMER_IMPORT_TOKEN_COMMAND", hide_env_values = true)]
    pub token_command: Option<String>,
    /// Account to log in as, with its app secret; tokens are then renewed before they expire. An id
    /// is an e-mail in base64, so set the variable rather than typing it.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), env = "CUSTOMER_IMPORT_ACCOUNT_ID", hide_env_values = true)]
    pub account_id: Option<String>,
    /// File with the app secret of --account-id, if it is not in the environment.
    #[arg(long, value_name = "PATH", env = "CUSTOMER_IMPORT_APP_SECRET_FILE", hide_env_values = true)]
    pub app_secret_file: Option<PathBuf>,
    /// Additional certificate authority to trust, as a PEM file.
    #[arg(long, help_heading = TARGET, value_name = "PATH", env = "CUSTOMER_IMPORT_CA_FILE", hide_env_values = true)]
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = PACE)]
pub struct SendingArgs {
    /// Pace of requests. `auto` follows the limit that the server announces, leaves a margin and
    /// never exceeds 6000/m; N/s, N/m or N/h is exact.
    #[arg(long, default_value = "auto", env = "CUSTOMER_IMPORT_RATE", hide_env_values = true)]
    pub rate: Rate,
    /// Maximum number of requests in flight.
    #[arg(long, value_name = "N", default_value = "8", env = "CUSTOMER_IMPORT_CONCURRENCY", hide_env_values = true)]
    pub concurrency: NonZeroUsize,
    /// Maximum time to wait for a complete response.
    #[arg(long, value_name = "D", default_value = "75s", value_parser = parse_duration, env = "CUSTOMER_IMPORT_TIMEOUT", hide_env_values = true)]
    pub timeout: Duration,
    /// Maximum time to wait for a connection.
    #[arg(long, value_name = "D", default_value = "10s", value_parser = parse_duration, env = "CUSTOMER_IMPORT_CONNECT_TIMEOUT", hide_env_values = true)]
    pub connect_timeout: Duration,
    /// Maximum number of attempts per record in one run; requests that were throttled or never sent
    /// are not counted.
    #[arg(long, value_name = "N", default_value = "5", env = "CUSTOMER_IMPORT_MAX_ATTEMPTS", hide_env_values = true)]
    pub max_attempts: NonZeroU32,
    /// How long a request without a response may still take effect, counted from its start.
    #[arg(long, value_name = "D", default_value = "90s", value_parser = parse_duration, env = "CUSTOMER_IMPORT_SETTLE", hide_env_values = true)]
    pub settle: Duration,
    /// How long an intent may take to become durable. A run that takes a shared ledger over waits
    /// so much longer.
    #[arg(long, value_name = "D", default_value = "10s", value_parser = parse_duration, env = "CUSTOMER_IMPORT_GRACE", hide_env_values = true)]
    pub grace: Duration,
    /// How long the server is expected to remember an idempotency key.
    #[arg(long, value_name = "D", default_value = "45m", value_parser = parse_duration, env = "CUSTOMER_IMPORT_KEY_VALIDITY", hide_env_values = true)]
    pub key_validity: Duration,
    /// Stop (69) after this time without a conclusive response.
    #[arg(long, value_name = "D", default_value = "30m", value_parser = parse_duration, env = "CUSTOMER_IMPORT_GIVE_UP_AFTER", hide_env_values = true)]
    pub give_up_after: Duration,
    /// Do not look up customers with `GET /customer`.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_NO_LOOKUP", hide_env_values = true)]
    pub no_lookup: bool,
    /// If look-ups are not available, rely on the server's unique e-mail to send a failed record
    /// with a new key. Without this option such a record ends in doubt.
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
    /// Send at most N records, for example as a trial.
    #[arg(long, value_name = "N", env = "CUSTOMER_IMPORT_LIMIT", hide_env_values = true)]
    pub limit: Option<NonZeroU64>,
    /// Stop once this many records are rejected or failed, or this share of the records to send.
    #[arg(long, value_name = "N|P%", env = "CUSTOMER_IMPORT_MAX_FAILURES", hide_env_values = true)]
    pub max_failures: Option<CountOrShare>,
    /// Send records again that the API rejected with the same data in an earlier run.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_RETRY_REJECTED", hide_env_values = true)]
    pub retry_rejected: bool,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// File to write the report to; its extension (.csv, .html, .ndjson, .xlsx) selects the format.
    /// Repeatable [default: `customers.report.csv` beside `customers.csv`].
    #[arg(long = "report", value_name = "PATH", value_delimiter = ENTRIES, env = "CUSTOMER_IMPORT_REPORT", hide_env_values = true)]
    pub reports: Vec<PathBuf>,
    /// Character between the cells of a CSV report, for a spreadsheet that opens it by a double
    /// click; use `tab` for a tab character [default: a comma, for programs].
    #[arg(long, value_name = "C", value_parser = parse_delimiter, env = "CUSTOMER_IMPORT_REPORT_DELIMITER", hide_env_values = true)]
    pub report_delimiter: Option<u8>,
    /// Show the KYC link of each customer in an HTML report too. A link is a secret of its person.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CUSTOMER_IMPORT_INCLUDE_LINKS", hide_env_values = true)]
    pub include_links: bool,
    /// File to write invalid and rejected records to, with their original cells and the errors:
    /// correct it and import it. Written like the input, or as a workbook of texts if it ends in
    /// .xlsx, which a spreadsheet cannot damage.
    #[arg(long, value_name = "PATH", env = "CUSTOMER_IMPORT_REJECTS", hide_env_values = true)]
    pub rejects: Option<PathBuf>,
    /// Format of the summary at the end, on standard output: text, json for programs, or markdown
    /// to forward.
    #[arg(long, value_enum, default_value_t, env = "CUSTOMER_IMPORT_SUMMARY", hide_env_values = true)]
    pub summary: SummaryFormat,
}

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Show how many records the ledger knows, how they ended and which are in doubt, or everything
    /// it knows of one e-mail.
    Show {
        /// E-mail whose record to show.
        email: Option<String>,
        #[command(flatten)]
        target: TargetArgs,
        /// Print the result as JSON.
        #[arg(long, help_heading = "Output")]
        json: bool,
    },
    /// Resolve the records that earlier runs left in doubt, whether or not an input has them: send
    /// again with the same key, or look up.
    Resolve {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        credentials: CredentialArgs,
        #[command(flatten)]
        sending: SendingArgs,
        /// Print the result as JSON.
        #[arg(long, help_heading = "Output")]
        json: bool,
    },
    /// Settle a record in doubt with what you found out yourself.
    #[command(group(clap::ArgGroup::new("truth").required(true).args(["created", "absent"])))]
    Settle {
        /// E-mail of the record in doubt.
        email: String,
        /// The customer exists, with this id.
        #[arg(long, value_name = "ID")]
        created: Option<String>,
        /// The customer does not exist; the next run sends the record again.
        #[arg(long)]
        absent: bool,
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Add the existing customers of the account to the ledger, page by page, so that they are
    /// never sent.
    Pull {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        credentials: CredentialArgs,
        #[command(flatten)]
        sending: SendingArgs,
        /// Print the result as JSON.
        #[arg(long, help_heading = "Output")]
        json: bool,
    },
    /// Create the tables of a shared ledger, or bring those of a ledger up to date. An import does
    /// it only for a ledger file, and for a database that has no ledger yet.
    Migrate {
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Move a ledger file, with all its accounts, into the PostgreSQL database of --ledger. The
    /// file lets no run in any more from then on.
    Move {
        /// Ledger file to move.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Erase a person, or everything of the target, for data protection. What is erased may be sent
    /// again.
    #[command(group(clap::ArgGroup::new("whom").required(true).args(["email", "all"])))]
    Forget {
        /// E-mail of the person to erase.
        email: Option<String>,
        /// Erase everything of the target.
        #[arg(long = "target", id = "all")]
        all: bool,
        /// Erase without asking for confirmation. This option has no environment variable, because
        /// consent to an import is not consent to this.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: TargetArgs,
    },
}

#[derive(Clone, Debug, Args)]
pub struct SandboxArgs {
    /// Port on this machine; 0 chooses a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Documented server to simulate: seed, docs or laravel.
    #[arg(long, default_value = "seed")]
    pub dialect: sandbox::Dialect,
    /// Rate limit per fixed window: N/s, N/m or N/h.
    #[arg(long, default_value = "60/m")]
    pub limit: sandbox::Limit,
    /// Only token to accept, an invented one [default: any token].
    #[arg(long = "token", value_name = "TOKEN")]
    pub let_in: Option<String>,
    /// Only account that can log in, and its secret, both invented [default: any account].
    #[arg(long, value_name = "ID:SECRET")]
    pub login: Option<sandbox::Credentials>,
    /// Lifetime of a token from a login.
    #[arg(long, value_name = "D", default_value = "10m", value_parser = sandbox::parse_duration)]
    pub token_life: Duration,
    /// Whether repeated idempotency keys get the stored response: store or none.
    #[arg(long, default_value = "store")]
    pub idempotency: sandbox::IdempotencyMode,
    /// How long the server remembers an idempotency key.
    #[arg(long, value_name = "D", default_value = "1h", value_parser = sandbox::parse_duration)]
    pub key_life: Duration,
    /// Time that a response takes: 20ms, or 10ms..50ms.
    #[arg(long, value_name = "D[..D]", default_value = "0s")]
    pub latency: sandbox::Latency,
    /// Check e-mails and keys, wait, and only then create the customer, so that overlapping
    /// requests create duplicates.
    #[arg(long)]
    pub racy: bool,
    /// Treat e-mails as equal if they differ in accents or width only, as most MySQL collations do.
    #[arg(long)]
    pub folded: bool,
    /// Honor idempotency keys only: an e-mail can have any number of customers.
    #[arg(long, conflicts_with = "email_only")]
    pub key_only: bool,
    /// Honor the unique e-mail only, as --idempotency none does.
    #[arg(long, conflicts_with = "idempotency")]
    pub email_only: bool,
    /// Disable look-ups.
    #[arg(long)]
    pub no_lookup: bool,
    /// Compress every response with gzip even if the client did not ask for it.
    #[arg(long)]
    pub packed: bool,
    /// Write an HTML notice before the JSON of every response and a comment after it.
    #[arg(long)]
    pub notices: bool,
    /// Fault to inject: by rate (500:0.1), by e-mail (500:a*@example.com), or for the first
    /// requests of an e-mail (500:first=2). gateway-503=4s answers like a gateway while the server
    /// works on for 4 s. An unknown kind lists all kinds. Repeatable.
    #[arg(long = "fault", value_name = "KIND[:RATE|:PATTERN]")]
    pub faults: Vec<sandbox::Fault>,
    /// Seed for random faults; the same seed gives the same faults.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Request log to append to, one JSON object per line.
    #[arg(long, value_name = "PATH")]
    pub log: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    #[default]
    Text,
    Json,
    Markdown,
}

/// Which bad records count for the end of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    #[default]
    All,
    New,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// Returns environment variables that begin like ours and belong to no option. A misspelled one
/// must not turn an intended dry run into a real import.
#[must_use]
pub fn unknown_variables() -> Vec<String> {
    fn collect(command: &clap::Command, known: &mut Vec<OsString>) {
        known.extend(command.get_arguments().filter_map(|argument| argument.get_env().map(ToOwned::to_owned)));
        command.get_subcommands().for_each(|command| collect(command, known));
    }
    let names = std::env::vars_os().map(|(name, _)| name);
    let ours: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("CUSTOMER_IMPORT_")).collect();
    let mut known = vec![TOKEN_VARIABLE.into(), APP_SECRET_VARIABLE.into(), HOLDER_VARIABLE.into()];
    // Building all options takes a noticeable part of a short run.
    if ours.iter().any(|name| !known.contains(name)) {
        collect(&Cli::command(), &mut known);
    }
    ours.iter().filter(|name| !known.contains(name)).map(|name| name.to_string_lossy().into_owned()).collect()
}

/// A shorter lease would be lost in an ordinary pause of a machine or a database.
fn parse_lease(text: &str) -> Result<Duration, String> {
    parse_duration(text).and_then(|lease| {
        let is_enough = lease >= Duration::from_secs(6);
        if is_enough { Ok(lease) } else { Err(format!("{text:?} is below 6s, the shortest lease")) }
    })
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
