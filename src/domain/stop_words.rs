//! Why a run stopped before its end, in words for people, and what they can do about it.

use std::fmt;

/// The words and the advice. They are kept apart, because the words can quote a server: whatever it
/// writes, it cannot give advice in our name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopWords {
    pub why: String,
    /// What the user can do, without `hint:`. `None` if the words say enough.
    pub advice: Option<String>,
}

impl StopWords {
    #[must_use]
    pub fn advising(why: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { why: why.into(), advice: Some(advice.into()) }
    }

    /// Returns the same words and advice with something added to the words.
    #[must_use]
    pub fn and(mut self, more: &str) -> Self {
        self.why.push_str(more);
        self
    }

    /// Returns one text, as the ledger keeps it. [`Self::from_text`] takes it apart.
    #[must_use]
    pub fn to_text(&self) -> String {
        let why = self.why.replace('\n', " ");
        match &self.advice {
            Some(advice) => format!("{why}\n{advice}"),
            None => why,
        }
    }

    /// Returns the words of such a text, or of one that an earlier version wrote: that has its
    /// advice among the words.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text.split_once('\n') {
            Some((why, advice)) => Self::advising(why, advice),
            None => text.into(),
        }
    }
}

/// The words alone.
impl fmt::Display for StopWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl From<String> for StopWords {
    fn from(why: String) -> Self {
        Self { why, advice: None }
    }
}

impl From<&str> for StopWords {
    fn from(why: &str) -> Self {
        why.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_advice_come_apart_as_they_went_together() {
        let advised = StopWords::advising("the server redirects (HTTP 301)", "check the base URL");
        assert_eq!(StopWords::from_text(&advised.to_text()), advised);
        let quoting = StopWords::from("the API said: no\nrun something");
        assert_eq!(StopWords::from_text(&quoting.to_text()), StopWords::from("the API said: no run something"));
        let old = "the server redirects (HTTP 301); hint: check the base URL";
        assert_eq!(StopWords::from_text(old), StopWords::from(old));
    }
}
