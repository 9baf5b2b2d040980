//! Reads the JSON envelope of every response, as tolerantly as possible without guessing.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json_borrow::{ObjectAsVec, Value};

use super::quote;

/// The most stray bytes before the first `{`. The public server source prints a `7` there.
const STRAY_CAP: usize = 64;
/// The most bytes of notices before the object. A misconfigured PHP prints some hundred bytes for
/// each.
const NOTICES_CAP: usize = 16 * 1024;
/// How many `{` are tried as the start of the object, because notices quote code.
const TRIES: usize = 64;

/// The JSON object of a response. If a member comes twice, its first value counts.
#[derive(Clone)]
pub(super) struct Envelope<'a> {
    root: ObjectAsVec<'a>,
    /// The object's own bytes, for data that is kept as received.
    bytes: &'a [u8],
}

/// What a body is if it is not a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Empty,
    Html,
    NotJson,
    /// Compressed although the request did not allow it, in a way that we cannot read.
    Packed,
}

impl Unreadable {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "an empty body",
            Self::Html => "an HTML page",
            Self::NotJson => "a body that is not a JSON object",
            Self::Packed => "a body compressed in a way that the request did not allow",
        }
    }
}

/// What `status` and `status_code` in the body say, before they are compared with the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusClaim {
    Success,
    /// A failure, with its own status code if the body has one that is a failure.
    Failure(Option<u16>),
    /// One of the two says success, the other failure; or one of them comes twice.
    Contradiction,
    /// A `status` without a known meaning.
    Unknown,
    Silent,
}

impl<'a> Envelope<'a> {
    /// Reads the one object that a body holds. Skips a BOM, up to 64 stray bytes or HTML notices
    /// before it, and HTML comments after it.
    ///
    /// # Errors
    /// If the body does not hold exactly one object, with what it is instead.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Unreadable> {
        let found = object_of(body).filter(|found| has_nothing_else(body, found));
        found.map(|Found { root, start, end }| Self { root, bytes: &body[start..end] }).ok_or_else(|| unreadable(body))
    }

    /// Returns whether only the application can have written the object: it has the API's envelope,
    /// or the words of its framework for an exception.
    pub(super) fn is_the_applications(&self) -> bool {
        let is_envelope = self.get("status").is_some() && self.get("status_code").is_some();
        let is_exception = self.root.len() == 1 && self.get("message").and_then(Value::as_str) == Some("Server Error");
        is_envelope || is_exception
    }

    pub(super) fn claim(&self) -> StatusClaim {
        if ["status", "success", "status_code"].into_iter().any(|name| self.has_two(name)) {
            return StatusClaim::Contradiction;
        }
        let code = self.code();
        match (self.word(), code.map(|code| (200..=299).contains(&code))) {
            (Word::Success, Some(false)) => StatusClaim::Contradiction,
            (Word::Success, _) | (Word::None, Some(true)) => StatusClaim::Success,
            (Word::Failure, Some(false)) | (Word::None | Word::Unknown, Some(false)) => StatusClaim::Failure(code),
            (Word::Failure, _) => StatusClaim::Failure(None),
            (Word::Unknown, _) => StatusClaim::Unknown,
            (Word::None, None) => StatusClaim::Silent,
        }
    }

    /// Returns whether a member comes more than once, so that it could be read in two ways.
    fn has_two(&self, name: &str) -> bool {
        self.root.keys().filter(|key| *key == name).nth(1).is_some()
    }

    fn word(&self) -> Word {
        match self.get("status").or_else(|| self.get("success")) {
            None | Some(Value::Null | Value::Number(_)) => Word::None,
            Some(Value::Bool(true)) => Word::Success,
            Some(Value::Bool(false)) => Word::Failure,
            Some(Value::Str(word)) => match word.trim().to_ascii_lowercase().as_str() {
                "success" | "succeeded" | "successful" | "ok" => Word::Success,
                "failed" | "failure" | "fail" | "error" => Word::Failure,
                _ => Word::Unknown,
            },
            Some(_) => Word::Unknown,
        }
    }

    /// Returns `status_code`, or a `status` that is a number. Returns `None` if the number is not a
    /// final HTTP status.
    fn code(&self) -> Option<u16> {
        let number = |name| match self.get(name)? {
            Value::Number(number) => number.as_u64(),
            Value::Str(text) => text.trim().parse().ok(),
            _ => None,
        };
        let code = number("status_code").or_else(|| number("status"))?;
        u16::try_from(code).ok().filter(|code| (200..=599).contains(code))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.root.get(name)
    }

    /// Returns `data` if it is an object or a list of exactly one object.
    pub(super) fn data(&self) -> Option<&ObjectAsVec<'a>> {
        match self.get("data")? {
            Value::Object(map) => Some(map),
            Value::Array(list) => match list.as_slice() {
                [Value::Object(map)] => Some(map),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) const fn root(&self) -> &ObjectAsVec<'a> {
        &self.root
    }

    /// Returns `data` as received, or the whole object if it has no `data`, on one line. Replacing
    /// line breaks does not change the JSON: between tokens they mean nothing, and strings cannot
    /// contain them.
    pub(super) fn raw_data(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct WithData<'a> {
            #[serde(borrow)]
            data: Option<&'a RawValue>,
        }
        let whole = simdutf8::basic::from_utf8(self.bytes).ok()?;
        let data = serde_json::from_str::<WithData<'_>>(whole).ok().and_then(|it| it.data).map(RawValue::get);
        Some(on_one_line(data.unwrap_or(whole).trim()))
    }

    /// Returns the maps in which servers put errors by field.
    pub(super) fn error_maps(&self) -> impl Iterator<Item = &ObjectAsVec<'a>> {
        let data = self.get("data").and_then(Value::as_object);
        let within = |name: &str| data.and_then(|data| data.get(name)).and_then(Value::as_object);
        let top = |name: &str| self.get(name).and_then(Value::as_object);
        [top("errors"), data, top("error"), within("errors"), within("error")].into_iter().flatten()
    }

    /// Returns every sentence without a field, the most specific first, because a `message` is
    /// often only "Request failed.".
    pub(super) fn sentences(&self) -> Vec<String> {
        let data = self.get("data");
        let within = |name: &str| data.and_then(Value::as_object).and_then(|data| data.get(name));
        let error = self.get("error");
        let places = [
            within("error"),
            within("message"),
            error.and_then(Value::as_object).and_then(|error| error.get("message")),
            error,
            self.get("errors"),
            within("errors"),
            data.filter(|data| !data.is_object()),
            self.get("message"),
        ];
        let mut sentences: Vec<String> = Vec::new();
        for sentence in places.into_iter().flatten().map(flat).filter(|sentence| !sentence.is_empty()) {
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        sentences
    }
}

enum Word {
    Success,
    Failure,
    Unknown,
    None,
}

/// An object within a body, and its range.
struct Found<'a> {
    root: ObjectAsVec<'a>,
    start: usize,
    end: usize,
}

/// Returns the object of a body: at its first `{`, or after notices that quote code, at the first
/// `{` that begins a whole object.
fn object_of(body: &[u8]) -> Option<Found<'_>> {
    let most = NOTICES_CAP.min(body.len());
    let mut starts = memchr::memchr_iter(b'{', &body[..most]).take(TRIES);
    let first = starts.next()?;
    whole_object(body, first).or_else(|| {
        // The rest of an object that was cut off may contain a whole object.
        starts.filter(|start| are_notices(without_mark(&body[..*start]))).find_map(|start| whole_object(body, start))
    })
}

fn whole_object(body: &[u8], start: usize) -> Option<Found<'_>> {
    // Text that was checked as a whole is parsed faster than bytes.
    match simdutf8::basic::from_utf8(&body[start..]) {
        Ok(text) => first_object(serde_json::Deserializer::from_str(text), start),
        Err(_) => first_object(serde_json::Deserializer::from_slice(&body[start..]), start),
    }
}

fn first_object<'a>(json: serde_json::Deserializer<impl serde_json::de::Read<'a>>, start: usize) -> Option<Found<'a>> {
    let mut values = json.into_iter();
    let Value::Object(root) = values.next()?.ok()? else { return None };
    Some(Found { root, start, end: start + values.byte_offset() })
}

/// Returns whether the body has nothing but the object that could be meant.
fn has_nothing_else(body: &[u8], found: &Found<'_>) -> bool {
    let (before, after) = (without_mark(&body[..found.start]), body[found.end..].trim_ascii());
    let are_strays = before.len() <= STRAY_CAP && memchr::memchr2(b'{', b'<', before).is_none();
    (are_strays || are_notices(before)) && is_comments(after)
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Returns whether the bytes are markup that a server printed before its response. A page is not,
/// because it may contain anything; neither is text that looks like the start of an object.
fn are_notices(before: &[u8]) -> bool {
    const PAGE: [&str; 7] = ["<html", "<!doctype", "<head", "<body", "<script", "<style", "<title"];
    let text = String::from_utf8_lossy(before).to_ascii_lowercase();
    let text = text.trim();
    let begins_object = text.split('{').skip(1).any(|rest| rest.trim_start().starts_with('"'));
    // The stray bytes may come after the notices.
    let strays = text.rsplit('>').next().unwrap_or_default();
    let ends_well = strays.len() <= STRAY_CAP && !strays.contains(['{', '"']);
    text.starts_with('<') && ends_well && !begins_object && !PAGE.iter().any(|sign| text.contains(sign))
}

/// Returns whether the bytes are empty or only HTML comments.
fn is_comments(mut after: &[u8]) -> bool {
    while let Some(comment) = after.strip_prefix(b"<!--") {
        let Some(end) = memchr::memmem::find(comment, b"-->") else { return false };
        after = comment[end + 3..].trim_ascii_start();
    }
    after.is_empty()
}

fn unreadable(body: &[u8]) -> Unreadable {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        Unreadable::Empty
    } else if quote::is_html(text) {
        Unreadable::Html
    } else {
        Unreadable::NotJson
    }
}

/// Searches for both bytes first, because most texts are on one line already and the search is
/// quick.
fn on_one_line(text: &str) -> String {
    match memchr::memchr2(b'\n', b'\r', text.as_bytes()) {
        None => text.to_owned(),
        Some(_) => text.replace(['\n', '\r'], " "),
    }
}

/// Returns the text of a value: a string, a number, the strings of a list, `name: text` of a map.
/// Empty if it has none.
pub(super) fn flat(value: &Value<'_>) -> String {
    let joined =
        |parts: Vec<String>, by: &str| parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(by);
    match value {
        Value::Str(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => joined(values.iter().map(flat).collect(), ", "),
        Value::Object(map) => joined(map.iter().map(|(name, value)| named(name, &flat(value))).collect(), "; "),
        Value::Null | Value::Bool(_) => String::new(),
    }
}

/// Returns `name: text`, or an empty text if `text` is empty.
pub(super) fn named(name: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{name}: {text}") }
}

/// Returns an id, a link or the like: text that is not blank, or a whole number.
pub(super) fn text_of(map: &ObjectAsVec<'_>, name: &str) -> Option<String> {
    match map.get(name)? {
        Value::Str(text) if !text.trim().is_empty() => Some(text.clone().into_owned()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(body: &str) -> StatusClaim {
        Envelope::read(body.as_bytes()).ok().unwrap().claim()
    }

    #[test]
    fn stray_bytes_and_a_bom_before_the_object_are_skipped() {
        for body in ["7{\"a\":1}", "\u{feff}{\"a\":1}", "\u{feff}7{\"a\":1} \r\n", &format!("{}{{}}", "x".repeat(64))] {
            assert!(Envelope::read(body.as_bytes()).is_ok(), "{body}");
        }
        let bom_and_64 = format!("\u{feff}{}{{}}", "x".repeat(64));
        assert!(Envelope::read(bom_and_64.as_bytes()).is_ok());
    }

    #[test]
    fn html_notices_before_the_object_and_comments_after_it_are_skipped() {
        let notice = "<br />\n<b>Notice</b>:  Undefined index: {tier} in <b>/app/x.php</b> on line <b>{42}</b><br />\n";
        for body in [
            format!("{notice}{{\"a\":1}}"),
            format!("{notice}7{{\"a\":1}}"),
            format!("\u{feff}{notice}{notice}{{\"a\":1}}"),
            "{\"a\":1}\n<!-- page cached at 02:15 -->".to_owned(),
            format!("{notice}{{\"a\":1}} <!-- {{\"b\":2}} --> <!-- x -->\n"),
        ] {
            let envelope = Envelope::read(body.as_bytes()).ok().unwrap();
            assert_eq!((envelope.root().len(), envelope.get("a")), (1, Some(&Value::from(1_u64))), "{body}");
            assert_eq!(envelope.raw_data().as_deref(), Some("{\"a\":1}"), "{body}");
        }
    }

    #[test]
    fn two_objects_a_page_around_one_and_endless_notices_are_not_an_answer() {
        let long = format!("<b>{}</b>{{\"a\":1}}", "x".repeat(NOTICES_CAP));
        for body in [
            "{\"a\":1}{\"b\":2}",
            "<b>x</b>{}{\"a\":1}",
            "{}<b>x</b>{\"a\":1}",
            "{\"a\":1}<b>x</b>",
            "{\"a\":1} <!-- open",
            "{\"data\":{\"id\":1}",
            "<b>x</b>{\"data\":{\"id\":1}",
            "<b>x</b>{ \"data\": \"<b>\", \"more\": \"</b>\n{\"id\":1}",
            "<html><script>var x = {\"id\":1}</script><!-- y -->",
            "<!doctype html><p>{\"id\":1}",
            "a notice without markup that is longer than sixty-four bytes, so that it may be anything {\"a\":1}",
            &long,
        ] {
            assert!(Envelope::read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn only_the_envelope_and_the_frameworks_own_words_are_the_applications() {
        let is_theirs = |body: &str| Envelope::read(body.as_bytes()).ok().unwrap().is_the_applications();
        for body in [r#"{"status":"failed","status_code":500,"message":"x"}"#, r#"{"message":"Server Error"}"#] {
            assert!(is_theirs(body), "{body}");
        }
        for body in [
            r#"{"message":"Service Unavailable"}"#,
            r#"{"message":"Internal Server Error"}"#,
            r#"{"message":"Server Error","exception":"x"}"#,
            r#"{"status":"failed","message":"x"}"#,
            r#"{"status":500}"#,
            "{}",
        ] {
            assert!(!is_theirs(body), "{body}");
        }
    }

    #[test]
    fn what_is_no_object_is_named() {
        let read = |body: &str| Envelope::read(body.as_bytes()).err();
        assert_eq!(read(" \n"), Some(Unreadable::Empty));
        assert_eq!(read("\u{feff}"), Some(Unreadable::Empty));
        assert_eq!(read("<html><body>{}</body></html>"), Some(Unreadable::Html));
        for body in ["7", "[{}]", "{}x", "{}{}", "{\"a\":", "null", &format!("{}{{}}", "x".repeat(65))] {
            assert_eq!(read(body), Some(Unreadable::NotJson), "{body}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep), Some(Unreadable::NotJson));
        assert_eq!(Envelope::read(b"{\"a\":\"\xff\"}").err(), Some(Unreadable::NotJson));
    }

    #[test]
    fn status_and_status_code_are_judged_together() {
        for (body, expected) in [
            (r#"{"status":"success","status_code":200}"#, StatusClaim::Success),
            (r#"{"status":"Success"}"#, StatusClaim::Success),
            (r#"{"status":true}"#, StatusClaim::Success),
            (r#"{"success":true}"#, StatusClaim::Success),
            (r#"{"status_code":201}"#, StatusClaim::Success),
            (r#"{"status":200}"#, StatusClaim::Success),
            (r#"{"status":"failed","status_code":422}"#, StatusClaim::Failure(Some(422))),
            (r#"{"status":"error","status_code":"422"}"#, StatusClaim::Failure(Some(422))),
            (r#"{"status":422}"#, StatusClaim::Failure(Some(422))),
            (r#"{"status":"failed"}"#, StatusClaim::Failure(None)),
            (r#"{"status":false,"status_code":201}"#, StatusClaim::Failure(None)),
            (r#"{"status":"failed","status_code":99999}"#, StatusClaim::Failure(None)),
            (r#"{"status":"success","status_code":422}"#, StatusClaim::Contradiction),
            // Programs differ in which of the two they read.
            (r#"{"status":"success","status":"failed"}"#, StatusClaim::Contradiction),
            (r#"{"status_code":422,"status":"failed","status_code":201}"#, StatusClaim::Contradiction),
            (r#"{"status":"maybe"}"#, StatusClaim::Unknown),
            (r#"{"status":["success"]}"#, StatusClaim::Unknown),
            (r#"{"status":null}"#, StatusClaim::Silent),
            ("{}", StatusClaim::Silent),
        ] {
            assert_eq!(claim(body), expected, "{body}");
        }
    }

    #[test]
    fn data_is_carried_as_received_but_on_one_line() {
        let body = b"7{\"status\":\"success\",\n\"data\": {\"b\" : 1e2,\r\n \"a\":\"x\\ny[]\"} }";
        let raw = Envelope::read(body).ok().unwrap().raw_data().unwrap();
        assert_eq!(raw, "{\"b\" : 1e2,   \"a\":\"x\\ny[]\"}");
        let body = b"{\"customer_id\":\"7\"}\n";
        assert_eq!(Envelope::read(body).ok().unwrap().raw_data().unwrap(), "{\"customer_id\":\"7\"}");
    }
}
