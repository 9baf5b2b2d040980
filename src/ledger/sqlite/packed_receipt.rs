//! What the server said of a customer, in a fraction of its bytes.
//!
//! It is most of what a ledger holds, and most of that is the same for every customer: the names of
//! the members and what stands around the ids in a link. The links also come twice, because they
//! are parts of the server's `data`. So it is compressed with a dictionary that has the documented
//! answers in it. The `customer_id` is not packed: the database itself searches for ids that the
//! server gave to several customers.
//!
//! # The format
//! One frame of zstd, with a checksum, so that damage is noticed and no wrong link is shown; and
//! then one byte, the number of its dictionary. The content of the frame: of each text, in the
//! order of [`texts`], its length and one as a varint, or 0 for a missing text; and then the texts
//! with nothing between them. In these, each id (a UUID as it is usually written) is one byte that
//! no text has, and then its sixteen bytes: random digits cannot be compressed, and they take the
//! most time.
//!
//! A dictionary never changes, because no ledger could be read without it; a better one gets the
//! next number. `tools/receipt-dictionary.py` makes them from the documentation of the API alone.

use std::cell::RefCell;
use std::fmt;
use std::io;

use memchr::{memchr, memchr_iter};
use uuid::Uuid;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{compress_bound, get_frame_content_size};

use crate::domain::{Data, Receipt};
use crate::ledger::varint;

/// The dictionary of all that is written.
const NEWEST: Dictionary = Dictionary { number: 1, bytes: include_bytes!("receipts-1.dictionary") };

/// The first level that leaves alone what it does not find again. Higher ones would save four bytes
/// of a hundred and take three times as long to read.
const LEVEL: i32 = -1;

/// A content that claims to be longer is damaged. Answers are read up to 1 MiB, and each text of
/// one comes twice at most.
const LONGEST: usize = 4 << 20;

/// What zstd knows before it sees a content.
struct Dictionary {
    number: u8,
    bytes: &'static [u8],
}

/// Stands before the bytes of an id. It is never a byte of UTF-8.
const ID: u8 = 0xff;

/// Packs receipts.
pub(super) struct ReceiptPacker {
    compressor: Compressor<'static>,
    text: Vec<u8>,
    content: Vec<u8>,
    packed: Vec<u8>,
}

impl fmt::Debug for ReceiptPacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptPacker").finish_non_exhaustive()
    }
}

impl ReceiptPacker {
    pub(super) fn new() -> io::Result<Self> {
        let mut compressor = Compressor::with_dictionary(LEVEL, NEWEST.bytes)?;
        compressor.include_checksum(true)?;
        // The byte behind the frame says it.
        compressor.include_dictid(false)?;
        Ok(Self { compressor, text: Vec::new(), content: Vec::new(), packed: Vec::new() })
    }

    /// Returns the bytes that are kept of a receipt beside its `customer_id`, or `None` if it says
    /// nothing else.
    pub(super) fn pack(&mut self, receipt: &Receipt) -> io::Result<Option<&[u8]>> {
        let texts = texts(receipt);
        if texts.iter().all(Option::is_none) {
            return Ok(None);
        }
        self.content.clear();
        for text in texts {
            varint::write(&mut self.content, text.map_or(0, |text| text.len() as u64 + 1));
        }
        self.text.clear();
        texts.into_iter().flatten().for_each(|text| self.text.extend_from_slice(text.as_bytes()));
        shorten_ids(&self.text, &mut self.content);
        self.packed.clear();
        self.packed.reserve(compress_bound(self.content.len()) + 1);
        self.compressor.compress_to_buffer(&self.content, &mut self.packed)?;
        self.packed.push(NEWEST.number);
        Ok(Some(&self.packed))
    }
}

/// Returns the texts of a receipt in the order in which they are packed. `data` is the first one,
/// so that the others can be found in it.
fn texts(receipt: &Receipt) -> [Option<&str>; 7] {
    let Receipt { id, customer_id: _, kyc_link, tos_link, kyc_status, tos_status, created_at, data } = receipt;
    let [id, kyc_link, tos_link, kyc_status, tos_status, created_at] =
        [id, kyc_link, tos_link, kyc_status, tos_status, created_at].map(Option::as_deref);
    [data.text(), id, kyc_link, tos_link, kyc_status, tos_status, created_at]
}

/// Appends a text with its ids as bytes.
fn shorten_ids(mut text: &[u8], content: &mut Vec<u8>) {
    while let Some((before, id)) = first_id(text) {
        content.extend_from_slice(before);
        content.push(ID);
        content.extend_from_slice(id.as_bytes());
        text = text.get(before.len() + LENGTH..).unwrap_or_default();
    }
    content.extend_from_slice(text);
}

/// How long an id is as text.
const LENGTH: usize = uuid::fmt::Hyphenated::LENGTH;

/// Where the first hyphen of an id is.
const HYPHEN: usize = 8;

/// Returns the first id of a text, and what is before it.
fn first_id(text: &[u8]) -> Option<(&[u8], Uuid)> {
    memchr_iter(b'-', text).find_map(|hyphen| {
        let (before, found) = text.split_at_checked(hyphen.checked_sub(HYPHEN)?)?;
        let found: &[u8; LENGTH] = found.first_chunk()?;
        let id = Uuid::try_parse_ascii(found).ok()?;
        // Other ways to write it would not come back.
        (id.hyphenated().encode_lower(&mut [0; LENGTH]).as_bytes() == found).then_some((before, id))
    })
}

/// Appends a text whose ids are bytes as it was. Returns `None` if an id is cut off.
fn restore_ids(mut content: &[u8], text: &mut Vec<u8>) -> Option<()> {
    while let Some((before, rest)) = memchr(ID, content).and_then(|at| content.split_at_checked(at)) {
        let (id, rest) = rest.get(1..)?.split_first_chunk()?;
        text.extend_from_slice(before);
        text.extend_from_slice(Uuid::from_bytes(*id).hyphenated().encode_lower(&mut [0; LENGTH]).as_bytes());
        content = rest;
    }
    text.extend_from_slice(content);
    Some(())
}

/// Unpacks receipts.
pub(super) struct ReceiptUnpacker(RefCell<Unpacking>);

struct Unpacking {
    decompressor: Decompressor<'static>,
    content: Vec<u8>,
    text: Vec<u8>,
}

impl fmt::Debug for ReceiptUnpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptUnpacker").finish_non_exhaustive()
    }
}

/// Why packed bytes cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnpackError {
    #[error("what the server said of a customer is packed with dictionary {0}, which does not exist")]
    UnknownDictionary(u8),
    #[error("what the server said of a customer cannot be unpacked")]
    Damaged,
    #[error("what the server said of a customer cannot be unpacked: {0}")]
    Zstd(#[from] io::Error),
}

impl ReceiptUnpacker {
    pub(super) fn new() -> io::Result<Self> {
        let decompressor = Decompressor::with_dictionary(NEWEST.bytes)?;
        Ok(Self(RefCell::new(Unpacking { decompressor, content: Vec::new(), text: Vec::new() })))
    }

    /// Returns the receipt without its `customer_id`.
    pub(super) fn unpack(&self, packed: &[u8]) -> Result<Receipt, UnpackError> {
        let (number, frame) = packed.split_last().ok_or(UnpackError::Damaged)?;
        if *number != NEWEST.number {
            return Err(UnpackError::UnknownDictionary(*number));
        }
        let length = get_frame_content_size(frame).ok().flatten().and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= LONGEST).ok_or(UnpackError::Damaged)?;
        let Unpacking { decompressor, content, text } = &mut *self.0.borrow_mut();
        content.clear();
        content.reserve(length);
        decompressor.decompress_to_buffer(frame, content)?;
        text.clear();
        receipt(content, text).ok_or(UnpackError::Damaged)
    }
}

/// Reads the content of a frame, with an empty buffer for its text. Returns `None` if it is nothing
/// that this version writes.
fn receipt(content: &[u8], text: &mut Vec<u8>) -> Option<Receipt> {
    let mut rest = content;
    let mut lengths = [0; 7];
    for length in &mut lengths {
        *length = usize::try_from(varint::read(&mut rest)?).ok()?;
    }
    restore_ids(rest, text)?;
    let mut rest = std::str::from_utf8(text).ok()?;
    let mut texts = [const { None }; 7];
    for (text, length) in texts.iter_mut().zip(lengths) {
        if let Some(length) = length.checked_sub(1) {
            let (found, more) = rest.split_at_checked(length)?;
            (*text, rest) = (Some(found.to_owned()), more);
        }
    }
    let [data, id, kyc_link, tos_link, kyc_status, tos_status, created_at] = texts;
    let data = data.map_or(Data::None, Data::Kept);
    let receipt = Receipt { id, customer_id: None, kyc_link, tos_link, kyc_status, tos_status, created_at, data };
    rest.is_empty().then_some(receipt)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the documentation of the API has it.
    fn documented() -> Receipt {
        let text = |text: &str| Some(text.to_owned());
        let (id, customer_id) = ("21fe7601-3a2e-4a4b-9c55-6e5f8f1c2d3a", "7d5b9315-0c1d-4f6e-8a7b-9d8c7b6a5f4e");
        let kyc_link = format!(
            "https://bridge.withpersona.com/verify?inquiry-template-id=itmpl_8x2JGuMRSUPFbQFNKLnzvE6nmUzt\
             &fields[developer_id]={id}&fields[iqt_token]=1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed\
             &reference-id={customer_id}&redirect-uri=https%3A%2F%2Fbridge.withpersona.com%2Fverify\
             &environment-id=env_3KqEbmGRZ5oWAbXgnJpJqb9bN7hP"
        );
        let tos_link = format!("https://dashboard.bridge.xyz/accept-terms-of-service?customer_id={customer_id}");
        let data = serde_json::json!({
            "id": id, "full_name": "Ada Lovelace", "email": "ada.lovelace@example.com", "type": "individual",
            "kyc_link": kyc_link, "tos_link": tos_link, "kyc_status": "not_started", "rejection_reasons": [],
            "tos_status": "pending", "created_at": "2024-12-01T18:46:15.392Z", "customer_id": customer_id,
            "persona_inquiry_type": "gov_id_db",
        });
        Receipt {
            id: text(id),
            customer_id: None,
            kyc_link: Some(kyc_link),
            tos_link: Some(tos_link),
            kyc_status: text("not_started"),
            tos_status: text("pending"),
            created_at: text("2024-12-01T18:46:15.392Z"),
            data: Data::Kept(data.to_string()),
        }
    }

    fn packed(receipt: &Receipt) -> Vec<u8> {
        ReceiptPacker::new().unwrap().pack(receipt).unwrap().unwrap().to_vec()
    }

    fn unpacked(packed: &[u8]) -> Result<Receipt, UnpackError> {
        ReceiptUnpacker::new().unwrap().unpack(packed)
    }

    #[test]
    fn a_documented_answer_takes_a_quarter_of_its_bytes_and_comes_back() {
        let (receipt, packed) = (documented(), packed(&documented()));
        let length: usize = texts(&receipt).into_iter().flatten().map(str::len).sum();
        assert!(packed.len() * 4 < length, "{} of {length} bytes", packed.len());
        assert_eq!(unpacked(&packed).unwrap(), receipt);
    }

    #[test]
    fn a_receipt_that_says_nothing_takes_no_bytes() {
        assert_eq!(ReceiptPacker::new().unwrap().pack(&Receipt::default()).unwrap(), None);
    }

    /// Ledgers hold them: a version that could not read them would be of no use.
    #[test]
    fn what_the_first_version_wrote_can_be_read() {
        assert_eq!(unpacked(include_bytes!("receipt-1.packed")).unwrap(), documented());
    }

    #[test]
    fn a_byte_that_is_not_as_it_was_written_is_damage() {
        let whole = packed(&documented());
        for at in 0..whole.len() {
            for change in [1, 0x80] {
                let mut damaged = whole.clone();
                damaged[at] ^= change;
                // In the header of the frame are bits without a meaning.
                assert!(unpacked(&damaged).map_or(true, |read| read == documented()), "{at}");
            }
            assert!(unpacked(&whole[..at]).is_err(), "cut at {at}");
        }
    }

    fn text() -> impl Strategy<Value = Option<String>> {
        let ids = "[a-z]?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-fA-F]{12}-?){0,3}";
        prop::option::of(prop_oneof!["[ -~]{0,40}", ".{0,20}", ids, "[0-9a-f-]{0,80}", Just("x".repeat(Data::MOST))])
    }

    proptest! {
        #[test]
        fn every_receipt_comes_back(texts in prop::array::uniform6(text()), data in text()) {
            let [id, kyc_link, tos_link, kyc_status, tos_status, created_at] = texts;
            let data = Data::of(data);
            let receipt = Receipt { id, customer_id: None, kyc_link, tos_link, kyc_status, tos_status, created_at, data };
            if receipt != Receipt::default() {
                prop_assert_eq!(unpacked(&packed(&receipt)).unwrap(), receipt);
            }
        }

        #[test]
        fn no_content_and_no_bytes_are_a_panic(bytes: Vec<u8>) {
            drop(receipt(&bytes, &mut Vec::new()));
            drop(unpacked(&[&bytes[..], &[1]].concat()));
        }
    }
}
