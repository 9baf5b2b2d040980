//! A response as received, before it is classified.

use std::fmt;
use std::io::Read;
use std::time::SystemTime;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use super::headers::{Allowance, ResponseHeaders, number};
use super::{pause, quote};
use crate::redact::Redactor;

/// The longest body that is read, in bytes.
pub(super) const BODY_CAP: usize = 1 << 20;

/// Everything in a response that its meaning depends on.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: ResponseHeaders,
    pub body: Body,
    /// Our clock when the response arrived, for headers that name a time.
    pub received: SystemTime,
    /// The secrets that quotes of this response must not repeat.
    pub secrets: Redactor,
}

/// The body of a response.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    Whole(Vec<u8>),
    /// The connection ended, or the time ran out, before the whole body came.
    Cut,
    /// Longer than 1 MiB; the rest was not read.
    TooLong,
    /// Compressed although the request did not allow it, in a way that we cannot read.
    Packed,
}

/// Bodies hold personal data and secret links.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Cut => f.write_str("Cut"),
            Self::TooLong => f.write_str("TooLong"),
            Self::Packed => f.write_str("Packed"),
        }
    }
}

impl Response {
    /// Reads a response until it ends, reaches the size limit, or runs out of the client's time.
    pub(super) async fn read(mut response: reqwest::Response, secrets: Redactor) -> Self {
        let status = response.status().as_u16();
        let headers = ResponseHeaders::of(response.headers(), response.url());
        let packing = ContentCoding::of(response.headers());
        let body = packing.unpacked(read_body(&mut response).await);
        Self { status, headers, body, received: SystemTime::now(), secrets }
    }

    /// Returns the server's words without our secrets, fit to be shown. Classify the words first:
    /// the result may lack what their meaning depends on.
    pub(super) fn quote(&self, text: &str) -> String {
        quote::quote(&quote::without_links(&self.secrets.hide(text)))
    }

    /// Returns the server's clock if the response shows it, else ours, which may be hours off.
    pub(super) fn server_clock(&self) -> SystemTime {
        pause::server_clock(&self.headers, self.received)
    }

    /// Returns how far our clock is ahead of the server's, or `None` if the response does not show
    /// the server's.
    pub(super) fn clock_ahead(&self) -> Option<SignedDuration> {
        self.headers.date.as_ref()?;
        let [ours, servers] = [self.received, self.server_clock()].map(Timestamp::try_from);
        Some(ours.ok()?.duration_since(servers.ok()?))
    }

    pub(super) fn allowance(&self) -> Allowance {
        Allowance {
            limit: number(self.headers.rate_limit_limit.as_deref()),
            remaining: number(self.headers.rate_limit_remaining.as_deref()),
            reset: pause::reset(&self.headers, self.received),
        }
    }
}

async fn read_body(response: &mut reqwest::Response) -> Body {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if announced > BODY_CAP {
        return Body::TooLong;
    }
    let mut bytes = Vec::with_capacity(announced);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > BODY_CAP => return Body::TooLong,
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Body::Whole(bytes),
            Err(_) => return Body::Cut,
        }
    }
}

/// How a body is compressed. Every request asks for no compression, but caches and gateways
/// compress all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentCoding {
    /// Not named by the headers. The bytes may still show it.
    None,
    Gzip,
    Zlib,
    Unknown,
}

impl ContentCoding {
    fn of(headers: &HeaderMap) -> Self {
        let named =
            headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
        match named.as_deref() {
            None | Some("" | "identity") => Self::None,
            Some("gzip" | "x-gzip") => Self::Gzip,
            Some("deflate") => Self::Zlib,
            Some(_) => Self::Unknown,
        }
    }

    fn unpacked(self, body: Body) -> Body {
        let Body::Whole(bytes) = body else { return body };
        match self {
            Self::Unknown => Body::Packed,
            // Neither JSON nor a page begins with these bytes.
            Self::None | Self::Gzip if bytes.starts_with(GZIP) => read_out(MultiGzDecoder::new(&*bytes)),
            Self::Zlib if is_zlib(&bytes) => read_out(ZlibDecoder::new(&*bytes)),
            Self::Zlib if !bytes.starts_with(b"{") => read_out(DeflateDecoder::new(&*bytes)),
            // A gateway that decompresses a body may forget to change the header.
            Self::None | Self::Gzip | Self::Zlib => Body::Whole(bytes),
        }
    }
}

const GZIP: &[u8] = &[0x1f, 0x8b];

/// Returns whether the bytes begin like a zlib stream: its first two bytes are a multiple of 31.
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

/// Reads a decompressed body, up to the size limit.
fn read_out(unpacked: impl Read) -> Body {
    let mut bytes = Vec::new();
    match unpacked.take(BODY_CAP as u64 + 1).read_to_end(&mut bytes) {
        Ok(length) if length > BODY_CAP => Body::TooLong,
        Ok(_) => Body::Whole(bytes),
        Err(_) => Body::Cut,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use reqwest::header::{HeaderValue, LOCATION};

    use super::*;

    #[test]
    fn of_a_redirect_only_the_host_is_kept() {
        let asked = url::Url::parse("https://api.example.com/v1/customer").unwrap();
        for (location, host) in [
            ("https://login.example.com/x?email=ada@example.org", Some("login.example.com")),
            ("/login?next=1", Some("api.example.com")),
            ("http://[", None),
        ] {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(location).unwrap())]);
            assert_eq!(ResponseHeaders::of(&headers, &asked).location_host.as_deref(), host, "{location}");
        }
    }

    #[test]
    fn an_allowance_is_what_can_be_read_as_a_number_and_a_limit_of_zero_is_none() {
        let allowance = |limit: &str, remaining: &str| {
            let headers = ResponseHeaders {
                rate_limit_limit: Some(limit.to_owned()),
                rate_limit_remaining: Some(remaining.to_owned()),
                ..ResponseHeaders::default()
            };
            let answer = Response {
                status: 200,
                headers,
                body: Body::Cut,
                received: SystemTime::now(),
                secrets: Redactor::default(),
            };
            let Allowance { limit, remaining, .. } = answer.allowance();
            (limit.map(NonZeroU32::get), remaining)
        };
        assert_eq!(allowance("60", " 59 "), (Some(60), Some(59)));
        assert_eq!(allowance("0", "0"), (None, Some(0)));
        assert_eq!(allowance("99999999999", "-1"), (None, None));
        assert_eq!(allowance("", "many"), (None, None));
    }

    #[test]
    fn a_body_that_came_packed_is_unpacked_up_to_the_cap() {
        use flate2::Compression;
        use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
        let packed = |mut encoder: Box<dyn Read>| {
            let mut bytes = Vec::new();
            encoder.read_to_end(&mut bytes).unwrap();
            bytes
        };
        let json = b"{\"a\":1}".as_slice();
        let whole = Body::Whole(json.to_vec());
        let gzip = packed(Box::new(GzEncoder::new(json, Compression::fast())));
        let headers =
            |encoding: &str| HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap())]);
        for (encoding, bytes) in [
            ("gzip", gzip.clone()),
            ("X-GZIP", gzip.clone()),
            ("identity", gzip.clone()),
            ("deflate", packed(Box::new(ZlibEncoder::new(json, Compression::fast())))),
            ("deflate", packed(Box::new(DeflateEncoder::new(json, Compression::fast())))),
            ("gzip", json.to_vec()),
            ("deflate", json.to_vec()),
            ("identity", json.to_vec()),
        ] {
            assert_eq!(ContentCoding::of(&headers(encoding)).unpacked(Body::Whole(bytes)), whole, "{encoding}");
        }
        assert_eq!(ContentCoding::of(&HeaderMap::new()).unpacked(Body::Whole(gzip.clone())), whole);
        assert_eq!(ContentCoding::of(&headers("br")).unpacked(Body::Whole(gzip.clone())), Body::Packed);
        assert_eq!(ContentCoding::Gzip.unpacked(Body::Whole(gzip[..gzip.len() - 3].to_vec())), Body::Cut);
        let bomb = vec![b' '; BODY_CAP + 1];
        let bomb = packed(Box::new(GzEncoder::new(std::io::Cursor::new(bomb), Compression::fast())));
        assert_eq!(ContentCoding::Gzip.unpacked(Body::Whole(bomb)), Body::TooLong);
    }

    #[test]
    fn a_body_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Body::Whole(b"secret".to_vec())), "Whole(6 bytes)");
    }
}
