use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{LazyLock, Mutex};

use config::Problems;
use rcgen::{CertificateParams, CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair};

use super::*;
use crate::{Heritage, compile};

mod order;
mod same;
mod settings;

/// Files that a configuration may name: their text is their name, or a
/// certificate for it.
fn open(name: &str) -> std::io::Result<Vec<u8>> {
    match name.rsplit_once('.') {
        Some((page, "html")) => Ok(page.into()),
        Some((_, "key")) => Ok(KEY.serialize_pem().into()),
        Some((stem, "crt")) => Ok(certificate(stem).into()),
        Some((_, "crl")) => Ok(revocation_list().into()),
        Some((stem, "ocsp")) => Ok(ocsp_response(stem)),
        _ => Err(ErrorKind::NotFound.into()),
    }
}

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate().unwrap());

/// Always the same for the same name.
fn certificate(stem: &str) -> String {
    static MADE: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let pem = made.entry(stem.to_owned()).or_insert_with(|| {
        let mut params = CertificateParams::new([stem.replace('/', ".")]).unwrap();
        params.serial_number = Some(5_u64.into());
        let name = &mut params.distinguished_name;
        name.push(rcgen::DnType::CommonName, stem);
        params.self_signed(&*KEY).unwrap().pem()
    });
    pem.clone()
}

/// One about the certificate with the serial number 5, which is good; nobody has
/// signed it. The name of who says so is made of the file's.
fn ocsp_response(stem: &str) -> Vec<u8> {
    const BEFORE: &[u8] = b"0\x81\x9b\x0a\x01\x00\xa0\x81\x950\x81\x92\x06\x09+\x06\x01\
        \x05\x05\x070\x01\x01\x04\x81\x840\x81\x810z\xa2\x16\x04\x14";
    const AFTER: &[u8] = b"\x18\x0f20260101000000Z0O0M080\x07\x06\x05+\x0e\x03\x02\x1a\
        \x04\x14\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\
        \x07\x07\x07\x07\x07\x07\x07\x04\x14\x08\x08\x08\x08\x08\x08\
        \x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x02\
        \x01\x05\x80\x00\x18\x0f20260101000000Z0\x00\x03\x01\x00";
    let mut name = [0; 20];
    for (to, from) in name.iter_mut().zip(stem.bytes().rev()) {
        *to = from;
    }
    [BEFORE, &name, AFTER].concat()
}

fn revocation_list() -> String {
    let params = CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2021, 1, 1),
        next_update: rcgen::date_time_ymd(2100, 1, 1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let issuer = Issuer::new(CertificateParams::default(), &*KEY);
    params.signed_by(&issuer).unwrap().pem().unwrap()
}

fn env(name: &str) -> Option<String> {
    ["STICKY_SECRET", "ACME_HMAC_KEY"]
        .contains(&name)
        .then(|| "0123456789abcdef".to_owned())
}

/// Each plan has a process of its own, as when two programs were started.
fn try_plan(name: &str, text: &str) -> Result<Plan, Problems> {
    let config::Reading {
        settings,
        mut problems,
        ..
    } = config::read(name, text, &env);
    compile(&settings, &mut problems, &Heritage::default(), &open).ok_or(problems)
}

fn plan(text: &str) -> Plan {
    try_plan("test.yaml", text).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

/// Everything that differs, each on a line.
fn said(old: &Plan, new: &Plan) -> Vec<String> {
    let found = diff(old, new);
    let mut said: Vec<String> = found.whole.iter().map(line).collect();
    for difference in found
        .listeners
        .iter()
        .chain(&found.routes)
        .chain(&found.groups)
    {
        let id = &difference.id;
        match &difference.what {
            What::Added(lines) => said.push(format!("+ {}", lines.join(" | "))),
            What::Removed(lines) => said.push(format!("- {}", lines.join(" | "))),
            What::Changed(changes) => {
                said.extend(changes.iter().map(|c| format!("{id}: {}", line(c))));
            }
        }
    }
    let turned = found.precedence.turned.iter();
    said.extend(turned.map(|t| format!("{} before {}", t.first, t.second)));
    assert_eq!(said.is_empty(), found.is_empty());
    said
}

fn line(change: &Change) -> String {
    match change {
        Change::Replaced { what, old, new } => format!("{what}: {old} -> {new}"),
        Change::Gained(what) => format!("+ {what}"),
        Change::Lost(what) => format!("- {what}"),
    }
}

const SERVER: &str = "server: { id: s, address: \"127.0.0.1:80\" }\n";
const GROUPS: &str = "backend_groups:
  - { id: g, backends: [ { url: \"http://a\" }, { url: \"http://b\" } ] }
  - { id: h, backends: [ { url: \"http://a\" } ], timeout: { connect: 9s } }\n";

#[test]
fn routes() {
    for (old, new, expected) in [
        (
            "backend_group: g",
            "backend_group: h, path: /x, host: [ b.c, a.b ], methods: GET",
            &[
                "r: group: g -> h",
                "r: method: any -> GET",
                "r: host: any -> a.b or b.c",
                "r: path: any -> /x",
            ][..],
        ),
        (
            "backend_group: g, host: [ a.b, c.d ]",
            "backend_group: g, host: [ a.b, e.f ]",
            &["r: - host c.d", "r: + host e.f"],
        ),
        (
            "backend_group: g, headers: { X-A: \"a, b\" }, query: { a: \"b=c\" }",
            "backend_group: g, headers: { x-a: a or b }, query: { \"a=b\": c }",
            &[
                "r: header x-a: a, b -> a or b",
                "r: - query a=b=c",
                "r: + query a=b=c",
            ],
        ),
        (
            "backend_group: g, client: [ 10.0.0.0/9, 10.128.0.0/9 ], not: { cookies: { a: b } }",
            "backend_group: g, client: 10.0.0.0/8, not: { cookies: { a: c }, path: /x }",
            &["r: not cookie a: b -> c", "r: not path: none -> /x"],
        ),
        (
            "backend_group: g, strip_prefix: /a, add_headers: { A: \"1\", B: \"2\" }",
            "backend_group: g, strip_prefix: /b, add_headers: { B: \"3\" }, max_body: 1k",
            &[
                "r: strip_prefix: /a -> /b",
                "r: - add_headers A: 1",
                "r: add_headers B: 2 -> 3",
                "r: body: as the listener says -> up to 1024 bytes",
            ],
        ),
        (
            "backend_group: g, add_headers: { A: \"1, B: 2\" }",
            "backend_group: g, add_headers: { A: \"1\", B: \"2\" }",
            &["r: add_headers A: 1, B: 2 -> 1", "r: + add_headers B: 2"],
        ),
        (
            "backend_group: g, add_headers: { A: \"1\", B: \"${header.A}\" }",
            "backend_group: g, add_headers: { B: \"${header.A}\", A: \"1\" }",
            &[
                "r: order of the filters: add_headers A, add_headers B -> add_headers B, add_headers A",
            ],
        ),
        (
            "backend_group: g",
            "respond: { status: 503, body: \"down\", headers: { A: b } }",
            &[
                "r: - group g",
                "r: + respond 503",
                "r: + respond Content-Type: text/plain; charset=utf-8",
                "r: + respond A: b",
                "r: + respond body down",
            ],
        ),
        (
            "redirect: { to: /a }",
            "redirect: { to: /a, status: 302 }",
            &["r: redirect: 308 to /a -> 302 to /a"],
        ),
        (
            "backend_group: g, timeout: { connect: 1s }",
            "backend_group: g, timeout: { request: 5m, connect: 5s }",
            &[
                "r: timeout connect: 1s -> 5s of the group",
                "r: timeout response head: 30s of the group -> 300s",
            ],
        ),
        (
            "backend_group: g, error_pages: [ { status: 5xx, body: a } ]",
            "backend_group: g, error_pages: [ { status: 503, body: b }, { status: [ 502, 5xx ], body: a } ]",
            &["r: page for 503: text/html; charset=utf-8: a -> text/html; charset=utf-8: b"],
        ),
    ] {
        let of = |route: &str| {
            plan(&format!(
                "{SERVER}{GROUPS}routes: [ {{ id: r, {route} }} ]\n"
            ))
        };
        let mut found = said(&of(old), &of(new));
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{old}\n{new}");
    }
}

#[test]
fn routes_come_go_and_are_renamed() {
    let of = |routes: &str| plan(&format!("{SERVER}{GROUPS}routes: [ {routes} ]\n"));
    let old = of("{ id: a, path: /a, backend_group: g }, { id: b, path: /b, respond: {} }");
    let new = of(
        "{ id: c, path: /a, backend_group: g }, { id: d, path: /d/*, strip_prefix: /d, backend_group: h }",
    );
    assert_eq!(
        said(&old, &new),
        [
            "c: name: a -> c",
            "+ d: path /d/* -> group h |     strip_prefix /d",
            "- b: path /b |     respond 200 without a body",
        ]
    );
}

#[test]
fn groups() {
    for (old, new, expected) in [
        (
            "backends: [ { url: \"http://a\" }, { url: \"http://b\" } ]",
            "strategy: weighted, backends: [ { url: \"http://b\", weight: 3 }, { url: \"http://c\" } ]",
            &[
                "g: strategy: round_robin -> weighted",
                "g: - backend http://a:80, up to 100 connections",
                "g: + backend http://c:80, up to 100 connections, weight 1",
                "g: http://b:80: weight: equal -> 3",
            ][..],
        ),
        (
            "backends: [ { url: \"http://a\" }, { url: \"http://b\" } ]",
            "connection_pool: { max_idle_connections: 7 }, \
             backends: [ { url: \"http://a\", max_connections: 9 }, { url: \"http://b\" } ]",
            &[
                "g: each backend: unused connections kept: 100 -> 7",
                "g: http://a:80: connections: 100 -> 9",
            ],
        ),
        (
            "backends: [ { url: \"http://a\" } ]",
            "backends: [ { url: \"http://b\" } ], connection_pool: { max_age: 1m }",
            &[
                "g: - backend http://a:80, up to 100 connections",
                "g: + backend http://b:80, up to 100 connections",
                "g: each backend: connections used for: 3600s -> 60s",
            ],
        ),
        (
            "backends: [ { url: \"http://a\" } ], retry: { max_attempts: 1 }, timeout: { total: 1m }",
            "backends: [ { url: \"http://a\" } ], retry: { retry_on: [ timeout, 5xx ] }",
            &[
                "g: timeout in all: 60s -> unlimited",
                "g: retry: no -> up to 3 attempts",
                "g: retry on: nothing -> 5xx or timeout",
                "g: retry waits: none -> from 100ms to 1s, doubling",
                "g: budget of retries and hedges: none -> 20% of requests, at least 3 per second",
            ],
        ),
        (
            "backends: [ { url: \"http://a\" } ], retry: { max_attempts: 1 }, hedge: {}",
            "backends: [ { url: \"http://a\" } ], retry: { max_attempts: 1, budget: 5, delay: 1s }",
            &[
                "g: hedging: a second backend is asked after 1.5 times what 95% of answers take, at least 1ms; hedges at most 10% of requests -> no",
                "g: budget of retries and hedges: 20% of requests, at least 3 per second -> none",
            ],
        ),
        (
            "backends: [ { url: \"http://a\" } ], sticky: { secret: 0123456789abcdef }",
            "backends: [ { url: \"http://a\" } ], sticky: { secret: 0123456789abcdeg, secure: never, path: /x }",
            &[
                "g: sticky: by cookie forebay_g; Path=/; HttpOnly; SameSite=Lax -> \
                 by cookie forebay_g; Path=/x; HttpOnly; SameSite=Lax",
                "g: sticky cookie secure: if the client came over TLS -> never",
                "g: sticky cookie secret: given (fingerprint 75e2a45c3278fdb1) -> given (fingerprint 7b7196a5b8803e0d)",
            ],
        ),
    ] {
        let of = |group: &str| {
            plan(&format!(
                "{SERVER}routes: [ {{ id: r, backend_group: g }} ]\nbackend_groups: [ {{ id: g, {group} }} ]\n"
            ))
        };
        assert_eq!(said(&of(old), &of(new)), expected, "{old}\n{new}");
    }
}

#[test]
fn secrets_differ_without_being_told() {
    let route = "{SERVER}routes: [ { id: a, backend_group: g, ROUTE } ]\n";
    let group = "backend_groups: [ { id: g, backends: [ \"http://a\" ], health_check: { enabled: true, CHECK } } ]\n";
    let text = format!("{route}{group}").replace("{SERVER}", SERVER);
    for (at, written) in [
        (
            "ROUTE",
            "request_headers: { set: { Authorization: SECRET } }",
        ),
        ("ROUTE", "request_headers: { set: { X-Some-Key: SECRET } }"),
        ("ROUTE", "headers: { X-Some-Key: SECRET }"),
        ("ROUTE", "query: { token: \"prefix:SECRET\" }"),
        ("ROUTE", "not: { cookies: { auth: SECRET } }"),
        ("ROUTE", "rewrite: \"/?x=SECRET\""),
        ("CHECK", "path: \"/?x=SECRET\""),
        ("CHECK", "headers: { X-Some: SECRET }"),
    ] {
        let of = |secret: &str| {
            let text = text.replace(at, &written.replace("SECRET", secret));
            plan(&text.replace(", ROUTE", "").replace(", CHECK", ""))
        };
        let (old, new) = (of("alpha77"), of("omega77"));
        let said = format!("{:?}{old}{new}", diff(&old, &new));
        assert!(!diff(&old, &new).is_empty(), "{written}");
        assert!(!said.contains("77"), "{written}: {said}");
    }
}
