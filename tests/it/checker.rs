//! What truly happened, against what was promised.
//!
//! The checker reads the input, the server's own log, the ledger and the report, and shares no code with the program that it judges: a
//! mistake in the program cannot hide in its judge.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Formatter};
use std::path::Path;

use serde_json::Value;

/// What is wrong, one line for each case. Clean where all are empty.
#[derive(Default)]
pub(crate) struct Verdict {
    /// A customer of the input whom the server does not have, at the end.
    pub(crate) lost: Vec<String>,
    /// An e-mail with more than one customer or more than one mail.
    pub(crate) doubled: Vec<String>,
    /// A customer whom the input does not have.
    pub(crate) unexpected: Vec<String>,
    /// A line of the report that the server's log contradicts, and lines too many or too few.
    pub(crate) untrue: Vec<String>,
    /// An e-mail with two requests at work at the same time.
    pub(crate) overlapping: Vec<String>,
    /// A request that came without the ledger knowing of it.
    pub(crate) unannounced: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.counts().iter().all(|(_, found)| *found == 0)
    }

    fn kinds(&self) -> [(&'static str, &Vec<String>); 6] {
        [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("unexpected", &self.unexpected),
            ("untrue", &self.untrue),
            ("overlapping", &self.overlapping),
            ("unannounced", &self.unannounced),
        ]
    }

    /// Each kind of fault with how often it was found.
    pub(crate) fn counts(&self) -> [(&'static str, usize); 6] {
        self.kinds().map(|(kind, cases)| (kind, cases.len()))
    }
}

impl Debug for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let found = self.kinds().into_iter().filter(|(_, cases)| !cases.is_empty());
        f.debug_map().entries(found).finish()
    }
}

/// The rows of an input: its e-mails in order, and whether a row can be a customer. The inputs of trials are made so that this is plain to
/// see: what cannot be one has no `@`.
pub(crate) struct Input {
    rows: Vec<String>,
}

impl Input {
    pub(crate) fn read(path: &Path) -> Self {
        let rows = read_csv(path).into_iter().map(|row| row["customer_email"].clone()).collect();
        Self { rows }
    }

    /// The e-mails that must each become one customer.
    fn wanted(&self) -> BTreeSet<String> {
        self.rows.iter().filter(|email| email.contains('@')).map(|email| email.to_lowercase()).collect()
    }
}

/// What the server wrote down about one e-mail.
#[derive(Default)]
struct Known {
    ids: Vec<String>,
    mails: usize,
    /// When each request to create it came, and when the server was done with it.
    posts: Vec<(f64, f64)>,
    /// Whether the last of them got an answer that leaves doubt: kept back, damaged on purpose, or a failure (a stored one, too).
    is_doubtful: bool,
}

/// The server's log.
pub(crate) struct Log {
    people: BTreeMap<String, Known>,
}

impl Log {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // The server may be in the middle of its last line.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut people = BTreeMap::<String, Known>::new();
        let mut open = BTreeMap::<u64, (String, usize)>::new();
        for line in whole.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let (number, time) = (event["n"].as_u64().unwrap_or_default(), event["t"].as_f64().unwrap_or_default());
            match text("event").as_str() {
                "received" if text("method") == "POST" && !text("email").is_empty() => {
                    let email = text("email").to_lowercase();
                    let known = people.entry(email.clone()).or_default();
                    known.posts.push((time, time));
                    known.is_doubtful = false;
                    open.insert(number, (email, known.posts.len() - 1));
                }
                "created" => {
                    let known = people.entry(text("email").to_lowercase()).or_default();
                    known.ids.push(text("customer_id"));
                    known.mails += usize::from(event["mail"] == true);
                }
                "answered" => {
                    if let Some((email, post)) = open.remove(&number) {
                        let known = people.get_mut(&email).unwrap();
                        known.posts[post].1 = time;
                        let succeeded = event["status"].as_u64().is_some_and(|status| status / 100 == 2);
                        known.is_doubtful = !event["fault"].is_null() || !succeeded;
                    }
                }
                _ => {}
            }
        }
        Self { people }
    }

    pub(crate) fn is_doubtful(&self, email: &str) -> bool {
        self.people.get(email).is_some_and(|known| known.is_doubtful)
    }

    fn ids(&self, email: &str) -> &[String] {
        self.people.get(email).map_or(&[], |known| known.ids.as_slice())
    }
}

/// What a ledger knows right after a death.
pub(crate) struct Memory {
    /// The e-mails for which it holds a request or an outcome.
    pub(crate) emails: BTreeSet<String>,
    /// Those with a request whose answer it does not know.
    pub(crate) unanswered: BTreeSet<String>,
}

impl Memory {
    /// A ledger that was never made knows nothing.
    pub(crate) fn read(ledger: &Path) -> Self {
        let nothing = Self { emails: BTreeSet::new(), unanswered: BTreeSet::new() };
        let Ok(connection) = rusqlite::Connection::open_with_flags(ledger, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)
        else {
            return nothing;
        };
        let list = |sql: &str| -> rusqlite::Result<BTreeSet<String>> {
            connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        };
        let known = list(
            "SELECT email_key FROM records WHERE id IN (SELECT record FROM intents UNION SELECT record FROM outcomes)",
        );
        let unanswered = list("SELECT email_key FROM records WHERE id IN (SELECT record FROM intents)");
        // Killed before it had tables.
        let (Ok(emails), Ok(unanswered)) = (known, unanswered) else { return nothing };
        Self { emails, unanswered }
    }
}

/// What holds at any moment, also right after a death.
pub(crate) fn check_midway(input: &Input, log: &Log, memory: &Memory) -> Verdict {
    let mut verdict = Verdict::default();
    let wanted = input.wanted();
    for (email, known) in &log.people {
        if known.ids.len() > 1 || known.mails > 1 {
            verdict.doubled.push(format!("{email}: {} customers, {} mails", known.ids.len(), known.mails));
        }
        if !wanted.contains(email) {
            verdict.unexpected.push(email.clone());
        }
        let mut posts = known.posts.clone();
        posts.sort_by(|one, other| one.0.total_cmp(&other.0));
        if posts.windows(2).any(|pair| pair[1].0 < pair[0].1) {
            verdict.overlapping.push(format!("{email}: {posts:?}"));
        }
        if !known.posts.is_empty() && !memory.emails.contains(email) {
            verdict.unannounced.push(email.clone());
        }
    }
    verdict
}

/// What must hold when all is done.
pub(crate) fn check_end(input: &Input, log: &Log, memory: &Memory, report: &Path) -> Verdict {
    let mut verdict = check_midway(input, log, memory);
    verdict.lost = input.wanted().into_iter().filter(|email| log.ids(email).is_empty()).collect();
    verdict.untrue = contradictions(input, log, report);
    verdict
}

fn contradictions(input: &Input, log: &Log, report: &Path) -> Vec<String> {
    let lines = read_csv(report);
    let mut untrue = Vec::new();
    if lines.len() != input.rows.len() {
        untrue.push(format!("{} lines for {} rows", lines.len(), input.rows.len()));
    }
    let mut row = 0;
    for (email, line) in input.rows.iter().zip(&lines) {
        row += 1;
        if line["row"] != row.to_string() || line["customer_email"] != *email {
            untrue.push(format!("line {row} is about another row: {line:?}"));
        }
        if let Some(why) = contradiction(email, line, log.ids(&email.to_lowercase())) {
            untrue.push(format!("row {row}: {why}: {line:?}"));
        }
    }
    untrue
}

/// What the server says against one line.
fn contradiction(email: &str, line: &BTreeMap<String, String>, ids: &[String]) -> Option<&'static str> {
    let told = &line["customer_id"];
    let is_theirs = ids.contains(told);
    match line["status"].as_str() {
        "created" | "already_imported" if !is_theirs => Some("no customer of this id was created for it"),
        // Where nobody can look, who exists has no id.
        "exists" | "duplicate" if ids.is_empty() || !(told.is_empty() || is_theirs) => {
            Some("it is not at the server so")
        }
        "invalid" if email.contains('@') => Some("nothing is wrong with it"),
        "created" | "already_imported" | "exists" | "duplicate" if !email.contains('@') => {
            Some("it cannot be a customer")
        }
        "failed" | "rejected" | "not_attempted" if !ids.is_empty() => Some("and yet it is a customer"),
        "created" | "already_imported" | "exists" | "duplicate" | "invalid" | "failed" | "rejected"
        | "not_attempted" | "in_doubt" => None,
        _ => Some("nobody expects this status here"),
    }
}

fn read_csv(path: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}
