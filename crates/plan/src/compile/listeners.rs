//! `server` and `listeners`.

use std::net::SocketAddr;

use ::telemetry::Names;
use config::{Problems, Settings, Span, Spanned};
use wire::h1::Limits;

use super::Open;
use super::unique::Unique;
use crate::{Http2, Listener, Tls};
use ::tls::{Certificate, Server, ServerOptions};

pub(super) fn compile(
    settings: &Settings,
    open: &Open<'_>,
    problems: &mut Problems,
    names: &mut Names,
) -> Vec<Listener> {
    let mut ids = Unique::default();
    let mut addresses = Vec::new();
    let mut listeners = Vec::new();
    for written in settings.server.iter().chain(&settings.listeners) {
        if let Some(id) = &written.id {
            ids.check("listener", id, problems);
        }
        check_address(&written.address, &mut addresses, problems);
        let tls = tls(written, open, problems);
        listeners.push(listener(written, tls, names));
    }
    if listeners.is_empty() && !problems.has_errors() {
        problems
            .error(Span::default(), "there is no listener")
            .help("add `server: { address: \"0.0.0.0:8080\" }`");
    }
    listeners
}

/// Two listeners cannot share an address; with port 0 each gets its own.
fn check_address(
    address: &Spanned<SocketAddr>,
    seen: &mut Vec<Spanned<SocketAddr>>,
    problems: &mut Problems,
) {
    if !address.is_written() || address.port() == 0 {
        return;
    }
    if let Some(first) = seen.iter().find(|a| a.value == address.value) {
        problems
            .error(
                address.span,
                format!("two listeners have the address {}", address.value),
            )
            .also(first.span, "the first one");
    }
    seen.push(*address);
}

/// The certificate that a listener shows, if it speaks TLS.
fn tls(listener: &config::Listener, open: &Open<'_>, problems: &mut Problems) -> Option<Tls> {
    let (chain, key) = match (&listener.cert_file, &listener.key_file) {
        (None, None) => return None,
        (Some(chain), Some(key)) => (chain, key),
        (Some(one), None) | (None, Some(one)) => {
            problems
                .error(one.span, "TLS takes both `cert_file` and `key_file`")
                .help("without both, the listener speaks plain HTTP");
            return None;
        }
    };
    let mut read = |file: &Spanned<String>| {
        let read = open(file);
        if let (Err(error), true) = (&read, file.is_written()) {
            let message = format!("the file `{}` cannot be read: {error}", file.value);
            problems.error(file.span, message);
        }
        read.ok()
    };
    let (chain_text, key_text) = (read(chain), read(key));
    let certificate = match Certificate::read(&chain_text?, &key_text?) {
        Ok(certificate) => certificate,
        Err(fault) => {
            let file = if fault.is_of_key() { key } else { chain };
            problems.error(file.span, format!("`{}`: {fault}", file.value));
            return None;
        }
    };
    let options = ServerOptions {
        protocols: match listener.http2.enabled {
            true => vec!["h2", "http/1.1"],
            false => vec!["http/1.1"],
        },
    };
    match Server::new(certificate, &options) {
        Ok(server) => Some(Tls {
            server,
            handshake_timeout: listener.handshake_timeout,
        }),
        Err(fault) => {
            problems.error(chain.span, format!("TLS cannot be offered: {fault}"));
            None
        }
    }
}

fn listener(written: &Spanned<config::Listener>, tls: Option<Tls>, names: &mut Names) -> Listener {
    let id = match &written.id {
        Some(id) => id.value.clone(),
        None => written.address.to_string(),
    };
    Listener {
        number: names.listener(&id),
        id: id.into(),
        address: *written.address,
        tls,
        http2: http2(&written.http2),
        max_connections: written.max_connections as usize,
        limits: Limits {
            line: bytes(written.max_request_line),
            fields: bytes(written.max_header_size),
            count: written.max_header_count as usize,
        },
        max_body: written.max_body.map_or(u64::MAX, config::Size::as_bytes),
        header_timeout: written.header_timeout,
        body_timeout: written.body_timeout,
        keep_alive_timeout: written.keep_alive_timeout,
        write_timeout: written.write_timeout,
        min_rate: written.min_rate.as_bytes(),
    }
}

fn http2(written: &config::Http2) -> Option<Http2> {
    let window = |size: config::Size| u32::try_from(size.as_bytes()).unwrap_or(u32::MAX);
    written.enabled.then(|| Http2 {
        max_concurrent_streams: written.max_concurrent_streams,
        stream_window: window(written.stream_window),
        connection_window: window(written.connection_window),
        max_pending_resets: written.max_pending_resets as usize,
    })
}

fn bytes(size: config::Size) -> usize {
    usize::try_from(size.as_bytes()).unwrap_or(usize::MAX)
}
