//! From a file to text.
//!
//! - `watched`: the file itself, opened once and compared with itself after every read
//! - `changed`: the error of an input that changed while it was read
//! - `source`: the file as text, and its beginning
//! - `unpack`, `decode`: gzip and zstd; other encodings than UTF-8
//! - `unsupported`: formats that are neither CSV nor NDJSON, by name
//! - `sniff`: format, delimiter and share of undecodable records, from the first bytes
//! - `header_problem`: why a CSV file seems to lack its columns, if its form is the reason

pub(super) mod changed;
pub(super) mod decode;
pub(super) mod header_problem;
pub(super) mod sniff;
pub(super) mod source;
pub(super) mod unpack;
pub(super) mod unsupported;
pub(super) mod watched;
