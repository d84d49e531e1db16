//! What is allowed, and most likely not meant.

use super::*;

/// What is said of a configuration with this behind its backends and routes.
fn said(text: &str) -> Vec<String> {
    let (plan, problems) = compiled(text);
    assert!(plan.is_some(), "{text}: {problems:?}");
    problems
}

const ROUTE: &str = "routes: [ { id: a, backend_group: g } ]\n";

#[test]
fn forward_proxies_need_no_routes() {
    let forward = "forward: { allow: [ \"a.test:443\" ] }";
    let server = format!("server: {{ address: \"127.0.0.1:3128\", {forward} }}\n");
    assert_eq!(said(&server), [] as [&str; 0]);
}

#[test]
fn backends_that_anybody_can_be_are_a_warning() {
    let with = |tls: &str| {
        let url = "https://127.0.0.1:3000";
        let group = format!("{{ id: g, backends: [ {{ url: {url:?} }} ], tls: {{ {tls} }} }}");
        said(&format!("{SERVER}{ROUTE}backend_groups: [ {group} ]\n"))
    };
    assert_eq!(
        with("verify: false"),
        [
            "3:92 warning: certificates of backends are not looked at: anybody on the way can be the backend (name the authority of the backends with `ca_file`, and leave out `verify: false`)"
        ]
    );
    let group =
        "{ id: g, backends: [ { url: \"http://127.0.0.1:3000\" } ], tls: { verify: false } }";
    let plain = said(&format!("{SERVER}{ROUTE}backend_groups: [ {group} ]\n"));
    assert_eq!(plain.len(), 1, "{plain:?}");
    assert!(plain[0].contains("no backend of the group speaks TLS"));
    let beside = with("verify: false, ca_file: ca.crt");
    assert_eq!(beside.len(), 1, "{beside:?}");
    assert!(
        beside[0].ends_with("(leave out `verify: false`: `ca_file` says whose are believed)"),
        "{beside:?}"
    );
}

#[test]
fn a_proxy_that_is_open_to_others_is_a_warning() {
    for (address, allow, warned) in [
        ("0.0.0.0:3128", "*:*", true),
        ("0.0.0.0:3128", "*:443", true),
        ("[::]:3128", "0.0.0.0/0:*", true),
        ("192.0.2.1:3128", "[::/0]:*", true),
        ("0.0.0.0:3128", "10.0.0.0/8:*", false),
        ("0.0.0.0:3128", "*.example.com:443", false),
        ("127.0.0.1:3128", "*:*", false),
        ("[::1]:3128", "*:*", false),
        ("[::ffff:127.0.0.1]:3128", "*:*", false),
    ] {
        let forward = format!("forward: {{ allow: [ \"a.test:80\", {allow:?} ] }}");
        let text = format!("server: {{ address: {address:?}, {forward} }}\n{ROUTE}{GROUP}");
        let problems = said(&text);
        let message = format!(
            "warning: an open proxy: everybody who can connect to {address} reaches every host with `{allow}` (name the hosts, or listen at an address that only those can reach who may)"
        );
        let expected = usize::from(warned);
        assert_eq!(problems.len(), expected, "{address} {allow}: {problems:?}");
        assert!(
            problems.iter().all(|p| p.ends_with(&message)),
            "{problems:?}"
        );
    }
}

#[test]
fn what_goes_by_certificates_that_nobody_is_asked_for_is_a_warning() {
    let never = "warning: no client ever shows a certificate, for no listener asks for one";
    let quoted = "{ X-A: \"a ${client_certificate_subject}\" }";
    let lists = format!("filter_lists: [ {{ id: l, add_headers: {quoted} }} ]\n");
    for (route, more) in [
        ("client_certificate: { name: a }", ""),
        ("not: { client_certificate: { name: a } }", ""),
        (&*format!("add_headers: {quoted}"), ""),
        (&*format!("response_headers: {{ set: {quoted} }}"), ""),
        ("filter_lists: [ l ]", &*lists),
        ("rewrite: \"/${client_certificate_serial}\"", ""),
    ] {
        let routes = format!(
            "routes: [ {{ id: a, backend_group: g, {route} }}, {{ id: b, backend_group: g }} ]\n"
        );
        let problems = said(&format!("{SERVER}{routes}{more}{GROUP}"));
        assert_eq!(problems.len(), 1, "{route}: {problems:?}");
        assert!(problems[0].contains(never), "{route}: {problems:?}");
    }
    let key = "strategy: hash, hash: { key: \"${client_certificate_names}\" }";
    let group = format!("{{ id: g, backends: [ {{ url: \"http://a\" }} ], {key} }}");
    let problems = said(&format!("{SERVER}{ROUTE}backend_groups: [ {group} ]\n"));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains(never), "{problems:?}");
    // A name that only looks like it.
    let header = "add_headers: { X-A: \"${header.client_certificate_subject}\" }";
    let routes = format!("routes: [ {{ id: a, backend_group: g, {header} }} ]\n");
    assert_eq!(said(&format!("{SERVER}{routes}{GROUP}")), [""; 0]);
}
