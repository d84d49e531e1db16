//! Which route a request belongs to.

use forebay_e2e::{Backend, Config, Forebay};

/// Routes that answer with their own id, so that no backend is needed.
fn start(mode: &str, routes: &[(&str, &str)]) -> Forebay {
    let mut config = Config::default().top(&format!("routing: {mode}"));
    for (id, conditions) in routes {
        config = config.add_route(&format!("id: {id}, {conditions} respond: {{ body: {id} }}"));
    }
    config.start()
}

/// A request line without its version, further fields, and who should answer.
type Row<'a> = (&'a str, &'a str, &'a str);

#[track_caller]
fn assert_rows(forebay: &Forebay, rows: &[Row<'_>]) {
    let mut client = forebay.client();
    for (line, fields, expected) in rows {
        let response = client.ask(format!("{line} HTTP/1.1\r\n{fields}\r\n\r\n"));
        let got = match response.status {
            200 => response.text().to_owned(),
            status => format!("{status} {}", response.reason().unwrap_or_default()),
        };
        assert_eq!(got, *expected, "{line} {fields:?}");
    }
}

const HOST: &str = "Host: a";
const NONE: &str = "404 no_route";
const OTHER_METHOD: &str = "405 method_not_allowed";

///
#[test]
fn paths_are_exact_or_a_beginning() {
    let forebay = start(
        "specific",
        &[("health", "path: /health,"), ("api", "path: /api/*,")],
    );
    assert_rows(
        &forebay,
        &[
            ("GET /health", HOST, "health"),
            ("GET /health?x=/api/", HOST, "health"),
            ("GET /health/", HOST, NONE),
            ("GET /healthy", HOST, NONE),
            ("GET /Health", HOST, NONE),
            ("GET /api/", HOST, "api"),
            ("GET /api/x/y", HOST, "api"),
            ("GET /api", HOST, NONE),
            ("GET /apiv2/x", HOST, NONE),
            ("GET /", HOST, NONE),
            ("OPTIONS *", HOST, NONE),
        ],
    );
}

#[test]
fn a_path_may_be_a_prefix_or_an_expression() {
    let forebay = start(
        "specific",
        &[
            ("rest", "path: /*,"),
            ("tree", "path: \"prefix:/api\","),
            ("below", "path: /api/v1/*,"),
            ("user", "path: \"regex:^/api/users/[0-9]+$\","),
            ("php", "path: \"regex:\\\\.php$\","),
            ("exact", "path: /index.php,"),
        ],
    );
    assert_rows(
        &forebay,
        &[
            ("GET /api", HOST, "tree"),
            ("GET /api?x", HOST, "tree"),
            ("GET /api/", HOST, "tree"),
            ("GET /api/x", HOST, "tree"),
            ("GET /apiv2", HOST, "rest"),
            ("GET /api/v1/x", HOST, "below"),
            ("GET /api/users/12", HOST, "user"),
            ("GET /api/users/%31%32", HOST, "user"),
            ("GET /api/x/../users/12", HOST, "user"),
            ("GET /api/users/12/", HOST, "tree"),
            ("GET /api/v1/x.php", HOST, "php"),
            ("GET /index.php", HOST, "exact"),
            ("OPTIONS *", HOST, "rest"),
        ],
    );
}

/// The conditions beyond host, path and method: the more of them, the more
/// specific the route.
#[test]
fn routes_look_at_fields_parameters_cookies_and_clients() {
    let forebay = start(
        "specific",
        &[
            ("rest", ""),
            ("basic", "headers: { Authorization: \"prefix:Basic \" },"),
            ("mobile", "headers: { User-Agent: \"regex:(?i)mobile\" },"),
            ("v2", "query: { version: \"2\" },"),
            ("debug", "query: { version: \"2\", \"filter[on]\": \"*\" },"),
            ("beta", "cookies: { beta: \"1\" },"),
            ("local", "path: /local, client: [ 127.0.0.0/8 ],"),
            ("far", "path: /far, client: 192.0.2.1,"),
            (
                "not",
                "path: /not, not: { client: [ 192.0.2.0/24 ], headers: { X-No: \"*\" }, methods: [ PUT ] },",
            ),
        ],
    );
    assert_rows(
        &forebay,
        &[
            ("GET /", HOST, "rest"),
            ("GET /", "Host: a\r\nAuthorization: Basic eA==", "basic"),
            ("GET /", "Host: a\r\nAuthorization: Bearer eA==", "rest"),
            ("GET /", "Host: a\r\nUser-Agent: x (MOBILE; y)", "mobile"),
            ("GET /?version=2", HOST, "v2"),
            ("GET /?a&version=%32", HOST, "v2"),
            ("GET /?version=22", HOST, "rest"),
            ("GET /?version=2&filter%5Bon%5D", HOST, "debug"),
            ("GET /", "Host: a\r\nCookie: a=2; beta=1", "beta"),
            ("GET /", "Host: a\r\nCookie: beta=12", "rest"),
            ("GET /local", HOST, "local"),
            ("GET /far", HOST, "rest"),
            ("GET /not", HOST, "not"),
            ("PUT /not", HOST, "rest"),
            ("GET /not", "Host: a\r\nX-No: 1", "rest"),
        ],
    );
}

/// A client is who a trusted proxy says it is.
#[test]
fn the_client_condition_believes_trusted_proxies() {
    let forebay = Config::default()
        .top("trusted_proxies: [ 127.0.0.1 ]")
        .add_route("id: office, client: [ 192.0.2.0/24 ], respond: { body: office }")
        .add_route("id: rest, respond: { body: rest }")
        .start();
    assert_rows(
        &forebay,
        &[
            ("GET /", "Host: a\r\nX-Forwarded-For: 192.0.2.7", "office"),
            ("GET /", "Host: a\r\nX-Forwarded-For: 198.51.100.7", "rest"),
        ],
    );
}

const OVERLAPPING: &[(&str, &str)] = &[
    ("any", ""),
    ("api", "path: /api/*,"),
    ("api-post", "path: /api/*, methods: [ POST ],"),
    ("api-header", "path: /api/*, headers: { X-Version: \"2\" },"),
    ("deep", "path: /api/v1/*,"),
    ("exact", "path: /api/v1/x,"),
    ("host", "host: shop.example,"),
    ("wild", "host: \"*.example\","),
    ("wild-deep", "host: \"*.shop.example\","),
];

/// G-02: host beats path, a longer path beats a shorter one, a method beats none.
#[test]
fn the_most_specific_route_wins_wherever_it_is_written() {
    let forebay = start("specific", OVERLAPPING);
    assert_rows(
        &forebay,
        &[
            ("GET /", HOST, "any"),
            ("GET /api/x", HOST, "api"),
            ("POST /api/x", HOST, "api-post"),
            ("GET /api/x", "Host: a\r\nX-Version: 2", "api-header"),
            ("GET /api/x", "Host: a\r\nX-Version: 3", "api"),
            ("GET /api/v1/y", HOST, "deep"),
            ("POST /api/v1/y", HOST, "deep"),
            ("GET /api/v1/x", HOST, "exact"),
            ("GET /api/v1/x", "Host: shop.example", "host"),
            ("GET /", "Host: SHOP.example.:8080", "host"),
            ("GET /", "Host: other.example", "wild"),
            ("GET /", "Host: a.b.example", "wild"),
            ("GET /", "Host: a.shop.example", "wild-deep"),
            ("GET /", "Host: example", "any"),
            ("GET /", "Host: shop.example.org", "any"),
            ("GET http://shop.example/", "Host: other", "host"),
        ],
    );
}

#[test]
fn in_order_the_first_route_wins() {
    let forebay = start(
        "ordered",
        &[
            ("post", "methods: [ POST ],"),
            ("api", "path: /api/*,"),
            ("exact", "path: /api/x,"),
            ("host", "host: shop.example,"),
        ],
    );
    assert_rows(
        &forebay,
        &[
            ("POST /api/x", HOST, "post"),
            ("GET /api/x", HOST, "api"),
            ("GET /api/x", "Host: shop.example", "api"),
            ("GET /", "Host: shop.example", "host"),
            ("GET /", HOST, OTHER_METHOD),
        ],
    );
}

#[test]
fn methods_and_headers_are_conditions() {
    let forebay = start(
        "specific",
        &[
            ("read", "methods: [ GET, HEAD ],"),
            (
                "auth",
                "methods: [ PUT ], headers: { Authorization: \"*\", X-Tenant: blue },",
            ),
        ],
    );
    assert_rows(
        &forebay,
        &[
            ("GET /", HOST, "read"),
            ("get /", HOST, OTHER_METHOD),
            ("POST /", HOST, OTHER_METHOD),
            (
                "PUT /",
                "Host: a\r\nauthorization: x\r\nX-TENANT: blue",
                "auth",
            ),
            (
                "PUT /",
                "Host: a\r\nAuthorization: x\r\nX-Tenant: Blue",
                OTHER_METHOD,
            ),
            ("PUT /", "Host: a\r\nX-Tenant: blue", OTHER_METHOD),
            ("PUT /", HOST, OTHER_METHOD),
        ],
    );
}

#[test]
fn no_route_says_so_everywhere() {
    let forebay = start("specific", &[("health", "path: /health,")]);
    let mut client = forebay.client();
    let response = client.get("/nowhere");
    assert_eq!(response.status, 404);
    let expected = "forebay; error=destination_not_found; details=\"no_route\"";
    assert_eq!(response.get("proxy-status"), Some(expected));
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["failure"], "no_route");
    assert_eq!(line.get("route"), None);
    forebay.wait_metric("forebay_errors_total", &[("reason", "no_route")], 1.0);
    // The connection goes on.
    assert_eq!(client.get("/health").status, 200);
}

#[test]
fn a_method_that_no_route_takes_is_told_which_are_taken() {
    let forebay = start(
        "specific",
        &[
            ("read", "path: /x, methods: [ GET, HEAD ],"),
            ("write", "path: /x, methods: [ PUT, GET ],"),
            (
                "secret",
                "path: /x, methods: [ DELETE ], headers: { X-Key: \"*\" },",
            ),
        ],
    );
    let response = forebay.client().ask("POST /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        (response.status, response.reason()),
        (405, Some("method_not_allowed"))
    );
    assert_eq!(response.get("allow"), Some("GET, HEAD, PUT"));
    let response = forebay
        .client()
        .ask("POST /x HTTP/1.1\r\nHost: a\r\nX-Key: 1\r\n\r\n");
    assert_eq!(response.get("allow"), Some("GET, HEAD, PUT, DELETE"));
}

#[test]
fn near_misses_are_named_in_the_log_and_to_those_who_may_know() {
    let backend = Backend::saying("ok");
    let near = "not api: path is /api, the route takes /api/*; \
                not here: host is a, the route takes here.example";
    for (entry, told) in [
        ("debug_errors: false", false),
        ("debug_errors: true", true),
        ("trusted_proxies: [ 127.0.0.1 ]", true),
        ("trusted_proxies: [ 10.0.0.1 ]", false),
    ] {
        let forebay = Config::to(&backend)
            .top(entry)
            .add_route("id: here, host: here.example, backend_group: app")
            .add_route("id: api, path: /api/*, backend_group: app")
            .start();
        let ask = |accept: &str| {
            let request = format!("GET /api HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n");
            forebay.client().ask(request)
        };
        let text = ask("*/*").text().to_owned();
        assert_eq!(
            text.contains(&format!("\ndetail: {near}\n")),
            told,
            "{entry}: {text}"
        );
        let json: serde_json::Value = serde_json::from_str(ask("application/json").text()).unwrap();
        assert_eq!(json["debug"].as_str(), told.then_some(near), "{entry}");
        assert_eq!(forebay.access_log(2)[0]["failure_detail"], near);
    }
    // A client that comes through a trusted proxy is not itself trusted.
    let forebay = Config::to(&backend)
        .top("trusted_proxies: [ 127.0.0.1 ]")
        .route("path: /only")
        .start();
    let request = "GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    let response = forebay.client().ask(request);
    assert_eq!(response.status, 404);
    assert!(!response.text().contains("detail"), "{}", response.text());
}
