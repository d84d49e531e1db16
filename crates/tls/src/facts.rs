//! What a certificate says, as far as anybody here asks.

use std::fmt;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::oid_registry;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{X509Name, X509Version};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// DNS names and addresses among the alternative names (RFC 6125 section 6.4), in small letters.
    pub(crate) names: Vec<String>,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) is_version_1: bool,
    /// How many its key has, if it is one of RSA.
    pub(crate) rsa_bits: Option<usize>,
    /// Big-endian.
    pub(crate) serial: Vec<u8>,
    /// Whose certificate does not follow, where it is not its own.
    pub(crate) absent_issuer: Option<DistinguishedName>,
    /// It comes later.
    pub(crate) is_issuer_later: bool,
}

/// Whom a certificate is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistinguishedName {
    /// In DER form.
    pub(crate) der: Box<[u8]>,
    text: Box<str>,
}

impl DistinguishedName {
    fn of(name: &X509Name<'_>) -> Self {
        Self {
            der: name.as_raw().into(),
            text: shown(name).into(),
        }
    }
}

/// As an operator can be shown it, whoever has written it.
fn shown(name: &X509Name<'_>) -> String {
    const MOST: usize = 200;
    let text = match name.to_string_with_registry(oid_registry()) {
        Ok(text) if text.is_empty() => return "(without a name)".to_owned(),
        Ok(text) => text,
        Err(_) => return "(a name that is no text)".to_owned(),
    };
    let is_plain = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let plain = |c| if is_plain(c) { c } else { '?' };
    let mut shown: String = text.chars().take(MOST).map(plain).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push_str("...");
    }
    shown
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Facts {
    /// None where the first of them is no certificate.
    pub(crate) fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let first = parse(chain.first()?)?;
        let next = chain.get(1).and_then(|next| parse(next));
        let validity = first.validity();
        Some(Self {
            names: names(&first, |name| match name {
                GeneralName::DNSName(_) | GeneralName::IPAddress(_) => text(name),
                _ => None,
            }),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            is_version_1: first.version() == X509Version::V1,
            rsa_bits: match first.public_key().parsed() {
                Ok(PublicKey::RSA(key)) => Some(key.key_size()),
                _ => None,
            },
            serial: first.raw_serial().to_vec(),
            is_issuer_later: {
                let mut later = chain.iter().skip(2).filter_map(parse);
                later.any(|one| one.subject().as_raw() == first.issuer().as_raw())
            },
            absent_issuer: {
                let mut known = [Some(&first), next.as_ref()].into_iter().flatten();
                let issuer = first.issuer();
                let is_there = known.any(|one| one.subject().as_raw() == issuer.as_raw());
                (!is_there).then(|| DistinguishedName::of(issuer))
            },
        })
    }
}

pub(crate) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    let parsed = X509Certificate::from_der(certificate).ok();
    parsed.map(|(_, certificate)| certificate)
}

/// Those of its alternative names that `pick` takes.
pub(crate) fn names(
    certificate: &X509Certificate<'_>,
    pick: impl Fn(&GeneralName<'_>) -> Option<String>,
) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let all = extension.map(|extension| &*extension.value.general_names);
    all.unwrap_or_default().iter().filter_map(pick).collect()
}

/// As people write it.
pub(crate) fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let four: Result<[u8; 4], _> = bytes.try_into();
    let sixteen: Result<[u8; 16], _> = bytes.try_into();
    let four = four.map(|bytes| std::net::IpAddr::from(bytes).to_string());
    let sixteen = sixteen.map(|bytes| std::net::IpAddr::from(bytes).to_string());
    four.or(sixteen).ok()
}

/// A moment in seconds since 1970 as people write it.
pub fn date(unix: i64) -> String {
    let Ok(time) = ASN1Time::from_timestamp(unix) else {
        return format!("{unix} s since 1970");
    };
    let time = time.to_datetime();
    let (month, day) = (u8::from(time.month()), time.day());
    let (hour, minute) = (time.hour(), time.minute());
    format!(
        "{}-{month:02}-{day:02} {hour:02}:{minute:02} UTC",
        time.year()
    )
}
