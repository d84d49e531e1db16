//! `cert_file`, `key_file`, `tls` and `hsts` of a listener.

mod files;

use std::time::Duration;

use ::tls::{
    ClientAuthorities, Server, ServerOptions, Tickets, UnknownName, Version, Viewers,
    check_cipher_suites, check_groups, suites_fit,
};
use config::{AcmeChallenge, Problems, Protocol, Spanned, TlsVersion};

use super::Open;
use super::backend_tls::System;
use crate::{Acme, Heritage, Tls};
pub(super) use files::{Files, Pair};

/// How a listener speaks TLS, if it does.
pub(super) fn compile(
    listener: &config::Listener,
    (tickets, acme): (Option<(&Tickets, Duration)>, Option<&Acme>),
    outside: (&Open<'_>, &System, &Heritage),
    problems: &mut Problems,
) -> Option<Tls> {
    let settings = match &listener.tls {
        Some(tls) => tls.value.clone(),
        None => config::Tls::default(),
    };
    let mut files = Files::new(outside, Viewers::Clients, problems);
    let sought = sought(listener, &settings, acme, files.problems);
    let is_empty = sought.is_empty();
    let mut awaited = Vec::new();
    let mut listed = Vec::new();
    for sought in sought {
        match sought {
            Sought::In(pair) => listed.push(files.certificate(pair)),
            Sought::Kept(file, names) => match files.kept(file) {
                Some(kept) => listed.push(Some(kept)),
                None => awaited.extend(names),
            },
            Sought::Wrong => listed.push(None),
        }
    }
    if is_empty {
        if let Some(tls) = &listener.tls {
            problems
                .error(tls.span, "TLS takes a certificate")
                .help("add `certificates: [ { cert_file: ..., key_file: ... } ]`");
        }
        return None;
    }
    let clients = files.clients(&settings);
    let named = std::mem::take(&mut files.named);
    let revocation_lists = std::mem::take(&mut files.revocation_lists);
    let mut options = options(listener, &settings, clients?, tickets, problems)?;
    if *listener.protocol == Protocol::Tcp {
        // What is spoken inside is for the two ends to know.
        options.protocols = Vec::new();
    }
    options.awaited = awaited;
    options.challenges = acme
        .filter(|acme| acme.challenge == AcmeChallenge::TlsAlpn01)
        .map(|acme| acme.challenges.clone());
    let listed: Option<Vec<_>> = listed.into_iter().collect();
    let (certificates, files): (Vec<_>, Vec<_>) = listed?.into_iter().unzip();
    match Server::new(certificates, &options) {
        Ok(server) => Some(Tls {
            server,
            options,
            certificates: files,
            files: named,
            revocation_lists,
            handshake_timeout: listener.handshake_timeout,
            forwards_certificate: *settings.forward_client_certificate,
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

/// Where a certificate is to be found.
enum Sought {
    In(Pair),
    /// In this file, once an authority has given it for these names.
    Kept(Spanned<String>, Vec<Box<str>>),
    /// It was told what is wrong.
    Wrong,
}

/// The certificates that are named, those of the listener itself first.
fn sought(
    listener: &config::Listener,
    settings: &config::Tls,
    acme: Option<&Acme>,
    problems: &mut Problems,
) -> Vec<Sought> {
    let mut all = Vec::new();
    match (&listener.cert_file, &listener.key_file) {
        (None, None) => {}
        (Some(chain), Some(key)) => all.push(Sought::In(Pair {
            chain: chain.clone(),
            key: key.clone(),
            ocsp: None,
            is_renewed: false,
        })),
        (Some(one), None) | (None, Some(one)) => {
            problems
                .error(one.span, "TLS takes both `cert_file` and `key_file`")
                .help("without both, the listener speaks plain HTTP");
        }
    }
    let listed = settings.certificates.iter();
    all.extend(listed.map(|written| one(written, acme, problems)));
    all
}

fn one(
    written: &Spanned<config::TlsCertificate>,
    acme: Option<&Acme>,
    problems: &mut Problems,
) -> Sought {
    let config::TlsCertificate {
        cert_file,
        key_file,
        ocsp_file,
        acme: names,
    } = &written.value;
    match (cert_file, key_file, names.first()) {
        (Some(chain), Some(key), None) => Sought::In(Pair {
            chain: chain.clone(),
            key: key.clone(),
            ocsp: ocsp_file.clone(),
            is_renewed: false,
        }),
        (None, None, Some(first)) if ocsp_file.is_none() => {
            // Where there is no authority that has been told.
            let Some(file) = acme.and_then(|acme| acme.file(names)) else {
                return Sought::Wrong;
            };
            let file = Spanned::new(String::from(file), first.span);
            let names = names.iter().map(|name| name.to_ascii_lowercase().into());
            Sought::Kept(file, names.collect())
        }
        (_, _, Some(first)) => {
            problems
                .error(
                    first.span,
                    "a certificate is from files or from an authority, not from both",
                )
                .help("leave out `acme`, or all of `cert_file`, `key_file` and `ocsp_file`");
            Sought::Wrong
        }
        _ => {
            problems
                .error(
                    written.span,
                    "a certificate takes both `cert_file` and `key_file`",
                )
                .help("or `acme: [ example.com ]`, for one that Forebay gets itself");
            Sought::Wrong
        }
    }
}

/// The oldest and the newest version, if they are in this order.
pub(super) fn versions(
    min: &Spanned<TlsVersion>,
    max: &Spanned<TlsVersion>,
    problems: &mut Problems,
) -> Option<(Version, Version)> {
    let version = |version: TlsVersion| match version {
        TlsVersion::V12 => Version::Tls12,
        TlsVersion::V13 => Version::Tls13,
    };
    let versions = (version(**min), version(**max));
    if versions.0 > versions.1 {
        let span = if max.is_written() { max.span } else { min.span };
        problems.error(span, "`max_version` is older than `min_version`");
        return None;
    }
    Some(versions)
}

fn options(
    listener: &config::Listener,
    settings: &config::Tls,
    clients: Option<ClientAuthorities>,
    tickets: Option<(&Tickets, Duration)>,
    problems: &mut Problems,
) -> Option<ServerOptions> {
    let (min, max) = (&settings.min_version, &settings.max_version);
    let (min_version, max_version) = versions(min, max, problems)?;
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
    if let Some(first) = settings.cipher_suites.first()
        && are_suites
        && !suites_fit(&cipher_suites, min_version, max_version)
    {
        let (min, max) = (min_version.name(), max_version.name());
        let spoken = match min == max {
            true => min.to_owned(),
            false => format!("{min} to {max}"),
        };
        problems
            .error(first.span, format!("none of these cipher suites is of TLS {spoken}"))
            .help("those of 1.2 begin with `TLS_ECDHE_`, those of 1.3 do not; without `cipher_suites` there are all that are good");
        return None;
    }
    let found = check_groups(&groups);
    let are_groups = known(found, &settings.key_exchange_groups, "group", problems);
    (are_suites && are_groups).then(|| ServerOptions {
        protocols: match listener.http2.enabled {
            true => vec!["h2", "http/1.1"],
            false => vec!["http/1.1"],
        },
        min_version,
        max_version,
        cipher_suites,
        groups,
        sni_strict: settings.sni_strict,
        tickets: tickets.map(|(tickets, _)| tickets.clone()),
        ticket_rotation: tickets.map(|(_, rotation)| rotation).unwrap_or_default(),
        clients,
        ..ServerOptions::default()
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
