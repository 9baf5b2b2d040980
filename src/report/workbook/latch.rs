//! A file that fails at most once.

use std::io::{self, Write};

/// A writer that passes the first error on and discards everything after it. The archive writer
/// finishes itself when it is dropped and prints an error of that to stderr, although the caller
/// has already got one.
#[derive(Debug)]
pub(super) struct Latch<W> {
    inner: W,
    has_failed: bool,
}

impl<W> Latch<W> {
    pub(super) const fn new(inner: W) -> Self {
        Self { inner, has_failed: false }
    }

    pub(super) fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Write> Write for Latch<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.has_failed {
            return Ok(bytes.len());
        }
        let written = self.inner.write(bytes);
        self.has_failed = written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.has_failed { Ok(()) } else { self.inner.flush() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_the_only_one() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::StorageFull.into())
            }
        }
        let mut latch = Latch::new(Full);
        assert_eq!(latch.write_all(b"a").unwrap_err().kind(), io::ErrorKind::StorageFull);
        latch.write_all(b"b").unwrap();
        latch.flush().unwrap();
    }
}
