//! The e-mail of a customer: what is sent, and the key that the ledger uses for it.
//!
//! Decisions where standards and practice disagree: quoted local parts (`"a b"@x.org`) are refused,
//! because hardly any mail system creates them and many fail on them. Comments and addresses at an
//! IP are refused too, and an apostrophe at the beginning, which spreadsheets write before text. Of
//! `Ada <ada@x.org>` and `mailto:ada@x.org` only the address is kept. International addresses are
//! accepted. A top-level domain has at least two letters and no other characters, or is punycode.
//! Punycode must be what IDNA would write.

use std::borrow::Cow;
use std::fmt;
use std::hash::{BuildHasher, Hasher as _};
use std::sync::Arc;

use email_address::{EmailAddress, Options};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use memchr::{memchr_iter, memrchr};
use unicode_normalization::UnicodeNormalization as _;
use wide::u8x16;

use super::byte_classes::{Signs, equal, within};
use crate::domain::count::counted;
use crate::domain::text::trim;
use crate::domain::violation::{Code, Flaw};

/// A valid address, as it was given but trimmed, without a name before it.
#[derive(Clone, PartialEq, Eq)]
pub struct Email<'a>(Cow<'a, str>);

/// Shows nothing, because personal data must stay out of logs and panics.
impl fmt::Debug for Email<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

/// The longest address that fits into an SMTP path, and the longest part before the `@`, in octets.
const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;
/// The longest part of a domain between two dots.
const LONGEST_LABEL: usize = 63;

impl<'a> Email<'a> {
    /// Trims and checks an address, and otherwise keeps it as it is. Removes `mailto:` before it,
    /// and the name and the angle brackets of `Ada <ada@x.org>`.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with one of the `email.*` codes.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, Flaw> {
        let text = trim(text.into());
        if plain_domain(text.as_bytes()).is_some() { Ok(Self(text)) } else { Self::checked(text) }
    }

    /// Returns what [`Email::parse`] returns, and what is odd about the address.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with one of the `email.*` codes.
    pub fn judged(text: impl Into<Cow<'a, str>>) -> Result<(Self, Option<Flaw>), Flaw> {
        let text = trim(text.into());
        match plain_domain(text.as_bytes()).map(is_reserved) {
            Some(false) => Ok((Self(text), None)),
            _ => Self::parse(text).map(|address| {
                let oddity = address.oddity();
                (address, oddity)
            }),
        }
    }

    /// Checks a trimmed text that is not of the usual form.
    fn checked(text: Cow<'a, str>) -> Result<Self, Flaw> {
        if holds_several(&text) {
            return Err(Flaw::new(Code::EmailSeveral, "holds more than one address: keep one"));
        }
        let address = match text {
            Cow::Borrowed(text) => Cow::Borrowed(bare(text)),
            Cow::Owned(text) if bare(&text).len() < text.len() => Cow::Owned(bare(&text).to_owned()),
            whole => whole,
        };
        Self::check(&address)?;
        Ok(Self(address))
    }

    /// Returns what [`Email::parse`] returns for an address of the usual form, and whether
    /// something is odd about it. Returns `None` for all others.
    #[must_use]
    #[inline(always)]
    pub fn at_a_glance(text: &'a str) -> Option<(Self, bool)> {
        let domain = plain_domain(text.as_bytes())?;
        Some((Self(Cow::Borrowed(text)), is_reserved(domain)))
    }

    /// Checks a text that holds at most one address.
    fn check(text: &str) -> Result<(), Flaw> {
        if text.is_empty() {
            return Err(Flaw::new(Code::EmailMissing, "every customer needs an e-mail"));
        }
        if text.starts_with('\'') {
            return Err(syntax("begins with an apostrophe, which a spreadsheet writes before text: remove it"));
        }
        let is_blank = |character: char| character.is_whitespace() || is_invisible(character);
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) && text.chars().any(is_blank) {
            return Err(syntax("holds a space or an invisible character"));
        }
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(syntax("has no @"));
        };
        check_length(local.len(), LONGEST_LOCAL, "the part before the @")?;
        check_length(text.len(), LONGEST, "the address")?;
        if is_without_ending(local, domain) { Err(syntax(NO_ENDING)) } else { Self::check_parts(text, local, domain) }
    }

    /// Checks the two parts of an address of the right length with the crates.
    fn check_parts(text: &str, local: &str, domain: &str) -> Result<(), Flaw> {
        check_habits(text)?;
        let ascii = check_domain(domain)?;
        check_structure(local, &ascii)?;
        check_length(local.len() + 1 + ascii.len(), LONGEST, "the address, its domain written in ASCII,")
    }

    #[must_use]
    pub fn into_owned(self) -> Email<'static> {
        Email(Cow::Owned(self.0.into_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn key(&self) -> EmailKey {
        EmailKey::of(&self.0)
    }

    /// Returns what is odd about an address that may still be sent.
    #[must_use]
    pub fn oddity(&self) -> Option<Flaw> {
        let at = memrchr(b'@', self.0.as_bytes()).map_or(0, |at| at + 1);
        is_reserved(&self.0.as_bytes()[at..])
            .then(|| Flaw::new(Code::EmailReservedDomain, "this domain is reserved: no mail will arrive"))
    }
}

/// Returns the address of `Ada <ada@x.org>` and of `mailto:ada@x.org`. Returns other texts as they
/// are. The text holds at most one address.
fn bare(text: &str) -> &str {
    let named = text.strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    let address = match named {
        Some((name, address)) if !name.contains(['<', '>', '@']) && address.contains('@') => address,
        _ => text,
    };
    let address = address.trim();
    match address.split_at_checked("mailto:".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto:") && rest.contains('@') => rest.trim(),
        _ => address,
    }
}

/// Whether two parts of a text, separated as people separate addresses, have an `@` inside.
fn holds_several(text: &str) -> bool {
    if memchr_iter(b'@', text.as_bytes()).nth(1).is_none() {
        return false;
    }
    let is_separator =
        |character: char| character.is_whitespace() || matches!(character, ',' | ';' | '/' | '|' | '<' | '>');
    let is_address =
        |part: &&str| part.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'));
    text.split(is_separator).filter(is_address).nth(1).is_some()
}

fn syntax(hint: &'static str) -> Flaw {
    Flaw::new(Code::EmailSyntax, hint)
}

const NO_ENDING: &str = "the domain lacks its ending, such as .com";

/// Whether the domain is a single word of letters, and nothing else is wrong. The crates take a
/// hundred times as long to say this.
fn is_without_ending(local: &str, domain: &str) -> bool {
    let is_of_words = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-'))
    };
    (2..=LONGEST_LABEL).contains(&domain.len())
        && domain.bytes().all(|byte| byte.is_ascii_alphabetic())
        && local.split('.').all(is_of_words)
}

fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffd}')
}

fn check_length(octets: usize, limit: usize, what: &str) -> Result<(), Flaw> {
    if octets <= limit {
        return Ok(());
    }
    Err(Flaw::new(Code::EmailTooLong, format!("{what} has {}; the limit is {limit}", counted(octets as u64, "byte"))))
}

/// Checks an address as a server without the international extension would see it: the domain in
/// ASCII, and each letter beyond ASCII replaced by a plain one. RFC 6531 allows all such letters,
/// but the crate does not, because it does not know combining marks.
fn check_structure(local: &str, ascii_domain: &str) -> Result<(), Flaw> {
    let plain: Cow<'_, str> = if local.is_ascii() {
        local.into()
    } else {
        local.nfc().map(|character| if character.is_ascii() { character } else { 'a' }).collect()
    };
    let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
    match EmailAddress::parse_with_options(&format!("{plain}@{ascii_domain}"), options) {
        Ok(_) => Ok(()),
        Err(email_address::Error::DomainTooFew) => Err(syntax(NO_ENDING)),
        Err(email_address::Error::LocalPartEmpty) => Err(syntax("has nothing before the @")),
        Err(_) => Err(syntax("is not an e-mail address")),
    }
}

/// Refuses forms that standards allow and this tool does not, each with its own message.
fn check_habits(text: &str) -> Result<(), Flaw> {
    if text.len() > 1 && text.starts_with('"') && text.ends_with('"') {
        Err(syntax("has quotes around it that belong to the cell: is there a space before the first one?"))
    } else if text.contains('"') {
        Err(syntax("quotes are not accepted in an address"))
    } else if text.contains(['<', '>']) {
        Err(syntax("give the address alone, without a name and without < >"))
    } else {
        Ok(())
    }
}

/// Returns the domain in the form that DNS uses: letters, digits and hyphens in labels of valid
/// length.
fn check_domain(domain: &str) -> Result<Cow<'_, str>, Flaw> {
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
        .map_err(|_| syntax("the part after the @ is not a domain name"))?;
    let ending = ascii.rsplit('.').next().unwrap_or_default();
    if ending.len() < 2 || !(ending.starts_with("xn--") || ending.bytes().all(|byte| byte.is_ascii_alphabetic())) {
        return Err(syntax("the ending of the domain does not exist"));
    }
    Ok(ascii)
}

/// Whether RFC 2606 or RFC 6761 reserves the domain, so that it never receives mail.
#[inline]
fn is_reserved(domain: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 7] = [b"test", b"invalid", b"example", b"localhost", b"local", b"onion", b"arpa"];
    let (before, ending) = last_label(domain);
    match *ending {
        [] | [_] | [_, _] => false,
        [a, b, c] => {
            matches!(
                [a, b, c].map(|letter| letter.to_ascii_lowercase()),
                [b'c', b'o', b'm'] | [b'o', b'r', b'g'] | [b'n', b'e', b't']
            ) && is_example(before)
        }
        _ => ENDINGS.iter().any(|name| ending.eq_ignore_ascii_case(name)),
    }
}

/// Whether the last label of a domain is `example`.
fn is_example(domain: &[u8]) -> bool {
    domain.last_chunk().is_some_and(|last: &[u8; 7]| last.eq_ignore_ascii_case(b"example"))
        && last_label(domain).1.len() == 7
}

/// Returns the text before the last dot, and the text after it.
fn last_label(domain: &[u8]) -> (&[u8], &[u8]) {
    domain.iter().rposition(|byte| *byte == b'.').map_or((b"", domain), |dot| (&domain[..dot], &domain[dot + 1..]))
}

/// Returns the domain of an address of the usual form, or `None` for all other texts. The form is:
/// letters, digits, `_`, `+`, `-` and single dots before the `@`; letters, digits and single
/// hyphens and dots after it; letters at the end. Such an address is too short to exceed a limit,
/// and no other check could refuse it.
fn plain_domain(text: &[u8]) -> Option<&[u8]> {
    let signs = Signs::of(text).filter(|_| text.len() <= LONGEST_LABEL)?;
    let [both, only_local, at, dots, hyphens] = signs.that(|signs| {
        let letters = within(signs | u8x16::splat(b' '), b'a', b'z');
        let only_local = equal(signs, b'_') | equal(signs, b'+');
        [letters | within(signs, b'0', b'9'), only_local, equal(signs, b'@'), equal(signs, b'.'), equal(signs, b'-')]
    });
    if at.count_ones() != 1 || both | at | dots | hyphens | only_local != signs.all() {
        return None;
    }
    let domain = !(at - 1) & !at & signs.all();
    // No two of these are neighbours, and none is at an end.
    let breaks = at | dots | hyphens & domain;
    let ends = 1 | (signs.all() & !(signs.all() >> 1));
    let is_parted = breaks & (breaks << 1) == 0 && breaks & ends == 0;
    let last_dot = 63_u32.checked_sub((dots & domain).leading_zeros())? as usize;
    let ending = &text[last_dot + 1..];
    let is_ending = ending.len() >= 2 && ending.iter().all(u8::is_ascii_alphabetic);
    let begin = at.trailing_zeros() as usize + 1;
    (only_local & domain == 0 && is_parted && is_ending).then_some(&text[begin..])
}

/// The form that all spellings of one address share: lower case, NFC. Dots and plus signs are
/// significant. Clones share the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailKey(Arc<str>);

/// Shows nothing, because personal data must stay out of logs and panics.
impl fmt::Debug for EmailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailKey(..)")
    }
}

impl EmailKey {
    /// Returns the key of any text. It does not check whether the text is an address.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        let key: String = if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase().nfc().collect() };
        Self(key.into())
    }

    /// Returns a hash of the key of an address, without building the key.
    #[must_use]
    pub fn hash_of(address: &Email<'_>, hasher: &impl BuildHasher) -> u64 {
        if address.0.is_ascii() {
            hash_of_lower_case(address.0.as_bytes(), hasher)
        } else {
            hash_of_lower_case(address.key().0.as_bytes(), hasher)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hashes the bytes as if capital ASCII letters were small ones.
fn hash_of_lower_case(bytes: &[u8], hasher: &impl BuildHasher) -> u64 {
    let mut hasher = hasher.build_hasher();
    let mut add = |word| hasher.write_u64(lower_case(u64::from_le_bytes(word)));
    let (words, rest) = bytes.as_chunks();
    words.iter().copied().for_each(&mut add);
    // The last bytes that do not fill a word are hashed together with those before them.
    add(bytes.last_chunk().copied().unwrap_or_else(|| {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        word
    }));
    hasher.write_usize(bytes.len());
    hasher.finish()
}

/// Returns a word with its capital ASCII letters made small, all eight bytes at once. If the
/// difference between 128 and a character is added to a byte, the highest bit shows whether the
/// byte is at least that character.
const fn lower_case(word: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = EACH * 0x80;
    let low = word & !HIGHEST;
    let from_a = low + EACH * (0x80 - b'A' as u64);
    let beyond_z = low + EACH * (0x7f - b'Z' as u64);
    let capitals = from_a & !beyond_z & !word & HIGHEST;
    word | capitals >> 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(text: &str) -> Option<Code> {
        Email::parse(text).err().map(|flaw| flaw.code)
    }

    /// Decodes `\n`, `\xe9`, `\u2003` and `\\` as the table writes them.
    fn unescape(text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            let length = match (character, character == '\\') {
                (_, false) => {
                    plain.push(character);
                    continue;
                }
                _ => match rest.next() {
                    Some('n') => {
                        plain.push('\n');
                        continue;
                    }
                    Some('r') => {
                        plain.push('\r');
                        continue;
                    }
                    Some('x') => 2,
                    Some('u') => 4,
                    Some(other) => {
                        plain.push(other);
                        continue;
                    }
                    None => break,
                },
            };
            let digits: String = rest.by_ref().take(length).collect();
            plain.extend(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()));
        }
        plain
    }

    #[test]
    fn verdicts_agree_with_the_table_wherever_it_agrees_with_itself() {
        let table = include_str!("../../../fixtures/data/emails.csv");
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::None).from_reader(table.as_bytes());
        let mut disagreements = Vec::new();
        for row in reader.records() {
            let row = row.unwrap();
            let address = unescape(&row[0]);
            let valid = row[1].starts_with("valid") || &row[1] == "isemail:ISEMAIL_VALID";
            let pattern = &row[2] == "yes";
            let ours = code(&address).is_none();
            if valid == pattern {
                // Space around an address is trimmed, as around every cell, and so is a name.
                let is_taken_out = bare(address.trim()) != address;
                assert!(
                    ours == valid || is_taken_out,
                    "{} is {} by us",
                    &row[0],
                    if ours { "valid" } else { "invalid" }
                );
            } else {
                disagreements.push((row[0].to_owned(), row[1].to_owned(), ours));
            }
        }
        for (address, verdict, ours) in disagreements {
            assert_eq!(ours, decision(&address, &verdict), "{address} ({verdict})");
        }
    }

    /// Returns our decision if standards and practice disagree.
    fn decision(address: &str, verdict: &str) -> bool {
        match verdict {
            // Mail cannot reach these, but the syntax is valid, so this is a warning.
            "reserved-domain" => true,
            // International addresses and display names, but not quoted local parts.
            "valid" | "valid-intl" => !bare(address).contains('"'),
            _ => false,
        }
    }

    #[test]
    fn international_addresses_are_taken_as_given() {
        for address in
            ["ñoñó@example.tld", "用户@例え.テスト", "δοκιμή@παράδειγμα.ελ", "a@xn--hxajbheg2az3al.xn--jxalpdlp"]
        {
            assert_eq!(Email::parse(format!(" {address} ")).unwrap().as_str(), address);
        }
    }

    #[test]
    fn what_the_crates_let_through_is_refused_here() {
        for address in [
            "a@exa!mple.com",
            "a@ex_ample.com",
            "a@xn--zzzzzz.de",
            "a@1.2.3.4",
            "a@x.c",
            "a@b..c.de",
            "a@-b.de",
            "a b@c.de",
            "a\u{200b}@c.de",
            "a@localhost",
            "Max <a>",
            "Max <a@c.de",
            "'a@c.de",
            "'a@c.de'",
            "\"a\"@c.de",
            "a@[127.0.0.1]",
            "a",
            "@c.de",
            "a@",
            "a@c.de.",
            "mailto:",
            "=\"a@c.de\"",
            "#N/A",
        ] {
            assert_eq!(code(address), Some(Code::EmailSyntax), "{address}");
        }
        assert_eq!(code(" \u{a0}"), Some(Code::EmailMissing));
    }

    #[test]
    fn an_address_is_taken_out_of_what_mail_programs_write_around_it() {
        for text in [
            "Max <a@c.de>",
            "\"King, Max\" <a@c.de>",
            "<a@c.de>",
            "mailto:a@c.de",
            "MAILTO:a@c.de",
            " Max <mailto: a@c.de > ",
        ] {
            assert_eq!(Email::parse(text).unwrap().as_str(), "a@c.de", "{text}");
            assert_eq!(Email::parse(text.to_owned()).unwrap().as_str(), "a@c.de", "{text}");
            assert_eq!(Email::at_a_glance(text), None, "{text}");
        }
    }

    #[test]
    fn two_addresses_are_refused() {
        for text in [
            "a;b@c.de,d@e.fr",
            "a@c.de;b@c.de",
            "a@c.de / b@c.de",
            "a@c.de b@c.de",
            "a@c.de\nb@c.de",
            "Max <a@c.de>, Eva <b@c.de>",
            "b@c.de <a@c.de>",
            "mailto:a@c.de,b@c.de",
        ] {
            assert_eq!(code(text), Some(Code::EmailSeveral), "{text}");
        }
    }

    #[test]
    fn quotes_around_an_address_are_told_from_those_in_it() {
        let hint = |text: &str| Email::parse(text.to_owned()).unwrap_err().hint;
        assert!(hint(" \"a@c.de\"").contains("around it"));
        assert!(hint("\"a\"@c.de").contains("in an address"));
    }

    #[test]
    fn every_byte_of_a_word_is_made_small_as_it_would_be_alone() {
        for byte in 0..=u8::MAX {
            for other in [0, b'Z', b'z', 0xff] {
                let word = [other, byte, other, byte, byte, other, other, byte];
                assert_eq!(
                    lower_case(u64::from_le_bytes(word)).to_le_bytes(),
                    word.map(|byte| byte.to_ascii_lowercase())
                );
            }
        }
    }

    proptest! {
        #[test]
        fn a_glance_at_an_address_says_what_a_closer_look_says(
            text in "[a-zA-Z0-9_+.-]{1,12}@[a-zA-Z0-9.-]{1,12}(\\.[a-zA-Z0-9]{1,4})?|[ab.]{1,66}@([a-z]{1,64}\\.){1,4}(de|test)|a@(example|b)\\.(com|arpa|TEST)"
        ) {
            prop_assert!(plain_domain(text.as_bytes()).is_none() || Email::check(&text).is_ok(), "{text}");
            if let Some((email, is_odd)) = Email::at_a_glance(&text) {
                prop_assert!(email.oddity().is_some() == is_odd && Email::parse(&text) == Ok(email), "{text}");
            }
            let expected = Email::parse(&text).map(|email| (email.clone(), email.oddity()));
            prop_assert_eq!(Email::judged(&text), expected, "{}", text);
        }

        #[test]
        fn a_domain_without_ending_is_seen_as_the_crates_see_it(local in "[a-zA-Z0-9_+.\"-]{0,8}", domain in "[a-zA-Z]{0,4}|[a-z.-]{1,4}|[a-z]{60,66}") {
            let text = format!("{local}@{domain}");
            let by_the_crates = Email::check_parts(&text, &local, &domain);
            if is_without_ending(&local, &domain) {
                prop_assert_eq!(by_the_crates, Err(syntax(NO_ENDING)), "{}", text);
            }
        }

        #[test]
        fn a_hash_without_a_key_is_the_hash_of_the_key(text in "[A-Za-zÄéK]{1,40}@[A-Za-z]{1,9}\\.de") {
            let hasher = std::hash::RandomState::new();
            let hashed = EmailKey::hash_of(&Email(Cow::Borrowed(&text)), &hasher);
            prop_assert_eq!(hashed, hash_of_lower_case(EmailKey::of(&text).as_str().as_bytes(), &hasher));
        }
    }

    #[test]
    fn limits_are_in_octets() {
        let long_local = format!("{}@c.de", "a".repeat(65));
        let domain = vec!["a".repeat(60); 4].join(".");
        assert_eq!(code(&long_local), Some(Code::EmailTooLong));
        assert_eq!(code(&format!("{}@{domain}.de", "a".repeat(20))), Some(Code::EmailTooLong));
    }

    #[test]
    fn reserved_domains_are_odd_and_their_neighbours_are_not() {
        for odd in ["a@example.com", "a@mail.Example.ORG", "a@b.test", "a@b.invalid"] {
            assert_eq!(
                Email::parse(odd).unwrap().oddity().map(|flaw| flaw.code),
                Some(Code::EmailReservedDomain),
                "{odd}"
            );
        }
        for fine in ["a@myexample.com", "a@example.de", "a@contest.org"] {
            assert_eq!(Email::parse(fine).unwrap().oddity(), None, "{fine}");
        }
    }
}
