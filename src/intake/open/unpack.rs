//! Packed inputs: gzip and zstd, recognized by their first bytes and unpacked while they are read.
//!
//! A file of several members or frames is one input, as for the tools that write such files. Memory
//! is limited to the decoder's window, which is capped, however much the file unpacks to.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use super::changed::InputChanged;
use crate::intake::limits::HEAD;

/// The largest zstd window that is accepted, as a power of two: 8 MiB. RFC 8878 (3.1.1.1.2) asks
/// every decoder to support this size, and `zstd` uses no larger one up to level 19.
const WINDOW_LOG: u32 = 23;
/// The ratio is checked only above this size, because less data is harmless at any ratio.
pub(crate) const HARMLESS: u64 = if cfg!(test) { 4 << 20 } else { 64 << 20 };
/// A file whose records all hold different customers does not compress better than this.
pub(crate) const MOST_RATIO: u64 = 500;

/// How an input is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// Detects the packing from the first four bytes of a file. Returns `None` if the file is not
    /// packed.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // A skippable frame may come first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Why a packed input cannot be read any further. It is carried inside an [`io::Error`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackFault {
    #[error("it is cut off, as if copying or writing it had stopped early")]
    Cut,
    #[error("its window is larger than {} MiB", 1 << (WINDOW_LOG - 20))]
    Window,
    #[error("it unpacks to more than {MOST_RATIO} times its size")]
    Bomb,
    #[error("other data follows its end")]
    Followed,
    #[error("it is damaged ({0})")]
    Damaged(String),
    #[error("it is a damaged zip archive ({0})")]
    Archive(String),
}

/// Reads a packed input and returns the unpacked bytes.
pub(crate) struct Unpacker<R: Read> {
    decoder: Decoder<R>,
    unpacked: u64,
}

enum Decoder<R: Read> {
    Gzip(Box<GzipMembers<BufReader<CountingReader<R>>>>),
    Zstd(zstd::Decoder<'static, BufReader<CountingReader<R>>>),
}

impl<R: Read> Unpacker<R> {
    pub(crate) fn new(packing: Packing, input: R) -> io::Result<Self> {
        let input = BufReader::with_capacity(HEAD, CountingReader { input, bytes: 0 });
        let decoder = match packing {
            Packing::Gzip => Decoder::Gzip(Box::new(GzipMembers::new(input))),
            Packing::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(input)?;
                decoder.window_log_max(WINDOW_LOG)?;
                Decoder::Zstd(decoder)
            }
        };
        Ok(Self { decoder, unpacked: 0 })
    }

    fn packed(&self) -> u64 {
        match &self.decoder {
            Decoder::Gzip(members) => members.input().map_or(0, |input| input.get_ref().bytes),
            Decoder::Zstd(decoder) => decoder.get_ref().get_ref().bytes,
        }
    }
}

impl<R: Read> Read for Unpacker<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.decoder {
            Decoder::Gzip(members) => members.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        };
        self.unpacked += read.as_ref().map_or(0, |read| *read as u64);
        if self.unpacked > HARMLESS && self.unpacked / MOST_RATIO > self.packed() {
            return Err(io::Error::other(UnpackFault::Bomb));
        }
        read.map_err(explained)
    }
}

/// The members of a gzip file, one after the other. Zeros may follow the last one, as `gzip`
/// allows, because tapes and block devices add them.
struct GzipMembers<R> {
    /// `None` only while one member passes the input to the next.
    member: Option<GzDecoder<R>>,
    is_over: bool,
}

impl<R: BufRead> GzipMembers<R> {
    fn new(input: R) -> Self {
        Self { member: Some(GzDecoder::new(input)), is_over: false }
    }

    fn input(&self) -> Option<&R> {
        self.member.as_ref().map(GzDecoder::get_ref)
    }

    /// Starts the next member after one ended. Returns `false` at the end of the file.
    fn go_on(&mut self) -> io::Result<bool> {
        let Some(mut input) = self.member.take().map(GzDecoder::into_inner) else { return Ok(false) };
        let has_next = begins_another(&mut input);
        // If the read was interrupted, the caller repeats it.
        self.is_over = match &has_next {
            Ok(has_next) => !has_next,
            Err(error) => error.kind() != io::ErrorKind::Interrupted,
        };
        // Also at the end, because the input counts how much was read from it.
        self.member = Some(GzDecoder::new(input));
        has_next
    }
}

fn begins_another(input: &mut impl BufRead) -> io::Result<bool> {
    let mut is_padded = false;
    loop {
        let chunk = input.fill_buf()?;
        let zeros = chunk.iter().take_while(|byte| **byte == 0).count();
        is_padded |= zeros > 0;
        match chunk.get(zeros) {
            Some(0x1f) if !is_padded => return Ok(true),
            Some(_) => return Err(io::Error::other(UnpackFault::Followed)),
            None if chunk.is_empty() => return Ok(false),
            None => input.consume(zeros),
        }
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let (false, Some(member)) = (self.is_over, &mut self.member) {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() || !self.go_on()? {
                return Ok(read);
            }
        }
        Ok(0)
    }
}

/// Returns errors of the operating system as they are, and turns all others into an
/// [`UnpackFault`].
fn explained(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    if error.get_ref().is_some_and(|inner| inner.is::<UnpackFault>() || inner.is::<InputChanged>()) {
        return error;
    }
    let text = error.to_string();
    io::Error::other(match error.kind() {
        io::ErrorKind::UnexpectedEof => UnpackFault::Cut,
        _ if text.contains("too much memory") => UnpackFault::Window,
        _ => UnpackFault::Damaged(text),
    })
}

/// Counts the bytes that are read from the file.
struct CountingReader<R> {
    input: R,
    bytes: u64,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use super::*;

    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    fn unpack(packed: &[u8]) -> Result<Vec<u8>, UnpackFault> {
        let mut bytes = Vec::new();
        let packing = Packing::of(packed).expect("packed");
        match Unpacker::new(packing, packed).unwrap().read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(error.get_ref().unwrap().downcast_ref::<UnpackFault>().unwrap().clone()),
        }
    }

    #[test]
    fn members_and_frames_one_after_the_other_are_one_input() {
        assert_eq!(unpack(&[gzip(b"a,"), gzip(b""), gzip(b"b")].concat()).unwrap(), b"a,b");
        assert_eq!(unpack(&[zst(b"a,"), zst(b""), zst(b"b")].concat()).unwrap(), b"a,b");
        let skipped = b"\x52\x2a\x4d\x18\x03\0\0\0xyz".to_vec();
        assert_eq!(unpack(&[skipped, zst(b"a")].concat()).unwrap(), b"a");
    }

    #[test]
    fn a_cut_anywhere_is_told_and_never_the_end() {
        let text: Vec<u8> =
            (0..2000u32).flat_map(|n| format!("{}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect();
        for packed in [gzip(&text), zst(&text)] {
            for length in (4..packed.len()).step_by(97).chain([packed.len() - 1]) {
                assert_eq!(unpack(&packed[..length]), Err(UnpackFault::Cut), "{length} of {}", packed.len());
            }
        }
    }

    #[test]
    fn flipped_bits_and_whatever_follows_are_told() {
        let mut packed = gzip(&b"name,email\n".repeat(100));
        let last = packed.len() - 6;
        packed[last] ^= 1;
        assert!(matches!(unpack(&packed), Err(UnpackFault::Damaged(_))));
        for rest in [&b"something else that is long"[..], b"\n", b"\0\0x"] {
            assert_eq!(unpack(&[&gzip(b"a"), rest].concat()), Err(UnpackFault::Followed));
        }
        let followed = [zst(b"a"), b"something else that is long".to_vec()].concat();
        assert!(matches!(unpack(&followed), Err(UnpackFault::Damaged(_))));
    }

    #[test]
    fn zeros_after_gzip_are_padding() {
        let padded = [gzip(b"a,"), gzip(b"b"), vec![0; 200_000]].concat();
        assert_eq!(unpack(&padded).unwrap(), b"a,b");
    }

    #[test]
    fn a_large_file_of_usual_ratio_is_read_to_its_end() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        io::copy(&mut io::repeat(b'\n').take(HARMLESS + 10), &mut encoder).unwrap();
        let packed = encoder.finish().unwrap();
        let read = io::copy(&mut Unpacker::new(Packing::Gzip, &packed[..]).unwrap(), &mut io::sink());
        assert_eq!(read.unwrap(), HARMLESS + 10);
        let followed = [&packed[..], b"x"].concat();
        let read = io::copy(&mut Unpacker::new(Packing::Gzip, &followed[..]).unwrap(), &mut io::sink());
        assert!(read.unwrap_err().to_string().contains("follows its end"));
    }

    #[test]
    fn what_unpacks_without_end_is_stopped() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        io::copy(&mut io::repeat(b'\n').take(HARMLESS + (1 << 20)), &mut encoder).unwrap();
        let packed = encoder.finish().unwrap();
        let read = io::copy(&mut Unpacker::new(Packing::Zstd, &packed[..]).unwrap(), &mut io::sink());
        assert!(read.unwrap_err().to_string().contains("500 times"));
    }

    #[test]
    fn a_window_beyond_the_cap_is_told() {
        let packed = |log: u32| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(log).unwrap();
            encoder.write_all(&b"name,email\n".repeat(1000)).unwrap();
            encoder.finish().unwrap()
        };
        assert!(unpack(&packed(WINDOW_LOG)).is_ok());
        assert_eq!(unpack(&packed(WINDOW_LOG + 1)), Err(UnpackFault::Window));
    }
}
