//! What truly happened, against what was promised.
//!
//! The checker reads the input, the server's own log, the ledger and the report, and shares no code
//! with the program that it judges: a mistake in the program cannot hide in its judge.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Formatter};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Two requests for one e-mail may follow each other sooner than the settle time by this share of
/// it: the client counts from just before its intent is synced, the server from when the request
/// came.
const SPARE: f64 = 0.5;

/// What the world of a trial allows.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The client's settle time: after silence, nothing may come for an e-mail before it is over.
    pub settle: Duration,
    /// Whether the client has no way to find out what became of a request. Then it may say so at
    /// the end.
    pub is_blind: bool,
}

/// What is wrong, one line for each case. Clean if all are empty but `unresolved`.
#[derive(Default)]
pub struct Verdict {
    /// A customer of the input whom the server does not have, at the end.
    pub lost: Vec<String>,
    /// An e-mail with more than one customer or more than one mail.
    pub doubled: Vec<String>,
    /// A customer that is not in the input, or that the server never accepts.
    pub unexpected: Vec<String>,
    /// An e-mail that was posted and is not in the planned input (I11).
    pub unplanned: Vec<String>,
    /// A line of the report that the server's log contradicts, and lines too many or too few. The
    /// log is read after all work is over, so that work that outlived its answer counts (I12).
    pub untrue: Vec<String>,
    /// An e-mail with two requests at work at the same time, whenever they were answered.
    pub overlapping: Vec<String>,
    /// A request that followed a silent one for the same e-mail before the settle time was over.
    pub too_soon: Vec<String>,
    /// A request that came without the ledger knowing of it. It may forget one that was refused.
    pub unannounced: Vec<String>,
    /// A request of a host that had lost the ledger before, or never had it.
    pub outlived: Vec<String>,
    /// A record that is `in_doubt` at the end, in a world without a way to find out. Not a fault.
    pub unresolved: Vec<String>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.counts().iter().all(|(_, found)| *found == 0)
    }

    fn kinds(&self) -> [(&'static str, &Vec<String>); 9] {
        [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("unexpected", &self.unexpected),
            ("unplanned", &self.unplanned),
            ("untrue", &self.untrue),
            ("overlapping", &self.overlapping),
            ("too_soon", &self.too_soon),
            ("unannounced", &self.unannounced),
            ("outlived", &self.outlived),
        ]
    }

    /// Each kind of fault with how often it was found.
    pub fn counts(&self) -> [(&'static str, usize); 9] {
        self.kinds().map(|(kind, cases)| (kind, cases.len()))
    }
}

impl Debug for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let found = self.kinds().into_iter().filter(|(_, cases)| !cases.is_empty());
        f.debug_map().entries(found).finish()
    }
}

/// The rows of an input: its e-mails in order, and whether a row can be a customer. The inputs of
/// trials are made so that this is plain to see: what cannot be one has no `@`, an e-mail that the
/// server always refuses begins with `never`, and one that it has but does not list with `gone`.
pub struct Input {
    rows: Vec<String>,
}

impl Input {
    pub fn read(path: &Path) -> Self {
        let rows = read_csv(path).into_iter().map(|row| row["customer_email"].clone()).collect();
        Self { rows }
    }

    /// The e-mails that may be posted.
    fn planned(&self) -> BTreeSet<String> {
        self.rows.iter().filter(|email| email.contains('@')).map(|email| email.to_lowercase()).collect()
    }

    /// The e-mails that must each become one customer.
    fn wanted(&self) -> BTreeSet<String> {
        self.planned().into_iter().filter(|email| is_accepted(email)).collect()
    }
}

/// Whether the server can be brought to make a customer of this e-mail.
pub fn is_accepted(email: &str) -> bool {
    !email.starts_with("never") && !email.starts_with("gone")
}

/// What the server wrote down about one e-mail.
#[derive(Default)]
struct Known {
    ids: Vec<String>,
    mails: usize,
    posts: Vec<Post>,
    /// Whether the last of them got an answer that leaves doubt: kept back, damaged on purpose, or
    /// a failure (a stored one, too).
    is_doubtful: bool,
}

/// One request to create a customer.
#[derive(Clone)]
struct Post {
    came: f64,
    /// When the server stopped work on it. Infinite as long as it did not.
    ended: f64,
    /// Whether the client left before its answer.
    was_left: bool,
    /// Whether its answer says nothing about the work.
    is_silent: bool,
    /// Whether its answer is a success with an id.
    is_success: bool,
    /// Whether it was turned away, and is over.
    is_refused: bool,
}

/// When and how, for people: `946..995 ms, success`.
impl Debug for Post {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // The last minutes are enough to tell them apart.
        let short = |time: f64| time % 1_000_000.0;
        write!(f, "{:.0}..", short(self.came))?;
        match self.ended.is_finite() {
            true => write!(f, "{:.0} ms", short(self.ended))?,
            false => f.write_str(" at work")?,
        }
        let marks = [
            (self.is_success, "success"),
            (self.is_refused, "refused"),
            (self.is_silent, "silent"),
            (self.was_left, "left"),
        ];
        marks.iter().filter(|(holds, _)| *holds).try_for_each(|(_, mark)| write!(f, ", {mark}"))
    }
}

/// The server's log.
pub struct Log {
    people: BTreeMap<String, Known>,
}

/// Faults after which the application's answer does not prove the end of its work.
const UNINTELLIGIBLE: [&str; 2] = ["no-id", "outer-failure"];

/// Whether an answer says nothing about the work: none, a gateway's, an unreadable one, or one that
/// says that it goes on.
fn is_silence(answered: &Value) -> bool {
    let Some(status) = answered["status"].as_u64() else { return true };
    match answered["author"].as_str().unwrap_or_default() {
        "application" => answered["fault"].as_str().is_some_and(|fault| UNINTELLIGIBLE.contains(&fault)),
        "gateway" => matches!(status, 200..=299 | 408 | 409 | 425 | 500..),
        _ => true,
    }
}

impl Log {
    pub fn read(path: &Path) -> Self {
        Self::read_until(path, f64::INFINITY)
    }

    /// What the server had written down at a moment, in milliseconds since the Unix epoch.
    pub fn read_until(path: &Path, moment: f64) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // The server may be in the middle of its last line.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut people = BTreeMap::<String, Known>::new();
        let mut open = BTreeMap::<u64, (String, usize)>::new();
        for line in whole.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let (number, time) = (event["n"].as_u64().unwrap_or_default(), event["t"].as_f64().unwrap_or_default());
            if time > moment {
                break;
            }
            match text("event").as_str() {
                "received" if text("method") == "POST" && !text("email").is_empty() => {
                    let email = text("email").to_lowercase();
                    let known = people.entry(email.clone()).or_default();
                    known.posts.push(Post {
                        came: time,
                        ended: f64::INFINITY,
                        was_left: false,
                        is_silent: false,
                        is_success: false,
                        is_refused: false,
                    });
                    known.is_doubtful = false;
                    open.insert(number, (email, known.posts.len() - 1));
                }
                "created" => {
                    let known = people.entry(text("email").to_lowercase()).or_default();
                    known.ids.push(text("customer_id"));
                    known.mails += usize::from(event["mail"] == true);
                }
                "answered" => {
                    if let Some((email, at)) = open.get(&number) {
                        let known = people.get_mut(email).unwrap();
                        let succeeded = event["status"].as_u64().is_some_and(|status| status / 100 == 2);
                        known.is_doubtful = !event["fault"].is_null() || !succeeded;
                        let post = &mut known.posts[*at];
                        post.ended = if event["working"] == true { f64::INFINITY } else { time };
                        post.is_silent = is_silence(&event);
                        post.is_success = succeeded && !post.is_silent;
                        let is_refusal = event["status"].as_u64().is_some_and(|status| status / 100 == 4);
                        post.is_refused = is_refusal && !post.is_silent && event["customer_id"].is_null();
                    }
                }
                "done" | "left" => {
                    if let Some((email, at)) = open.get(&number) {
                        let post = &mut people.get_mut(email).unwrap().posts[*at];
                        match text("event").as_str() {
                            "done" => post.ended = time,
                            _ => post.was_left = true,
                        }
                    }
                }
                _ => {}
            }
        }
        Self { people }
    }

    /// Whether the server is still at work on a request.
    pub fn is_at_work(&self) -> bool {
        self.people.values().flat_map(|known| &known.posts).any(|post| post.ended.is_infinite())
    }

    /// Takes into account that a client died at `time` and did not know how the requests for these
    /// e-mails had ended: whatever success was on its way to it is silence to the next one.
    pub fn forget_answers(&mut self, time: f64, unanswered: &BTreeSet<String>) {
        for email in unanswered {
            let posts = self.people.get_mut(email).into_iter().flat_map(|known| &mut known.posts);
            if let Some(last) = posts.filter(|post| post.came <= time).last() {
                last.is_silent |= last.is_success;
            }
        }
    }

    pub fn is_doubtful(&self, email: &str) -> bool {
        self.people.get(email).is_some_and(|known| known.is_doubtful)
    }

    /// Whether the client broke the last request off.
    pub fn was_left(&self, email: &str) -> bool {
        self.people.get(email).and_then(|known| known.posts.last()).is_some_and(|post| post.was_left)
    }

    fn ids(&self, email: &str) -> &[String] {
        self.people.get(email).map_or(&[], |known| known.ids.as_slice())
    }
}

/// What a ledger knows right after a death.
pub struct Memory {
    /// The e-mails for which it holds a request or an outcome.
    pub emails: BTreeSet<String>,
    /// Those with a request whose answer it does not know.
    pub unanswered: BTreeSet<String>,
}

impl Memory {
    /// A ledger that was never made knows nothing.
    pub fn read(ledger: &Path) -> Self {
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

/// The questions whose answers [`Memory::of_answers`] reads, for a ledger in PostgreSQL.
pub const MEMORY_QUESTIONS: [&str; 2] = [
    "SELECT email_key FROM customer_import.intents UNION SELECT email_key FROM customer_import.outcomes",
    "SELECT email_key FROM customer_import.intents",
];

impl Memory {
    /// Reads what `psql` printed, an e-mail a line.
    pub fn of_answers([emails, unanswered]: [&str; 2]) -> Self {
        let [emails, unanswered] = [emails, unanswered].map(|answer| answer.lines().map(str::to_owned).collect());
        Self { emails, unanswered }
    }
}

/// What holds at any moment, also right after a death.
pub fn check_midway(input: &Input, log: &Log, memory: &Memory, rules: Rules) -> Verdict {
    let mut verdict = Verdict::default();
    let (wanted, planned) = (input.wanted(), input.planned());
    for (email, known) in &log.people {
        if known.ids.len() > 1 || known.mails > 1 {
            verdict.doubled.push(format!("{email}: {} customers, {} mails", known.ids.len(), known.mails));
        }
        if !known.ids.is_empty() && !wanted.contains(email) {
            verdict.unexpected.push(email.clone());
        }
        if !known.posts.is_empty() && !planned.contains(email) {
            verdict.unplanned.push(email.clone());
        }
        if overlap(&known.posts) {
            verdict.overlapping.push(format!("{email}: {:?}", known.posts));
        }
        if was_hasty(&known.posts, rules.settle) {
            verdict.too_soon.push(format!("{email}: {:?}", known.posts));
        }
        if known.posts.iter().any(|post| !post.is_refused) && !memory.emails.contains(email) {
            verdict.unannounced.push(email.clone());
        }
    }
    verdict
}

/// Requests are in the order in which they came.
fn overlap(posts: &[Post]) -> bool {
    posts.windows(2).any(|pair| pair[1].came < pair[0].ended)
}

fn was_hasty(posts: &[Post], settle: Duration) -> bool {
    let wait = settle.as_secs_f64() * 1000.0 * (1.0 - SPARE);
    posts.windows(2).any(|pair| (pair[0].is_silent || pair[0].was_left) && pair[1].came < pair[0].came + wait)
}

/// What must hold when all is done.
pub fn check_end(input: &Input, log: &Log, memory: &Memory, report: &Path, rules: Rules) -> Verdict {
    let mut verdict = check_midway(input, log, memory, rules);
    let lines = read_csv(report);
    let in_doubt = lines.iter().filter(|line| line["status"] == "in_doubt" && rules.is_blind);
    verdict.unresolved = in_doubt.map(|line| line["customer_email"].to_lowercase()).collect();
    let missing = input.wanted().into_iter().filter(|email| log.ids(email).is_empty());
    verdict.lost = missing.filter(|email| !verdict.unresolved.contains(email)).collect();
    verdict.untrue = contradictions(input, log, &lines, rules);
    verdict
}

/// What the server says against each line of a report that tells of some records only.
pub fn check_lines(log: &Log, report: &Path, rules: Rules) -> Vec<String> {
    let judge = |line: BTreeMap<String, String>| {
        let email = line["customer_email"].clone();
        // The row that it repeats may not be a customer yet.
        if line["status"] == "duplicate" {
            return None;
        }
        let why = contradiction(&email, &line, log.ids(&email.to_lowercase()), rules)?;
        Some(format!("{email}: {why}: {line:?}"))
    };
    read_csv(report).into_iter().filter_map(judge).collect()
}

fn contradictions(input: &Input, log: &Log, lines: &[BTreeMap<String, String>], rules: Rules) -> Vec<String> {
    let mut untrue = Vec::new();
    if lines.len() != input.rows.len() {
        untrue.push(format!("{} lines for {} rows", lines.len(), input.rows.len()));
    }
    let mut row = 0;
    for (email, line) in input.rows.iter().zip(lines) {
        row += 1;
        if line["row"] != row.to_string() || line["customer_email"] != *email {
            untrue.push(format!("line {row} is about another row: {line:?}"));
        }
        if let Some(why) = contradiction(email, line, log.ids(&email.to_lowercase()), rules) {
            untrue.push(format!("row {row}: {why}: {line:?}"));
        }
    }
    untrue
}

/// What the server says against one line.
fn contradiction(email: &str, line: &BTreeMap<String, String>, ids: &[String], rules: Rules) -> Option<&'static str> {
    let told = &line["customer_id"];
    // Without look-ups, or if each of them failed, the server's words are all there is: no run sees
    // that it does not list a customer, or what a duplicate is one of.
    let is_blind = rules.is_blind || line.get("warning").is_some_and(|text| text.contains("lookup.unavailable"));
    let is_hearsay = is_blind && told.is_empty() && (line["status"] == "duplicate" || !is_accepted(email));
    let is_theirs = ids.contains(told);
    match line["status"].as_str() {
        "created" | "already_imported" if !is_theirs => Some("no customer of this id was created for it"),
        // Without look-ups, a customer that exists has no id.
        "exists" | "duplicate" if is_hearsay => None,
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

/// A report that was never made has no lines.
fn read_csv(path: &Path) -> Vec<BTreeMap<String, String>> {
    let Ok(mut reader) = csv::Reader::from_path(path) else { return Vec::new() };
    reader.deserialize().map(Result::unwrap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_millis(200);

    /// The verdict on one input row, `p@example.com`, if this is the server's log.
    fn verdict(log: &str, deaths: &[f64]) -> Verdict {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("log"), log).unwrap();
        std::fs::write(path("in.csv"), "customer_email\np@example.com\n").unwrap();
        let emails = BTreeSet::from(["p@example.com".to_owned()]);
        let mut log = Log::read(&path("log"));
        deaths.iter().for_each(|time| log.forget_answers(*time, &emails));
        let memory = Memory { emails, unanswered: BTreeSet::new() };
        check_midway(&Input::read(&path("in.csv")), &log, &memory, Rules { settle: SETTLE, is_blind: false })
    }

    fn post(n: u64, t: u64) -> String {
        format!("{{\"t\":{t},\"event\":\"received\",\"n\":{n},\"method\":\"POST\",\"email\":\"p@example.com\"}}\n")
    }

    fn answer(n: u64, t: u64, status: u16, author: &str, working: bool) -> String {
        format!(
            "{{\"t\":{t},\"event\":\"answered\",\"n\":{n},\"status\":{status},\"author\":\"{author}\",\
             \"working\":{working},\"fault\":null,\"customer_id\":null}}\n"
        )
    }

    fn event(kind: &str, n: u64, t: u64) -> String {
        format!("{{\"t\":{t},\"event\":\"{kind}\",\"n\":{n}}}\n")
    }

    #[test]
    fn work_that_outlives_its_answer_overlaps_with_the_next_request() {
        let begun = [post(1, 0), answer(1, 10, 503, "gateway", true)].concat();
        let late = [post(2, 300), answer(2, 310, 200, "application", false)].concat();
        let overlapping = verdict(&[&begun, &late, &event("done", 1, 400)[..]].concat(), &[]);
        assert_eq!((overlapping.overlapping.len(), overlapping.too_soon.len()), (1, 0), "{overlapping:?}");
        let done = verdict(&[&begun, &event("done", 1, 250)[..], &late].concat(), &[]);
        assert!(done.is_clean(), "{done:?}");
        let at_work = verdict(&[begun, late].concat(), &[]);
        assert_eq!(at_work.overlapping.len(), 1, "{at_work:?}");
    }

    #[test]
    fn a_request_soon_after_a_silent_one_is_too_soon_and_after_an_answered_one_is_not() {
        let silences = [
            answer(1, 10, 503, "gateway", false),
            answer(1, 10, 200, "gateway", false),
            answer(1, 10, 200, "nobody", false),
            answer(1, 10, 408, "gateway", false),
            [event("left", 1, 5), answer(1, 10, 200, "application", false)].concat(),
        ];
        for silence in silences {
            for (again, hasty) in [(50, true), (210, false)] {
                let found = verdict(&[post(1, 0), silence.clone(), post(2, again)].concat(), &[]);
                assert_eq!(!found.too_soon.is_empty(), hasty, "{again} {silence}: {found:?}");
            }
        }
        for (status, author) in [(500, "application"), (422, "application"), (403, "gateway"), (429, "application")] {
            let log = [post(1, 0), answer(1, 10, status, author, false), post(2, 50)].concat();
            let found = verdict(&log, &[]);
            assert!(found.too_soon.is_empty(), "{status} {author}: {found:?}");
        }
    }

    #[test]
    fn a_success_that_died_with_the_client_is_silence() {
        let log = [post(1, 0), answer(1, 10, 200, "application", false), post(2, 50)].concat();
        assert!(verdict(&log, &[]).too_soon.is_empty());
        assert_eq!(verdict(&log, &[20.0]).too_soon.len(), 1);
    }

    #[test]
    fn a_request_that_was_refused_may_be_forgotten_and_no_other() {
        for (status, author, forgotten) in
            [(403, "gateway", true), (503, "gateway", false), (200, "application", false)]
        {
            let log = [post(1, 0), answer(1, 10, status, author, false)].concat().replace("p@example", "q@example");
            assert_eq!(verdict(&log, &[]).unannounced.is_empty(), forgotten, "{status}");
            assert_eq!(verdict(&log, &[]).unplanned, ["q@example.com"]);
        }
    }
}
