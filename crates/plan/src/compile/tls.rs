//! `cert_file`, `key_file`, `tls` and `hsts` of a listener.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::tls::{
    Certificate, ClientAuthorities, Server, ServerOptions, Tickets, UnknownName, Version,
    check_cipher_suites, check_groups,
};
use config::{ClientCertificates, Problems, Protocol, Spanned, TlsVersion};

use super::Open;
use crate::{CertificateFiles, Tls};

/// How a listener speaks TLS, if it does.
pub(super) fn compile(
    listener: &config::Listener,
    tickets: Option<(&Tickets, Duration)>,
    open: &Open<'_>,
    problems: &mut Problems,
) -> Option<Tls> {
    let settings = match &listener.tls {
        Some(tls) => tls.value.clone(),
        None => config::Tls::default(),
    };
    let mut files = Files {
        open,
        problems,
        named: Vec::new(),
    };
    let pairs = pairs(listener, &settings, files.problems);
    let listed: Vec<_> = pairs
        .into_iter()
        .map(|pair| files.certificate(pair))
        .collect();
    if listed.is_empty() {
        if let Some(tls) = &listener.tls {
            problems
                .error(tls.span, "TLS takes a certificate")
                .help("add `certificates: [ { cert_file: ..., key_file: ... } ]`");
        }
        return None;
    }
    let clients = files.clients(&settings);
    let named = std::mem::take(&mut files.named);
    let mut options = options(&settings, clients?, tickets, problems)?;
    if *listener.protocol == Protocol::Tcp {
        // What is spoken inside is for the two ends to know.
        options.protocols = Vec::new();
    }
    let listed: Option<Vec<_>> = listed.into_iter().collect();
    let (certificates, files): (Vec<_>, Vec<_>) = listed?.into_iter().unzip();
    match Server::new(certificates, &options) {
        Ok(server) => Some(Tls {
            server,
            options,
            certificates: files,
            files: named,
            handshake_timeout: listener.handshake_timeout,
            forwards_certificate: settings.forward_client_certificate,
        }),
        Err(fault) => {
            let span = listener.tls.as_ref().map(|tls| tls.span);
            let span = span.or(listener.cert_file.as_ref().map(|file| file.span));
            problems.error(
                span.unwrap_or_default(),
                format!("TLS cannot be offered like this: {fault}"),
            );
            None
        }
    }
}

/// The certificates that are named, those of the listener itself first.
fn pairs(
    listener: &config::Listener,
    settings: &config::Tls,
    problems: &mut Problems,
) -> Vec<config::TlsCertificate> {
    let mut pairs = Vec::new();
    match (&listener.cert_file, &listener.key_file) {
        (None, None) => {}
        (Some(chain), Some(key)) => pairs.push(config::TlsCertificate {
            cert_file: chain.clone(),
            key_file: key.clone(),
            ocsp_file: None,
        }),
        (Some(one), None) | (None, Some(one)) => {
            problems
                .error(one.span, "TLS takes both `cert_file` and `key_file`")
                .help("without both, the listener speaks plain HTTP");
        }
    }
    let listed = settings.certificates.iter();
    pairs.extend(listed.map(|certificate| certificate.value.clone()));
    pairs
}

/// Reads files, and keeps their names.
struct Files<'a, 'o> {
    open: &'a Open<'o>,
    problems: &'a mut Problems,
    named: Vec<Box<str>>,
}

impl Files<'_, '_> {
    fn read(&mut self, file: &Spanned<String>) -> Option<Vec<u8>> {
        if !file.is_written() {
            return None;
        }
        let name = (*file.value).into();
        if !self.named.contains(&name) {
            self.named.push(name);
        }
        match (self.open)(file) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.refuse(file, format!("the file cannot be read: {error}"));
                None
            }
        }
    }

    fn refuse(&mut self, file: &Spanned<String>, why: impl std::fmt::Display) {
        let message = format!("`{}`: {why}", file.value);
        self.problems.error(file.span, message);
    }

    fn certificate(
        &mut self,
        pair: config::TlsCertificate,
    ) -> Option<(Certificate, CertificateFiles)> {
        let (chain, key) = (self.read(&pair.cert_file), self.read(&pair.key_file));
        let ocsp = pair.ocsp_file.as_ref().map(|file| self.read(file));
        let mut certificate = match Certificate::read(&chain?, &key?) {
            Ok(certificate) => certificate,
            Err(fault) => {
                let file = match fault.is_of_key() {
                    true => &pair.key_file,
                    false => &pair.cert_file,
                };
                self.refuse(file, fault);
                return None;
            }
        };
        for doubt in certificate.doubts(today()) {
            let message = format!("`{}`: {doubt}", pair.cert_file.value);
            self.problems.warning(pair.cert_file.span, message);
        }
        if let Some(ocsp) = ocsp {
            certificate = certificate.with_ocsp(ocsp?);
        }
        let files = CertificateFiles {
            chain: (*pair.cert_file.value).into(),
            not_after: certificate.not_after(),
            key: pair.key_file,
        };
        Some((certificate, files))
    }

    /// Whose clients are believed; None where that is wrong.
    fn clients(&mut self, settings: &config::Tls) -> Option<Option<ClientAuthorities>> {
        let is_required = match *settings.client_certificates {
            ClientCertificates::Off => {
                let unused = settings.client_ca_file.iter();
                for file in unused.chain(&settings.client_crl_files) {
                    self.problems
                        .warning(file.span, "clients are not asked for certificates")
                        .help("add `client_certificates: require` or `request`");
                }
                return Some(None);
            }
            ClientCertificates::Request => false,
            ClientCertificates::Require => true,
        };
        let Some(bundle) = &settings.client_ca_file else {
            self.problems
                .error(
                    settings.client_certificates.span,
                    "nobody says whose clients are believed",
                )
                .help("add `client_ca_file`");
            return None;
        };
        let bytes = self.read(bundle)?;
        let clients = ClientAuthorities::read(&bytes, is_required);
        let mut clients = clients.map_err(|why| self.refuse(bundle, why)).ok()?;
        for file in &settings.client_crl_files {
            let bytes = self.read(file)?;
            let revoked = clients.revoke(&bytes);
            revoked.map_err(|why| self.refuse(file, why)).ok()?;
        }
        Some(Some(clients))
    }
}

fn options(
    settings: &config::Tls,
    clients: Option<ClientAuthorities>,
    tickets: Option<(&Tickets, Duration)>,
    problems: &mut Problems,
) -> Option<ServerOptions> {
    let version = |version: TlsVersion| match version {
        TlsVersion::V12 => Version::Tls12,
        TlsVersion::V13 => Version::Tls13,
    };
    let (min, max) = (&settings.min_version, &settings.max_version);
    let (min_version, max_version) = (version(**min), version(**max));
    if min_version > max_version {
        let span = if max.is_written() { max.span } else { min.span };
        problems.error(span, "`max_version` is older than `min_version`");
        return None;
    }
    let known = |found: Result<(), UnknownName>,
                 names: &[Spanned<String>],
                 what: &str,
                 problems: &mut Problems| {
        let Err(UnknownName { at, known }) = found else {
            return true;
        };
        if let Some(name) = names.get(at) {
            problems
                .error(name.span, format!("unknown {what} `{}`", name.value))
                .suggest(config::suggest(
                    &name.value,
                    known.iter().map(|known| &**known),
                ))
                .help(format!("there are {}", known.join(", ")));
        }
        false
    };
    let plain = |names: &[Spanned<String>]| -> Vec<String> {
        names.iter().map(|name| name.value.clone()).collect()
    };
    let cipher_suites = plain(&settings.cipher_suites);
    let groups = plain(&settings.key_exchange_groups);
    let found = check_cipher_suites(&cipher_suites);
    let are_suites = known(found, &settings.cipher_suites, "cipher suite", problems);
    let found = check_groups(&groups);
    let are_groups = known(found, &settings.key_exchange_groups, "group", problems);
    (are_suites && are_groups).then(|| ServerOptions {
        protocols: vec!["http/1.1"],
        min_version,
        max_version,
        cipher_suites,
        groups,
        sni_strict: settings.sni_strict,
        tickets: tickets.map(|(tickets, _)| tickets.clone()),
        ticket_rotation: tickets.map(|(_, rotation)| rotation).unwrap_or_default(),
        clients,
    })
}

/// The value of `Strict-Transport-Security` (RFC 6797 section 6.1).
pub(super) fn hsts(
    listener: &config::Listener,
    tls: Option<&Tls>,
    problems: &mut Problems,
) -> Option<Box<str>> {
    let hsts = listener.hsts.as_ref()?;
    if tls.is_none() && listener.tls.is_none() && listener.cert_file.is_none() {
        problems
            .error(
                hsts.span,
                "HSTS takes TLS: browsers believe it from nowhere else",
            )
            .help("move it to the listener with the certificate");
        return None;
    }
    let mut value = format!("max-age={}", hsts.max_age.as_secs());
    for (is_said, words) in [
        (hsts.include_subdomains, "; includeSubDomains"),
        (hsts.preload, "; preload"),
    ] {
        if is_said {
            value.push_str(words);
        }
    }
    Some(value.into())
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether a certificate is valid depends on today"
)]
fn today() -> i64 {
    let today = SystemTime::now().duration_since(UNIX_EPOCH);
    today.map_or(0, |time| time.as_secs() as i64)
}
