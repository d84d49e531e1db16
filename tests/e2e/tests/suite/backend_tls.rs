//! TLS to backends.

use forebay_e2e::{
    Authority, Backend, Config, Forebay, Issued, Nginx, Reply, Scratch, Tunnel, bytes, forebay,
};

/// nginx, which says what it knows of the connection.
const TELLS: &str = "location / { return 200 \"$ssl_protocol $ssl_server_name $ssl_session_reused $http_host $ssl_client_s_dn\"; }";

fn believing(authority: &Authority, more: &str) -> String {
    format!("tls: {{ ca_file: {:?}{more} }}", authority.file())
}

/// One group of this backend, at this name in its certificate.
fn to(nginx: &Nginx, authority: &Authority, more: &str) -> Config {
    Config::to_urls([nginx.url()]).group(&believing(
        authority,
        &format!(", server_name: app.test{more}"),
    ))
}

fn words(forebay: &Forebay) -> Vec<String> {
    let response = forebay.get("/");
    assert_eq!(response.status, 200, "{}", response.text());
    response.text().split(' ').map(str::to_owned).collect()
}

#[test]
fn nginx_is_asked_over_tls_and_sessions_are_taken_up_again() {
    let authority = Authority::new();
    let issued = authority.issue(&["app.test"]);
    for (version, name) in [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")] {
        // A connection for every request.
        let server = format!("keepalive_requests 1; {TELLS}");
        let nginx = Nginx::secure(&issued, &server);
        let versions = format!(", min_version: \"{version}\", max_version: \"{version}\"");
        let forebay = to(&nginx, &authority, &versions).top("workers: 1").start();
        let first = words(&forebay);
        assert_eq!(&first[..3], [name, "app.test", "."], "{version}");
        let again = words(&forebay);
        assert_eq!(&again[..3], [name, "app.test", "r"], "{version}");
    }
}

#[test]
fn connections_are_kept_for_further_requests() {
    let authority = Authority::new();
    let nginx = Nginx::secure(
        &authority.issue(&["app.test"]),
        "location / { return 200 $connection; }",
    );
    let forebay = to(&nginx, &authority, "").top("workers: 1").start();
    let first = forebay.get("/").text().to_owned();
    for _ in 0..3 {
        assert_eq!(forebay.get("/").text(), first);
    }
}

#[test]
fn the_host_of_the_url_is_the_name_that_counts() {
    let authority = Authority::new();
    // An address is in the certificate and not asked for.
    let nginx = Nginx::secure(&authority.issue(&["127.0.0.1"]), TELLS);
    let forebay = Config::to_urls([nginx.url()])
        .group(&believing(&authority, ""))
        .start();
    assert_eq!(&words(&forebay)[..2], ["TLSv1.3", ""]);
    // A name is.
    let nginx = Nginx::secure(&authority.issue(&["localhost"]), TELLS);
    let forebay = Config::to_urls([nginx.url().replace("127.0.0.1", "localhost")])
        .group(&believing(&authority, ""))
        .start();
    assert_eq!(&words(&forebay)[..2], ["TLSv1.3", "localhost"]);
}

/// Asks, and says what became of it.
fn failure(config: Config) -> (String, String) {
    let forebay = config.telemetry("access_log: { output: \"-\" }").start();
    let response = forebay.get("/");
    assert_eq!(response.status, 502);
    let reason = response.reason().unwrap_or_default().to_owned();
    let record = &forebay.access_log(1)[0];
    // A lone backend with a wrong certificate does not have a better one at once.
    assert_eq!(record["attempts"], 1, "{record}");
    (reason, record["failure_detail"].to_string())
}

#[test]
fn a_certificate_that_is_not_believed_is_refused_and_told() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let nginx = Nginx::secure(&authority.issue(&["app.test"]), TELLS);
    let (reason, detail) = failure(to(&nginx, &stranger, ""));
    assert_eq!(reason, "tls_certificate_error");
    assert!(detail.contains("invalid peer certificate"), "{detail}");
    let elsewhere =
        Config::to_urls([nginx.url()]).group(&believing(&authority, ", server_name: other.test"));
    let (reason, detail) = failure(elsewhere);
    assert_eq!(reason, "tls_certificate_error");
    assert!(detail.contains("other.test"), "{detail}");
    // Without a file, the system's authorities do not know it.
    let (reason, _) = failure(Config::to_urls([nginx.url()]));
    assert_eq!(reason, "tls_certificate_error");
    let forebay = Config::to_urls([nginx.url()])
        .group("tls: { verify: false }")
        .start();
    assert_eq!(words(&forebay)[0], "TLSv1.3");
}

#[test]
fn nginx_is_shown_a_certificate() {
    let authority = Authority::new();
    let server = format!(
        "ssl_verify_client on; ssl_client_certificate {}; {TELLS}",
        authority.file()
    );
    let nginx = Nginx::secure(&authority.issue(&["app.test"]), &server);
    let shown: Issued = authority.issue(&["forebay.test"]);
    let forebay = to(&nginx, &authority, &format!(", {}", shown.entries())).start();
    assert_eq!(words(&forebay)[4], "CN=forebay.test");
    let without = to(&nginx, &authority, "").start();
    let response = without.get("/");
    assert_eq!(response.status, 400, "{}", response.text());
}

#[test]
fn a_backend_that_speaks_no_tls_is_told_from_one_that_does() {
    let authority = Authority::new();
    let plain = Backend::scripted(|conn| {
        let _ = conn.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let url = plain.url().replace("http://", "https://");
    let (reason, detail) = failure(Config::to_urls([url.clone()]));
    assert_eq!(reason, "tls_protocol_error");
    assert!(detail.contains("speaks HTTP without TLS"), "{detail}");
    // Another one is asked instead.
    let nginx = Nginx::secure(&authority.issue(&["app.test"]), TELLS);
    let forebay = Config::to_urls([url, nginx.url()])
        .group(&believing(&authority, ", server_name: app.test"))
        .start();
    for _ in 0..4 {
        assert_eq!(words(&forebay)[0], "TLSv1.3");
    }
}

#[test]
fn bodies_pass_through_two_of_us_bit_for_bit() {
    let authority = Authority::new();
    let backend = Backend::answering(|request| Reply::ok(&request.body));
    let inner = Config::to(&backend)
        .server(&authority.issue(&["127.0.0.1"]).entries())
        .start();
    let outer = Config::to_urls([format!("https://{}", inner.address())])
        .group(&believing(&authority, ""))
        .start();
    for size in [0_usize, 1, 16_384, 65_537, 3 << 20] {
        let body = bytes(size);
        let mut client = outer.client();
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
        client.send_beside([head.as_bytes(), &body].concat());
        assert!(client.response().body == body, "{size}");
    }
}

#[test]
fn health_is_checked_over_tls() {
    let authority = Authority::new();
    let nginx = Nginx::secure(&authority.issue(&["app.test"]), TELLS);
    let check = "health_check: { enabled: true, interval: 50ms, healthy_threshold: 1, unhealthy_threshold: 1, passive: { enabled: false } }";
    let is_up = |config: Config, up: f64| {
        let forebay = config.group(check).start();
        let url = nginx.url();
        let labels = [("group", "app"), ("backend", &*url)];
        forebay.wait_metric("forebay_backend_up", &labels, up);
    };
    is_up(to(&nginx, &authority, ""), 1.0);
    let stranger = Authority::new();
    is_up(to(&nginx, &stranger, ""), 0.0);
    // It is said why, wherever somebody may look.
    let why = "tls certificate error: invalid peer certificate: BadSignature";
    let forebay = to(&nginx, &stranger, "")
        .group(check)
        .top("admin: { address: \"127.0.0.1:0\" }")
        .start();
    forebay.stderr_line(why, |line| {
        (line.contains(" is out: ") && line.contains(why)).then_some(())
    });
    let admin = format!("http://{}", forebay.admin_address());
    for command in ["backends", "status"] {
        let shown = forebay_e2e::forebay(&["ctl", "--admin", &admin, command]);
        assert!(shown.stdout.contains(why), "{command}: {}", shown.stdout);
    }
}

#[test]
fn other_terms_take_other_connections() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let nginx = Nginx::secure(&authority.issue(&["app.test"]), TELLS);
    let config = to(&nginx, &authority, "").top("workers: 1");
    let forebay = config.start();
    assert_eq!(forebay.get("/").status, 200);
    // The connection that lies ready was made with somebody who is not believed any more.
    forebay.reload(&to(&nginx, &stranger, "").top("workers: 1").yaml());
    assert_eq!(forebay.get("/").reason(), Some("tls_certificate_error"));
    forebay.reload(&config.yaml());
    assert_eq!(forebay.get("/").status, 200);
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let authority = Authority::new();
    let scratch = Scratch::new();
    let issued = authority.issue(&["app.test"]);
    let (ca, no_pem) = (authority.file(), scratch.write("text", "hello"));
    let (cert, key) = (&issued.cert_file, &issued.key_file);
    let said = |tls: &str, url: &str| {
        let config = Config::to_urls([url.to_owned()]).group(&format!("tls: {{ {tls} }}"));
        let file = scratch.write("forebay.yaml", &config.yaml());
        let checked = forebay(&["check", "-c", &file]);
        checked.stdout + &checked.stderr
    };
    for (tls, part) in [
        (
            format!("ca_file: {no_pem:?}"),
            "there is no certificate in it",
        ),
        (
            "ca_file: /none/ca.crt".to_owned(),
            "the file cannot be read",
        ),
        (
            format!("ca_file: {ca:?}, cert_file: {cert:?}"),
            "takes both `cert_file` and `key_file`",
        ),
        (
            format!("ca_file: {ca:?}, cert_file: {key:?}, key_file: {key:?}"),
            "no certificate",
        ),
        (
            format!("ca_file: {ca:?}, server_name: \"a b\""),
            "neither a name nor an address",
        ),
        (
            format!("ca_file: {ca:?}, min_version: \"1.3\", max_version: \"1.2\""),
            "is older than",
        ),
        (
            format!("ca_file: {ca:?}, verify: false"),
            "are not looked at",
        ),
    ] {
        let told = said(&tls, "https://app.test");
        assert!(told.contains(part), "{tls}: {told}");
    }
    let idle = said(&format!("ca_file: {ca:?}"), "http://app.test");
    assert!(idle.contains("begin their URLs with `https://`"), "{idle}");
}

#[test]
fn a_tunnel_goes_on_in_tls() {
    let authority = Authority::new();
    let nginx = Nginx::secure(&authority.issue(&["app.test"]), TELLS);
    let url = nginx.url().replace("https://", "tls://");
    let named = believing(&authority, ", server_name: app.test");
    let forebay = Tunnel::to_urls([url.clone()]).group(&named).start();
    let mut client = forebay.client();
    client
        .send("GET / HTTP/1.0\r\nHost: inside\r\n\r\n")
        .unwrap();
    let answer = String::from_utf8(client.rest().unwrap()).unwrap();
    assert!(answer.contains("TLSv1.3 app.test . inside"), "{answer}");
    // Nobody who is not believed.
    let stranger = Authority::new();
    let named = believing(&stranger, ", server_name: app.test");
    let forebay = Tunnel::to_urls([url]).group(&named).start();
    forebay.client().assert_closed();
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["failure"], "tls_certificate_error", "{line}");
}

#[test]
fn who_the_client_is_comes_before_tls() {
    let authority = Authority::new();
    let says = "location / { return 200 \"$ssl_protocol $proxy_protocol_addr\"; }";
    let issued = authority.issue(&["app.test"]);
    let nginx = Nginx::secure_with(&issued, "proxy_protocol", says);
    for version in ["v1", "v2"] {
        let forebay = to(&nginx, &authority, "")
            .group(&format!("send_proxy_protocol: {version}"))
            .start();
        for _ in 0..2 {
            assert_eq!(words(&forebay), ["TLSv1.3", "127.0.0.1"]);
        }
    }
}
