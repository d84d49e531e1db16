//! What routes do to targets, headers, limits and failures.

use std::time::Duration;

use forebay_e2e::{Backend, Config, DeadAddress, Forebay, Reply, Scratch};

/// The target that the backend was asked for.
fn target(forebay: &Forebay, backend: &Backend, asked: &str) -> String {
    assert_eq!(forebay.get(asked).status, 200, "{asked}");
    backend.requests().last().unwrap().target().to_owned()
}

#[test]
fn a_target_is_replaced_or_rewritten() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .add_route("id: moved, path: \"prefix:/old\", backend_group: app, replace_prefix: { from: /old, to: /new/v2 }")
        .add_route("id: user, path: \"regex:^/users/(?<id>[^/]+)(/.*)?$\", backend_group: app, rewrite: \"/u${capture.2}?id=${capture.id}&${query}\"")
        .add_route("id: fixed, path: /fixed, backend_group: app, rewrite: /index.html")
        .start();
    for (asked, expected) in [
        ("/old/x?y=1", "/new/v2/x?y=1"),
        ("/old", "/new/v2"),
        ("/users/7", "/u?id=7&"),
        ("/users/7/a/b?x=1", "/u/a/b?id=7&x=1"),
        ("/users/a%20b", "/u?id=a%20b&"),
        ("/users/7//evil.example", "/u/evil.example?id=7&"),
        ("/fixed?keep=1", "/index.html?keep=1"),
    ] {
        assert_eq!(target(&forebay, &backend, asked), expected, "{asked}");
    }
    let climbs = forebay.get("/users/7/..%2f..%2fx");
    assert_eq!(
        (climbs.status, climbs.reason()),
        (400, Some("invalid_path"))
    );
}

#[test]
fn headers_are_removed_set_and_appended_both_ways() {
    let backend = Backend::answering(|_| {
        let fields = [
            ("Server", "secret/1.0"),
            ("Vary", "Accept"),
            ("X-Frame-Options", "ALLOW"),
        ];
        Reply::with("200 OK", &fields, "ok")
    });
    let forebay = Config::to(&backend)
        .top("filter_lists: [ { id: secure, response_headers: { remove: [ server ], set: { X-Frame-Options: DENY } } } ]")
        .route("filter_lists: [ secure ]")
        .route("request_headers: { remove: [ Cookie ], set: { X-Path: \"${path}\" }, append: { Accept-Language: en } }")
        .route("response_headers: { append: { Vary: Cookie, X-Tenant: \"${header.X-Tenant}\" } }")
        .start();
    let response = forebay.client().ask(
        "GET /p HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nCookie: b=2\r\nX-Path: fake\r\n\
         Accept-Language: de\r\nX-Tenant: t1\r\n\r\n",
    );
    assert_eq!(response.status, 200);
    assert_eq!(response.get("server"), None);
    assert_eq!(response.get("x-frame-options"), Some("DENY"));
    assert_eq!(response.head.all("vary"), ["Accept", "Cookie"]);
    assert_eq!(response.get("x-tenant"), Some("t1"));
    let head = backend.request().head;
    assert_eq!(head.get("cookie"), None);
    assert_eq!(head.all("x-path"), ["/p"]);
    assert_eq!(head.all("accept-language"), ["de", "en"]);
}

/// What the route says of a field, no client can say otherwise: neither by an
/// imitation nor by a trailer.
#[test]
fn what_the_route_says_about_a_field_holds_everywhere() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .route("add_headers: { X-User: \"7\" }, request_headers: { remove: [ X-Role ] }")
        .start();
    let response = forebay.client().ask(
        "POST / HTTP/1.1\r\nHost: a\r\nX_User: 0\r\nX-Role: root\r\nX_Role: root\r\nX_Other: 1\r\n\
         Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-User: 0\r\nx_role: root\r\nX-Sum: 5\r\n\r\n",
    );
    assert_eq!(response.status, 200);
    let request = backend.request();
    assert_eq!(request.head.all("x-user"), ["7"]);
    for gone in ["x_user", "x-role", "x_role"] {
        assert_eq!(request.head.get(gone), None, "{gone}");
    }
    assert_eq!(request.head.get("x_other"), Some("1"));
    let trailers: Vec<_> = request.trailers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(trailers, ["X-Sum"]);
}

#[test]
fn a_route_has_limits_of_its_own() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .server("max_body: 10B")
        .add_route("id: large, path: /large, backend_group: app, max_body: 100B")
        .add_route("id: small, path: /small, backend_group: app, max_body: 5B")
        .add_route("id: rest, backend_group: app")
        .start();
    for (path, size, expected) in [
        ("/large", 100, 200),
        ("/large", 101, 413),
        ("/small", 5, 200),
        ("/small", 6, 413),
        ("/rest", 10, 200),
        ("/rest", 11, 413),
    ] {
        let body = "x".repeat(size);
        for framing in [
            format!("Content-Length: {size}\r\n\r\n{body}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"),
        ] {
            let request = format!("PUT {path} HTTP/1.1\r\nHost: a\r\n{framing}");
            let response = forebay.client().ask(request);
            assert_eq!(response.status, expected, "{path} {size}");
        }
    }
}

#[test]
fn a_route_has_times_of_its_own() {
    // Slow for both, but not too slow for one of them.
    let backend = Backend::answering(|_| {
        std::thread::sleep(Duration::from_millis(300));
        Reply::ok("late")
    });
    let forebay = Config::to(&backend)
        .add_route("id: quick, path: /quick, backend_group: app, timeout: { request: 50ms }")
        .add_route("id: rest, backend_group: app")
        .start();
    let quick = forebay.get("/quick");
    assert_eq!(
        (quick.status, quick.reason()),
        (504, Some("http_response_timeout"))
    );
    assert_eq!(forebay.get("/rest").status, 200);
}

/// Whatever the page, the status, the reason's field and the request's id stay.
#[test]
fn failures_have_pages() {
    let scratch = Scratch::new();
    scratch.write(
        "sorry.html",
        "<h1>${status} ${title}</h1> costs $5 ${reason}",
    );
    let dead = DeadAddress::new();
    let yaml = Config::to_urls([dead.url()])
        .top("error_pages: [ { status: [ 404, \"5xx\" ], file: sorry.html }, { status: [ 404 ], content_type: application/json, body: '{\"oops\":${status}}' } ]")
        .add_route("id: down, path: /down, backend_group: app, error_pages: [ { status: [ 502 ], body: down, content_type: text/plain } ]")
        .add_route("id: down2, path: /down2, backend_group: app")
        .add_route("id: post, path: /post, methods: [ POST ], respond: { status: 404, body: mine }")
        .yaml();
    let file = scratch.write("forebay.yaml", &yaml);
    let forebay = Forebay::with_arguments(&["run", "-c", &file]);
    let ask = |line: &str, accept: &str| {
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n");
        let response = forebay.client().ask(request);
        let kind = response.get("content-type").unwrap_or_default().to_owned();
        (response.status, kind, response.text().to_owned())
    };
    let html = "text/html; charset=utf-8".to_owned();
    let sorry = |status: &str, reason: &str| format!("<h1>{status}</h1> costs $5 {reason}");
    for accept in ["*/*", "text/html"] {
        assert_eq!(
            ask("GET /none", accept),
            (404, html.clone(), sorry("404 Not Found", "no_route"))
        );
    }
    assert_eq!(
        ask("GET /none", "application/json"),
        (
            404,
            "application/json".to_owned(),
            "{\"oops\":404}".to_owned()
        )
    );
    let (status, kind, text) = ask("GET /down", "*/*");
    assert_eq!((status, &*kind, &*text), (502, "text/plain", "down"));
    let (status, _, text) = ask("GET /down2", "*/*");
    assert_eq!(
        (status, text),
        (502, sorry("502 Bad Gateway", "connection_refused"))
    );
    // JSON for who asks for it, where no page is JSON.
    let (status, kind, _) = ask("GET /down", "application/json");
    assert_eq!((status, &*kind), (502, "application/json"));
    // Without a page, browsers get HTML.
    let (status, kind, text) = ask("GET /post", "text/html");
    assert_eq!((status, kind), (405, html));
    assert!(text.contains("<h1>405 Method Not Allowed</h1>"), "{text}");
    // A fixed answer is no failure.
    assert_eq!(ask("POST /post", "*/*").2, "mine");
    let response = forebay.get("/none");
    assert_eq!(response.reason(), Some("no_route"));
    assert!(response.get("x-request-id").is_some());
}
