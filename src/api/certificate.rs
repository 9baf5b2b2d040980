//! Reads from a certificate until when it is valid. The TLS library has verified the certificate
//! before, and does not show its content.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const SEQUENCE: u8 = 0x30;
/// The version of the certificate, the only field before the validity that may be absent.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Returns the end of the validity of a certificate in DER, or `None` if the bytes are not one.
pub(super) fn valid_until(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = content(der, SEQUENCE)?;
    let (mut fields, _) = content(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.rest;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        fields = element(fields)?.rest;
    }
    let (validity, _) = content(fields, SEQUENCE)?;
    let end = element(element(validity)?.rest)?;
    time(end.tag, std::str::from_utf8(end.content).ok()?)
}

/// One element of DER: its tag, its content, and the bytes after it.
struct DerElement<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

fn element(bytes: &[u8]) -> Option<DerElement<'_>> {
    let (tag, bytes) = bytes.split_first()?;
    let (first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7f => (usize::from(*first), bytes),
        // The low bits say how many bytes have the length. Certificates need three at most.
        0x81..=0x83 => {
            let (length, bytes) = bytes.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), bytes)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some(DerElement { tag: *tag, content, rest })
}

fn content(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|found| found.tag == tag).map(|found| (found.content, found.rest))
}

fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        GENERALIZED_TIME => text.to_owned(),
        // RFC 5280, 4.1.2.5.1: years from 50 on are of the last century.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        _ => return None,
    };
    DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(["api.example.com".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 3, 4);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms_of_time() {
        for year in [1999, 2026, 2049, 2050, 2120] {
            let expected: Timestamp = format!("{year}-03-04T00:00:00Z").parse().unwrap();
            assert_eq!(valid_until(&certificate(year)), Some(expected));
        }
    }

    #[test]
    fn a_certificate_that_is_cut_off_has_no_end() {
        let whole = certificate(2030);
        for length in 0..whole.len() {
            assert_eq!(valid_until(&whole[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn damaged_certificates_never_panic(at in 0_usize..400, byte: u8, noise: Vec<u8>) {
            let mut damaged = certificate(2030);
            let at = at % damaged.len();
            damaged[at] = byte;
            let _ = valid_until(&damaged);
            let _ = valid_until(&noise);
        }
    }
}
