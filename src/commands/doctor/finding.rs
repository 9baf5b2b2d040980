//! What `doctor` says of one thing, and what all of it means for an import.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::domain::counted;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::style::{Paint, Tone};

/// What a finding means for an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Ok,
    /// An import would run, perhaps not as its user expects.
    Warn,
    /// An import would end with this code.
    Fail(Exit),
    /// Another finding prevented the attempt.
    NotTried,
}

impl Mark {
    const fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail(_) => "FAIL",
            Self::NotTried => "-",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warn => Tone::Open,
            Self::Fail(_) => Tone::Bad,
            Self::NotTried => Tone::Known,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail(_) => "fail",
            Self::NotTried => "not_tried",
        }
    }
}

/// What `doctor` says of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The thing that was tried.
    subject: &'static str,
    mark: Mark,
    value: String,
    hint: Option<String>,
}

impl Finding {
    pub(super) fn ok(subject: &'static str, value: impl Into<String>) -> Self {
        Self { subject, mark: Mark::Ok, value: value.into(), hint: None }
    }

    pub(super) fn warn(subject: &'static str, value: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { subject, mark: Mark::Warn, value: value.into(), hint: Some(hint.into()) }
    }

    pub(super) fn fail(subject: &'static str, exit: Exit, words: &str) -> Self {
        Self { subject, mark: Mark::Fail(exit), value: words.to_owned(), hint: None }
    }

    pub(super) fn not_tried(subject: &'static str, why: &str) -> Self {
        Self { subject, mark: Mark::NotTried, value: format!("not tried: {why}"), hint: None }
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: &str) -> Self {
        self.hint.get_or_insert_with(|| hint.to_owned());
        self
    }

    /// Returns the finding for the failure with which an import would end.
    pub(super) fn of_failure(subject: &'static str, failure: &Failure) -> Self {
        let finding = Self::fail(subject, failure.exit, &failure.words());
        failure.next_step().into_iter().fold(finding, Self::hint)
    }

    fn json(&self) -> Value {
        let exit = if let Mark::Fail(exit) = self.mark { Some(exit.code()) } else { None };
        json!({
            "subject": self.subject, "result": self.mark.name(), "value": self.value, "hint": self.hint,
            "exit_code": exit,
        })
    }

    pub(super) fn is_of(&self, subject: &str) -> bool {
        self.subject == subject
    }

    #[cfg(test)]
    pub(super) const fn mark(&self) -> Mark {
        self.mark
    }

    #[cfg(test)]
    pub(super) const fn subject(&self) -> &'static str {
        self.subject
    }
}

/// The stops that come before others, because nothing helps before they are resolved.
const WORST_FIRST: [Exit; 5] = [Exit::Configuration, Exit::Credentials, Exit::Unavailable, Exit::Io, Exit::Locked];

/// Returns the exit code of all findings: that of the worst failure.
pub(super) fn exit(findings: &[Finding]) -> Exit {
    let failed =
        || findings.iter().filter_map(|finding| if let Mark::Fail(exit) = finding.mark { Some(exit) } else { None });
    let worst = WORST_FIRST.into_iter().find(|worst| failed().any(|exit| exit == *worst));
    worst.or_else(|| failed().next()).unwrap_or(Exit::Done)
}

/// Returns one line for each finding, with its hint below, and a last line that counts them.
pub(super) fn text(findings: &[Finding], paint: Paint) -> String {
    let widest = findings.iter().map(|finding| finding.subject.len()).max().unwrap_or_default();
    let mut text = String::new();
    for Finding { subject, mark, value, hint } in findings {
        // Writing into a string cannot fail.
        let mark = paint.paint(mark.tone(), &format!("{:<4}", mark.text()));
        let _ = writeln!(text, "{mark}  {subject:<widest$}  {value}");
        if let Some(hint) = hint {
            let _ = writeln!(text, "      {:<widest$}  {} {hint}", "", paint.paint(Tone::Hint, "hint:"));
        }
    }
    let count = |is: fn(Mark) -> bool| findings.iter().filter(|finding| is(finding.mark)).count() as u64;
    let failed = count(|mark| matches!(mark, Mark::Fail(_)));
    let warned = count(|mark| mark == Mark::Warn);
    let said = match (failed, warned) {
        (0, 0) => "everything is ready for an import".to_owned(),
        (0, _) => format!("an import can run; {}", counted(warned, "warning")),
        _ => format!("an import would stop; {}, {}", counted(failed, "failure"), counted(warned, "warning")),
    };
    let _ = writeln!(text, "\n{said}");
    text
}

pub(super) fn json(findings: &[Finding]) -> Value {
    let listed: Vec<_> = findings.iter().map(Finding::json).collect();
    json!({"version": 1, "findings": listed, "exit_code": exit(findings).code()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_worst_failure() {
        let fail = |exit| Finding::fail("x", exit, "words");
        for (exits, expected) in [
            (&[][..], Exit::Done),
            (&[Exit::Locked], Exit::Locked),
            (&[Exit::Locked, Exit::Io], Exit::Io),
            (&[Exit::Io, Exit::Unavailable, Exit::Credentials], Exit::Credentials),
            (&[Exit::Usage, Exit::Credentials, Exit::Configuration], Exit::Configuration),
            (&[Exit::Usage], Exit::Usage),
        ] {
            let findings: Vec<_> = exits.iter().map(|exit| fail(*exit)).chain([Finding::warn("y", "", "")]).collect();
            assert_eq!(exit(&findings), expected);
        }
    }

    #[test]
    fn the_hint_of_a_failure_comes_before_a_general_one() {
        let failure = Failure::new(Exit::Configuration, "the server cannot be trusted").hint("look");
        let finding = Finding::of_failure("connection", &failure);
        assert_eq!((finding.value.as_str(), finding.hint.as_deref()), ("the server cannot be trusted", Some("look")));
        assert_eq!(finding.hint("other").hint.as_deref(), Some("look"));
    }
}
