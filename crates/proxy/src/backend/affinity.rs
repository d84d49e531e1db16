//! What draws a request to one backend: the key of `hash`, and the session that
//! a cookie or the client's address stands for.

use std::net::IpAddr;
use std::time::Instant;

use filters::{Exchange, Template};
use message::{Fields, Known, ResponseHead, cookies};
use plan::{Affinity, Group, Sticky, StickyCookie};
use upstream::hash_key;

use crate::exchange::heads::Heads;
use crate::path::filter_request::Who;
use crate::path::route::Routed;

/// Of one request.
pub(crate) fn of(
    group: &Group,
    routed: &Routed<'_>,
    who: &Who<'_>,
    now: Option<Instant>,
    heads: &mut Heads,
) -> Affinity {
    let Heads {
        request,
        host,
        path,
        certificate,
        scratch,
        ..
    } = heads;
    let facts = who.facts(host, path, certificate.as_deref(), routed);
    let exchange = Exchange {
        request,
        facts: &facts,
    };
    let key = group.hash_key.as_ref();
    Affinity {
        key: key.and_then(|template| key_of(template, &exchange, scratch)),
        session: session(group, &request.fields, who.client.ip(), now),
    }
}

fn key_of(template: &Template, exchange: &Exchange<'_>, scratch: &mut Vec<u8>) -> Option<u64> {
    scratch.clear();
    template.render(exchange, scratch);
    (!scratch.is_empty()).then(|| hash_key(scratch))
}

fn session(group: &Group, fields: &Fields, client: IpAddr, now: Option<Instant>) -> Option<usize> {
    match group.sticky.as_ref()? {
        Sticky::Client(clients) => group.balance.seat(clients, client, now?),
        Sticky::Cookie(sticky) => cookies(fields)
            .filter(|(name, _)| *name == sticky.name.as_bytes())
            .find_map(|(_, token)| sticky.tokens.find(token)),
    }
}

/// Remembers the backend that has answered: in the table, or in a cookie for a
/// client that has none for this backend.
pub(crate) fn keep(group: &Group, chosen: usize, client: IpAddr, now: Instant, heads: &mut Heads) {
    match &group.sticky {
        None => {}
        Some(Sticky::Client(clients)) => group.balance.take_seat(clients, client, chosen, now),
        Some(Sticky::Cookie(_)) if heads.affinity.session == Some(chosen) => {}
        Some(Sticky::Cookie(sticky)) => {
            // What the backend is told, which is what is believed.
            let scheme = heads.request.fields.get(Known::XForwardedProto);
            let is_secure = sticky.secure.unwrap_or(scheme == Some(b"https"));
            set_cookie(sticky, chosen, is_secure, &mut heads.response);
        }
    }
}

fn set_cookie(sticky: &StickyCookie, chosen: usize, is_secure: bool, response: &mut ResponseHead) {
    let Some(token) = sticky.tokens.of(chosen) else {
        return;
    };
    let secure = if is_secure { "; Secure" } else { "" };
    response.fields.push_with(Known::SetCookie, |text| {
        for part in [&*sticky.name, "=", token, &*sticky.attributes, secure] {
            text.extend_from_slice(part.as_bytes());
        }
    });
}
