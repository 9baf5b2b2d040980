//! Standard output carries data. Whoever closes it early has seen enough: that is no failure.

use std::io::Write as _;

pub(super) fn write(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    drop(stdout.write_all(bytes).and_then(|()| stdout.flush()));
}
