//! How an authority is shown that a name leads here (RFC 8555 section 8).

use instant_acme::{ChallengeType, KeyAuthorization};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};

use crate::Fault;

/// A way to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// RFC 8555 section 8.3.
    Http01,
    /// RFC 8737.
    TlsAlpn01,
}

/// Where the authority's checks are answered. Whoever is told has to answer from
/// that moment on.
pub trait Answers {
    /// A request for `/.well-known/acme-challenge/` and this token gets `answer`.
    fn http(&self, token: &str, answer: &str);

    /// A handshake for this name with the protocol `acme-tls/1` is shown this.
    ///
    /// # Errors
    ///
    /// What is wrong with the certificate or its key, both in PEM form.
    fn tls(&self, name: &str, certificate: &str, key: &str) -> Result<(), String>;
}

impl Challenge {
    pub(crate) fn kind(self) -> ChallengeType {
        match self {
            Self::Http01 => ChallengeType::Http01,
            Self::TlsAlpn01 => ChallengeType::TlsAlpn01,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }

    pub(crate) fn prepare(
        self,
        name: &str,
        token: &str,
        proof: &KeyAuthorization,
        answers: &dyn Answers,
    ) -> Result<(), Fault> {
        match self {
            Self::Http01 => answers.http(token, proof.as_str()),
            Self::TlsAlpn01 => {
                let (certificate, key) = proving(name, proof.digest().as_ref())?;
                answers.tls(name, &certificate, &key).map_err(Fault::new)?;
            }
        }
        Ok(())
    }
}

/// The certificate that an authority looks for: for this name alone, with the
/// digest of the proof (RFC 8737 section 3).
fn proving(name: &str, digest: &[u8]) -> Result<(String, String), Fault> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
