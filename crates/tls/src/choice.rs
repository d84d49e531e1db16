//! Which certificate a client is shown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::refused::note_name;
use crate::{ACME_TLS, Certificate, Challenges};

/// Certificates by the names that they are for: exact ones, then those of which
/// a wildcard stands for the first label (RFC 6125 section 6.4.3).
#[derive(Debug)]
pub(crate) struct Choice {
    certificates: Vec<Certificate>,
    /// Places in `certificates`, the preferred first.
    exact: HashMap<Box<str>, Vec<usize>>,
    /// By what follows `*.`.
    wildcard: HashMap<Box<str>, Vec<usize>>,
    /// For whoever asks for no name, or for one that is nobody's.
    default: Vec<usize>,
    is_strict: bool,
    /// For authorities that check names.
    challenges: Option<Challenges>,
}

impl Choice {
    /// The first is the default one, and with it all that are for just the same
    /// names: RSA and ECDSA of one host. Where it `is_strict` there is none.
    pub(crate) fn new(
        certificates: Vec<Certificate>,
        is_strict: bool,
        challenges: Option<Challenges>,
    ) -> Self {
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        let mut by_cost: Vec<usize> = (0..certificates.len()).collect();
        by_cost.sort_by_key(|&at| certificates.get(at).is_some_and(Certificate::is_slow));
        let mut default = Vec::new();
        let first = certificates.first().map(sorted_names);
        for at in by_cost {
            let Some(certificate) = certificates.get(at) else {
                continue;
            };
            for name in certificate.names() {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut wildcard, rest),
                    None => (&mut exact, &**name),
                };
                let places: &mut Vec<usize> = names.entry(name.into()).or_default();
                places.push(at);
            }
            if at == 0 || Some(sorted_names(certificate)) == first {
                default.push(at);
            }
        }
        Self {
            certificates,
            exact,
            wildcard,
            default,
            is_strict,
            challenges,
        }
    }

    fn places(&self, name: Option<&str>) -> &[usize] {
        let exact = name.and_then(|name| self.exact.get(name));
        let wildcard = || {
            let (_, rest) = name?.split_once('.')?;
            self.wildcard.get(rest)
        };
        match exact.or_else(wildcard) {
            Some(places) => places,
            None if self.is_strict => &[],
            None => &self.default,
        }
    }

    fn key_for(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if is_check(hello) {
            // Of a name that is not being checked nothing is shown.
            let challenges = self.challenges.as_ref()?;
            let certificate = challenges.certificate_for(hello.server_name()?)?;
            return Some(certificate.key);
        }
        let certificate = self.choose(hello.server_name(), hello.signature_schemes())?;
        Some(Arc::clone(certificate.shown_at(today())))
    }

    /// The first that the client can check; if there is none, the first.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<&Certificate> {
        let places = self.places(name).iter();
        let mut certificates = places.filter_map(|&at| self.certificates.get(at));
        let can_check =
            |certificate: &&Certificate| certificate.key.key.choose_scheme(schemes).is_some();
        let first = certificates.clone().next();
        certificates.find(can_check).or(first)
    }
}

/// Speaks nothing but the protocol of the checks (RFC 8737 section 3).
fn is_check(hello: &ClientHello<'_>) -> bool {
    let mut protocols = hello.alpn().into_iter().flatten().peekable();
    protocols.peek().is_some() && protocols.all(|protocol| protocol == ACME_TLS)
}

fn sorted_names(certificate: &Certificate) -> Vec<String> {
    let mut names = certificate.names().to_vec();
    names.sort();
    names
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let key = self.key_for(&hello);
        if key.is_none() {
            note_name(hello.server_name());
        }
        key
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is stapled is current until a day"
)]
fn today() -> i64 {
    let today = SystemTime::now().duration_since(UNIX_EPOCH);
    today.map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
