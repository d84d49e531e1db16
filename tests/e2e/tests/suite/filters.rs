//! What a route may do to a request, and the answers it may give itself.

use forebay_e2e::{Backend, Config};

#[test]
fn a_prefix_is_taken_off_the_path() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .add_route("id: api, path: /api/v1/*, backend_group: app, strip_prefix: /api/v1")
        .add_route("id: bare, path: /api/v1, backend_group: app, strip_prefix: /api/v1")
        .start();
    for (target, expected) in [
        ("/api/v1/users?id=1", "/users?id=1"),
        ("/api/v1/", "/"),
        ("/api/v1", "/"),
        ("/api/v1?q", "/?q"),
        ("/api/v1/a%20b/%C3%A9", "/a%20b/%C3%A9"),
        // Spelt differently, the normal form takes its place.
        ("/api/./v1/users", "/users"),
        ("/%61pi/v1/users", "/users"),
        // What is left must not become somebody else's host.
        ("/api/v1//evil.example/x", "/evil.example/x"),
    ] {
        assert_eq!(forebay.get(target).status, 200, "{target}");
        assert_eq!(
            backend.requests().last().unwrap().target(),
            expected,
            "{target}"
        );
    }
    let climbs = forebay.get("/api/v1/x/..%2f..%2f..%2fsecret");
    assert_eq!(
        (climbs.status, climbs.reason()),
        (400, Some("invalid_path"))
    );
}

#[test]
fn fields_are_added_from_templates() {
    let backend = Backend::saying("ok");
    let template = "${client_ip}|${request_id}|${host}|${method}|${path}|${query}|${uri}|${scheme}|\
        ${protocol}|${route}|${backend_group}|${header.X-Tenant}";
    let forebay = Config::to(&backend)
        .route(&format!(
            "add_headers: {{ X-Proxy-Version: \"1.0\", X-Facts: {template:?}, X-Client: \"\" }}"
        ))
        .start();
    let response = forebay.client().ask(
        "GET /a/b?c=d HTTP/1.1\r\nHost: Shop.Example:80\r\nX-Tenant: t1\r\nX-Tenant: t2\r\n\
         X-Proxy-Version: fake\r\nX-Facts: fake\r\n\r\n",
    );
    assert_eq!(response.status, 200);
    let head = backend.request().head;
    assert_eq!(head.get("x-proxy-version"), Some("1.0"));
    let id = head.get("x-request-id").unwrap();
    let facts =
        format!("127.0.0.1|{id}|shop.example|GET|/a/b|c=d|/a/b?c=d|http|HTTP/1.1|all|app|t1, t2");
    assert_eq!(head.get("x-facts"), Some(&*facts));
}

#[test]
fn a_route_may_answer_itself() {
    let backend = Backend::saying("reached");
    let forebay = Config::to(&backend)
        .add_route("id: fixed, path: /fixed, respond: { status: 418, body: 'a \"pot\"', headers: { X-Kind: tea } }")
        .add_route("id: empty, path: /empty, respond: { status: 204 }")
        .add_route("id: json, path: /json, respond: { body: '{}', content_type: application/json }")
        .add_route("id: rest, backend_group: app")
        .start();
    let mut client = forebay.client();
    let fixed = client.get("/fixed");
    assert_eq!((fixed.status, fixed.text()), (418, "a \"pot\""));
    assert_eq!(fixed.get("x-kind"), Some("tea"));
    assert_eq!(fixed.get("content-type"), Some("text/plain; charset=utf-8"));
    assert!(fixed.get("date").is_some());
    let empty = client.get("/empty");
    assert_eq!((empty.status, empty.get("content-length")), (204, None));
    assert_eq!(
        client.get("/json").get("content-type"),
        Some("application/json")
    );
    let head = client.ask("HEAD /fixed HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((head.status, head.get("content-length")), (418, Some("7")));
    // A body that has been sent along is not taken for the next request.
    let post = "POST /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(client.ask(post).status, 418);
    assert_eq!(client.get("/other").text(), "reached");
    assert_eq!(backend.request().target(), "/other");
}

#[test]
fn a_route_may_send_clients_elsewhere() {
    let backend = Backend::saying("reached");
    let forebay = Config::to(&backend)
        .add_route(
            "id: old, path: /old/*, redirect: { to: \"https://new.example${path}\", status: 301 }",
        )
        .add_route("id: tls, path: /tls/*, redirect: { to: \"https://${host}${uri}\" }")
        .add_route("id: here, path: /here/*, redirect: { to: \"${uri}\", status: 302 }")
        .start();
    for (target, status, location) in [
        ("/old/x?y", 301, "https://new.example/old/x"),
        ("/tls/x?y=%20", 308, "https://test.example/tls/x?y=%20"),
        // Never another host by way of the path.
        ("//here/x", 302, "/here/x"),
        ("/here/\\evil", 302, "/here/%5Cevil"),
    ] {
        let response = forebay.get(target);
        assert_eq!(
            (response.status, response.get("location")),
            (status, Some(location))
        );
    }
    assert!(backend.requests().is_empty());
}
