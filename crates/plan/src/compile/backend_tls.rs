//! `tls` of a backend group.

use std::cell::OnceCell;

use ::tls::{Client, ClientOptions, Peer, ServerAuthorities, Viewers};
use config::{
    BackendGroup, BackendProtocol, BackendUrl, Host, Problems, Scheme, SendProxyProtocol, Spanned,
};

use super::Open;
use super::tls::{Files, Pair, versions};
use crate::{BackendTls, CertificateFiles, Heritage};

/// Whom the system believes, read when the first wants to know.
pub(super) type System = OnceCell<Result<ServerAuthorities, String>>;

/// How TLS is spoken to the backends of a group. None where they have none, or
/// where something is wrong with it.
pub(super) fn compile(
    group: &Spanned<BackendGroup>,
    is_wanted: bool,
    (open, system, heritage): (&Open<'_>, &System, &Heritage),
    problems: &mut Problems,
) -> Option<BackendTls> {
    let settings = match &group.tls {
        Some(tls) => tls.value.clone(),
        None if is_wanted => config::BackendTls::default(),
        None => return None,
    };
    if !is_wanted && group.sources.is_empty() {
        let span = group.tls.as_ref().map(|tls| tls.span);
        problems
            .warning(
                span.unwrap_or_default(),
                "no backend of the group speaks TLS",
            )
            .help("begin their URLs with `https://`");
    }
    let versions = versions(&settings.min_version, &settings.max_version, problems);
    let mut files = Files::new((open, system, heritage), Viewers::Backends, problems);
    let authorities = authorities(group, &settings, is_wanted, system, &mut files);
    let certificate = certificate(&settings, &mut files);
    let named = files.named;
    let (authorities, certificate) = (authorities?, certificate?);
    let (min_version, max_version) = versions?;
    let options = ClientOptions {
        protocols: match *group.protocol {
            BackendProtocol::Auto if *group.send_proxy_protocol == SendProxyProtocol::Off => {
                vec!["h2", "http/1.1"]
            }
            BackendProtocol::Auto | BackendProtocol::H1 => vec!["http/1.1"],
            BackendProtocol::H2 | BackendProtocol::H2c => vec!["h2"],
        },
        min_version,
        max_version,
        authorities,
        certificate: certificate.as_ref().map(|files| files.certificate.clone()),
    };
    let mut client = |protocols: &[&'static str]| {
        let client = Client::new(&ClientOptions {
            protocols: protocols.to_vec(),
            ..options.clone()
        });
        let refused = |fault| {
            let span = group.tls.as_ref().map_or(group.span, |tls| tls.span);
            problems.error(span, format!("TLS cannot be spoken like this: {fault}"));
        };
        client.map_err(refused).ok()
    };
    let tls = BackendTls {
        client: client(&options.protocols)?,
        tunnels: client(&[])?,
        options,
        server_name: settings
            .server_name
            .as_ref()
            .map(|name| (*name.value).into()),
        ca_file: settings.ca_file.as_ref().map(|file| (*file.value).into()),
        certificate,
        files: named,
    };
    if let (Some(name), Some(Err(why))) = (
        &settings.server_name,
        tls.server_name.as_ref().map(|name| tls.client.to(name)),
    ) {
        problems.error(name.span, format!("`{}`: {why}", name.value));
        return None;
    }
    Some(tls)
}

/// Whose backends are believed: None inside where that is anybody.
fn authorities(
    group: &Spanned<BackendGroup>,
    settings: &config::BackendTls,
    is_wanted: bool,
    system: &System,
    files: &mut Files<'_, '_>,
) -> Option<Option<ServerAuthorities>> {
    if !settings.verify.value && is_wanted {
        let message =
            "certificates of backends are not looked at: anybody on the way can be the backend";
        files
            .problems
            .warning(settings.verify.span, message)
            .help(match &settings.ca_file {
                Some(_) => "leave out `verify: false`: `ca_file` says whose are believed",
                None => "name the authority of the backends with `ca_file`, and leave out `verify: false`",
            });
    }
    if !settings.verify.value {
        return Some(None);
    }
    let Some(bundle) = &settings.ca_file else {
        return match system.get_or_init(ServerAuthorities::of_the_system) {
            Ok(authorities) => Some(Some(authorities.clone())),
            Err(why) => {
                let span = group.tls.as_ref().map_or(group.span, |tls| tls.span);
                let message = format!("whose certificates are believed cannot be found out: {why}");
                files.problems.error(span, message).help(
                    "name a file under `tls`: `ca_file: ...`, or install the system's authorities",
                );
                None
            }
        };
    };
    let bytes = files.read(bundle)?;
    let read = ServerAuthorities::read(&bytes);
    read.map_err(|why| {
        files.refuse(bundle, why);
    })
    .ok()
    .map(Some)
}

/// What backends are shown: None inside where that is nothing.
fn certificate(
    settings: &config::BackendTls,
    files: &mut Files<'_, '_>,
) -> Option<Option<CertificateFiles>> {
    let pair = match (&settings.cert_file, &settings.key_file) {
        (None, None) => return Some(None),
        (Some(cert_file), Some(key_file)) => Pair {
            chain: cert_file.clone(),
            key: key_file.clone(),
            ocsp: None,
            is_renewed: false,
        },
        (Some(one), None) | (None, Some(one)) => {
            files
                .problems
                .error(
                    one.span,
                    "a certificate takes both `cert_file` and `key_file`",
                )
                .help("without both, backends are shown none");
            return None;
        }
    };
    files.certificate(pair).map(|(_, files)| Some(files))
}

/// One backend, if TLS is spoken to it.
pub(super) fn peer(tls: Option<&BackendTls>, url: &BackendUrl) -> Option<Peer> {
    let (BackendUrl::Tcp { scheme, host, .. }, Some(tls)) = (url, tls) else {
        return None;
    };
    let client = match scheme {
        Scheme::Https => &tls.client,
        Scheme::Tls => &tls.tunnels,
        Scheme::Http | Scheme::Tcp => return None,
    };
    let of_the_url = match host {
        Host::Ip(address) => address.to_string(),
        // A final dot is no part of a name in a certificate.
        Host::Name(name) => name.trim_end_matches('.').to_owned(),
    };
    let name = tls.server_name.as_deref().unwrap_or(&of_the_url);
    client.to(name).ok()
}
