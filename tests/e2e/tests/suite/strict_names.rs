//! Host and path: one meaning, or refused.

use forebay_e2e::{Backend, Config};

#[test]
fn a_request_names_exactly_one_host() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).start();
    for fields in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: a@b\r\n",
        "Host: a:port\r\n",
        "Host: a:99999\r\n",
        "Host: [::1\r\n",
        "Host: a,b\r\n",
    ] {
        let mut client = forebay.client();
        let response = client.ask(format!("GET / HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(
            (response.status, response.reason()),
            (400, Some("invalid_host")),
            "{fields:?}"
        );
        client.assert_closed();
    }
    assert!(backend.requests().is_empty());
    for host in [
        "a",
        "A.Example.",
        "a:80",
        "[::1]",
        "[::1]:8080",
        "127.0.0.1:1",
        "a_b.c-d",
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(forebay.client().ask(request).status, 200, "{host}");
        assert_eq!(
            backend.requests().last().unwrap().head.get("host"),
            Some(host)
        );
    }
}

#[test]
fn an_empty_host_is_a_host() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).start();
    assert_eq!(
        forebay
            .client()
            .ask("GET / HTTP/1.1\r\nHost:\r\n\r\n")
            .status,
        200
    );
}

#[test]
fn an_absolute_target_decides_the_host() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).start();
    let request = "GET http://real.example:81/x?y HTTP/1.1\r\nHost: other.example\r\n\r\n";
    assert_eq!(forebay.client().ask(request).status, 200);
    let request = backend.request();
    assert_eq!(request.head.start, "GET /x?y HTTP/1.1");
    assert_eq!(request.head.get("host"), Some("real.example:81"));
    // The rule about Host fields holds all the same, and userinfo is no host.
    for bad in [
        "GET http://a/ HTTP/1.1\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
    ] {
        assert_eq!(forebay.client().ask(bad).status, 400, "{bad}");
    }
}

/// Safe paths are routed by their normal form and forwarded as received.
#[test]
fn a_path_is_routed_in_normal_form_and_forwarded_as_received() {
    let inside = Backend::saying("inside");
    let outside = Backend::saying("outside");
    let forebay = Config::to(&inside)
        .add_group("out", &outside)
        .add_route("id: inside, path: /api/*, backend_group: app")
        .add_route("id: outside, backend_group: out")
        .start();
    for (target, expected) in [
        ("/api/x", "inside"),
        ("/api//x", "inside"),
        ("//api/x", "inside"),
        ("/other/../api/x", "inside"),
        ("/./api/./x", "inside"),
        ("/%61pi/x", "inside"),
        ("/other/%2e%2E/api/x", "inside"),
        ("/api/%2e./secret", "outside"),
        ("/api/../secret", "outside"),
        ("/api/x/../../secret", "outside"),
        ("/api%2fx", "outside"),
        ("/api/a%2Fb", "inside"),
        ("/API/x", "outside"),
        ("/api/x?a=/../..", "inside"),
    ] {
        let backend = if expected == "inside" {
            &inside
        } else {
            &outside
        };
        assert_eq!(forebay.get(target).text(), expected, "{target}");
        assert_eq!(backend.requests().last().unwrap().target(), target);
    }
}

#[test]
fn a_path_that_climbs_above_the_root_is_refused() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).start();
    for target in [
        "/..",
        "/../x",
        "/a/../../x",
        "/%2e%2e/x",
        "/.%2E/x",
        "/a/%2e%2e/%2e%2e/x",
        "/..%2fx",
        "/a/..%2f..%2fx",
        "/..\\x",
        "/a/..\\..\\x",
        "/..%5cx",
        "/a%00b",
        "/%",
        "/%zz",
        "/%2",
    ] {
        let response = forebay.get(target);
        assert_eq!(
            (response.status, response.reason()),
            (400, Some("invalid_path")),
            "{target}"
        );
    }
    assert!(backend.requests().is_empty());
}
