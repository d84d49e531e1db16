//! Certificates that clients show.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, digest};
use data_encoding::BASE64;
use message::ClientCertificate;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::x509::X509Version;

use crate::certificate::no_pem;
use crate::facts::{names, parse, text};
use crate::{CertificateFault, Fault};

/// Whose certificates are believed.
#[derive(Debug, Clone)]
pub struct ClientAuthorities {
    roots: Arc<RootCertStore>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
    /// Who shows none is turned down.
    pub is_required: bool,
}

impl ClientAuthorities {
    /// Reads the certificates of authorities, in PEM form; or says why that
    /// cannot be.
    ///
    /// # Errors
    ///
    /// When there is none, or one that cannot be used.
    pub fn read(bundle: &[u8], is_required: bool) -> Result<Self, String> {
        let roots = read_roots(bundle)?;
        Ok(Self {
            roots: Arc::new(roots),
            revoked: Vec::new(),
            is_required,
        })
    }

    /// Reads lists of certificates that are not believed any more (RFC 5280
    /// section 5), in PEM form. Returns when the first of them was to be followed
    /// by a newer one, in seconds since 1970; or why it cannot be.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn revoke(&mut self, lists: &[u8]) -> Result<Option<i64>, String> {
        let lists: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(lists).collect();
        let lists = lists.map_err(|error| format!("it is not PEM: {}", no_pem(&error)))?;
        if lists.is_empty() {
            return Err("there is no revocation list in it".to_owned());
        }
        let is_old = |list: &CertificateRevocationListDer<'_>| {
            let parsed = CertificateRevocationList::from_der(list);
            parsed.is_ok_and(|(_, list)| list.version().is_none_or(|v| v == X509Version::V1))
        };
        if lists.iter().any(is_old) {
            return Err(
                "the revocation list is of version 1: make it of version 2, as `openssl ca -gencrl` does with `crl_extensions`, such as `crlNumber=...`"
                    .to_owned(),
            );
        }
        let ends = lists.iter().filter_map(|list| {
            let (_, list) = CertificateRevocationList::from_der(list).ok()?;
            Some(list.next_update()?.timestamp())
        });
        let end = ends.min();
        self.revoked.extend(lists);
        self.verifier(&rustls::crypto::aws_lc_rs::default_provider().into())
            .map_err(|fault| fault.to_string())?;
        Ok(end)
    }

    pub(crate) fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, Fault> {
        let roots = Arc::clone(&self.roots);
        let mut builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
            .with_crls(self.revoked.iter().cloned());
        if !self.is_required {
            builder = builder.allow_unauthenticated();
        }
        builder
            .build()
            .map_err(|error| Fault::told(error.to_string()))
    }

    /// Other authorities, lists or demands, other digits.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hash = Context::new(&SHA256);
        hash.update(&[u8::from(self.is_required)]);
        add_roots(&mut hash, &self.roots);
        for list in &self.revoked {
            hash.update(&(list.len() as u64).to_be_bytes());
            hash.update(list);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.finish().as_ref());
        bytes
    }

    /// The beginning of [`Self::hash`], in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        hex(self.hash().get(..8).unwrap_or_default())
    }
}

/// The certificates of authorities, from a PEM file.
pub(crate) fn read_roots(bundle: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        let certificate =
            certificate.map_err(|error| format!("it is not PEM: {}", no_pem(&error)))?;
        let added = roots.add(certificate);
        added.map_err(|error| format!("a certificate in it cannot be used: {error}"))?;
    }
    match roots.is_empty() {
        true => Err("there is no certificate in it".to_owned()),
        false => Ok(roots),
    }
}

/// What a certificate says that has been verified; None where it cannot be read.
pub(crate) fn client_certificate(certificate: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let parsed = parse(certificate)?;
    Some(ClientCertificate {
        subject: parsed.subject().to_string(),
        names: names(&parsed, text),
        fingerprint: hex(digest(&SHA256, certificate).as_ref()),
        serial: hex(parsed.raw_serial()),
        field: format!(":{}:", BASE64.encode(certificate)),
    })
}

/// What the first certificate in a PEM file says, verified or not; or why there
/// is none.
///
/// # Errors
///
/// When it cannot be read.
pub fn read_client_certificate(chain: &[u8]) -> Result<ClientCertificate, CertificateFault> {
    let first = CertificateDer::pem_slice_iter(chain).next();
    let first = first.ok_or(CertificateFault::NoCertificate)?;
    let first = first.map_err(|error| CertificateFault::Chain(no_pem(&error)))?;
    client_certificate(&first).ok_or(CertificateFault::Malformed)
}

pub(crate) fn add_roots(hash: &mut Context, roots: &RootCertStore) {
    for root in &roots.roots {
        for part in [&*root.subject, &*root.subject_public_key_info] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
