//! The file: its beginning, what that looks like, and whether the file changed while it was read.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::IntakeError;
use super::{HEAD, LONGEST_RECORD};

/// What tells one state of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputIdentity {
    size: u64,
    modified: Option<SystemTime>,
    /// Device and inode, where there are such things: a file renamed over another is another file.
    inode: (u64, u64),
}

impl InputIdentity {
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok(), inode: inode(metadata) }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// The state of a file now.
///
/// # Errors
/// Whatever the operating system says.
pub fn identity(path: impl AsRef<Path>) -> io::Result<InputIdentity> {
    std::fs::metadata(path).map(|metadata| InputIdentity::of(&metadata))
}

/// An opened input whose beginning was read.
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// The first bytes, without a byte order mark: at least the first line, if it is not beyond all limits.
    pub(super) head: Vec<u8>,
    /// Whether the head is all there is.
    pub(super) complete: bool,
    rest: Box<dyn io::Read + Send>,
    pub(super) identity: Option<InputIdentity>,
}

impl Source {
    /// Opens a file, reads its beginning and refuses what is no text that could hold customers.
    pub(super) fn open(path: &Path) -> Result<Self, IntakeError> {
        let broken = |source| IntakeError::Read { path: path.to_owned(), source };
        let metadata = std::fs::metadata(path).map_err(broken)?;
        if metadata.is_dir() {
            return Err(IntakeError::Directory { path: path.to_owned() });
        }
        // A pipe can be read only once, and the input is read twice.
        if !metadata.is_file() {
            return Err(IntakeError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(broken)?;
        let identity = InputIdentity::of(&file.metadata().map_err(broken)?);
        let mut source = Self::over(path, Box::new(file))?;
        source.identity = Some(identity);
        Ok(source)
    }

    pub(super) fn over(path: &Path, mut rest: Box<dyn io::Read + Send>) -> Result<Self, IntakeError> {
        let broken = |source| IntakeError::Read { path: path.to_owned(), source };
        let (mut head, complete) = read_head(rest.as_mut()).map_err(broken)?;
        if let Some((what, advice)) = looks_like(&head) {
            return Err(IntakeError::Foreign { path: path.to_owned(), what, advice });
        }
        if head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        if complete && head.iter().all(u8::is_ascii_whitespace) {
            return Err(IntakeError::Empty { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), head, complete, rest, identity: None })
    }

    /// The whole input from behind the first `skip` bytes of the head.
    pub(super) fn into_reader(self, skip: usize) -> Box<dyn BufRead + Send> {
        let mut head = Cursor::new(self.head);
        head.set_position(u64::try_from(skip).unwrap_or_default());
        Box::new(head.chain(BufReader::with_capacity(HEAD, self.rest)))
    }
}

/// The first bytes, more of them where the first line is long, and whether they are all.
fn read_head(input: &mut (impl io::Read + ?Sized)) -> io::Result<(Vec<u8>, bool)> {
    let mut head = Vec::new();
    loop {
        let wanted = HEAD as u64;
        let mut input = &mut *input;
        let read = io::Read::take(&mut input, wanted).read_to_end(&mut head)?;
        let complete = (read as u64) < wanted;
        let has_line = head.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        if complete || has_line || head.len() > LONGEST_RECORD {
            return Ok((head, complete));
        }
    }
}

const SAVE_AS: &str = "save the sheet as \"CSV UTF-8\" and import that";
const UNPACK: &str = "unpack it first";
const UTF8: &str = "save the file as UTF-8";

/// The other formats that people try, by their first bytes: what it is and what to do.
fn looks_like(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const MAGIC: [(&[u8], &str, &str); 18] = [
        (b"\x1f\x8b", "a gzip file", "unpack it first (gunzip)"),
        (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it first (unzstd)"),
        (b"BZh", "a bzip2 file", UNPACK),
        (b"\xfd7zXZ\x00", "an xz file", UNPACK),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook (xls)", SAVE_AS),
        (b"%PDF", "a PDF document", "export the data as CSV from where it comes"),
        (b"\x89PNG", "a PNG image", "export the data as CSV from where it comes"),
        (b"\xff\xd8\xff", "a JPEG image", "export the data as CSV from where it comes"),
        (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV"),
        (b"PAR1", "a Parquet file", "export the table as CSV"),
        (b"\xff\xfe\x00\x00", "text in UTF-32", UTF8),
        (b"\x00\x00\xfe\xff", "text in UTF-32", UTF8),
        (b"\xff\xfe", "text in UTF-16", UTF8),
        (b"\xfe\xff", "text in UTF-16", UTF8),
        (b"{\\rtf", "a rich text document", SAVE_AS),
        (b"PK\x05\x06", "an empty zip archive", UNPACK),
        (b"\x7fELF", "a program", "name the file that holds the customers"),
    ];
    if let Some((_, what, advice)) = MAGIC.into_iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Some((what, advice));
    }
    if head.starts_with(b"PK\x03\x04") {
        let is_sheet =
            [&b"xl/"[..], b"[Content_Types].xml", b"opendocument.spreadsheet"].iter().any(|part| holds(head, part));
        return Some(if is_sheet { ("a spreadsheet (xlsx or ods)", SAVE_AS) } else { ("a zip archive", UNPACK) });
    }
    let start = head.trim_ascii_start();
    let begins = |text: &str| start.get(..text.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(text.as_bytes()));
    if begins("<!doctype html") || begins("<html") {
        return Some(("a web page", "perhaps a login page was saved instead of the export; download it again"));
    }
    if begins("<?xml") {
        return Some(("XML", "export the data as CSV from where it comes"));
    }
    if !head.contains(&0) {
        return None;
    }
    // Latin text in UTF-16 has a zero in every other byte.
    let zeros = head.iter().filter(|byte| **byte == 0).count();
    if zeros * 3 > head.len() {
        Some(("text in UTF-16", UTF8))
    } else {
        Some(("a binary file", "name the file that holds the customers"))
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &'static [u8]) -> Result<Source, IntakeError> {
        Source::over(Path::new("customers.csv"), Box::new(bytes))
    }

    #[test]
    fn other_formats_are_told_by_name() {
        for (bytes, word) in [
            (&b"\x1f\x8b\x08\x00"[..], "gzip"),
            (b"PK\x03\x04....xl/workbook.xml", "xlsx"),
            (b"PK\x03\x04....readme", "zip"),
            (b"%PDF-1.7", "PDF"),
            (b"  <!DOCTYPE html><html>", "web page"),
            (b"\xff\xfen\x00a\x00", "UTF-16"),
            (b"n\x00a\x00m\x00e\x00", "UTF-16"),
            (b"name,\x00", "binary"),
        ] {
            let error = open(bytes).err().unwrap();
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn an_empty_file_is_one_that_holds_only_space() {
        for bytes in [&b""[..], b"\xef\xbb\xbf", b" \r\n\n\t"] {
            assert!(matches!(open(bytes), Err(IntakeError::Empty { .. })));
        }
        assert_eq!(open(b"\xef\xbb\xbfname").unwrap().head, b"name");
    }

    #[test]
    fn the_head_reaches_to_the_end_of_a_long_first_line() {
        let long = [vec![b'a'; 3 * HEAD], b"\nrest".to_vec()].concat();
        let source = Source::over(Path::new("x"), Box::new(Cursor::new(long.clone()))).unwrap();
        assert!(source.head.contains(&b'\n'));
        let mut all = Vec::new();
        source.into_reader(0).read_to_end(&mut all).unwrap();
        assert_eq!(all, long);
    }

    #[test]
    fn a_directory_and_a_missing_file_are_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Source::open(folder.path()), Err(IntakeError::Directory { .. })));
        let missing = Source::open(&folder.path().join("no.csv")).err().unwrap();
        assert!(matches!(missing, IntakeError::Read { .. }) && missing.hint().is_some());
    }

    #[test]
    fn identity_changes_with_content_and_with_replacement() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "a").unwrap();
        let before = identity(&path).unwrap();
        assert_eq!(before, identity(&path).unwrap());
        std::fs::write(&path, "ab").unwrap();
        assert_ne!(before, identity(&path).unwrap());
    }
}
