//! How TLS of listeners, and to backends, differs.

use ::tls::{ClientOptions, ServerOptions};

use super::aspect::Aspect;
use crate::{BackendTls, Tls, describe};

pub(super) fn aspects(tls: Option<&Tls>) -> Vec<Aspect> {
    const NAMES: [&str; 11] = [
        "TLS",
        "timeout handshake",
        "TLS protocols",
        "TLS versions",
        "TLS cipher suites",
        "TLS groups",
        "TLS for names without a certificate",
        "TLS session tickets",
        "client certificates",
        "Client-Cert to backends",
        "names whose certificates are to come",
    ];
    let values = match tls {
        Some(tls) => values(tls),
        None => std::array::from_fn(|_| "none".to_owned()),
    };
    let named = NAMES.into_iter().zip(values);
    named
        .map(|(name, value)| Aspect::value(name, value, "none"))
        .collect()
}

fn values(tls: &Tls) -> [String; 11] {
    let Tls {
        server,
        options,
        certificates: _,
        files: _,
        // Of the lists, with which the clients that are believed differ.
        revocation_lists: _,
        handshake_timeout,
        forwards_certificate,
    } = tls;
    let ServerOptions {
        protocols,
        min_version,
        max_version,
        cipher_suites,
        groups,
        sni_strict,
        tickets,
        ticket_rotation,
        clients,
        // Of the authority, which is compared by itself.
        challenges: _,
        awaited,
    } = options;
    let list = |names: &[String]| match names {
        [] => "the usual ones".to_owned(),
        names => names.join(", "),
    };
    let clients = clients.as_ref().map(describe::client_certificates);
    let word = |is_so: bool, words: [&str; 2]| words[usize::from(!is_so)].to_owned();
    [
        format!("certificate {}", server.fingerprint()),
        format!("{handshake_timeout:?}"),
        protocols.join(", "),
        format!("{} to {}", min_version.name(), max_version.name()),
        list(cipher_suites),
        list(groups),
        word(*sni_strict, ["refused", "the first certificate"]),
        match tickets {
            Some(_) => format!("each key for {ticket_rotation:?}"),
            None => "no".to_owned(),
        },
        clients.unwrap_or_else(|| "not asked for".to_owned()),
        word(*forwards_certificate, ["yes", "no"]),
        match &**awaited {
            [] => "none".to_owned(),
            names => names.join(", "),
        },
    ]
}

pub(super) fn to_backends(tls: &BackendTls) -> [Aspect; 4] {
    let BackendTls {
        // Made of the others.
        client: _,
        tunnels: _,
        options,
        server_name: _,
        ca_file: _,
        certificate: _,
        files: _,
    } = tls;
    let ClientOptions {
        protocols: _,
        min_version,
        max_version,
        authorities: _,
        certificate,
    } = options;
    let shown = certificate.as_ref().map(|shown| shown.fingerprint());
    let versions = format!("{} to {}", min_version.name(), max_version.name());
    [
        Aspect::value("TLS to backends", versions, "none"),
        Aspect::value(
            "certificates of backends",
            describe::believed(tls),
            "none looked at",
        ),
        Aspect::value(
            "name of backends in TLS",
            describe::name_in_tls(tls),
            "none",
        ),
        Aspect::value(
            "certificate for backends",
            shown.unwrap_or_else(|| "none".to_owned()),
            "none",
        ),
    ]
}
