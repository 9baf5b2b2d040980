//! The parts of a workbook: the files in its zip archive, unpacked while they are read.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::fault::WorkbookFault;
use crate::intake::limits::HEAD;
use crate::intake::open::changed::InputChanged;
use crate::intake::open::unpack::{HARMLESS, MOST_RATIO, UnpackFault};

/// An input that can be read from any place.
pub(crate) trait SeekableInput: Read + Seek + Send {}

impl<T: Read + Seek + Send> SeekableInput for T {}

/// Opens the input anew, because each part has its own reader.
pub(crate) type OpenInput = Box<dyn Fn() -> Box<dyn SeekableInput> + Send>;

/// The most files that an archive may have, because its list of files is in memory. A workbook of a
/// hundred sheets has a few hundred.
const MOST_PARTS: u64 = 10_000;
/// The most bytes at the end of a file in which its number of parts is: the end record (22 bytes)
/// and a comment.
const TAIL: u64 = 22 + 65_535;

/// The list of parts of a workbook.
pub(crate) struct Archive {
    open: OpenInput,
    parts: ZipArchive<BufReader<Box<dyn SeekableInput>>>,
}

impl Archive {
    /// Reads the list of parts.
    pub(crate) fn open(open: OpenInput) -> io::Result<Self> {
        let mut input = open();
        check_number_of_parts(&mut input)?;
        input.seek(SeekFrom::Start(0))?;
        let parts = ZipArchive::new(BufReader::with_capacity(HEAD, input)).map_err(explained)?;
        // Programs differ about which of them they read.
        if parts.has_duplicate_names() {
            return Err(WorkbookFault::damaged("it has two parts of the same name"));
        }
        Ok(Self { open, parts })
    }

    /// Returns the name as the archive spells it. Names of parts do not depend on case.
    fn spelled(&self, name: &str) -> Option<String> {
        let name = name.trim_start_matches('/');
        let mut names = self.parts.file_names().filter_map(Result::ok);
        names.find(|found| found.eq_ignore_ascii_case(name)).map(std::borrow::Cow::into_owned)
    }

    /// Returns a reader of a part, or `None` if there is no part of this name.
    pub(crate) fn part(&mut self, name: &str) -> io::Result<Option<PartReader>> {
        let Some(index) = self.spelled(name).and_then(|name| self.parts.index_for_name(&name)) else {
            return Ok(None);
        };
        let part = self.parts.by_index_raw(index).map_err(explained)?;
        if part.encrypted() {
            return Err(WorkbookFault::Encrypted.into());
        }
        let start = part.data_start().ok_or_else(|| WorkbookFault::damaged("a part without data"))?;
        let mut input = (self.open)();
        input.seek(SeekFrom::Start(start))?;
        let packed = BufReader::with_capacity(HEAD, input.take(part.compressed_size()));
        let bytes = match part.compression() {
            CompressionMethod::Stored => Unpacked::Stored(packed),
            CompressionMethod::Deflated => Unpacked::Deflated(Box::new(DeflateDecoder::new(packed))),
            other => return Err(WorkbookFault::damaged(format!("a part is packed with {other}"))),
        };
        let (size, checksum) = (part.size(), part.crc32());
        Ok(Some(PartReader { bytes, size, packed: part.compressed_size(), read: 0, checksum, found: Crc::new() }))
    }
}

/// Refuses an archive that says that it has very many parts.
fn check_number_of_parts(input: &mut impl SeekableInput) -> io::Result<()> {
    let size = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    input.take(TAIL).read_to_end(&mut tail)?;
    let Some(at) = memchr::memmem::rfind(&tail, b"PK\x05\x06") else {
        return Err(WorkbookFault::damaged("its end is missing"));
    };
    let number = |from: usize| Some([*tail.get(from)?, *tail.get(from + 1)?]);
    let parts = number(at + 10).map_or(0, u16::from_le_bytes);
    // A larger number is in another record, which only archives of more than 65,534 files need.
    let is_beyond = u64::from(parts) > MOST_PARTS;
    if is_beyond { Err(WorkbookFault::TooLarge { limit: "10,000 parts" }.into()) } else { Ok(()) }
}

fn explained(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => passed_on(error),
        other => WorkbookFault::damaged(other.to_string()),
    }
}

/// Returns errors of the operating system and of this program as they are. All others are about
/// the content.
fn passed_on(error: io::Error) -> io::Error {
    let is_ours = error
        .get_ref()
        .is_some_and(|inner| inner.is::<InputChanged>() || inner.is::<WorkbookFault>() || inner.is::<UnpackFault>());
    if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted || is_ours {
        error
    } else {
        WorkbookFault::damaged(error.to_string())
    }
}

/// The bytes of a part as the archive has them.
type PackedPart = BufReader<Take<Box<dyn SeekableInput>>>;

enum Unpacked {
    Stored(PackedPart),
    Deflated(Box<DeflateDecoder<PackedPart>>),
}

/// Reads one part. Returns an error instead of its end if its size or checksum is not as declared.
pub(crate) struct PartReader {
    bytes: Unpacked,
    size: u64,
    packed: u64,
    read: u64,
    checksum: u32,
    found: Crc,
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.bytes {
            Unpacked::Stored(bytes) => bytes.read(buffer),
            Unpacked::Deflated(bytes) => bytes.read(buffer),
        };
        let read = read.map_err(passed_on)?;
        self.read += read as u64;
        self.found.update(&buffer[..read]);
        if self.read > HARMLESS && self.read / MOST_RATIO > self.packed {
            return Err(io::Error::other(UnpackFault::Bomb));
        }
        if self.read > self.size {
            return Err(WorkbookFault::damaged("a part is larger than it says"));
        }
        if read == 0 && (self.read, self.found.sum()) != (self.size, self.checksum) {
            return Err(WorkbookFault::damaged("the checksum of a part does not match"));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::Arc;

    use zip::write::SimpleFileOptions;

    use super::*;

    fn part(archive: Vec<u8>) -> PartReader {
        let archive: Arc<[u8]> = archive.into();
        let open: OpenInput = Box::new(move || Box::new(Cursor::new(Arc::clone(&archive))));
        Archive::open(open).unwrap().part("A/b.xml").unwrap().unwrap()
    }

    fn archive(method: CompressionMethod, write: impl FnOnce(&mut dyn io::Write)) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file("a/B.xml", options).unwrap();
        write(&mut archive);
        archive.finish().unwrap().into_inner()
    }

    fn text_of(archive: Vec<u8>) -> Result<String, String> {
        let mut text = String::new();
        part(archive).read_to_string(&mut text).map(|_| text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_part_that_unpacks_without_end_or_is_not_as_declared_is_stopped() {
        let endless = archive(CompressionMethod::Deflated, |part| {
            io::copy(&mut io::repeat(b' ').take(HARMLESS + (1 << 20)), part).map(drop).unwrap();
        });
        assert!(text_of(endless).unwrap_err().contains("500 times"));

        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let whole = archive(method, |part| part.write_all(b"<a>text</a>").unwrap());
            assert_eq!(text_of(whole.clone()).unwrap(), "<a>text</a>");
            let list = memchr::memmem::find(&whole, b"PK\x01\x02").unwrap();
            for (at, words) in [(list + 16, "checksum"), (list + 24, "larger than it says")] {
                let mut other = whole.clone();
                other[at] = other[at].wrapping_sub(1);
                assert!(text_of(other).unwrap_err().contains(words), "{method} {words}");
            }
        }
    }
}
