//! `backend_groups.sources`.

use config::{BackendGroup, DnsRecords, Problems, Spanned};

use crate::source::{BackendSource, DnsSource, Records, RegistrySource};

pub(super) fn compile(group: &BackendGroup, problems: &mut Problems) -> Vec<BackendSource> {
    let mut sources = Vec::new();
    for written in &group.sources {
        let Some(source) = source(written, problems) else {
            continue;
        };
        if sources.contains(&source) {
            problems.error(
                written.span,
                format!("the group has the source `{source}` twice"),
            );
        } else {
            sources.push(source);
        }
    }
    sources
}

fn source(
    written: &Spanned<config::BackendSource>,
    problems: &mut Problems,
) -> Option<BackendSource> {
    let named = [&written.dns, &written.file, &written.registry];
    if named.into_iter().flatten().count() != 1 {
        let found = match named.into_iter().flatten().count() {
            0 => "none of them",
            _ => "several; each is a source of its own",
        };
        problems.error(
            written.span,
            format!(
                "a source has one of the keys `dns`, `file` and `registry`; this one has {found}"
            ),
        );
        return None;
    }
    refuse_strangers(written, problems);
    if let Some(name) = &written.dns {
        return dns(name, written, problems).map(BackendSource::Dns);
    }
    if let Some(path) = &written.file {
        return Some(BackendSource::File(path.as_str().into()));
    }
    written.registry.as_ref().map(|name| {
        let tags = written.tags.iter();
        BackendSource::Registry(RegistrySource {
            name: name.as_str().into(),
            tags: tags.map(|tag| tag.as_str().into()).collect(),
            scheme: written.scheme.to_ascii_lowercase().into(),
        })
    })
}

/// Keys that say nothing where they are.
fn refuse_strangers(written: &config::BackendSource, problems: &mut Problems) {
    let is_dns = written.dns.is_some();
    let port = written.port.as_ref().map(|port| port.span);
    let resolver = written.resolver.as_ref().map(|resolver| resolver.span);
    let is_services = *written.r#type == DnsRecords::Services;
    let kind = is_services.then_some(written.r#type.span);
    let tags = written.tags.first().map(|tag| tag.span);
    for (key, span, belongs, to) in [
        ("port", port, is_dns, "dns"),
        ("type", kind, is_dns, "dns"),
        ("resolver", resolver, is_dns, "dns"),
        ("tags", tags, written.registry.is_some(), "registry"),
    ] {
        if let Some(span) = span
            && !belongs
        {
            problems.error(span, format!("`{key}` is for sources with `{to}`"));
        }
    }
}

fn dns(
    name: &Spanned<String>,
    written: &Spanned<config::BackendSource>,
    problems: &mut Problems,
) -> Option<DnsSource> {
    if let Some(why) = fault_in_name(name) {
        problems.error(name.span, format!("`{}` is no name: {why}", name.value));
        return None;
    }
    if written.min_interval > written.max_interval {
        problems.error(written.span, "`min_interval` is longer than `max_interval`");
    }
    let records = match (*written.r#type, &written.port) {
        (DnsRecords::Services, None) => Records::Services,
        (DnsRecords::Services, Some(port)) => {
            problems
                .warning(port.span, "services have ports of their own")
                .help("leave out `port`, or look up addresses with `type: a`");
            Records::Services
        }
        (DnsRecords::Addresses, Some(port)) => Records::Addresses {
            port: port.value,
            weight: written.weight,
        },
        (DnsRecords::Addresses, None) => {
            problems
                .error(name.span, "the backends behind a name need a `port`")
                .help("add one, such as `port: 8080`, or look up services with `type: srv`");
            return None;
        }
    };
    Some(DnsSource {
        name: name.to_ascii_lowercase().into(),
        records,
        min_interval: written.min_interval,
        max_interval: written.max_interval,
        resolver: written.resolver.as_ref().map(|resolver| resolver.value),
    })
}

/// RFC 1035 section 2.3.4; underscores are for services.
fn fault_in_name(name: &str) -> Option<&'static str> {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.len() > 253 {
        return Some("it is longer than 253 bytes");
    }
    for label in labels.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Some("between its dots are 1 to 63 bytes");
        }
        if !label.bytes().all(fits) {
            return Some(
                "it is made of letters, digits, `-`, `_` and `.`; a port is a key of its own",
            );
        }
    }
    None
}
