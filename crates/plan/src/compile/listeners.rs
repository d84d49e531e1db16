//! `server` and `listeners`.

use std::net::SocketAddr;

use ::telemetry::Names;
use ::tls::Tickets;
use config::{Problems, Settings, Span, Spanned};
use wire::h1::Limits;
use wire::h2::Patience;

use super::unique::Unique;
use super::{Open, tls};
use crate::{Acme, Heritage, Http2, Listener, Tls};

pub(super) fn compile(
    settings: &Settings,
    (open, acme): (&Open<'_>, Option<&Acme>),
    problems: &mut Problems,
    heritage: &Heritage,
    names: &mut Names,
) -> Vec<Listener> {
    let tickets = tickets(settings, heritage, problems);
    let rotation = settings.session_tickets.rotate;
    let tickets = tickets.as_ref().map(|tickets| (tickets, rotation));
    let mut ids = Unique::default();
    let mut addresses = Vec::new();
    let mut listeners = Vec::new();
    for written in settings.server.iter().chain(&settings.listeners) {
        if let Some(id) = &written.id {
            ids.check("listener", id, problems);
        }
        check_address(&written.address, &mut addresses, problems);
        let tls = tls::compile(written, (tickets, acme), (open, heritage), problems);
        let hsts = tls::hsts(written, tls.as_ref(), problems);
        listeners.push(listener(written, (tls, hsts), names));
    }
    redirect(settings, &mut listeners, problems);
    if listeners.is_empty() && !problems.has_errors() {
        problems
            .error(Span::default(), "there is no listener")
            .help("add `server: { address: \"0.0.0.0:8080\" }`");
    }
    listeners
}

/// Keys for tickets, if there are to be any and somebody needs them.
fn tickets(settings: &Settings, heritage: &Heritage, problems: &mut Problems) -> Option<Tickets> {
    let mut all = settings.server.iter().chain(&settings.listeners);
    let written = &settings.session_tickets;
    if !written.enabled || !all.any(|l| l.tls.is_some() || l.cert_file.is_some()) {
        return None;
    }
    match heritage.tickets() {
        Ok(tickets) => Some(tickets),
        Err(fault) => {
            problems.error(
                written.span,
                format!("there can be no session tickets: {fault}"),
            );
            None
        }
    }
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

/// Where clients of listeners without TLS are sent.
fn redirect(settings: &Settings, listeners: &mut [Listener], problems: &mut Problems) {
    let secure = listeners.iter().find(|listener| listener.tls.is_some());
    let port = secure.map(|listener| listener.address.port());
    let all = settings.server.iter().chain(&settings.listeners);
    for (written, listener) in all.zip(listeners) {
        let wanted = &written.redirect_to_https;
        match port {
            _ if !**wanted => {}
            Some(port) if listener.tls.is_none() => listener.redirect_port = Some(port),
            Some(_) => {
                problems.error(wanted.span, "the listener speaks HTTPS itself");
            }
            None if !problems.has_errors() => {
                problems
                    .error(
                        wanted.span,
                        "there is no listener with TLS to send clients to",
                    )
                    .help("add one with `cert_file` and `key_file`");
            }
            None => {}
        }
    }
}

fn listener(
    written: &Spanned<config::Listener>,
    (tls, hsts): (Option<Tls>, Option<Box<str>>),
    names: &mut Names,
) -> Listener {
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
        hsts,
        redirect_port: None,
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
        patience: Patience {
            resets: written.max_resets,
            control_frames: written.max_control_frames,
            stalls: written.max_stalls,
        },
    })
}

fn bytes(size: config::Size) -> usize {
    usize::try_from(size.as_bytes()).unwrap_or(usize::MAX)
}
