//! Versions, cipher suites and groups by their names in the registries of IANA.

use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::{NamedGroup, SupportedCipherSuite, SupportedProtocolVersion, version};

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Tls12,
    Tls13,
}

impl Version {
    /// Those from `least` to `most`.
    pub(crate) fn between(least: Self, most: Self) -> Vec<&'static SupportedProtocolVersion> {
        let all = [
            (Self::Tls13, &version::TLS13),
            (Self::Tls12, &version::TLS12),
        ];
        let within = all.into_iter().filter(|(v, _)| (least..=most).contains(v));
        within.map(|(_, version)| version).collect()
    }

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

/// A name that is not among those there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// Its place in the list.
    pub at: usize,
    pub known: Vec<String>,
}

/// The cipher suites there are, best first.
pub fn cipher_suites() -> Vec<String> {
    let all = aws_lc_rs::ALL_CIPHER_SUITES.iter();
    all.map(suite_name).collect()
}

/// The groups for the key exchange there are, best first.
pub fn key_exchange_groups() -> Vec<String> {
    let all = aws_lc_rs::ALL_KX_GROUPS.iter();
    all.map(|group| group_name(group.name())).collect()
}

fn suite_name(suite: &SupportedCipherSuite) -> String {
    // Those of TLS 1.3 have the version in their name only here.
    format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1)
}

fn group_name(group: NamedGroup) -> String {
    match group {
        NamedGroup::X25519 => "x25519".to_owned(),
        group => format!("{group:?}"),
    }
}

/// What is offered with these suites and groups, best first; all the usual ones
/// where none are named.
pub(crate) fn provider(suites: &[String], groups: &[String]) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if let Ok(suites @ [_, ..]) = find_suites(suites).as_deref() {
        provider.cipher_suites = suites.to_vec();
    }
    if let Ok(groups @ [_, ..]) = find_groups(groups).as_deref() {
        provider.kx_groups = groups.to_vec();
    }
    provider
}

pub(crate) fn find_suites(names: &[String]) -> Result<Vec<SupportedCipherSuite>, UnknownName> {
    find(names, aws_lc_rs::ALL_CIPHER_SUITES, suite_name)
}

pub(crate) fn find_groups(
    names: &[String],
) -> Result<Vec<&'static dyn SupportedKxGroup>, UnknownName> {
    find(names, aws_lc_rs::ALL_KX_GROUPS, |group| {
        group_name(group.name())
    })
}

/// Whether all of these are cipher suites.
///
/// # Errors
///
/// The first that is none.
pub fn check_cipher_suites(names: &[String]) -> Result<(), UnknownName> {
    find_suites(names).map(drop)
}

/// Whether there is one among them, all of them cipher suites, for one of these
/// versions; without any, the usual ones are.
pub fn suites_fit(names: &[String], min: Version, max: Version) -> bool {
    let versions = Version::between(min, max);
    let suites = find_suites(names).unwrap_or_default();
    let mut fitting = suites
        .iter()
        .filter(|suite| versions.contains(&suite.version()));
    suites.is_empty() || fitting.next().is_some()
}

/// Whether all of these are groups.
///
/// # Errors
///
/// The first that is none.
pub fn check_groups(names: &[String]) -> Result<(), UnknownName> {
    find_groups(names).map(drop)
}

fn find<T: Copy>(
    names: &[String],
    all: &[T],
    name_of: impl Fn(&T) -> String,
) -> Result<Vec<T>, UnknownName> {
    let find = |(at, name): (usize, &String)| {
        let found = all
            .iter()
            .find(|one| name_of(one).eq_ignore_ascii_case(name));
        found.copied().ok_or_else(|| UnknownName {
            at,
            known: all.iter().map(&name_of).collect(),
        })
    };
    names.iter().enumerate().map(find).collect()
}
