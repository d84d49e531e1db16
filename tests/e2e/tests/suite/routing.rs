//! Which route a request belongs to.

use forebay_e2e::{Config, Forebay};

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
            ("GET /", HOST, NONE),
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
            ("get /", HOST, NONE),
            ("POST /", HOST, NONE),
            (
                "PUT /",
                "Host: a\r\nauthorization: x\r\nX-TENANT: blue",
                "auth",
            ),
            (
                "PUT /",
                "Host: a\r\nAuthorization: x\r\nX-Tenant: Blue",
                NONE,
            ),
            ("PUT /", "Host: a\r\nX-Tenant: blue", NONE),
            ("PUT /", HOST, NONE),
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
