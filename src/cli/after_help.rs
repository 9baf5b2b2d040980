//! What stands after the options in help texts and manual pages: examples, and the exit codes.
//! A test runs each example.

/// What the title of examples is in a help text.
pub const EXAMPLES: &str = "Examples:\n";

pub const IMPORT: &str = "\
Examples:
  # Into a simulated API inside this process:
  customer-import import customers.csv --sandbox
  # Five customers first, then the rest, with a file of what must be corrected:
  customer-import import customers.csv --base-url https://api.yativo.com/api/v1 --limit 5
  customer-import import customers.csv --base-url https://api.yativo.com/api/v1 --rejects rejects.xlsx
  # Every night, without a question, with a token that is renewed:
  customer-import import customers.csv --config nightly.toml --require-ledger --yes";

pub const CHECK: &str = "\
Examples:
  customer-import check customers.csv
  customer-import check customers.csv --report checked.xlsx --rejects rejects.csv
  customer-import check customers.csv --base-url https://api.yativo.com/api/v1";

pub const REPORT: &str = "\
Examples:
  customer-import report customers.csv --base-url https://api.yativo.com/api/v1
  customer-import report customers.csv --base-url https://api.yativo.com/api/v1 --report customers.xlsx";

pub const STATUS: &str = "\
Examples:
  customer-import status customers.csv --base-url https://api.yativo.com/api/v1
  customer-import status customers.csv --config nightly.toml --json
  customer-import report customers.csv --base-url https://api.yativo.com/api/v1 --report status.xlsx";

pub const INIT: &str = "\
Examples:
  customer-import init customers.csv
  customer-import check customers.csv --config customers.toml";

pub const DOCTOR: &str = "\
Examples:
  customer-import doctor --base-url https://api.yativo.com/api/v1
  customer-import doctor --config nightly.toml --json";

pub const LEDGER: &str = "\
Examples:
  customer-import ledger show --base-url https://api.yativo.com/api/v1
  customer-import ledger show ada@example.com --base-url https://api.yativo.com/api/v1
  customer-import ledger pull --base-url https://api.yativo.com/api/v1
  customer-import ledger resolve --base-url https://api.yativo.com/api/v1
  customer-import ledger forget ada@example.com --yes --base-url https://api.yativo.com/api/v1";

pub const SANDBOX: &str = "\
Examples:
  customer-import sandbox --port 8080 --log requests.ndjson
  customer-import sandbox --port 8080 --limit 10/s --fault 500:0.1 --fault reset-after:0.05";

pub const COMPLETIONS: &str = "\
Examples:
  customer-import completions bash > customer-import.bash";

pub const MAN: &str = "\
Examples:
  customer-import man > customer-import.1
  customer-import man import | man -l -
  customer-import man ledger show | man -l -";

/// What the title of the exit codes is in a help text.
pub const EXIT_CODES: &str = "Exit codes:\n";

pub const PROGRAM: &str = "\
Exit codes:
    0  every record is created, known, changed or a duplicate
    1  finished or stopped by an option; some records are invalid, rejected or failed
    2  the command line, the environment or a configuration file is wrong
    4  finished; some records are in doubt
    5  another run holds the ledger, or has taken it over
   65  the input cannot be read as customers, or changed while it was read
   69  the API is unreachable or unintelligible
   74  the ledger, a report or another file cannot be read or written
   77  the credentials are refused
   78  configuration: redirect, certificate, proxy, wrong address, foreign ledger
  129, 130, 143  stopped by SIGHUP, SIGINT (Ctrl-C), SIGTERM

Start with `customer-import import FILE --sandbox`, and see `customer-import COMMAND --help`.
Guides and reference: README.md and the folder docs/ of the source.";
