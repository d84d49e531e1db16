use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Certificate, CertificateFault};

/// What an authority is shown that checks whether names lead here (RFC 8555
/// section 8), for as long as it does. One for the whole process: nobody knows
/// at which listener and worker it asks.
#[derive(Clone, Default)]
pub struct Challenges {
    shown: Arc<Mutex<Shown>>,
}

#[derive(Default)]
struct Shown {
    /// By token.
    answers: HashMap<Box<str>, Arc<[u8]>>,
    /// By name, in small letters.
    certificates: HashMap<Box<str>, Certificate>,
}

/// The protocol of the handshakes in which an authority looks (RFC 8737 section
/// 6.2).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

impl Challenges {
    /// A request for this token gets `answer` from now on.
    pub fn answer(&self, token: &str, answer: &str) {
        let answer = answer.as_bytes().into();
        self.lock().answers.insert(token.into(), answer);
    }

    /// Who asks for this name to check it is shown this from now on, in PEM form.
    ///
    /// # Errors
    ///
    /// When it is no certificate with its key.
    pub fn show(&self, name: &str, chain: &str, key: &str) -> Result<(), CertificateFault> {
        let read = Certificate::read_unmatched(chain.as_bytes(), key.as_bytes())?;
        let name = name.to_ascii_lowercase().into();
        self.lock().certificates.insert(name, read);
        Ok(())
    }

    /// Nothing is checked any more.
    pub fn clear(&self) {
        *self.lock() = Shown::default();
    }

    /// What a request for this token gets, if it is one.
    pub fn answer_to(&self, token: &[u8]) -> Option<Arc<[u8]>> {
        let token = std::str::from_utf8(token).ok()?;
        self.lock().answers.get(token).cloned()
    }

    pub(crate) fn certificate_for(&self, name: &str) -> Option<Certificate> {
        self.lock().certificates.get(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answers are nobody's business but the authority's.
impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenges")
    }
}
