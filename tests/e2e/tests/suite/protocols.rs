//! Every protocol in front with every protocol behind: the same features pass.
//! curl is the client, Node the backend.

use std::path::Path;

use forebay_e2e::{Authority, Config, Finished, Forebay, Process, Scratch, bytes, curl};

const IN_FRONT: [(&str, &str); 2] = [("h1", "--http1.1"), ("h2", "--http2-prior-knowledge")];

/// Node, in one of its protocols.
struct Node {
    url: String,
    process: Process,
}

impl Node {
    fn start(kind: &str, authority: &Authority) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorders/protocols.js");
        let issued = authority.issue(&["127.0.0.1"]);
        let arguments = [
            path.to_str().unwrap(),
            kind,
            &issued.cert_file,
            &issued.key_file,
        ];
        let process = Process::start("node", &arguments);
        let port = process.stdout_lines(1).remove(0);
        let scheme = if kind == "h2" { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{port}");
        Self { url, process }
    }

    #[track_caller]
    fn says(&self, line: &str) {
        self.process
            .stdout_line(&format!("the backend says {line}"), |said| {
                (said == line).then_some(())
            });
    }
}

/// One protocol in front, and one behind.
struct Pair<'a> {
    forebay: &'a Forebay,
    node: &'a Node,
    /// As the backend calls its own.
    version: &'a str,
    option: &'a str,
    scratch: Scratch,
}

impl Pair<'_> {
    fn curl(&self, target: &str, more: &[&str]) -> Finished {
        let url = format!("http://{}{target}", self.forebay.address());
        let mut arguments = vec!["-sS", self.option, "-m", "10"];
        arguments.extend_from_slice(more);
        arguments.push(&url);
        curl(&arguments)
    }

    #[track_caller]
    fn ask(&self, target: &str, more: &[&str]) -> String {
        let finished = self.curl(target, more);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.stdout
    }

    /// What the backend says of a request.
    #[track_caller]
    fn seen(&self, target: &str, more: &[&str]) -> Vec<String> {
        let text = self.ask(target, more);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 11, "{text}");
        assert_eq!(lines[0], self.version);
        lines
    }
}

type Feature = (&'static str, fn(&Pair<'_>));

const FEATURES: &[Feature] = &[
    ("a request's head", |pair| {
        let more = [
            "-H",
            "Cookie: a=1; b=2",
            "-H",
            "X-Mine: here",
            "-H",
            "Host: app.test",
        ];
        let seen = pair.seen("/a?b=%20c", &more);
        assert_eq!(
            seen[1..6],
            ["GET", "/a?b=%20c", "app.test", "a=1; b=2", "here"]
        );
        assert_eq!(seen[7], "0");
    }),
    ("what a URI does not take", |pair| {
        if pair.option != "--http1.1" {
            // It is refused there.
            return;
        }
        let seen = pair.seen("/a?b=\"c\"", &["-g"]);
        assert!(
            seen[2] == "/a?b=\"c\"" || seen[2] == "/a?b=%22c%22",
            "{seen:?}"
        );
    }),
    ("bodies of requests", |pair| {
        let file = pair.scratch.path("up");
        for size in [0, 1, 4096, 65_535, 65_537, 1 << 20] {
            std::fs::write(&file, bytes(size)).unwrap();
            let data = format!("@{}", file.display());
            let whole = pair.seen("/", &["--data-binary", &data]);
            let without_length = match pair.option {
                "--http1.1" => "Transfer-Encoding: chunked",
                _ => "Content-Length:",
            };
            let chunked = ["--data-binary", &*data, "-H", without_length];
            let pieces = pair.seen("/", &chunked);
            assert_eq!(whole[1..], pieces[1..], "{size}");
            assert_eq!(whole[7], size.to_string());
        }
    }),
    ("a large answer", |pair| {
        let file = pair.scratch.path("down");
        pair.ask("/large", &["-o", file.to_str().unwrap()]);
        assert!(
            std::fs::read(&file).unwrap() == bytes(3 << 20),
            "it came back changed"
        );
    }),
    ("an answer with a length", |pair| {
        let got = pair.ask("/sized", &["-i"]).to_lowercase();
        assert!(got.contains("content-length: 5"), "{got}");
        assert!(got.ends_with("sized"), "{got}");
    }),
    ("trailers", |pair| {
        let got = pair.ask("/trailers", &["-i"]).to_lowercase();
        assert!(got.contains("body"), "{got}");
        assert!(got.contains("x-after: all"), "{got}");
    }),
    ("interim answers", |pair| {
        let got = pair.ask("/hints", &["-i"]).to_lowercase();
        assert!(
            got.contains(" 103") && got.contains("link: </a.css>"),
            "{got}"
        );
        assert!(got.ends_with("hinted"), "{got}");
    }),
    ("HEAD", |pair| {
        let got = pair.ask("/sized", &["-I"]).to_lowercase();
        assert!(
            got.contains("content-length: 5") && !got.contains("sized"),
            "{got}"
        );
    }),
    ("answers without a body", |pair| {
        assert!(pair.ask("/nothing", &["-i"]).contains(" 204"));
        let got = pair.ask("/unchanged", &["-i"]).to_lowercase();
        assert!(got.contains(" 304") && got.contains("etag: \"a\""), "{got}");
    }),
    ("an answer before the request's end", |pair| {
        let file = pair.scratch.path("up");
        std::fs::write(&file, bytes(1 << 20)).unwrap();
        let data = format!("@{}", file.display());
        let got = pair.curl("/early", &["--data-binary", &data, "-w", "%{http_code}"]);
        assert_eq!(got.stdout, "too much413", "{got:?}");
    }),
    ("an answer that is cut off", |pair| {
        let got = pair.curl("/cut", &[]);
        assert_eq!(got.stdout, "half of ");
        assert_ne!(got.code, Some(0), "half an answer is none");
    }),
    ("a request that is reset", |pair| {
        let got = pair.ask("/reset", &["-i"]);
        assert!(
            got.contains(" 502") && got.contains("connection_terminated"),
            "{got}"
        );
    }),
    ("a client that leaves", |pair| {
        let url = format!("http://{}/never", pair.forebay.address());
        let client = Process::start("curl", &["-sS", pair.option, &url]);
        pair.node.says("begun /never");
        drop(client);
        pair.node.says("gone /never");
    }),
];

#[expect(clippy::print_stderr, reason = "says which feature fails")]
fn every_feature(behind: &str, protocol: &str, version: &str) {
    let authority = Authority::new();
    for (in_front, option) in IN_FRONT {
        let node = Node::start(behind, &authority);
        let forebay = Config::to_urls([node.url.clone()])
            .group(&format!(
                "protocol: {protocol}, tls: {{ ca_file: {:?} }}",
                authority.file()
            ))
            .top("workers: 1")
            .start();
        for (name, feature) in FEATURES {
            eprintln!("{in_front} in front, {behind} behind: {name}");
            feature(&Pair {
                forebay: &forebay,
                node: &node,
                version,
                option,
                scratch: Scratch::new(),
            });
        }
    }
}

#[test]
fn the_time_of_a_call_is_passed_on_as_far_as_it_is_left() {
    let node = Node::start("h2c", &Authority::new());
    let forebay = Config::to_urls([node.url.clone()])
        .group("protocol: h2c")
        .start();
    let url = format!("http://{}/", forebay.address());
    let call = "Content-Type: application/grpc";
    let mut arguments = vec!["-sS", "--http2-prior-knowledge", "-m", "10", "-d", "x"];
    arguments.extend_from_slice(&["-H", call, "-H", "grpc-timeout: 9S", &url]);
    let text = curl(&arguments).stdout;
    let left = text.lines().last().and_then(|left| left.strip_suffix('u'));
    let left: u64 = left.expect("a time in microseconds").parse().unwrap();
    assert!((1..9_000_000).contains(&left), "{left}");
    assert_eq!(text.lines().nth(6), Some("trailers"));
}

#[test]
fn http1_behind() {
    every_feature("h1", "auto", "1.1");
}

#[test]
fn http2_behind_without_tls() {
    every_feature("h2c", "h2c", "2.0");
}

#[test]
fn http2_behind_over_tls() {
    every_feature("h2", "h2", "2.0");
}

#[test]
fn http2_is_what_tls_agrees_on_unless_told_otherwise() {
    let authority = Authority::new();
    let node = Node::start("h2", &authority);
    let tls = format!("tls: {{ ca_file: {:?} }}", authority.file());
    let forebay = Config::to_urls([node.url.clone()]).group(&tls).start();
    assert_eq!(forebay.get("/").text().lines().next(), Some("2.0"));
    let told = Config::to_urls([node.url.clone()]).group(&format!("protocol: h1, {tls}"));
    assert_eq!(told.start().get("/").reason(), Some("tls_alert_received"));
}
