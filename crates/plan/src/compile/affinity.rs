//! `hash` and `sticky`: what draws requests to one backend.

use std::sync::Arc;

use config::{BackendGroup, Problems, SameSite, Secure, Spanned, Strategy};
use filters::Template;
use upstream::{Backend, Living, Secret, Tokens};

use super::checked::template;
use crate::{Sticky, StickyCookie};

/// Secrets shorter than this can be guessed.
const SECRET: usize = 16;

pub(super) fn hash_key(group: &BackendGroup, problems: &mut Problems) -> Option<Template> {
    let written = &group.hash;
    if *group.strategy != Strategy::Hash {
        if written.key.is_written() || written.load_factor.is_written() {
            problems
                .warning(written.span, "`hash` is for the strategy `hash` only")
                .help("add `strategy: hash`, or leave it out");
        }
        return None;
    }
    let key = template(&written.key, problems)?;
    if let Some(name) = key.captures().next() {
        let message =
            format!("`${{capture.{name}}}` is part of a route's path; a group serves many routes");
        problems.error(written.key.span, message);
    }
    if key.literal().is_some() && written.key.is_written() {
        problems
            .warning(
                written.key.span,
                "the key is the same for all requests, so they all go to one backend",
            )
            .help("use a variable, such as `${client_ip}` or `${cookie.session}`");
    }
    Some(key)
}

pub(super) fn sticky(
    group: &BackendGroup,
    backends: &[Arc<Backend>],
    living: &Living,
    problems: &mut Problems,
) -> Option<Sticky> {
    let written = group.sticky.as_ref()?;
    if written.by == config::StickyBy::ClientIp {
        let most = written.max_clients as usize;
        let clients = living.clients(&group.id, written.timeout, most);
        return Some(Sticky::Client(clients));
    }
    let secret = secret(written, living, problems)?;
    if (*written.same_site, written.secure) == (SameSite::None, Secure::Never) {
        problems
            .error(
                written.same_site.span,
                "browsers refuse a cookie with `same_site: none` that is not for TLS",
            )
            .help("use `same_site: lax`, or `secure: auto`");
    }
    Some(Sticky::Cookie(StickyCookie {
        name: name(group, written),
        attributes: attributes(written).into(),
        secure: match written.secure {
            Secure::Auto => None,
            Secure::Always => Some(true),
            Secure::Never => Some(false),
        },
        tokens: Tokens::new(&secret, &group.id, backends),
    }))
}

fn secret(
    written: &Spanned<config::Sticky>,
    living: &Living,
    problems: &mut Problems,
) -> Option<Secret> {
    let Some(secret) = &written.secret else {
        let made = living.secret();
        if made.is_none() {
            problems
                .error(
                    written.span,
                    "the system has no randomness to make a secret of",
                )
                .help("add `secret`");
        }
        return made;
    };
    if secret.len() < SECRET && secret.is_written() {
        problems
            .error(
                secret.span,
                format!("the secret is shorter than {SECRET} bytes"),
            )
            .help("make one with `openssl rand -hex 16`");
    }
    Some(Secret::of(secret))
}

fn name(group: &BackendGroup, written: &config::Sticky) -> Box<str> {
    if let Some(name) = &written.name {
        return name.as_str().into();
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let id = group.id.chars();
    let id: String = id.map(|c| if fits(c) { c } else { '_' }).collect();
    format!("forebay_{id}").into()
}

fn attributes(written: &config::Sticky) -> String {
    let mut attributes = format!("; Path={}", written.path);
    if let Some(ttl) = written.ttl {
        attributes.push_str(&format!("; Max-Age={}", ttl.as_secs().max(1)));
    }
    if written.http_only {
        attributes.push_str("; HttpOnly");
    }
    attributes.push_str(match *written.same_site {
        SameSite::Lax => "; SameSite=Lax",
        SameSite::Strict => "; SameSite=Strict",
        SameSite::None => "; SameSite=None",
    });
    attributes
}
