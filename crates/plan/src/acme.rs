use std::sync::Arc;

pub use config::{AcmeChallenge, AcmeKey};
use tls::Challenges;

/// How certificates are had from an authority (ACME, RFC 8555).
#[derive(Debug, Clone)]
pub struct Acme {
    /// URL of its directory.
    pub directory: Box<str>,
    /// Where it writes to.
    pub emails: Vec<Box<str>>,
    /// Where the account and the certificates of this authority are kept, as seen
    /// from the configuration.
    pub folder: Box<str>,
    pub key: AcmeKey,
    pub challenge: AcmeChallenge,
    /// A file with authorities by which the directory is believed, and what is in
    /// it; those of the system without.
    pub ca_file: Option<(Box<str>, Arc<[u8]>)>,
    pub external: Option<ExternalAccount>,
    /// Each once, in the order of the file.
    pub certificates: Vec<AcmeCertificate>,
    /// What the authority is shown that checks names.
    pub challenges: Challenges,
}

/// A certificate that is had so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeCertificate {
    /// In small letters.
    pub names: Vec<Box<str>>,
    /// It and its key, as seen from the configuration. There may be none yet.
    pub file: Box<str>,
}

/// An account that was made with the authority elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    pub key_id: Box<str>,
    pub hmac_key: Box<[u8]>,
}

impl std::fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ExternalAccount")
            .field(&self.key_id)
            .finish()
    }
}
