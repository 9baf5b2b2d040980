//! A short keyed hash of each field that was sent, so that a later run can name the fields that
//! changed although the ledger has erased their values.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::varint;
use crate::domain::ChangedFields;

/// The fields that every request has. Their places stand in ledgers, so they never change.
const USUAL: [&str; 6] =
    ["customer_name", "customer_email", "customer_phone", "customer_country", "customer_type", "send_kyc_mail"];
/// Stands in front of any other path.
const OTHER: u8 = 0x80;

pub(super) type FieldHash = [u8; 8];

/// The fields of one request by path, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldHashes(Vec<(FieldPath, FieldHash)>);

/// Borrowed if it is one of [`USUAL`], so that a usual request costs no allocation for its paths.
type FieldPath = Cow<'static, str>;

impl FieldHashes {
    /// Returns the fields of a body, hashed by `hash` from path and value. `None` if the body is no
    /// JSON object.
    pub(super) fn of(body: &[u8], mut hash: impl FnMut(&str, &str) -> FieldHash) -> Option<Self> {
        let mut fields = Vec::with_capacity(USUAL.len());
        let add = &mut |path: &str, value: &str| fields.push((kept(path), hash(path, value)));
        flatten("", std::str::from_utf8(body).ok()?, add)?;
        fields.sort_unstable();
        Some(Self(fields))
    }

    /// Returns which fields differ between two requests.
    pub(super) fn compare(sent: &Self, now: &Self) -> ChangedFields {
        let (mut sent, mut now) = (sent.0.iter().peekable(), now.0.iter().peekable());
        let mut names = Vec::new();
        loop {
            let order = match (sent.peek(), now.peek()) {
                (None, None) => return ChangedFields::Named(names),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            let old = if order.is_le() { sent.next() } else { None };
            let new = if order.is_ge() { now.next() } else { None };
            if old != new {
                names.extend(old.or(new).map(|(path, _)| path.to_string()));
            }
        }
    }

    /// Returns the bytes that a store keeps: 54 for the usual fields.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 9);
        for (path, hash) in &self.0 {
            match (0..).zip(USUAL).find(|(_, usual)| usual == path) {
                Some((place, _)) => bytes.push(place),
                None => {
                    bytes.push(OTHER);
                    varint::write(&mut bytes, path.len() as u64);
                    bytes.extend_from_slice(path.as_bytes());
                }
            }
            bytes.extend_from_slice(hash);
        }
        bytes
    }

    /// Returns `None` if the bytes are nothing that this version has written.
    pub(super) fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut fields = Vec::new();
        while let Some((place, rest)) = bytes.split_first() {
            bytes = rest;
            let path = match *place {
                OTHER => {
                    let length = usize::try_from(varint::read(&mut bytes)?).ok()?;
                    let (path, rest) = bytes.split_at_checked(length)?;
                    bytes = rest;
                    Cow::Owned(std::str::from_utf8(path).ok()?.to_owned())
                }
                place => Cow::Borrowed(*USUAL.get(usize::from(place))?),
            };
            let (hash, rest) = bytes.split_first_chunk()?;
            bytes = rest;
            fields.push((path, *hash));
        }
        Some(Self(fields))
    }
}

fn kept(path: &str) -> FieldPath {
    let usual = USUAL.into_iter().find(|usual| *usual == path);
    usual.map_or_else(|| Cow::Owned(path.to_owned()), Cow::Borrowed)
}

/// Shows each value of an object by its path. Bodies are canonical, so equal values have equal
/// texts, and numbers keep all their digits.
fn flatten(above: &str, object: &str, show: &mut impl FnMut(&str, &str)) -> Option<()> {
    let Members(members) = serde_json::from_str(object).ok()?;
    for (name, value) in members {
        let path = if above.is_empty() { name } else { Cow::Owned(format!("{above}.{name}")) };
        match value.get() {
            text if text.starts_with('{') && text != "{}" => flatten(&path, text, show)?,
            text => show(&path, text),
        }
    }
    Some(())
}

/// The members of an object, as they are written. A map would copy every name.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Deserialize<'a> for Members<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'a> Visitor<'a> for MembersVisitor {
    type Value = Members<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'a, str>, &'a RawValue)> = Vec::with_capacity(USUAL.len());
        while let Some((Name(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(body: &str) -> FieldHashes {
        let hash = |path: &str, value: &str| {
            let mut hash = path.len().to_le_bytes();
            value.bytes().enumerate().for_each(|(at, byte)| hash[at % 8] = hash[at % 8].wrapping_mul(31) ^ byte);
            hash
        };
        FieldHashes::of(body.as_bytes(), hash).unwrap()
    }

    #[test]
    fn the_fields_that_differ_are_named_by_their_paths_whether_they_changed_came_or_went() {
        let table = [
            (r#"{"customer_name":"Ada"}"#, r#"{"customer_name":"Ada"}"#, "differs only in how it is written"),
            (r#"{"customer_name":"Ada"}"#, r#"{"customer_name":"Eva"}"#, "differs in customer_name"),
            (r#"{"a":{"b":1,"c":2},"z":0}"#, r#"{"a":{"b":1,"c":3}}"#, "differs in a.c, z"),
            (r#"{"n":98765432109876543210987}"#, r#"{"n":98765432109876543210988}"#, "differs in n"),
            (r#"{"a":{}}"#, r#"{"a":{"b":[1,{"c":2}]}}"#, "differs in a, a.b"),
            (r#"{"a":[1,2]}"#, r#"{"a":[1,3]}"#, "differs in a"),
            ("{}", r#"{"send_kyc_mail":true}"#, "differs in send_kyc_mail"),
        ];
        for (sent, now, expected) in table {
            assert_eq!(FieldHashes::compare(&of(sent), &of(now)).to_string(), expected, "{sent} {now}");
        }
    }

    #[test]
    fn the_usual_fields_take_54_bytes_and_bytes_of_nobody_are_refused() {
        let members: Vec<_> = USUAL.iter().map(|name| format!("{name:?}:1")).collect();
        let bytes = of(&format!("{{{}}}", members.join(","))).to_bytes();
        assert_eq!(bytes.len(), 54);
        assert_eq!(FieldHashes::from_bytes(&bytes[..53]), None);
        assert_eq!(FieldHashes::from_bytes(&[6, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(FieldHashes::of(b"no json", |_, _| [0; 8]), None);
    }

    proptest! {
        #[test]
        fn what_was_written_comes_back(paths: std::collections::BTreeSet<String>) {
            let fields = FieldHashes(paths.into_iter().map(|path| (kept(&path), [7; 8])).collect());
            prop_assert_eq!(FieldHashes::from_bytes(&fields.to_bytes()), Some(fields));
        }

        #[test]
        fn no_bytes_are_a_panic(bytes: Vec<u8>) {
            FieldHashes::from_bytes(&bytes);
        }
    }
}
