//! Real programs on both sides: curl, nginx, Python's server, other addresses.

use forebay_e2e::{Backend, Config, Nginx, PythonServer, Reply, Scratch, curl};

#[test]
fn curl_and_nginx_understand_each_other_through_forebay() {
    let nginx = Nginx::start(
        "location / { return 200 \"$request_method $request_uri $http_host $http_x_forwarded_for\"; }\n\
         location /none { return 204; }",
    );
    let forebay = Config::to_urls([nginx.url()]).start();
    let url = |path: &str| format!("http://{}{path}", forebay.address());
    let host = forebay.address().to_string();
    // Two on one connection.
    let got = curl(&[&url("/a?b"), &url("/c")]);
    assert_eq!((got.code, &*got.stderr), (Some(0), ""));
    assert_eq!(
        got.stdout,
        format!("GET /a?b {host} 127.0.0.1GET /c {host} 127.0.0.1")
    );
    let none = curl(&["-i", &url("/none")]);
    assert!(
        none.stdout.starts_with("HTTP/1.1 204 No Content"),
        "{}",
        none.stdout
    );
    let old = curl(&["--http1.0", &url("/old")]);
    assert_eq!(old.stdout, format!("GET /old {host} 127.0.0.1"));
}

#[test]
fn files_pass_unchanged_from_nginx() {
    let files = Scratch::new();
    let content: Vec<u8> = (0..3_000_000u32).map(|i| (i ^ (i >> 9)) as u8).collect();
    std::fs::write(files.path("large.bin"), &content).unwrap();
    let root = files.as_path().display();
    let nginx = Nginx::start(&format!(
        "root {root}; gzip on; gzip_types *; gzip_proxied any;"
    ));
    let forebay = Config::to_urls([nginx.url()]).start();
    let url = format!("http://{}/large.bin", forebay.address());
    let out = files.path("copy.bin").display().to_string();
    // As it is, and gzipped on the fly, which nginx sends chunked.
    for options in [&[][..], &["--compressed"]] {
        let got = curl(&[&[&*url, "-o", &out], options].concat());
        assert_eq!(got.code, Some(0), "{}", got.stderr);
        assert!(std::fs::read(&out).unwrap() == content, "{options:?}");
    }
    let range = curl(&[&url, "-r", "1000-1099", "-o", &out, "-w", "%{http_code}"]);
    assert_eq!(range.stdout, "206");
    assert!(std::fs::read(&out).unwrap() == content[1000..1100]);
}

#[test]
fn curl_uploads_with_and_without_a_length() {
    let backend = Backend::answering(|request| Reply::ok(request.body.len().to_string()));
    let forebay = Config::to(&backend).start();
    let files = Scratch::new();
    let file = files.path("upload.bin");
    std::fs::write(&file, vec![7; 2_000_000]).unwrap();
    let file = file.display().to_string();
    let url = format!("http://{}/", forebay.address());
    // curl asks for 100-continue first where a body is large.
    let counted = curl(&["--expect100-timeout", "0.2", "-T", &file, &url]);
    let chunked = curl(&[
        "-T",
        &file,
        "-H",
        "Transfer-Encoding: chunked",
        "-H",
        "Expect:",
        &url,
    ]);
    assert_eq!((&*counted.stdout, &*chunked.stdout), ("2000000", "2000000"));
    let framings: Vec<_> = backend
        .requests()
        .iter()
        .map(|r| r.head.get("content-length").is_some())
        .collect();
    assert_eq!(framings, [true, false]);
}

#[test]
fn pythons_server_is_a_backend_like_any_other() {
    let files = Scratch::new();
    files.write("hello.txt", "hello from a file");
    let server = PythonServer::serving(&files);
    let forebay = Config::to_urls([server.url()]).start();
    let mut client = forebay.client();
    assert_eq!(client.get("/hello.txt").text(), "hello from a file");
    assert_eq!(client.get("/missing").status, 404);
    assert_eq!(
        client
            .ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            .status,
        501
    );
    assert!(client.get("/").text().contains("hello.txt"));
}

#[test]
fn backends_may_have_names_and_ipv6_addresses() {
    let ipv4 = Backend::saying("ok");
    let by_name = format!("http://localhost:{}", ipv4.address().port());
    let forebay = Config::to_urls([by_name.clone()]).start();
    assert_eq!(forebay.get("/").text(), "ok");
    assert_eq!(forebay.access_log(1)[0]["backend"], by_name);
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("this machine has no IPv6: that half is not tested");
        return;
    }
    let ipv6 = Backend::scripted_at("[::1]:0".parse().unwrap(), |conn| {
        conn.serve(&|_| Reply::ok("six"))
    });
    let forebay = Config::to(&ipv6).start();
    assert_eq!(forebay.get("/").text(), "six");
}

#[test]
fn a_name_that_does_not_resolve_is_a_bad_gateway() {
    let forebay = Config::to_urls(["http://nowhere.invalid:80".to_owned()]).start();
    let response = forebay.get("/");
    assert_eq!(
        (response.status, response.reason()),
        (502, Some("dns_error"))
    );
}
