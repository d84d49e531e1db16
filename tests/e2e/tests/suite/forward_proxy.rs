//! Listeners that are forward proxies: where clients get to, and where not.

use forebay_e2e::frames::{DATA, Frames, HEADERS};
use forebay_e2e::{Backend, Config, DeadAddress, Forebay, Reply, curl};

/// Says everything back, and ends when the client does.
fn echoing() -> Backend {
    Backend::scripted(|conn| {
        while let Ok(some) = conn.some(64 * 1024)
            && !some.is_empty()
        {
            let _ = conn.send(some);
        }
    })
}

fn allowing(list: &str) -> Forebay {
    let nowhere: [String; 0] = [];
    Config::to_urls(nowhere)
        .add_route("id: all, respond: { body: by the routes }")
        .server(&format!("forward: {{ allow: [ {list} ] }}"))
        .start()
}

fn connect(authority: impl std::fmt::Display) -> String {
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
}

#[test]
fn a_tunnel_passes_bytes_both_ways() {
    let server = echoing();
    let forebay = allowing("\"127.0.0.0/8:*\"");
    let to = server.address();
    let mut client = forebay.client();
    // What comes behind the request goes along.
    client.send(format!("{}early", connect(to))).unwrap();
    let head = String::from_utf8(client.head().unwrap().unwrap()).unwrap();
    assert_eq!(head, "HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(client.exactly(5).unwrap(), b"early");
    let much = vec![b'x'; 300_000];
    client.send_beside(much.clone());
    assert_eq!(client.exactly(much.len()).unwrap(), much);
    let labels = [("protocol", "connect")];
    forebay.wait_metric("forebay_tunnels", &labels, 1.0);
    client.finish();
    assert!(client.rest().unwrap().is_empty());
    let log = forebay.access_log(1);
    assert_eq!(log[0]["method"], "CONNECT");
    assert_eq!(log[0]["target"], to.to_string());
    assert_eq!(log[0]["status"], 200);
    assert_eq!(log[0]["request_bytes"], 300_005);
    assert_eq!(log[0]["response_bytes"], 300_005);
    assert!(log[0]["failure"].is_null());
    forebay.wait_metric("forebay_tunnels", &labels, 0.0);
}

#[test]
fn a_tunnel_that_is_silent_is_closed() {
    let server = echoing();
    let backend = Backend::saying("");
    let forebay = Config::to(&backend)
        .server("forward: { allow: [ \"127.0.0.0/8:*\" ], idle_timeout: 200ms }")
        .start();
    let mut client = forebay.client();
    client.send(connect(server.address())).unwrap();
    client.head().unwrap().unwrap();
    assert!(client.until_gone().is_empty());
    let log = forebay.access_log(1);
    assert_eq!(log[0]["failure"], "connection_idle_timeout");
}

#[test]
fn a_tunnel_over_http_2() {
    let server = echoing();
    let forebay = allowing("\"127.0.0.0/8:*\"");
    let mut frames = Frames::connect(forebay.address());
    let to = server.address().to_string();
    frames.head(1, &[(":method", "CONNECT"), (":authority", &to)], false);
    let head = frames.wait(|frame| frame.kind == HEADERS);
    assert_eq!(head.payload.first(), Some(&0x88));
    frames.data(1, b"hello", false);
    assert_eq!(frames.wait(|frame| frame.kind == DATA).payload, b"hello");
    frames.data(1, b"", true);
    frames.wait(|frame| frame.ends_stream());
    let log = forebay.access_log(1);
    assert_eq!(log[0]["method"], "CONNECT");
    assert!(log[0]["failure"].is_null());
    assert_eq!(log[0]["version"], "HTTP/2.0");

    let mut frames = Frames::connect(forebay.address());
    frames.head(
        1,
        &[(":method", "CONNECT"), (":authority", "10.0.0.1:1")],
        false,
    );
    frames.wait(|frame| frame.kind == HEADERS);
    assert_eq!(
        forebay.access_log(2)[1]["failure"],
        "destination_not_allowed"
    );
}

/// A list, what is asked for, and the reason why not. `PORT` is that of a server
/// that must never hear of it.
#[test]
fn what_is_not_in_the_list_is_refused() {
    let server = Backend::saying("reached");
    let port = server.address().port().to_string();
    let (unlisted, prohibited) = ("destination_not_allowed", "destination_ip_prohibited");
    for (list, authority, reason) in [
        ("", "127.0.0.1:PORT", unlisted),
        ("\"example.com:443\"", "127.0.0.1:PORT", unlisted),
        ("\"127.0.0.1:1\"", "127.0.0.1:PORT", unlisted),
        ("\"127.0.0.2:PORT\"", "127.0.0.1:PORT", unlisted),
        ("\"127.0.0.0/8:*\"", "localhost:PORT", unlisted),
        ("\"*:*\"", "127.0.0.1:PORT", prohibited),
        ("\"*:*\"", "[::ffff:127.0.0.1]:PORT", prohibited),
        ("\"*:*\"", "0.0.0.0:PORT", prohibited),
        ("\"*:*\"", "[::]:PORT", prohibited),
        ("\"*:*\"", "169.254.169.254:80", prohibited),
        // A name that leads where it must not, whatever it is called.
        ("\"localhost:*\"", "localhost:PORT", prohibited),
        (
            "\"localhost:*\", \"127.0.0.0/8:1\", \"[::1]:1\"",
            "LOCALHOST.:PORT",
            prohibited,
        ),
        // Other spellings of an address are names, and no resolver is asked.
        ("\"127.0.0.0/8:*\"", "127.1:PORT", unlisted),
        ("\"127.0.0.0/8:*\"", "2130706433:PORT", unlisted),
        ("\"127.0.0.0/8:*\"", "0x7f000001:PORT", unlisted),
    ] {
        let forebay = allowing(&list.replace("PORT", &port));
        let authority = authority.replace("PORT", &port);
        for request in [
            connect(&authority),
            format!("GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n\r\n"),
        ] {
            let answer = forebay.client().ask(&request);
            assert_eq!(answer.status, 403, "{list} {request}");
            assert_eq!(answer.reason(), Some(reason), "{list} {request}");
        }
    }
    assert_eq!(server.accepted(), 0);
}

#[test]
fn requests_that_do_not_say_where_or_say_too_much_are_refused() {
    let server = Backend::saying("reached");
    let forebay = allowing("\"127.0.0.0/8:*\"");
    let to = server.address();
    for (request, status, reason) in [
        (connect("127.0.0.1"), 400, "invalid_host"),
        (connect("127.0.0.1:0"), 400, "invalid_host"),
        (connect("127.0.0.1:"), 400, "invalid_host"),
        (connect("[::1]"), 400, "invalid_host"),
        (connect("u@127.0.0.1:80"), 400, "invalid_host"),
        (
            format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nContent-Length: 3\r\n\r\nabc"),
            400,
            "http_request_error",
        ),
        (
            format!("GET https://{to}/ HTTP/1.1\r\nHost: {to}\r\n\r\n"),
            501,
            "method_not_supported",
        ),
    ] {
        let answer = forebay.client().ask(&request);
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.reason(), Some(reason), "{request}");
    }
    assert_eq!(server.accepted(), 0);
    // Everything else goes by the routes.
    assert_eq!(forebay.get("/").text(), "by the routes");
}

#[test]
fn absolute_requests_go_where_they_say() {
    let servers = ["one", "two"].map(|text| Backend::answering(move |_| Reply::ok(text)));
    let forebay = allowing("\"127.0.0.0/8:*\"");
    let mut client = forebay.client();
    for (server, text) in servers.iter().zip(["one", "two"]) {
        let to = server.address();
        client
            .send(format!(
                "POST http://{to}/a/b?c=1 HTTP/1.1\r\nHost: elsewhere\r\nProxy-Connection: keep-alive\r\n\
                 Proxy-Authorization: Basic c2VjcmV0\r\nConnection: X-Mine\r\nX-Mine: 1\r\nX-Other: 2\r\n\
                 Content-Length: 3\r\n\r\nabc"
            ))
            .unwrap();
        assert_eq!(client.response().text(), text);
        let seen = server.request();
        assert_eq!(seen.head.start, "POST /a/b?c=1 HTTP/1.1");
        assert_eq!(seen.head.get("host"), Some(&*to.to_string()));
        assert_eq!(seen.head.get("via"), Some("1.1 forebay"));
        assert_eq!(seen.head.get("x-other"), Some("2"));
        for gone in [
            "proxy-connection",
            "proxy-authorization",
            "connection",
            "x-mine",
        ] {
            assert_eq!(seen.head.get(gone), None, "{gone}");
        }
        // Who asks is nobody's business there.
        assert_eq!(seen.head.get("x-forwarded-for"), None);
        assert_eq!(seen.body, b"abc");
    }
    let log = forebay.access_log(2);
    assert_eq!(log[1]["status"], 200);
    assert_eq!(
        log[1]["target"],
        format!("http://{}/a/b?c=1", servers[1].address())
    );
}

#[test]
fn nobody_there_is_told_as_such() {
    let dead = DeadAddress::new();
    let forebay = allowing("\"127.0.0.0/8:*\"");
    for request in [
        connect(dead.address()),
        format!(
            "GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\n\r\n",
            dead.address()
        ),
    ] {
        let answer = forebay.client().ask(&request);
        assert_eq!(answer.status, 502, "{request}");
        assert_eq!(answer.reason(), Some("connection_refused"), "{request}");
    }
}

#[test]
fn curl_gets_through_both_ways() {
    let server = Backend::saying("hello");
    let forebay = allowing("\"127.0.0.0/8:*\"");
    let (proxy, url) = (format!("http://{}", forebay.address()), server.url());
    for more in [&[][..], &["--proxytunnel"]] {
        let arguments = [&["-sS", "-m", "20", "--proxy", &proxy], more, &[&*url]].concat();
        let got = curl(&arguments);
        assert_eq!(
            (got.code, &*got.stdout),
            (Some(0), "hello"),
            "{more:?} {got:?}"
        );
    }
    let log = forebay.access_log(2).into_iter();
    let mut methods: Vec<_> = log.map(|line| line["method"].to_string()).collect();
    methods.sort();
    assert_eq!(methods, ["\"CONNECT\"", "\"GET\""]);
}

/// The example of the documentation, told to `explain`.
#[test]
fn explain_says_where_it_leads_or_why_not() {
    let scratch = forebay_e2e::Scratch::new();
    let file = scratch.write(
        "forebay.yaml",
        "server: { address: \"127.0.0.1:0\", forward: { allow: [ \"*.example.com:443\" ] } }\n\
         routes: [ { id: all, respond: { body: x } } ]\n",
    );
    let explain = |url: &str| {
        let finished = forebay_e2e::forebay(&["explain", "-c", &file, "-X", "CONNECT", url]);
        finished.stdout
    };
    let said = explain("www.example.com:443");
    assert!(
        said.contains("to www.example.com:443, as a forward proxy"),
        "{said}"
    );
    let said = explain("www.example.org:443");
    assert!(said.contains("403 (destination_not_allowed"), "{said}");
}
