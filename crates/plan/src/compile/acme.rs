//! `acme`, and the certificates of listeners that are had so.

use std::sync::Arc;

use config::{
    AcmeChallenge, ClientCertificates, ExternalAccount as WrittenAccount, Problems, Settings,
    Spanned,
};
use data_encoding::BASE64URL_NOPAD;

use super::Open;
use crate::{Acme, AcmeCertificate, ExternalAccount, Heritage};

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

pub(super) fn compile(
    settings: &Settings,
    open: &Open<'_>,
    problems: &mut Problems,
    heritage: &Heritage,
) -> Option<Acme> {
    let wished = wished(settings);
    let Some(written) = &settings.acme else {
        if let Some(names) = wished.first().and_then(|names| names.first()) {
            problems
                .error(names.span, "nobody says which authority gives the certificate")
                .help("add `acme: { storage: /var/lib/forebay/acme, agree_to_terms: true }` at the top level");
        }
        return None;
    };
    if wished.is_empty() {
        problems
            .warning(written.span, "no certificate is had from the authority")
            .help("add `certificates: [ { acme: [ example.com ] } ]` to the `tls` of a listener");
    }
    if !*written.agree_to_terms {
        let span = match written.agree_to_terms.is_written() {
            true => written.agree_to_terms.span,
            false => written.span,
        };
        problems
            .error(
                span,
                "the authority gives nothing to those who do not agree to its terms",
            )
            .help("read them, and add `agree_to_terms: true`");
    }
    let directory = directory(written, problems);
    if written.email.is_empty() && directory != LETS_ENCRYPT && directory != STAGING {
        problems
            .warning(
                written.span,
                "the authority knows nobody to write to, and some refuse that",
            )
            .help("add `email: ops@example.com`");
    }
    let ca_file = match &written.ca_file {
        None => None,
        Some(file) => Some((file.as_str().into(), read(file, open, problems)?)),
    };
    let external = match &written.external_account {
        None => None,
        Some(account) => Some(external(account, problems)?),
    };
    let challenge = challenge(settings, written, !wished.is_empty(), problems)?;
    let folder = format!(
        "{}/{}",
        written.storage.trim_end_matches('/'),
        label(&directory)
    );
    let certificates = certificates(&wished, &folder, problems);
    Some(Acme {
        emails: written
            .email
            .iter()
            .map(|mail| mail.as_str().into())
            .collect(),
        folder: folder.into(),
        directory: directory.into(),
        key: written.key,
        challenge,
        ca_file,
        external,
        certificates,
        challenges: heritage.challenges.clone(),
    })
}

impl Acme {
    /// The file of a certificate for these names.
    pub(super) fn file(&self, names: &[Spanned<String>]) -> Option<Box<str>> {
        Some(file(&self.folder, &names.first()?.to_ascii_lowercase()))
    }
}

/// Named by the first host, so that it is still shown when others are added.
fn file(folder: &str, first: &str) -> Box<str> {
    format!("{folder}/certificates/{first}.pem").into()
}

/// The hosts of each certificate that is to be had.
fn wished(settings: &Settings) -> Vec<&[Spanned<String>]> {
    let listeners = settings.server.iter().chain(&settings.listeners);
    let tls = listeners.filter_map(|listener| listener.tls.as_ref());
    let all = tls.flat_map(|tls| &tls.certificates);
    let wished = all.map(|certificate| &*certificate.acme);
    wished.filter(|names| !names.is_empty()).collect()
}

fn directory(written: &Spanned<config::Acme>, problems: &mut Problems) -> String {
    match (&written.directory, *written.staging) {
        (None, false) => LETS_ENCRYPT.to_owned(),
        (None, true) => STAGING.to_owned(),
        (Some(directory), is_staging) => {
            if is_staging {
                problems
                    .error(
                        written.staging.span,
                        "`staging` is Let's Encrypt's, and `directory` names another authority",
                    )
                    .also(directory.span, "this one");
            }
            directory.value.clone()
        }
    }
}

/// What an authority is called in the file system: accounts and certificates of
/// one are of no use with another.
fn label(directory: &str) -> String {
    let rest = directory.strip_prefix("https://").unwrap_or(directory);
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let label: String = rest
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .collect();
    match label.trim_matches(['.', '-']) {
        "" => "authority".to_owned(),
        label => label.to_owned(),
    }
}

fn read(file: &Spanned<String>, open: &Open<'_>, problems: &mut Problems) -> Option<Arc<[u8]>> {
    let refuse = |why: String, problems: &mut Problems| {
        let message = format!("`{}`: {why}", file.value);
        problems.error(file.span, message);
    };
    let bytes = match open(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            refuse(format!("the file cannot be read: {error}"), problems);
            return None;
        }
    };
    if let Err(why) = ::tls::ServerAuthorities::read(&bytes) {
        refuse(why.to_string(), problems);
        return None;
    }
    Some(bytes.into())
}

fn external(written: &WrittenAccount, problems: &mut Problems) -> Option<ExternalAccount> {
    let (key_id, key) = (&written.key_id, &written.hmac_key);
    if !key_id.is_written() || !key.is_written() {
        return None;
    }
    let Ok(hmac_key) = BASE64URL_NOPAD.decode(key.trim_end_matches('=').as_bytes()) else {
        problems.error(key.span, "the key is not in base64url");
        return None;
    };
    Some(ExternalAccount {
        key_id: key_id.as_str().into(),
        hmac_key: hmac_key.into(),
    })
}

/// How names are shown to lead here: as it is written, or as a listener can.
fn challenge(
    settings: &Settings,
    written: &Spanned<config::Acme>,
    is_needed: bool,
    problems: &mut Problems,
) -> Option<AcmeChallenge> {
    let listeners = settings.server.iter().chain(&settings.listeners);
    let (mut plain, mut secure) = (Vec::new(), Vec::new());
    for listener in listeners {
        let asks_for_certificates = listener
            .tls
            .as_ref()
            .is_some_and(|tls| *tls.client_certificates == ClientCertificates::Require);
        match (&listener.tls, &listener.cert_file) {
            (None, None) => plain.push(listener.address.port()),
            // The authority has none to show.
            _ if asks_for_certificates => {}
            _ => secure.push(listener.address.port()),
        }
    }
    let (http, tls) = (AcmeChallenge::Http01, AcmeChallenge::TlsAlpn01);
    let can = |way: AcmeChallenge| match way {
        AcmeChallenge::Http01 => !plain.is_empty(),
        AcmeChallenge::TlsAlpn01 => !secure.is_empty(),
    };
    if let Some(way) = &written.challenge {
        if is_needed && !can(**way) {
            let (what, help) = match **way {
                AcmeChallenge::Http01 => (
                    "without TLS",
                    "add `listeners: [ { address: \"0.0.0.0:80\" } ]`",
                ),
                AcmeChallenge::TlsAlpn01 => (
                    "with TLS that takes clients without a certificate",
                    "take the challenge `http-01`",
                ),
            };
            let message = format!("no listener can answer: {} takes one {what}", way.name());
            problems.error(way.span, message).help(help);
            return None;
        }
        return Some(**way);
    }
    let way = match () {
        () if plain.contains(&80) => Some(http),
        () if secure.contains(&443) => Some(tls),
        () => [http, tls].into_iter().find(|&way| can(way)),
    };
    if way.is_none() && is_needed {
        problems
            .error(
                written.span,
                "no listener can answer the authority, which has no certificate to show",
            )
            .help("add `listeners: [ { address: \"0.0.0.0:80\", redirect_to_https: true } ]`");
        return None;
    }
    Some(way.unwrap_or(http))
}

fn certificates(
    wished: &[&[Spanned<String>]],
    folder: &str,
    problems: &mut Problems,
) -> Vec<AcmeCertificate> {
    let mut certificates: Vec<AcmeCertificate> = Vec::new();
    // Of each, where its first host is written.
    let mut places = Vec::new();
    for written in wished {
        let Some(first) = written.first() else {
            continue;
        };
        let mut names: Vec<Box<str>> = Vec::new();
        for name in written.iter().map(|name| name.to_ascii_lowercase()) {
            if !names.iter().any(|known| **known == *name) {
                names.push(name.into());
            }
        }
        let file = file(folder, &first.to_ascii_lowercase());
        let known = certificates.iter().zip(&places);
        match known.into_iter().find(|(other, _)| other.file == file) {
            None => {
                certificates.push(AcmeCertificate { names, file });
                places.push(first.span);
            }
            Some((other, _)) if other.names == names => {}
            Some((_, &before)) => {
                let first_name = &first.value;
                let message =
                    format!("two certificates have `{first_name}` first, for different hosts");
                problems
                    .error(first.span, message)
                    .also(before, "the first one")
                    .help("a certificate is kept under its first host: begin with another");
            }
        }
    }
    certificates
}
