//! From a file to text.
//!
//! A file is opened once, checked for changes after every read, unpacked, and decoded to UTF-8. A
//! file in another format is refused with the name of its format and the next step.
//!
//! - `watched`: the file itself, compared with its state at opening after every read
//! - `changed`: the error for an input that changed while it was read
//! - `source`: the file as text, and its beginning
//! - `unpack`, `decode`: gzip and zstd; encodings other than UTF-8
//! - `unsupported`: formats that are neither CSV, NDJSON nor XLSX, by name
//! - `sniff`: format, delimiter and share of undecodable records, from the first bytes
//! - `header_problem`: why a CSV file seems to lack its columns, if its form is the reason
//!
//! Rules: no byte is replaced, and nothing that was read after the file changed is returned.

pub(super) mod changed;
pub(super) mod decode;
pub(super) mod header_problem;
pub(super) mod sniff;
pub(super) mod source;
pub(super) mod unpack;
pub(super) mod unsupported;
pub(super) mod watched;
