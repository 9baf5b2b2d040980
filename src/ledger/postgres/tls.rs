//! TLS to the database: rustls, with the certificates of the system and perhaps one more authority.
//! The name of the server is always checked.

use std::path::Path;
use std::sync::Arc;

use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::domain::shown;
use crate::ledger::error::DatabaseProblem;

/// Returns what makes a TLS connection that trusts the system's authorities, and that of the file
/// if there is one.
pub(super) fn connector(ca_file: Option<&Path>) -> Result<MakeRustlsConnect, DatabaseProblem> {
    let mut roots = RootCertStore::empty();
    // An authority of the system that cannot be read is one that is not trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| unusable(path, &error))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| DatabaseProblem::Settings(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, DatabaseProblem> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(unusable(path, &"it holds no certificate in PEM form")),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> DatabaseProblem {
    DatabaseProblem::Settings(format!("the certificate file {} cannot be used: {why}", shown(path)))
}
