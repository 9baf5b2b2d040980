//! The page as its template shows it: every text is ready, and the template only places it.

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::facts::{PageFacts, RunFacts};
use super::plot::{self, Plot};
use super::problems::ProblemGroups;
use super::rows::{PageColumns, PageRows, needs_person};
use super::timeline;
use crate::domain::{ReportLine, Status, Tally, counted, grouped, on_one_line, plural, shorten};
use crate::report::human::{about, utc};
use crate::report::summary::{Headline, Unended, meaning};
use crate::report::{KycCounts, MailCounts};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// The width of the bar of outcomes, in units of its drawing.
const BAR: f64 = 1000.0;
/// How much of a setting, a command or a reason to stop is shown.
const TEXT_WIDTH: usize = 2000;
const MOST_OPTIONS: usize = 60;

/// What the lines of a report added up to.
#[derive(Debug, Default)]
pub(super) struct PageCounts {
    pub tally: Tally,
    pub problems: ProblemGroups,
    pub mails: MailCounts,
    pub kyc: CheckedCounts,
    /// Bad records that a completed run before had reported.
    pub known_bad: u64,
}

/// The KYC statuses that the API named when it was asked, and when that was.
#[derive(Debug, Default)]
pub(super) struct CheckedCounts {
    counts: KycCounts,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl CheckedCounts {
    pub(super) fn add(&mut self, line: &ReportLine) {
        let Some(checked_at) = line.kyc_checked_at else { return };
        self.counts.add(line.receipt.kyc_status.as_deref());
        self.first = Some(self.first.map_or(checked_at, |first| first.min(checked_at)));
        self.last = self.last.max(Some(checked_at));
    }
}

#[derive(Template)]
#[template(path = "page.html")]
struct HtmlPage<'a> {
    policy: String,
    style: &'static str,
    script: &'static str,
    title: String,
    headline: String,
    /// What the user can do about a stop.
    hint: Option<String>,
    facts: Vec<PageFact>,
    bar: Vec<BarPart>,
    bar_words: String,
    outcomes: Vec<OutcomeTile>,
    steps: Vec<NextStep>,
    plots: Vec<Plot>,
    /// Why there are no plots.
    no_plots: &'static str,
    plot_width: f64,
    plot_height: f64,
    problems: Vec<ProblemRow>,
    beyond: String,
    rows: &'a [String],
    rows_title: &'static str,
    statuses: Vec<&'static str>,
    left_out: String,
    columns: PageColumns,
    runs: Vec<RunRow>,
    runs_total: Option<RunRow>,
    has_older_runs: bool,
    options: Vec<(String, String)>,
    made_at: String,
    version: &'static str,
}

struct PageFact {
    name: &'static str,
    text: String,
    note: String,
}

/// A part of the bar of outcomes.
struct BarPart {
    status: &'static str,
    x: String,
    width: String,
}

struct OutcomeTile {
    status: &'static str,
    meaning: &'static str,
    number: String,
    share: String,
}

/// Something that is left to do.
struct NextStep {
    text: String,
    command: Option<String>,
    /// What to know about the command.
    advice: String,
}

struct ProblemRow {
    count: String,
    status: &'static str,
    code: String,
    column: String,
    message: String,
    values: String,
    rows: String,
    retrying: &'static str,
}

struct RunRow {
    started: String,
    name: String,
    end: String,
    requests: String,
    /// Created, exists, rejected, failed, in doubt.
    numbers: [String; 5],
    is_this: bool,
}

const RUN_STATUSES: [Status; 5] = [Status::Created, Status::Exists, Status::Rejected, Status::Failed, Status::InDoubt];

/// Returns the page.
pub(super) fn render(
    facts: &PageFacts,
    counts: &PageCounts,
    rows: &PageRows,
    now: Timestamp,
) -> askama::Result<String> {
    let run = facts.run.as_ref();
    let headline = headline(run, counts);
    let statuses = Status::IMPORT.into_iter().filter(|status| counts.tally.get(*status) > 0);
    let listed = |status: &Status| needs_person(*status) || rows.columns().links;
    let (runs, runs_total) = run.map(runs_of).unwrap_or_default();
    let page = HtmlPage {
        policy: policy(),
        style: STYLE,
        script: SCRIPT,
        title: format!("{}: {}", short_name(&facts.input), headline),
        facts: page_facts(facts, counts, now),
        bar: bar(&counts.tally),
        bar_words: bar_words(&counts.tally),
        outcomes: outcomes(&counts.tally),
        steps: steps(facts, &counts.tally, rows),
        plots: run.map(|run| timeline::plots(&run.minutes, run.started_at, run.ended_at)).unwrap_or_default(),
        no_plots: match run {
            None => "Nothing was sent, because this is the report of a check.",
            Some(run) if run.requests > 0 => "The ledger has no times of this run.",
            Some(_) => "This run has sent no request.",
        },
        plot_width: plot::WIDTH,
        plot_height: plot::HEIGHT,
        problems: problems(&counts.problems),
        beyond: if counts.problems.beyond > 0 {
            format!("{} with other messages; the CSV report has all of them.", counted(counts.problems.beyond, "error"))
        } else {
            String::new()
        },
        rows: rows.rows(),
        rows_title: if rows.columns().links { "Rows that need you, and links" } else { "Rows that need you" },
        statuses: statuses.filter(listed).map(Status::as_str).collect(),
        left_out: left_out(rows),
        columns: rows.columns(),
        runs,
        runs_total,
        has_older_runs: run.is_some_and(|run| run.has_older_runs),
        options: run.map(options).unwrap_or_default(),
        made_at: utc(now),
        version: env!("CARGO_PKG_VERSION"),
        headline,
        hint: run.and_then(|run| Some(shorten(run.stopped.as_ref()?.advice.as_ref()?, TEXT_WIDTH))),
    };
    page.render()
}

/// Returns the policy of the page, which forbids everything but its own style and script.
fn policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn headline(run: Option<&RunFacts>, counts: &PageCounts) -> String {
    let tally = &counts.tally;
    let Some(run) = run else {
        let (read, invalid) = (counted(tally.total(), "record"), tally.get(Status::Invalid));
        let wrong = if invalid == 0 { "nothing wrong".to_owned() } else { format!("{} invalid", grouped(invalid)) };
        return format!("Checked: {read}, {wrong}. Nothing was sent.");
    };
    let stopped = run.stopped.as_ref().map(|words| shorten(&words.why, TEXT_WIDTH));
    let excused = if run.excuses_known_bad { run.known_bad.unwrap_or(counts.known_bad) } else { 0 };
    Headline { tally, stopped: stopped.as_deref(), unended: run.unended, limit: run.limit, excused }.to_text()
}

fn page_facts(facts: &PageFacts, counts: &PageCounts, now: Timestamp) -> Vec<PageFact> {
    let fact = |name, text: String, note: &str| PageFact { name, text, note: note.to_owned() };
    let records = counted(counts.tally.total(), "record");
    let mut shown = vec![fact("File", shorten(&facts.input, TEXT_WIDTH), &records)];
    if let (Some(first), Some(last)) = (counts.kyc.first, counts.kyc.last) {
        let between = if first == last { utc(first) } else { format!("{} to {}", utc(first), utc(last)) };
        shown.push(fact("KYC status", counts.kyc.counts.words(), &format!("asked {between}")));
    }
    let Some(run) = &facts.run else { return shown };
    shown.push(fact("Target", shorten(&run.target, TEXT_WIDTH), &format!("account {}", shorten(&run.account, 100))));
    shown.push(fact("Started", utc(run.started_at), ""));
    let until = run.ended_at.unwrap_or(now);
    let took = std::time::Duration::try_from(until.duration_since(run.started_at)).unwrap_or_default();
    shown.push(match run.unended {
        Some(Unended::RunningSince(_)) => fact("Ended", "still running".to_owned(), &format!("for {}", about(took))),
        Some(Unended::CutOffAfter(_)) => fact("Ended", "cut off".to_owned(), "killed, or the machine went down"),
        None => fact("Ended", utc(until), &format!("after {}", about(took))),
    });
    let requests = match run.unended {
        None => grouped(run.requests),
        Some(_) => "counted at the end".to_owned(),
    };
    let notes = [
        (run.retries, counted(run.retries, "retry")),
        (run.throttled, format!("{} asked for a pause (429)", counted(run.throttled, "answer"))),
        (run.recovered, format!("{} cleared up", counted(run.recovered, "lost answer"))),
    ];
    let notes: Vec<_> = notes.into_iter().filter(|(number, _)| *number > 0).map(|(_, words)| words).collect();
    shown.push(fact("Requests", requests, &notes.join(", ")));
    let (mails, note) = counts.mails.in_words(counts.tally.get(Status::Created));
    shown.push(fact("E-mails", mails, &note));
    shown.push(fact("Run", run.name.clone(), ""));
    shown
}

#[expect(clippy::cast_precision_loss, reason = "a share of a bar")]
fn bar(tally: &Tally) -> Vec<BarPart> {
    let total = tally.total() as f64;
    let present = statuses(tally);
    // Every part is wide enough to be seen, and what the small ones take is taken from all.
    let least = 6.0;
    let free = BAR - least * present.len() as f64;
    let mut x = 0.0;
    let part = |(status, number): (Status, u64)| {
        let width = least + free * number as f64 / total;
        let part = BarPart { status: status.as_str(), x: format!("{x:.1}"), width: format!("{:.1}", width - 2.0) };
        x += width;
        part
    };
    present.into_iter().map(part).collect()
}

fn bar_words(tally: &Tally) -> String {
    let parts = statuses(tally).into_iter().map(|(status, number)| format!("{} {status}", grouped(number)));
    parts.collect::<Vec<_>>().join(", ")
}

fn statuses(tally: &Tally) -> Vec<(Status, u64)> {
    let all = Status::IMPORT.into_iter().chain([Status::Valid]);
    all.map(|status| (status, tally.get(status))).filter(|(_, number)| *number > 0).collect()
}

fn outcomes(tally: &Tally) -> Vec<OutcomeTile> {
    let total = tally.total();
    let tile = |(status, number): (Status, u64)| OutcomeTile {
        status: status.as_str(),
        meaning: meaning(status),
        number: grouped(number),
        share: share(number, total),
    };
    statuses(tally).into_iter().map(tile).collect()
}

/// Returns a share in percent that never rounds a few to none, or almost all to all.
#[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
fn share(number: u64, total: u64) -> String {
    match number as f64 * 100.0 / total as f64 {
        _ if number == total => "100\u{a0}%".to_owned(),
        percent if percent < 0.1 => "<\u{a0}0.1\u{a0}%".to_owned(),
        percent if percent > 99.9 => ">\u{a0}99.9\u{a0}%".to_owned(),
        percent => format!("{percent:.1}\u{a0}%"),
    }
}

fn steps(facts: &PageFacts, tally: &Tally, rows: &PageRows) -> Vec<NextStep> {
    let of = |status| tally.get(status);
    let mut steps = Vec::new();
    let (waiting, failed, doubts) = (of(Status::NotAttempted), of(Status::Failed), of(Status::InDoubt));
    let is_running = facts.run.as_ref().is_some_and(|run| matches!(run.unended, Some(Unended::RunningSince(_))));
    if is_running {
        let text = "The run is still at work. Let it end, then make this report again.".to_owned();
        steps.push(NextStep { text, command: None, advice: String::new() });
    } else if waiting + failed + doubts > 0 && facts.run.is_some() {
        let parts = [(waiting, "not sent yet"), (failed, "failed"), (doubts, "in doubt")];
        let parts = parts.into_iter().filter(|(number, _)| *number > 0);
        let parts: Vec<_> = parts.map(|(number, words)| format!("{} {words}", grouped(number))).collect();
        let text = format!("{}: run the same command again. It sends nothing twice.", parts.join(", "));
        steps.push(NextStep { text, command: facts.next_command.clone(), advice: String::new() });
    }
    if let (Some(settle), false, 1..) = (&facts.settle_command, is_running, doubts) {
        let text = "If a doubt remains after that, look up the e-mail at the API and enter what you found \
                    (--absent instead of --created ID if the API has no such customer):"
            .to_owned();
        steps.push(NextStep { text, command: Some(settle.clone()), advice: String::new() });
    }
    let correctable = of(Status::Invalid) + of(Status::Rejected);
    if let (Some(correction), 1..) = (&facts.correction, correctable) {
        let text = correction.to_text(correctable);
        let command = correction.command();
        let (text, advice) = text.split_once(command).unwrap_or((&text, ""));
        let [text, advice] = [text, advice].map(|text| text.trim().replace('\n', " "));
        steps.push(NextStep { text, command: Some(command.to_owned()), advice });
    }
    if facts.correction.is_none() && correctable > 0 {
        let text = format!("Correct {} and import the file again.", counted(correctable, "row"));
        steps.push(NextStep { text, command: None, advice: String::new() });
    }
    let changed = of(Status::Changed);
    if changed > 0 {
        let were = if changed == 1 { "differs" } else { "differ" };
        let text = format!(
            "{} {were} from what an earlier run sent. This program does not change customers of the API: if it matters, change them there by hand.",
            counted(changed, "customer")
        );
        steps.push(NextStep { text, command: None, advice: String::new() });
    }
    if steps.is_empty() {
        let text =
            if facts.run.is_some() { "Nothing. Every record has ended." } else { "Nothing is wrong: import the file." };
        steps.push(NextStep { text: text.to_owned(), command: None, advice: String::new() });
    }
    if rows.columns().links {
        let text =
            "This page has links with which a person proves who they are. Give each only to that person.".to_owned();
        steps.push(NextStep { text, command: None, advice: String::new() });
    }
    steps
}

fn problems(groups: &ProblemGroups) -> Vec<ProblemRow> {
    let row = |group: &&super::problems::ProblemGroup| {
        let value = |(value, times, at_least): &(String, u64, bool)| {
            format!("{value} ({}{})", if *at_least { "at least " } else { "" }, grouped(*times))
        };
        let more = if group.count > group.rows.len() as u64 { ", …" } else { "" };
        let rows: Vec<_> = group.rows.iter().map(u64::to_string).collect();
        ProblemRow {
            count: grouped(group.count),
            status: group.status.as_str(),
            code: group.code.clone(),
            column: group.column.clone(),
            message: group.message.clone(),
            values: group.values().iter().map(value).collect::<Vec<_>>().join(", "),
            rows: format!("{}{more}", rows.join(", ")),
            retrying: group.retrying(),
        }
    };
    groups.sorted().iter().map(row).collect()
}

/// Returns how many rows the table leaves out, and where they are. Empty if it has all.
fn left_out(rows: &PageRows) -> String {
    let total: u64 = rows.left_out().iter().map(|(_, number)| number).sum();
    if total == 0 {
        return String::new();
    }
    let parts = rows.left_out().iter().map(|(status, number)| format!("{} {status}", grouped(*number)));
    format!(
        "This page lists the first {}. {} more ({}) are in the CSV report, and the invalid and rejected ones in the file of --rejects.",
        counted(rows.rows().len() as u64, "row"),
        grouped(total),
        parts.collect::<Vec<_>>().join(", ")
    )
}

fn runs_of(run: &RunFacts) -> (Vec<RunRow>, Option<RunRow>) {
    let numbers = |tally: &Tally| RUN_STATUSES.map(|status| grouped(tally.get(status)));
    let rows = run.runs.iter().map(|past| RunRow {
        started: utc(past.started_at),
        name: past.name.clone(),
        end: shorten(&past.end, 200),
        requests: grouped(past.requests),
        numbers: numbers(&past.tally),
        is_this: past.name == run.name,
    });
    let rows: Vec<_> = rows.collect();
    let sum = |status| run.runs.iter().map(|past| past.tally.get(status)).sum::<u64>();
    let total = (rows.len() > 1).then(|| RunRow {
        started: format!("{} {}", rows.len(), plural(rows.len() as u64, "run")),
        name: String::new(),
        end: String::new(),
        requests: grouped(run.runs.iter().map(|past| past.requests).sum()),
        numbers: RUN_STATUSES.map(|status| grouped(sum(status))),
        is_this: false,
    });
    (rows, total)
}

fn options(run: &RunFacts) -> Vec<(String, String)> {
    let shown = run.options.iter().take(MOST_OPTIONS);
    shown.map(|(name, value)| (shorten(name, 100), shorten(value, TEXT_WIDTH))).collect()
}

fn short_name(input: &str) -> String {
    on_one_line(input.rsplit('/').next().unwrap_or(input))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_a_few_is_not_none_and_of_almost_all_not_all() {
        for (number, total, text) in
            [(1, 1, "100 %"), (1, 1_000_000, "< 0.1 %"), (999_999, 1_000_000, "> 99.9 %"), (1, 3, "33.3 %")]
        {
            assert_eq!(share(number, total).replace('\u{a0}', " "), text);
        }
    }

    #[test]
    fn the_parts_of_the_bar_fill_it_and_each_can_be_seen() {
        let mut tally = Tally::default();
        tally.add_many(Status::Created, 1_000_000);
        tally.add(Status::InDoubt);
        tally.add(Status::Invalid);
        let bar = bar(&tally);
        let number = |text: &str| text.parse::<f64>().unwrap();
        assert_eq!(bar.len(), 3);
        assert!(bar.iter().all(|part| number(&part.width) >= 4.0));
        let last = &bar[2];
        assert!((number(&last.x) + number(&last.width) - BAR).abs() < 3.0);
    }

    #[test]
    fn the_policy_names_the_style_and_the_script_and_allows_nothing_else() {
        let policy = policy();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    }
}
