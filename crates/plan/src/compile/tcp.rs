//! `protocol: tcp` of listeners: where their connections go, and what about
//! HTTP has no place there.

use std::collections::HashMap;

use config::{BackendUrl, Problems, Protocol, Scheme, Settings, Spanned, StickyBy, Strategy};

use crate::{Listener, ServerNames, Tcp};

/// Adds to the listeners what those have that pass connections on.
pub(super) fn compile(settings: &Settings, listeners: &mut [Listener], problems: &mut Problems) {
    let groups = Groups::new(settings);
    let all = settings.server.iter().chain(&settings.listeners);
    let mut speaks_http = false;
    for (written, listener) in all.zip(listeners) {
        if *written.protocol == Protocol::Tcp {
            listener.tcp = tcp(written, &groups, problems);
        } else {
            speaks_http = true;
            refuse_keys(written, &written.about_tcp(), "`protocol: tcp`", problems);
        }
    }
    if let (false, Some(first)) = (speaks_http, settings.routes.first()) {
        problems
            .error(
                first.span,
                "routes are for requests, and no listener speaks HTTP",
            )
            .help("where connections go says `group` of a listener; leave the routes out");
    }
    for route in &settings.routes {
        check_route(route, &groups, problems);
    }
}

fn tcp(
    written: &Spanned<config::Listener>,
    groups: &Groups<'_>,
    problems: &mut Problems,
) -> Option<Tcp> {
    refuse_keys(written, &written.about_http(), "HTTP", problems);
    let tls = written.tls.as_ref().map(|tls| tls.span);
    let tls = tls.or(written.cert_file.as_ref().map(|file| file.span));
    if let (false, Some(span)) = (written.sni.is_empty(), tls) {
        problems
            .error(
                written.sni.span,
                "`sni` passes TLS on; it cannot be ended here as well",
            )
            .help("leave out the certificate, or `sni`")
            .also(span, "TLS is ended here");
    }
    if written.group.is_none() && written.sni.is_empty() {
        problems
            .error(
                written.span,
                "nothing says where the connections of this listener go",
            )
            .help("add `group`, the name of a backend group");
        return None;
    }
    let group = match &written.group {
        Some(id) => Some(groups.find(id, problems)?),
        None => None,
    };
    let mut names = ServerNames::default();
    for pair in &*written.sni {
        let Some(group) = groups.find(&pair.value, problems) else {
            continue;
        };
        if pair.name.is_written() && !names.add(&pair.name, group) {
            let message = format!("the name `{}` is given twice", pair.name.value);
            problems.error(pair.name.span, message);
        }
    }
    Some(Tcp {
        group,
        names,
        connect_timeout: written.connect_timeout.as_deref().copied(),
        idle_timeout: written.idle_timeout,
        hello_timeout: written.handshake_timeout,
    })
}

fn refuse_keys(
    listener: &Spanned<config::Listener>,
    keys: &[&str],
    what: &str,
    problems: &mut Problems,
) {
    let speaks = listener.protocol.name();
    for key in keys {
        problems.error(
            listener.span,
            format!("`{key}` is for {what}, and the listener speaks {speaks}"),
        );
    }
}

/// Whoever speaks only TCP understands no request.
fn check_route(route: &Spanned<config::Route>, groups: &Groups<'_>, problems: &mut Problems) {
    let id = route.backend_group.as_ref();
    let group = id.and_then(|id| groups.named.get(id.value.as_str()));
    let mut backends = group.iter().flat_map(|(_, group)| &group.backends);
    let is_tcp = |url: &BackendUrl| {
        matches!(
            url,
            BackendUrl::Tcp {
                scheme: Scheme::Tcp | Scheme::Tls,
                ..
            }
        )
    };
    if let (Some(id), Some(backend)) = (id, backends.find(|b| is_tcp(&b.url))) {
        let message = format!("requests cannot be sent to {}", *backend.url);
        problems
            .error(id.span, message)
            .help("write `http://` if it speaks HTTP")
            .also(backend.url.span, "a backend of the group");
    }
}

/// The groups by name.
struct Groups<'s> {
    named: HashMap<&'s str, (usize, &'s Spanned<config::BackendGroup>)>,
}

impl<'s> Groups<'s> {
    fn new(settings: &'s Settings) -> Self {
        let groups = settings.backend_groups.iter().enumerate();
        let named = groups.map(|(at, group)| (group.id.as_str(), (at, group)));
        Self {
            named: named.collect(),
        }
    }

    fn find(&self, id: &Spanned<String>, problems: &mut Problems) -> Option<usize> {
        if !id.is_written() {
            return None;
        }
        let Some(&(at, group)) = self.named.get(id.as_str()) else {
            problems
                .error(id.span, format!("there is no backend group `{}`", id.value))
                .suggest(config::suggest(id, self.named.keys().copied()));
            return None;
        };
        warn_of_requests(id, group, problems);
        Some(at)
    }
}

/// What a group goes by that only a request has.
fn warn_of_requests(
    id: &Spanned<String>,
    group: &Spanned<config::BackendGroup>,
    problems: &mut Problems,
) {
    let key = &group.hash.key;
    if *group.strategy == Strategy::Hash && *key.value != *"${client_ip}" {
        problems
            .warning(
                key.span,
                "a connection of a listener with `protocol: tcp` has no request: its key is the client's address",
            )
            .also(id.span, "the listener");
    }
    if let Some(adaptive) = &group.adaptive_concurrency {
        problems
            .warning(
                adaptive.span,
                "the limit follows the latency of answers, which connections of a listener with `protocol: tcp` have not",
            )
            .help("use `max_requests`, which counts them")
            .also(id.span, "the listener");
    }
    if let Some(sticky) = &group.sticky
        && sticky.by == StickyBy::Cookie
    {
        problems
            .warning(
                sticky.span,
                "a connection of a listener with `protocol: tcp` has no cookie: it goes to any backend",
            )
            .help("use `by: client_ip`")
            .also(id.span, "the listener");
    }
}

/// How many connections the listeners take that pass connections on to this
/// group, where it is for nothing else.
pub(super) fn most_connections(settings: &Settings, group: &str) -> Option<u32> {
    let is_it = |id: &Option<Spanned<String>>| id.as_ref().is_some_and(|id| id.value == group);
    if settings
        .routes
        .iter()
        .any(|route| is_it(&route.backend_group))
    {
        return None;
    }
    let all = settings.server.iter().chain(&settings.listeners);
    let leads_there = |listener: &&Spanned<config::Listener>| {
        let mut names = listener.sni.iter();
        *listener.protocol == Protocol::Tcp
            && (is_it(&listener.group) || names.any(|pair| pair.value.value == group))
    };
    let most = all.filter(leads_there).map(|l| l.max_connections);
    most.reduce(u32::saturating_add)
}
