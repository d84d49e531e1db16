use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// A chain of certificates with the private key of the first.
#[derive(Clone)]
pub struct Certificate {
    pub(crate) key: Arc<CertifiedKey>,
}

/// Why files are no certificate to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFault {
    /// The certificate file is not PEM.
    Chain(String),
    /// There is no certificate in it.
    NoCertificate,
    /// The key file is not PEM.
    Key(String),
    /// There is no private key in it.
    NoKey,
    /// A key of a kind that cannot be used.
    KeyKind(String),
    /// The key is another certificate's.
    Mismatch,
}

impl Certificate {
    /// Reads a chain and its key, both in PEM form (RFC 7468).
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, CertificateFault> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| CertificateFault::Chain(error.to_string()))?;
        if chain.is_empty() {
            return Err(CertificateFault::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => CertificateFault::NoKey,
            error => CertificateFault::Key(error.to_string()),
        })?;
        let key = any_supported_type(&key)
            .map_err(|error| CertificateFault::KeyKind(error.to_string()))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(Self {
                key: Arc::new(certified),
            }),
            Err(_) => Err(CertificateFault::Mismatch),
        }
    }
}

impl Certificate {
    /// The beginning of the SHA-256 of the first certificate, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let first = self
            .key
            .cert
            .first()
            .map(|c| c.as_ref())
            .unwrap_or_default();
        let hash = digest(&SHA256, first);
        let bytes = hash.as_ref().iter().take(8);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

impl CertificateFault {
    /// It is the key's file that is wrong.
    pub fn is_of_key(&self) -> bool {
        !matches!(self, Self::Chain(_) | Self::NoCertificate)
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(why) => write!(f, "the certificate file is not PEM: {why}"),
            Self::NoCertificate => f.write_str("there is no certificate in the file"),
            Self::Key(why) => write!(f, "the key file is not PEM: {why}"),
            Self::NoKey => f.write_str("there is no private key in the file"),
            Self::KeyKind(why) => write!(f, "the private key cannot be used: {why}"),
            Self::Mismatch => f.write_str("the private key is not the one of the certificate"),
        }
    }
}

impl std::error::Error for CertificateFault {}
