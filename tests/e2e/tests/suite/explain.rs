//! `forebay explain` says what the running program then does.

use forebay_e2e::{Authority, Backend, Config, Scratch, forebay};

/// The request's head without what differs from one request to the next.
fn without_id(head: &str) -> Vec<String> {
    let lines = head.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with("X-Request-ID:"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_request_explained_is_the_request_the_backend_gets() {
    let backend = Backend::saying("ok");
    let config = Config::to(&backend)
        .top("trusted_proxies: [ 127.0.0.1 ]")
        .add_route("id: other, path: /other/*, respond: {}")
        .add_route(
            "id: api, path: /api/*, methods: [ GET, PUT ], backend_group: app, strip_prefix: /api, \
             add_headers: { X-Who: \"${client_ip} on ${route}\", X-Proxy-Version: \"1.0\" }",
        );
    let scratch = Scratch::new();
    let file = scratch.write("forebay.yaml", &config.yaml());
    let running = config.start();
    for (method, target, fields) in [
        ("GET", "/api/users?id=1", &[][..]),
        (
            "PUT",
            "/api/./x",
            &["X-Tenant: blue", "Connection: X-Hop", "X-Hop: a"],
        ),
        (
            "GET",
            "/api/",
            &[
                "X-Forwarded-For: 6.6.6.6",
                "X-Forwarded-Proto: https",
                "Via: 1.1 cdn",
            ],
        ),
    ] {
        let mut arguments = vec!["explain", "-c", &*file, "-X", method];
        for field in fields {
            arguments.extend(["-H", field]);
        }
        let url = format!("http://shop.example{target}");
        arguments.push(&url);
        let explained = forebay(&arguments);
        assert_eq!(explained.code, Some(0), "{}", explained.stderr);
        assert!(
            explained.stdout.contains("route api"),
            "{}",
            explained.stdout
        );
        assert!(
            explained.stdout.contains("not other: path"),
            "{}",
            explained.stdout
        );
        let (_, head) = explained
            .stdout
            .split_once("the backend would get:")
            .unwrap();

        let lines: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let request = format!("{method} {target} HTTP/1.1\r\nHost: shop.example\r\n{lines}\r\n");
        assert_eq!(running.client().ask(request).status, 200);
        let raw = backend.requests().pop().unwrap().raw;
        assert_eq!(
            without_id(head),
            // Values of a query are not shown.
            without_id(
                &String::from_utf8(raw)
                    .unwrap()
                    .replace("?id=1", "?id=(hidden)")
            )
        );
    }
}

#[test]
fn a_refusal_explained_is_the_answer_the_client_gets() {
    let backend = Backend::saying("ok");
    let config = Config::to(&backend)
        .add_route("id: api, path: /api/*, methods: [ GET ], backend_group: app")
        .add_route("id: gone, path: /gone, respond: { status: 410 }");
    let scratch = Scratch::new();
    let file = scratch.write("forebay.yaml", &config.yaml());
    let running = config.start();
    for (method, target, said) in [
        ("POST", "/api/x", "405 (method_not_allowed)"),
        ("GET", "/nowhere", "404 (no_route)"),
        ("GET", "/api/../../x", "400 (invalid_path"),
        ("GET", "/gone", "status 410"),
    ] {
        let url = format!("http://a{target}");
        let explained = forebay(&["explain", "-c", &file, "-X", method, &url]).stdout;
        assert!(explained.contains(said), "{explained}");
        let request = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let status = running.client().ask(request).status.to_string();
        assert!(said.contains(&status), "{said}, but got {status}");
    }
    let near = forebay(&["explain", "-c", &file, "-X", "POST", "/api/x"]).stdout;
    assert!(near.contains("not api: method is POST"), "{near}");
}

#[test]
fn the_plan_is_shown_with_its_defaults() {
    let scratch = Scratch::new();
    let config = Config::to_urls(["http://127.0.0.1:3000".to_owned()]);
    let file = scratch.write("forebay.yaml", &config.yaml());
    let plan = forebay(&["explain", "-c", &file]);
    assert_eq!(plan.code, Some(0));
    for part in [
        "request line 8192 bytes",
        "app: round_robin",
        "http://127.0.0.1:3000",
        "connect 5s",
    ] {
        assert!(plan.stdout.contains(part), "{part} in:\n{}", plan.stdout);
    }
}

#[test]
fn explain_refuses_what_it_cannot_follow() {
    let scratch = Scratch::new();
    let config = Config::to_urls(["http://127.0.0.1:3000".to_owned()]);
    let file = scratch.write("forebay.yaml", &config.yaml());
    assert_eq!(
        forebay(&["explain", "-c", &file, "-H", "no colon", "/"]).code,
        Some(2)
    );
    assert_eq!(
        forebay(&["explain", "-c", "/nowhere.yaml", "/"]).code,
        Some(1)
    );
}

#[test]
fn what_a_listener_does_itself_and_what_clients_show_is_explained() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let issued = authority.issue(&["a.test"]);
    let shown = clients.issue(&["billing.test"]);
    let tls = format!(
        "tls: {{ client_certificates: require, client_ca_file: {:?}, forward_client_certificate: true }}",
        clients.file()
    );
    let config = Config::to_urls(["http://127.0.0.1:3000".to_owned()])
        .server("id: secure")
        .server(&issued.entries())
        .server(&tls)
        .top("listeners: [ { id: plain, address: \"127.0.0.1:0\", redirect_to_https: true } ]")
        .top("trusted_proxies: [ 127.0.0.1 ]")
        .top(
            "tests: [ \
             { request: { url: \"http://a.test/x?y\", listener: plain, client: 192.0.2.1 }, \
               expect: { status: 308, headers: { Location: \"https://a.test/x?y\" } } }, \
             { request: { url: \"/\", client_certificate: { names: [ billing.test ] } }, \
               expect: { route: billing, upstream_headers: { X-Forwarded-Proto: https } } }, \
             { request: { url: \"/\", client_certificate: { names: [ other.test ] } }, expect: { reason: no_route } } ]",
        )
        .add_route("id: billing, client_certificate: { name: billing.test }, backend_group: app");
    let scratch = Scratch::new();
    let file = scratch.write("forebay.yaml", &config.yaml());
    let explain = |more: &[&str]| {
        let explained = forebay(&[&["explain", "-c", &*file][..], more].concat());
        assert_eq!(explained.code, Some(0), "{}", explained.stderr);
        explained.stdout
    };
    let has = |said: &str, parts: &[&str]| {
        for part in parts {
            assert!(said.contains(part), "{part} in:\n{said}");
        }
    };
    let away = ["--listener", "plain", "http://a.test/x?y=1"];
    let moved = explain(&away);
    has(&moved, &["the listener answers itself: status 308"]);
    has(&moved, &["Location: https://a.test/x?y=(hidden)"]);
    assert!(!moved.contains("route"), "{moved}");
    // A trusted proxy says that it has come with HTTPS.
    let came = explain(&[&["-H", "X-Forwarded-Proto: https"], &away[..]].concat());
    has(&came, &["not billing: "]);
    let with = ["--client-certificate", &*shown.cert_file, "/"];
    has(
        &explain(&with),
        &[
            "client certificate CN=billing.test (billing.test)",
            "route billing",
            "X-Forwarded-Proto: https",
            "Client-Cert: ",
        ],
    );
    has(
        &explain(&["/"]),
        &["client certificate none, so that the handshake would fail"],
    );
    has(
        &explain(&[]),
        &[
            "redirects to HTTPS, with 308",
            "TLS 1.2 to 1.3, certificates ",
            "client certificates required, of authorities ",
        ],
    );
    let tested = forebay(&["test", "-c", &file]);
    assert_eq!(tested.code, Some(0), "{}", tested.stdout);
    for wrong in [
        ["--listener", "none"],
        ["--client-certificate", "/nowhere.crt"],
    ] {
        let refused = forebay(&[&["explain", "-c", &*file][..], &wrong, &["/"]].concat());
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    }
}

/// What `explain` says of a request that is answered or refused, one way or another.
fn explained(file: &str, more: &[&str]) -> String {
    let explained = forebay(&[&["explain", "-c", file][..], more].concat());
    assert_eq!(explained.code, Some(0), "{}", explained.stderr);
    explained.stdout
}

#[test]
fn a_request_is_shown_in_the_protocol_that_the_backend_speaks() {
    let scratch = Scratch::new();
    let show = |url: &str, protocol: &str, more: &[&str]| {
        let config = Config::to_urls([url.to_owned()]);
        let yaml = config.group(&format!("protocol: {protocol}")).yaml();
        let file = scratch.write("forebay.yaml", &yaml);
        let asked = [
            "-H",
            "X-Tenant: blue",
            "-H",
            "Authorization: x",
            "http://a/b?c=d",
        ];
        explained(&file, &[more, &asked].concat())
    };
    for (url, protocol, scheme) in [
        ("http://127.0.0.1:3000", "h2c", "http"),
        ("https://127.0.0.1:3000", "h2", "https"),
    ] {
        let said = show(url, protocol, &["-X", "PUT"]);
        let head = format!(
            "the backend would get, over HTTP/2:\n  :method: PUT\n  :scheme: {scheme}\n  \
             :authority: a\n  :path: /b?c=(hidden)\n  x-tenant: blue\n  authorization: (hidden)\n"
        );
        assert!(said.contains(&head), "{said}");
        assert!(
            !said.contains("HTTP/1.1\n") && !said.contains("  host:"),
            "{said}"
        );
    }
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let switch = ["-H", "Connection: upgrade", "-H", "Upgrade: websocket"];
    let switch = [&switch[..], &["-H", key]].concat();
    let said = show("http://127.0.0.1:3000", "h2c", &switch);
    let head = "over HTTP/2:\n  :method: CONNECT\n  :protocol: websocket\n  :scheme: http\n";
    assert!(said.contains(head), "{said}");
    assert!(!said.to_lowercase().contains("key"), "{said}");
    let said = show("https://127.0.0.1:3000", "auto", &switch);
    let head = "the backend would get:\n  GET /b?c=(hidden) HTTP/1.1\n";
    assert!(said.contains(head), "{said}");
    let said = show("http://127.0.0.1:3000", "h2c", &switch[..4]);
    assert!(said.contains("400"), "{said}");
    let agreed = show("https://127.0.0.1:3000", "auto", &[]);
    let head = "the backend would get, over HTTP/1.1, or HTTP/2 if it agrees to that (ALPN):\n  \
                GET /b?c=(hidden) HTTP/1.1\n  Host: a\n";
    assert!(agreed.contains(head), "{agreed}");
    let plain = show("http://127.0.0.1:3000", "auto", &[]);
    let head = "the backend would get:\n  GET /b?c=(hidden) HTTP/1.1\n";
    assert!(plain.contains(head), "{plain}");
}

#[test]
fn a_url_leads_to_the_listener_that_speaks_so_at_its_port() {
    let authority = Authority::new();
    let issued = authority.issue(&["a.test"]);
    let tls = issued.entries();
    let config = |listeners: &str| {
        format!(
            "listeners:\n{listeners}routes: [ {{ id: all, backend_group: app }} ]\n\
             backend_groups: [ {{ id: app, backends: [ {{ url: \"http://127.0.0.1:3000\" }} ] }} ]\n"
        )
    };
    let scratch = Scratch::new();
    let web = "  - { id: web, address: \"127.0.0.1:8080\" }\n";
    let more = "  - { id: more, address: \"127.0.0.1:8081\" }\n";
    let any = "  - { id: any, address: \"127.0.0.1:0\" }\n";
    let secure = format!("  - {{ id: secure, address: \"127.0.0.1:8443\", {tls} }}\n");
    let proxy =
        "  - { id: proxy, address: \"127.0.0.1:3128\", forward: { allow: [ \"a:80\" ] } }\n";
    let all = [web, more, &*secure, proxy].concat();
    let (host, tunnel) = ("Host: a\n", "to a:80, as a forward proxy");
    for (listeners, url, named, listener, part) in [
        (&*all, "http://a/", None, "web", host),
        (
            &all,
            "HTTP://a:8081?x#y",
            None,
            "more",
            "GET /?(hidden) HTTP/1.1",
        ),
        (&all, "http://a:8081/", None, "more", "Host: a:8081\n"),
        (&all, "http://a:80/", Some("more"), "more", host),
        (&all, "https://a:443/", Some("secure"), "secure", host),
        (
            &all,
            "https://a/",
            None,
            "secure",
            "X-Forwarded-Proto: https",
        ),
        (&all, "/x?u=http://a", None, "web", "Host: localhost\n"),
        (&all, "a/x?u=https://a", None, "web", host),
        (&all, "[::1]:8081/", None, "more", "Host: [::1]:8081\n"),
        (
            &all,
            "https://[::1]:8443/",
            None,
            "secure",
            "Host: [::1]:8443\n",
        ),
        // What a proxy in front has taken TLS off.
        (
            &all,
            "https://a/",
            Some("web"),
            "web",
            "X-Forwarded-Proto: http\n",
        ),
        (any, "http://a:8888/", None, "any", "Host: a:8888\n"),
        // Through a forward proxy, and at it.
        (&all, "http://a/x", Some("proxy"), "proxy", tunnel),
        (proxy, "http://a/x", None, "proxy", tunnel),
        (
            proxy,
            "http://a:88/x",
            None,
            "proxy",
            "403 (destination_not_allowed",
        ),
        (
            proxy,
            "https://a/x",
            None,
            "proxy",
            "HTTPS goes through CONNECT",
        ),
        (proxy, "http://a:3128/x", None, "proxy", "Host: a:3128\n"),
        (proxy, "/x", None, "proxy", "Host: localhost\n"),
    ] {
        let file = scratch.write("forebay.yaml", &config(listeners));
        let named: Vec<&str> = named.iter().flat_map(|id| ["--listener", id]).collect();
        let said = explained(&file, &[&named[..], &[url]].concat());
        let first = said.lines().next().unwrap();
        assert!(
            first.ends_with(&format!(", listener {listener}")),
            "{url}: {said}"
        );
        assert!(said.contains(part), "{url}: {part} in:\n{said}");
    }
    for (listeners, url, why) in [
        (
            web,
            "https://a/",
            "no listener takes `https://`; name the one that it comes to (`listener`), of `web` (http, 127.0.0.1:8080)",
        ),
        (
            &secure,
            "http://a/",
            "no listener takes `http://`; name the one",
        ),
        (
            web,
            "http://a:8081/",
            "no listener takes `http://` at port 8081; name the one",
        ),
        (
            &all,
            "https://a:99/",
            "no listener takes `https://` at port 99; name the one",
        ),
        (
            web,
            "ftp://a/",
            "no listener takes `ftp://`: begin the URL with `http://`",
        ),
    ] {
        let file = scratch.write("forebay.yaml", &config(listeners));
        let refused = forebay(&["explain", "-c", &file, url]);
        assert_eq!(refused.code, Some(1), "{url}: {}", refused.stdout);
        assert!(refused.stderr.contains(why), "{url}: {}", refused.stderr);
    }
    let raw = "  - { id: raw, address: \"127.0.0.1:9000\", protocol: tcp, group: app }\n";
    let file = scratch.write("forebay.yaml", &config(&[raw, &all].concat()));
    for (asked, expected) in [
        (&["a.test:8081/x"][..], "listener more"),
        (&["a.test:9000/x"], "listener web"),
        (&["wss://a.test:8443/x"], "listener secure"),
        (&["-X", "CONNECT", "a:80"], tunnel),
    ] {
        let said = explained(&file, asked);
        assert!(said.contains(expected), "{asked:?}: {said}");
    }
    for (asked, why) in [
        (
            &["--listener", "raw", "http://a/"][..],
            "there are no requests to explain",
        ),
        (&["http://a:99999/"], "`99999` is no port"),
    ] {
        let refused = forebay(&[&["explain", "-c", &file], asked].concat());
        assert_eq!(refused.code, Some(1), "{asked:?}: {}", refused.stdout);
        assert!(
            refused.stderr.contains(why),
            "{asked:?}: {}",
            refused.stderr
        );
    }
    let file = scratch.write("forebay.yaml", &config(proxy));
    let said = explained(&file, &["-X", "CONNECT", "http://a/"]);
    assert!(said.contains(tunnel), "{said}");
}
