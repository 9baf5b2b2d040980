//! Removes the secrets of a run, and people's e-mails and phone numbers, from texts that others
//! wrote.
//!
//! A server may repeat what it received, in a message or in the data of a customer. The code that
//! reads such a text hides the secrets in it before anything stores or prints it. A secret is
//! recognized as the text itself and in the forms in which servers and frameworks print it: base64
//! (also in the middle of other bytes, as in `Authorization: Basic`), percent-encoded, and escaped
//! as in JSON.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, packed};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

/// Replaces a secret.
const HIDDEN: &str = "***";

/// A secret shorter than this, in bytes, is hidden only as a separate word, because inside other
/// words it is just a few letters.
const SHORT: usize = 8;

/// How many bytes of a form the search looks for; the rest is compared at each match.
const PREFIX: usize = 16;

/// How many of the latest tokens are hidden. Older ones have expired.
const TOKENS: usize = 4;

/// Knows the secrets of a run. Clones share them.
///
/// ```
/// use customer_import::redact::Redactor;
///
/// let secrets = Redactor::default();
/// secrets.learn("correct-horse-battery");
/// assert_eq!(secrets.hide("login with correct-horse-battery failed"), "login with *** failed");
/// assert_eq!(secrets.hide("Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"), "***", "the same in base64");
/// ```
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<KnownSecrets>>);

#[derive(Default)]
struct KnownSecrets {
    lasting: Vec<String>,
    /// The newest one is last.
    tokens: VecDeque<String>,
    finder: Option<Arc<Finder>>,
}

impl Redactor {
    /// Adds a secret that stays one for the whole run.
    pub fn learn(&self, secret: &str) {
        let secret = secret.trim();
        if secret.is_empty() || self.read(|known| known.lasting.iter().any(|it| it == secret)) {
            return;
        }
        self.change(|known| known.lasting.push(secret.to_owned()));
    }

    /// Adds a token that others will replace. Cheap if it was added last.
    pub fn learn_token(&self, token: &str) {
        if self.read(|known| known.tokens.iter().rev().any(|it| it == token)) {
            return;
        }
        self.change(|known| {
            known.tokens.push_back(token.to_owned());
            if known.tokens.len() > TOKENS {
                known.tokens.pop_front();
            }
        });
    }

    /// Returns the text with `***` in place of each secret.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.find(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut hidden, mut done) = (String::with_capacity(text.len()), 0);
        for Range { start, end } in found {
            hidden.push_str(&text[done..start]);
            hidden.push_str(HIDDEN);
            done = end;
        }
        hidden.push_str(&text[done..]);
        Cow::Owned(hidden)
    }

    /// Returns whether the text has a secret.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        !self.find(text).is_empty()
    }

    /// Returns where the secrets are, in order and without overlap.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        match self.read(|known| known.finder.clone()) {
            Some(finder) => finder.find(text),
            None => Vec::new(),
        }
    }

    fn read<T>(&self, look: impl FnOnce(&KnownSecrets) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut KnownSecrets)) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut known);
        let forms: BTreeSet<_> = known.lasting.iter().chain(&known.tokens).flat_map(|secret| forms(secret)).collect();
        known.finder = Finder::of(forms).map(Arc::new);
    }
}

/// Prints no secret.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(***)")
    }
}

/// Searches for all forms of all secrets at once.
struct Finder {
    /// Finds out whether a text in lower case has any of the prefixes. It compares many bytes at
    /// once, and is `None` if there are too many prefixes for that.
    any: Option<packed::Searcher>,
    /// Finds out where they are. Built by the first text that may have one, because most runs never
    /// see such a text. `None` in it if it cannot be built.
    prefixes: OnceLock<Option<AhoCorasick>>,
    /// Indexed like the prefixes.
    forms: Vec<String>,
    /// The length of the shortest form in bytes.
    shortest: usize,
}

impl Finder {
    /// Returns `None` if there are no forms.
    fn of(forms: BTreeSet<String>) -> Option<Self> {
        let forms: Vec<_> = forms.into_iter().collect();
        let any = packed::Searcher::new(prefixes(&forms).map(<[u8]>::to_ascii_lowercase));
        let shortest = forms.iter().map(String::len).min()?;
        Some(Self { any, prefixes: OnceLock::new(), forms, shortest })
    }

    fn prefixes(&self) -> Option<&AhoCorasick> {
        let build = || {
            let mut builder = AhoCorasick::builder();
            builder.ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA));
            builder.build(prefixes(&self.forms)).ok()
        };
        self.prefixes.get_or_init(build).as_ref()
    }

    /// Returns whether there may be something to find. Almost no text has a secret.
    fn may_find(&self, text: &str) -> bool {
        if text.len() < self.shortest {
            return false;
        }
        match &self.any {
            Some(any) => any.find(text.to_ascii_lowercase()).is_some(),
            None => self.prefixes().is_none_or(|prefixes| prefixes.is_match(text)),
        }
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        if !self.may_find(text) {
            return Vec::new();
        }
        // A text that cannot be searched is hidden as a whole.
        let Some(prefixes) = self.prefixes() else { return std::iter::once(0..text.len()).collect() };
        let begin = |found: aho_corasick::Match| (found.start(), &self.forms[found.pattern().as_usize()]);
        let whole = |(start, form): (usize, &String)| is_at(text, start, form).then(|| start..start + form.len());
        let mut found: Vec<_> = prefixes.find_overlapping_iter(text).map(begin).filter_map(whole).collect();
        if found.len() > 1 {
            found.sort_by_key(|range| range.start);
            found = merged(found);
        }
        found
    }
}

fn prefixes(forms: &[String]) -> impl Iterator<Item = &[u8]> {
    forms.iter().map(|form| &form.as_bytes()[..form.len().min(PREFIX)])
}

/// Compares without case, because host names lose the case of their parts. Short secrets must match
/// exactly and as a separate word.
fn is_at(text: &str, start: usize, form: &str) -> bool {
    let end = start + form.len();
    let Some(found) = text.get(start..end) else { return false };
    if form.len() >= SHORT {
        return found.eq_ignore_ascii_case(form);
    }
    let is_apart = |neighbour: Option<char>| neighbour.is_none_or(|neighbour| !neighbour.is_alphanumeric());
    found == form && is_apart(text[..start].chars().next_back()) && is_apart(text[end..].chars().next())
}

fn merged(sorted: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Returns a secret in all forms in which it is recognized.
fn forms(secret: &str) -> Vec<String> {
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let in_json = serde_json::to_string(secret).unwrap_or_default();
    let mut forms = vec![secret.to_owned(), percent, in_json.trim_matches('"').to_owned()];
    for engine in [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD] {
        forms.push(engine.encode(secret));
        let within =
            (0..3).map(|before| within(&engine.encode([&vec![0; before], secret.as_bytes()].concat()), before));
        // Characters that depend on the surrounding bytes are cut off, and what is left of a short
        // secret may match anything.
        forms.extend(within.filter(|form| form.len() >= SHORT));
    }
    // PHP escapes slashes in JSON like this.
    forms.extend(
        forms.iter().filter(|form| form.contains('/')).map(|form| form.replace('/', "\\/")).collect::<Vec<_>>(),
    );
    forms
}

/// Returns the part of a base64 text that does not depend on the bytes around the secret. `before`
/// is how many bytes precede it.
fn within(encoded: &str, before: usize) -> String {
    let bytes = encoded.len() * 6 / 8;
    let (start, end) = ((before * 8).div_ceil(6), bytes * 8 / 6);
    encoded.get(start..end).unwrap_or_default().to_owned()
}

/// Returns the text with every e-mail cut down to what helps a person recognize it: `j***@e***`.
#[must_use]
pub fn masked(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(masked_word).collect()
}

/// So many digits in a row may be a phone number.
const PHONE: usize = 7;

/// Returns the text without the phone numbers in it.
#[must_use]
pub fn without_numbers(text: &str) -> Cow<'_, str> {
    let is_digit = |c: char| c.is_ascii_digit();
    if !text.split(|c| !is_digit(c)).any(|digits| digits.len() >= PHONE) {
        return Cow::Borrowed(text);
    }
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(is_digit) {
        let end = rest[start..].find(|c| !is_digit(c)).map_or(rest.len(), |length| start + length);
        kept.push_str(&rest[..start]);
        kept.push_str(if end - start >= PHONE { "***" } else { &rest[start..end] });
        rest = &rest[end..];
    }
    Cow::Owned(kept + rest)
}

fn masked_word(word: &str) -> String {
    match word.split_once('@') {
        Some((local, domain)) => {
            let first = |part: &str| part.chars().find(|c| c.is_alphanumeric()).map(String::from).unwrap_or_default();
            format!("{}***@{}*** ", first(local), first(domain))
        }
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn knowing(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::default();
        secrets.iter().for_each(|secret| redactor.learn(secret));
        redactor
    }

    #[test]
    fn a_secret_is_hidden_in_every_form_that_servers_print() {
        const SECRET: &str = "s3cr?t/\"pass\\word+1";
        let redactor = knowing(&[SECRET]);
        let basic = BASE64_STANDARD.encode(format!("me:{SECRET}"));
        for form in [
            SECRET.to_owned(),
            SECRET.to_uppercase(),
            BASE64_STANDARD.encode(SECRET),
            BASE64_URL_SAFE_NO_PAD.encode(SECRET),
            serde_json::to_string(SECRET).unwrap(),
            serde_json::to_string(SECRET).unwrap().replace('/', "\\/"),
            url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect(),
        ] {
            let hidden = redactor.hide(&form);
            assert!(hidden.len() <= "\"***\"".len() && hidden.contains(HIDDEN), "{form}: {hidden}");
        }
        for around in ["a:", "ab:", "abc:"] {
            let hidden = redactor.hide(&BASE64_STANDARD.encode(format!("{around}{SECRET}!!"))).into_owned();
            assert!(hidden.contains(HIDDEN) && hidden.len() < 20, "{hidden}");
        }
        assert!(redactor.hide(&basic).len() < 16, "{}", redactor.hide(&basic));
    }

    #[test]
    fn short_secrets_are_hidden_only_as_words_of_their_own() {
        let redactor = knowing(&["key", "p4ss-w"]);
        for (text, hidden) in [
            ("the key is wrong", "the *** is wrong"),
            ("(key)", "(***)"),
            ("monkey keys Key", "monkey keys Key"),
            ("p4ss-w.", "***."),
            ("p4ss-wide", "p4ss-wide"),
        ] {
            assert_eq!(redactor.hide(text), hidden);
        }
    }

    #[test]
    fn secrets_that_overlap_and_stand_in_each_other_leave_nothing() {
        let redactor = knowing(&["abcdefgh", "efghijkl", "abcdefghijklmnop"]);
        assert_eq!(redactor.hide("x abcdefghijkl y abcdefghijklmnop z"), "x *** y *** z");
        assert_eq!(redactor.hide("é abcdefgh é"), "é *** é");
    }

    #[test]
    fn nothing_is_known_at_first_and_an_empty_secret_is_none() {
        let redactor = knowing(&["", " \n"]);
        assert_eq!(redactor.hide("anything"), "anything");
        assert!(!redactor.is_in(""));
    }

    #[test]
    fn renewed_tokens_are_known_for_some_renewals_and_lasting_secrets_for_ever() {
        let redactor = knowing(&["lasting-secret"]);
        for n in 0..=TOKENS {
            redactor.learn_token(&format!("token-number-{n}"));
        }
        let told = redactor.hide("lasting-secret token-number-0 token-number-1 token-number-4").into_owned();
        assert_eq!(told, "*** token-number-0 *** ***");
        assert!(!format!("{redactor:?}").contains("token"));
    }

    #[test]
    fn emails_in_the_words_of_others_are_masked() {
        assert_eq!(masked("the mail \"jane.doe@example.com\" is bad"), "the mail j***@e*** is bad");
        assert_eq!(masked("nothing to hide"), "nothing to hide");
    }

    #[test]
    fn numbers_that_may_be_a_phones_are_masked_and_others_stay() {
        assert_eq!(
            without_numbers("may mean +4917612345678 or +123456 (ISO 3166-1)"),
            "may mean +*** or +123456 (ISO 3166-1)"
        );
        assert_eq!(without_numbers("1234567"), "***");
        assert_eq!(without_numbers("line 12"), "line 12");
    }
}
