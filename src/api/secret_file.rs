//! Reads a file that holds a secret if only its owner may read it.

use std::io::Read as _;
use std::path::Path;

use super::auth_error::AuthError;
use crate::trusted_file;

/// The longest secret, in bytes. A longer text is not one.
pub(super) const SECRET_CAP: u64 = 64 * 1024;

/// Returns the bytes of the file. Checks the file that it opened, so that the path cannot be given
/// to another file in between.
///
/// # Errors
/// If the file cannot be read, or other users may read it.
pub(super) fn read_private(what: &'static str, path: &Path) -> Result<Vec<u8>, AuthError> {
    let failed = |source| AuthError::File { what, path: path.to_owned(), source };
    let file = trusted_file::open(path).map_err(failed)?;
    if trusted_file::is_exposed(&file).map_err(failed)? {
        return Err(AuthError::Exposed { what, path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    file.take(SECRET_CAP + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
