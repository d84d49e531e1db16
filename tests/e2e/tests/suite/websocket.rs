//! WebSockets and other protocols over HTTP/1.1: who may switch, and what passes then.

use forebay_e2e::websocket::{
    CLOSE, KEY, TEXT, WebSocket, accept, agreement, echo, echoing, frame, read, request,
};
use forebay_e2e::{
    Authority, Backend, Config, DeadAddress, Nginx, PythonWebSocket, Reply, Scratch,
};

#[test]
fn messages_pass_both_ways_and_so_do_bytes_that_came_early() {
    let backend = Backend::scripted(|conn| {
        let request = conn.request_head().unwrap();
        let first = frame(TEXT, b"first", false);
        conn.send([agreement(&request).as_bytes(), &first].concat())
            .unwrap();
        while let Ok((opcode, payload)) = read(conn) {
            conn.send(frame(opcode, &payload, false)).unwrap();
            if opcode == CLOSE {
                return;
            }
        }
    });
    let forebay = Config::to(&backend).start();
    let mut client = WebSocket(forebay.client().into_wire());
    let early = frame(TEXT, b"early", true);
    client
        .0
        .send([request("/chat?x=1").as_bytes(), &early].concat())
        .unwrap();
    let head = client.agreed();
    assert!(head.contains("Connection: upgrade\r\n"), "{head}");
    assert!(head.contains("Upgrade: websocket\r\n"), "{head}");
    client.hear("first");
    client.hear("early");
    client.exchange(&"long".repeat(50_000));
    let labels = [("protocol", "websocket")];
    forebay.wait_metric("forebay_tunnels", &labels, 1.0);
    forebay.wait_metric("forebay_http_requests_in_flight", &[], 1.0);
    client.0.send(frame(CLOSE, b"", true)).unwrap();
    assert_eq!(read(&mut client.0).unwrap(), (CLOSE, Vec::new()));
    assert!(client.0.rest().unwrap().is_empty());

    let seen = backend.request().head;
    assert_eq!(seen.start, "GET /chat?x=1 HTTP/1.1");
    assert_eq!(seen.get("connection"), Some("upgrade"));
    assert_eq!(seen.get("upgrade"), Some("websocket"));
    assert_eq!(seen.get("sec-websocket-key"), Some(KEY));
    assert_eq!(seen.get("via"), Some("1.1 forebay"));
    let log = forebay.access_log(1);
    assert_eq!(log[0]["status"], 101);
    assert!(log[0]["failure"].is_null());
    let (up, down) = (11 + 200_014 + 6, 7 + 7 + 200_010 + 2);
    assert_eq!(log[0]["request_bytes"], up);
    assert_eq!(log[0]["response_bytes"], down);
    forebay.wait_metric("forebay_tunnels", &labels, 0.0);
    let metrics = forebay.metrics();
    let counted = |name: &str| metrics.sum(name, &labels);
    assert_eq!(
        counted("forebay_tunnel_received_bytes_total"),
        f64::from(up)
    );
    assert_eq!(counted("forebay_tunnel_sent_bytes_total"), f64::from(down));
    assert_eq!(counted("forebay_tunnel_duration_seconds_count"), 1.0);
}

/// Whatever the backend answers but 101 is an answer like any other, and what the
/// client has sent behind its request is never a request.
#[test]
fn a_backend_that_does_not_switch_answers() {
    let backend = Backend::answering(|_| Reply::with("403 Forbidden", &[], "not you"));
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(format!("{}{smuggled}", request("/"))).unwrap();
    let answer = client.response();
    assert_eq!((answer.status, answer.text()), (403, "not you"));
    assert_eq!(answer.get("connection"), Some("close"));
    client.assert_closed();
    let requests = backend.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
}

/// Requests that are answered as if they had not asked for another protocol.
#[test]
fn only_what_may_switch_is_passed_on() {
    let backend = Backend::saying("plain");
    let forebay = Config::to(&backend).start();
    let off = Config::to(&backend).server("upgrades: []").start();
    let usual = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n";
    let table = [
        (&forebay, "GET / HTTP/1.0", usual, ""),
        (&forebay, "POST / HTTP/1.1", usual, ""),
        (&forebay, "HEAD / HTTP/1.1", usual, ""),
        (
            &forebay,
            "GET / HTTP/1.1",
            "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n",
            "ab",
        ),
        (
            &forebay,
            "GET / HTTP/1.1",
            "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        (&forebay, "GET / HTTP/1.1", "Upgrade: websocket\r\n", ""),
        (&forebay, "GET / HTTP/1.1", "Connection: upgrade\r\n", ""),
        (&forebay, "GET / HTTP/1.1", h2c, ""),
        (
            &forebay,
            "GET / HTTP/1.1",
            "Connection: upgrade\r\nUpgrade: h2c, TLS/1.0, chat, websocket-2\r\n",
            "",
        ),
        (&off, "GET / HTTP/1.1", usual, ""),
    ];
    for (index, (forebay, line, fields, body)) in table.into_iter().enumerate() {
        let mut client = forebay.client();
        client
            .send(format!("{line}\r\nHost: a\r\n{fields}\r\n{body}"))
            .unwrap();
        let status = if line.starts_with("HEAD") {
            String::from_utf8(client.head().unwrap().unwrap()).unwrap()
        } else {
            let answer = client.response();
            assert_eq!(answer.text(), "plain", "{line} {fields}");
            format!("HTTP/1.1 {}", answer.status)
        };
        assert!(
            status.starts_with("HTTP/1.1 200"),
            "{line} {fields}: {status}"
        );
        let seen = backend.wait_requests(index + 1);
        let seen = &seen[index].head;
        assert_eq!(seen.get("upgrade"), None, "{line} {fields}");
        assert_eq!(seen.get("connection"), None, "{line} {fields}");
        assert_eq!(seen.get("http2-settings"), None, "{line} {fields}");
    }
}

#[test]
fn other_protocols_pass_where_the_listener_allows_them() {
    let backend = Backend::scripted(|conn| {
        conn.request_head().unwrap();
        conn.send("HTTP/1.1 101 Over\r\nConnection: Upgrade\r\nUpgrade: Chat/2\r\n\r\nhello")
            .unwrap();
        let rest = conn.rest().unwrap();
        conn.send(rest).unwrap();
    });
    let forebay = Config::to(&backend).server("upgrades: [chat/2]").start();
    let mut client = forebay.client();
    client
        .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket, CHAT/2\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(client.head().unwrap().unwrap()).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 Over\r\n"), "{head}");
    assert!(head.contains("Upgrade: chat/2\r\n"), "{head}");
    assert_eq!(client.exactly(5).unwrap(), b"hello");
    client.send("all there is").unwrap();
    // Half of it is closed, and the rest of it says what came before.
    client.finish();
    assert_eq!(client.rest().unwrap(), b"all there is");
    assert_eq!(backend.request().head.get("upgrade"), Some("chat/2"));
    let log = forebay.access_log(1);
    assert_eq!(log[0]["status"], 101);
    assert!(log[0]["failure"].is_null());
    forebay.wait_metric("forebay_tunnels", &[("protocol", "other")], 0.0);
}

#[test]
fn a_backend_that_ends_first_leaves_the_other_direction_open() {
    let backend = Backend::scripted(|conn| {
        let request = conn.request_head().unwrap();
        conn.send(agreement(&request)).unwrap();
        conn.send(frame(TEXT, b"last", false)).unwrap();
        conn.finish();
        assert_eq!(read(conn).unwrap(), (TEXT, b"heard".to_vec()));
        assert!(conn.rest().unwrap().is_empty());
    });
    let forebay = Config::to(&backend).start();
    let mut client = WebSocket::open(forebay.address());
    client.hear("last");
    assert!(client.0.rest().unwrap().is_empty());
    client.say("heard");
    client.0.finish();
    let log = forebay.access_log(1);
    assert_eq!(log[0]["status"], 101);
    assert!(log[0]["failure"].is_null());
}

/// What backends do that they must not, and to what request.
#[test]
fn a_backend_that_switches_to_what_it_was_not_asked_for_is_refused() {
    let plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let asked = request("/");
    let table = [
        (plain, "Connection: upgrade\r\nUpgrade: websocket\r\n"),
        (&asked, "Connection: upgrade\r\nUpgrade: chat\r\n"),
        (
            &asked,
            "Connection: upgrade\r\nUpgrade: websocket, chat\r\n",
        ),
        (&asked, "Connection: upgrade\r\n"),
        (&asked, "Upgrade: websocket\r\n"),
    ];
    for (request, fields) in table {
        let backend = Backend::scripted(move |conn| {
            while conn.request_head().is_some() {
                let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";
                let head = format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n{smuggled}");
                let _ = conn.send(head);
            }
        });
        let forebay = Config::to(&backend).start();
        let mut client = forebay.client();
        client.send(request).unwrap();
        let answer = client.response();
        assert_eq!(answer.status, 502, "{fields}");
        assert_eq!(answer.reason(), Some("http_protocol_error"), "{fields}");
        assert_eq!(forebay.access_log(1)[0]["status"], 502, "{fields}");
    }
}

#[test]
fn an_attempt_that_fails_before_the_switch_is_followed_by_another() {
    let backend = echoing();
    let dead = DeadAddress::new();
    let forebay = Config::to_urls([format!("http://{}", dead.address()), backend.url()])
        .group("strategy: round_robin")
        .start();
    for _ in 0..4 {
        WebSocket::open(forebay.address()).exchange("there");
    }
    let attempts = forebay.access_log(4).into_iter();
    let attempts: Vec<_> = attempts.map(|line| line["attempts"].clone()).collect();
    assert!(attempts.contains(&2.into()), "{attempts:?}");
}

/// A tunnel takes a connection for as long as it lasts, and leaves none.
#[test]
fn a_connection_that_was_switched_is_never_used_again() {
    let backend = Backend::scripted(|conn| match conn.number {
        0 => echo(conn),
        _ => conn.serve(&|_| Reply::ok("fresh")),
    });
    let forebay = Config::to(&backend)
        .top("workers: 1")
        .group("connection_pool: { max_connections_per_host: 1, max_waiting: 0 }")
        .start();
    let mut client = WebSocket::open(forebay.address());
    client.exchange("here");
    let refused = forebay.get("/");
    assert_eq!(refused.reason(), Some("connection_limit_reached"));
    client.0.send(frame(CLOSE, b"", true)).unwrap();
    client.0.until_gone();
    forebay.wait_metric("forebay_tunnels", &[], 0.0);
    assert_eq!(forebay.get("/").text(), "fresh");
    assert_eq!(backend.accepted(), 2);
}

#[test]
fn filters_see_the_answer_and_the_accept_is_the_backends() {
    let backend = echoing();
    let forebay = Config::to(&backend)
        .route("response_headers: { set: { X-Mine: \"yes\" } }")
        .start();
    let mut client = WebSocket(forebay.client().into_wire());
    client.0.send(request("/")).unwrap();
    let head = client.agreed();
    assert!(head.contains("X-Mine: yes\r\n"), "{head}");
    assert!(head.contains(&accept(KEY)), "{head}");
}

/// Where requests go over HTTP/2, what switches has a connection of its own, over
/// HTTP/1.1.
#[test]
fn a_backend_that_prefers_http_2_switches_over_http_1() {
    let authority = Authority::new();
    let behind = echoing();
    let nginx = Nginx::secure_with(
        &authority.issue(&["127.0.0.1"]),
        "http2",
        &format!(
            "location /ws {{ proxy_pass {}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
             proxy_set_header Connection upgrade; }} location / {{ return 200 $server_protocol; }}",
            behind.url()
        ),
    );
    let believing = format!("tls: {{ ca_file: {:?} }}", authority.file());
    let forebay = Config::to_urls([nginx.url()]).group(&believing).start();
    for _ in 0..2 {
        assert_eq!(forebay.get("/").text(), "HTTP/2.0");
        let mut client = WebSocket(forebay.client().into_wire());
        client.0.send(request("/ws")).unwrap();
        client.agreed();
        client.exchange("hello");
    }
    assert_eq!(forebay.get("/").text(), "HTTP/2.0");
}

/// With compression, messages in pieces, a ping and a subprotocol.
#[test]
fn a_real_client_and_a_real_server_understand_each_other() {
    let (_server, url) = PythonWebSocket::server();
    let mut forebay = Config::to_urls([url])
        .top("workers: 1\nshutdown_timeout: 100ms\ndrain_timeout: 200ms")
        .start();
    let client = PythonWebSocket::client(forebay.address());
    let seen = client.stdout_lines(3);
    let expected = [
        "subprotocol echo",
        "extensions permessage-deflate",
        "echoed",
    ];
    assert_eq!(seen, expected);
    forebay.terminate();
    assert_eq!(client.stdout_lines(4)[3], "closed 1001");
    assert_eq!(forebay.wait_exit(), Some(0));
}

#[test]
fn explain_shows_what_the_backend_would_be_asked() {
    let backend = echoing();
    let scratch = Scratch::new();
    let file = scratch.write("forebay.yaml", &Config::to(&backend).yaml());
    let explain = |upgrade: &str| {
        let field = format!("Upgrade: {upgrade}");
        let arguments = [
            "explain",
            "-c",
            &file,
            "-H",
            "Connection: upgrade",
            "-H",
            &field,
        ];
        let url = "http://a/chat";
        forebay_e2e::forebay(&[&arguments[..], &[url]].concat()).stdout
    };
    let said = explain("websocket");
    assert!(said.contains("Upgrade: websocket"), "{said}");
    assert!(said.contains("Connection: upgrade"), "{said}");
    let said = explain("h2c");
    assert!(!said.contains("Upgrade:"), "{said}");
}
