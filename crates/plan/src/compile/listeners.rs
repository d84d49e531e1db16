//! `server` and `listeners`.

use std::net::SocketAddr;
use std::time::Duration;

use ::telemetry::Names;
use ::tls::Tickets;
use config::{Problems, Settings, Span, Spanned};
use wire::h1::Limits;
use wire::h2::Patience;

use super::backend_tls::System;
use super::checked::parsed;
use super::unique::Unique;
use super::{Open, tls};
use crate::{Acme, Forward, Heritage, Http2, Listener, ProxyProtocol, Reach, Times, Tls};

pub(super) fn compile(
    settings: &Settings,
    acme: Option<&Acme>,
    outside: (&Open<'_>, &System, &Heritage),
    problems: &mut Problems,
    names: &mut Names,
) -> Vec<Listener> {
    let (_, _, heritage) = outside;
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
        let tls = tls::compile(written, (tickets, acme), outside, problems);
        let hsts = tls::hsts(written, tls.as_ref(), problems);
        check_trust(settings, written, problems);
        let mut listener = listener(written, (tls, hsts), names);
        listener.forward = written.forward.as_ref().map(|f| forward(f, problems));
        warn_of_open_proxy(written, problems);
        listeners.push(listener);
    }
    redirect(settings, &mut listeners, problems);
    windows(settings, problems);
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
    for other in seen.iter() {
        if let Some(who) = who_takes_what(address.value, other.value) {
            problems
                .warning(address.span, format!("two listeners share a port: {who}"))
                .help("give each a port of its own, unless it is meant so")
                .also(other.span, "the other one");
        }
    }
    seen.push(*address);
}

/// Which of two that overlap takes which connections, if they do: the kernel
/// prefers an address to all addresses, and all of IPv4 to all of both.
fn who_takes_what(one: SocketAddr, other: SocketAddr) -> Option<String> {
    let covers = |wide: SocketAddr, narrow: SocketAddr| {
        let is_wider = !narrow.ip().is_unspecified() || narrow.is_ipv4() && wide.is_ipv6();
        let is_reached = wide.is_ipv6() || narrow.is_ipv4();
        wide.port() == narrow.port() && wide.ip().is_unspecified() && is_wider && is_reached
    };
    let (wide, narrow) = match (covers(one, other), covers(other, one)) {
        (true, _) => (one, other),
        (_, true) => (other, one),
        _ => return None,
    };
    let what = match narrow.ip().is_unspecified() {
        true => "what comes over IPv4",
        false => "what comes to that address",
    };
    Some(format!("{narrow} takes {what}, and {wide} everything else"))
}

/// One body alone may not be further ahead than all together.
fn windows(settings: &Settings, problems: &mut Problems) {
    for written in settings.server.iter().chain(&settings.listeners) {
        let http2 = &written.http2;
        if http2.enabled && http2.stream_window > http2.connection_window {
            let (one, all) = (
                http2.stream_window.as_bytes(),
                http2.connection_window.as_bytes(),
            );
            let message =
                format!("`stream_window` is {one} bytes, and `connection_window` only {all}");
            problems
                .error(http2.span, message)
                .help("make `connection_window` several times as large: each upload grows by an eighth at most of what is left of it");
        }
    }
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
        upgrades: upgrades(&written.upgrades),
        forward: None,
        hsts,
        redirect_port: None,
        tcp: None,
        proxy_protocol: proxy_protocol(written),
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

fn proxy_protocol(written: &config::Listener) -> Option<ProxyProtocol> {
    let is_required = match *written.proxy_protocol {
        config::ProxyProtocol::Off => return None,
        config::ProxyProtocol::Accept => false,
        config::ProxyProtocol::Require => true,
    };
    Some(ProxyProtocol {
        is_required,
        timeout: written.proxy_protocol_timeout,
    })
}

/// Headers of the PROXY protocol are taken from those that are trusted.
fn check_trust(settings: &Settings, written: &config::Listener, problems: &mut Problems) {
    let wanted = &written.proxy_protocol;
    if **wanted != config::ProxyProtocol::Off && settings.trusted_proxies.is_empty() {
        problems
            .error(
                wanted.span,
                "headers of the PROXY protocol are taken from `trusted_proxies`, and there are none",
            )
            .help("add `trusted_proxies`, the addresses of the proxies in front");
    }
}

fn forward(written: &config::Forward, problems: &mut Problems) -> Forward {
    let allow = written.allow.iter();
    let allow = allow.filter_map(|text| parsed(text, Reach::parse(text), problems));
    Forward {
        allow: allow.collect(),
        times: Times {
            connect: written.connect_timeout,
            response: written.request_timeout,
            idle: written.idle_timeout,
            tunnel: written.idle_timeout,
            // Connections are opened for one request each.
            wait: Duration::ZERO,
            total: None,
        },
    }
}

/// Whoever reaches a forward proxy can use it.
fn warn_of_open_proxy(written: &config::Listener, problems: &mut Problems) {
    let address = *written.address;
    if address.ip().to_canonical().is_loopback() {
        return;
    }
    let allow = written.forward.iter().flat_map(|forward| &forward.allow);
    let is_anywhere = |text: &&Spanned<String>| Reach::parse(text).is_ok_and(|r| r.is_anywhere());
    for text in allow.filter(is_anywhere) {
        let message = format!(
            "an open proxy: everybody who can connect to {address} reaches every host with `{}`",
            text.value
        );
        problems
            .warning(text.span, message)
            .help("name the hosts, or listen at an address that only those can reach who may");
    }
}

fn upgrades(written: &[Spanned<String>]) -> Vec<Box<str>> {
    let small = written.iter().map(|name| name.to_ascii_lowercase());
    small.map(String::into_boxed_str).collect()
}

fn bytes(size: config::Size) -> usize {
    usize::try_from(size.as_bytes()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_overlap_the_narrower_one_comes_first() {
        let that = "takes what comes to that address";
        for (wide, narrow, takes) in [
            ("0.0.0.0:80", "127.0.0.1:80", Some(that)),
            ("[::]:80", "127.0.0.1:80", Some(that)),
            ("[::]:80", "[::1]:80", Some(that)),
            ("[::]:80", "0.0.0.0:80", Some("takes what comes over IPv4")),
            ("0.0.0.0:80", "[::1]:80", None),
            ("0.0.0.0:80", "127.0.0.1:81", None),
            ("127.0.0.2:80", "127.0.0.1:80", None),
            ("0.0.0.0:80", "0.0.0.0:80", None),
        ] {
            let said = takes.map(|takes| format!("{narrow} {takes}, and {wide} everything else"));
            let [wide, narrow] = [wide, narrow].map(|address| address.parse().unwrap());
            assert_eq!(who_takes_what(wide, narrow), said);
            assert_eq!(who_takes_what(narrow, wide), said);
        }
    }
}
