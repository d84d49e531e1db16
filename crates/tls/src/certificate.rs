mod doubt;
mod fault;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::facts::{Facts, parse};
use crate::ocsp::{Answer, NoAnswer};
pub use doubt::{Doubt, Viewers};
pub use fault::CertificateFault;
pub(crate) use fault::no_pem;

/// From so many seconds before its end a certificate expires soon.
pub const SOON: i64 = 30 * 24 * 3600;

/// Bits that a key of RSA has to have.
const LEAST_RSA: usize = 2048;

/// A chain of certificates with the private key of the first.
#[derive(Clone)]
pub struct Certificate {
    pub(crate) key: Arc<CertifiedKey>,
    staple: Option<Staple>,
    facts: Arc<Facts>,
}

/// What is shown with a certificate: the authority's answer that it is not
/// revoked (RFC 6066 section 8).
#[derive(Clone)]
struct Staple {
    /// The certificate with it.
    key: Arc<CertifiedKey>,
    answer: Answer,
}

/// Why an answer about revocation is not one to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StapleFault {
    Malformed,
    /// The authority has said why it does not answer.
    Unsuccessful(&'static str),
    /// It is about other certificates.
    OfOthers,
}

impl Certificate {
    /// Reads a chain and its key, both in PEM form (RFC 7468).
    ///
    /// # Errors
    ///
    /// When they are not what they should be, or not of each other.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, CertificateFault> {
        let read = Self::read_unmatched(chain, key)?;
        let key = read.key.key.public_key();
        let is_its = |certificate: &CertificateDer<'_>| {
            let parsed = parse(certificate);
            parsed.is_some_and(|c| key.as_ref().is_some_and(|key| **key == *c.public_key().raw))
        };
        match &*read.key.cert {
            [_, issuers @ ..] if issuers.iter().any(is_its) => Err(CertificateFault::WrongOrder),
            [first, ..] if !is_its(first) => Err(CertificateFault::Mismatch),
            _ if read.facts.is_version_1 => Err(CertificateFault::Version1),
            _ => match read.key.keys_match() {
                Ok(()) => Ok(read),
                Err(why) => Err(CertificateFault::Unusable(why.to_string())),
            },
        }
    }

    /// The same without a look at whether they are of each other, which cannot be
    /// told of certificates with critical extensions that few know.
    pub(crate) fn read_unmatched(chain: &[u8], key: &[u8]) -> Result<Self, CertificateFault> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| CertificateFault::Chain(no_pem(&error)))?;
        let facts = match &*certificates {
            [] if is_key(chain) && !is_key(key) => return Err(CertificateFault::Swapped),
            [] => return Err(CertificateFault::NoCertificate),
            chain => Facts::of(chain).ok_or(CertificateFault::Malformed)?,
        };
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            _ if is_encrypted(key) => CertificateFault::Encrypted,
            pem::Error::NoItemsFound => CertificateFault::NoKey,
            error => CertificateFault::Key(no_pem(&error)),
        })?;
        let key = any_supported_type(&key).map_err(|error| match facts.rsa_bits {
            Some(bits) if bits < LEAST_RSA => CertificateFault::ShortKey(bits),
            _ => CertificateFault::KeyKind(error.to_string()),
        })?;
        let chain = certificates;
        Ok(Self {
            key: Arc::new(CertifiedKey::new(chain, key)),
            staple: None,
            facts: Arc::new(facts),
        })
    }

    /// The same with an answer about its revocation, in DER form, to be shown with
    /// it for as long as that is current.
    ///
    /// # Errors
    ///
    /// When it is none, or about other certificates.
    pub fn with_ocsp(mut self, response: Vec<u8>) -> Result<Self, StapleFault> {
        let answer = Answer::read(&response, &self.facts.serial)?;
        let mut key = CertifiedKey::clone(&self.key);
        key.ocsp = Some(response);
        let key = Arc::new(key);
        self.staple = Some(Staple { key, answer });
        Ok(self)
    }

    /// Until when the answer about its revocation is current, where one says so.
    pub fn staple_until(&self) -> Option<i64> {
        self.staple.as_ref()?.answer.next_update
    }

    /// What clients are shown at this time, in seconds since 1970.
    pub(crate) fn shown_at(&self, now: i64) -> &Arc<CertifiedKey> {
        let staple = self.staple.as_ref();
        let current = staple.filter(|staple| staple.is_current(now));
        current.map_or(&self.key, |staple| &staple.key)
    }

    /// The beginning of the SHA-256 of the first certificate and what is shown
    /// with it, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let chain = self.key.cert.iter().map(|c| c.as_ref());
        let stapled = self.staple.iter().flat_map(|staple| &staple.key.ocsp);
        let all: Vec<&[u8]> = chain.chain(stapled.map(|ocsp| &**ocsp)).collect();
        let hash = digest(&SHA256, &all.concat());
        let bytes = hash.as_ref().iter().take(8);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    /// The hosts that it is for, in small letters.
    pub fn names(&self) -> &[String] {
        &self.facts.names
    }

    /// What those who are shown it may hold against it at this time, in seconds since
    /// 1970.
    pub fn doubts(&self, now: i64) -> Vec<Doubt> {
        let facts = &*self.facts;
        let staple = self.staple.as_ref();
        let all = [
            (now > facts.not_after).then_some(Doubt::Expired(facts.not_after)),
            (facts.not_after - SOON..=facts.not_after)
                .contains(&now)
                .then_some(Doubt::ExpiresSoon(facts.not_after)),
            (now < facts.not_before).then_some(Doubt::NotYetValid(facts.not_before)),
            facts
                .absent_issuer
                .clone()
                .map(match facts.is_issuer_later {
                    true => Doubt::IssuerLater,
                    false => Doubt::IncompleteChain,
                }),
            facts.names.is_empty().then_some(Doubt::Nameless),
            staple
                .filter(|staple| !staple.is_current(now))
                .and_then(|staple| staple.answer.next_update)
                .map(Doubt::StapleExpired),
            staple
                .filter(|staple| !staple.answer.is_good)
                .map(|_| Doubt::StapleNotGood),
        ];
        all.into_iter().flatten().collect()
    }

    /// Since when it is valid, in seconds since 1970.
    pub fn not_before(&self) -> i64 {
        self.facts.not_before
    }

    /// Until when it is valid, in seconds since 1970.
    pub fn not_after(&self) -> i64 {
        self.facts.not_after
    }

    /// Signing with it costs much; one that costs less is rather shown.
    pub(crate) fn is_slow(&self) -> bool {
        self.key.key.algorithm() == SignatureAlgorithm::RSA
    }
}

fn is_key(file: &[u8]) -> bool {
    is_encrypted(file) || PrivateKeyDer::from_pem_slice(file).is_ok()
}

/// With a password (RFC 5958, RFC 1421).
fn is_encrypted(file: &[u8]) -> bool {
    let marks: [&[u8]; 2] = [
        b"-----BEGIN ENCRYPTED PRIVATE KEY",
        b"Proc-Type: 4,ENCRYPTED",
    ];
    marks
        .iter()
        .any(|mark| file.windows(mark.len()).any(|at| at == *mark))
}

impl Staple {
    fn is_current(&self, now: i64) -> bool {
        self.answer.next_update.is_none_or(|end| now <= end)
    }
}

impl From<NoAnswer> for StapleFault {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Malformed => Self::Malformed,
            NoAnswer::Unsuccessful(why) => Self::Unsuccessful(why),
            NoAnswer::OfOthers => Self::OfOthers,
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate")
            .field(&self.fingerprint())
            .finish()
    }
}

impl fmt::Display for StapleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("what is in the file is no OCSP response in DER form"),
            Self::Unsuccessful(why) => write!(f, "the OCSP response is no answer: it says {why}"),
            Self::OfOthers => f.write_str("the OCSP response is not about this certificate"),
        }
    }
}

impl std::error::Error for StapleFault {}

#[cfg(test)]
mod tests;
