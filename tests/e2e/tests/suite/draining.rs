//! How long what has begun may go on when its listener or its process ends.

use std::net::SocketAddr;

use forebay_e2e::{Backend, Client, Config, Forebay, Gate, Generations, until};

/// Holds what is asked for `/held` and the rest of `/stream`, each at a gate, and
/// reads all of an upload before it answers.
fn backend() -> (Backend, Gate, Gate) {
    let (held, streamed) = (Gate::default(), Gate::default());
    let (hold, stream) = (held.clone(), streamed.clone());
    let backend = Backend::scripted(move |conn| {
        while let Some(request) = conn.request_head() {
            let sent = match request.target() {
                "/held" => {
                    hold.pass();
                    conn.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld")
                }
                "/stream" => {
                    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
                    let sent = conn.send(head);
                    stream.pass();
                    sent.and_then(|()| conn.send("1\r\ny\r\n0\r\n\r\n"))
                }
                _ => match conn.request_body(&request.head) {
                    Ok(body) => conn.send([UPLOADED, &body].concat()),
                    Err(error) => Err(error),
                },
            };
            // Who is cut off.
            if sent.is_err() {
                return;
            }
        }
    });
    (backend, held, streamed)
}

const UPLOADED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";

/// One without an answer, and two streams.
struct Clients {
    held: Client,
    stream: Client,
    upload: Client,
}

impl Clients {
    fn begin(address: SocketAddr, backend: &Backend, stream: &Gate) -> Self {
        let ask = |request: &str| {
            let mut client = Client::connect(address);
            client.send(request).unwrap();
            client
        };
        let all = Self {
            held: ask("GET /held HTTP/1.1\r\nHost: a\r\n\r\n"),
            stream: ask("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"),
            upload: ask("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab"),
        };
        backend.wait_requests(3);
        stream.wait_for(1);
        all
    }

    /// The one is cut, and then the others go on to their end.
    fn only_streams_finish(mut self, stream: &Gate) {
        self.held.assert_cut_short();
        stream.open();
        assert_eq!(self.stream.response().text(), "xy");
        self.upload.send("cd").unwrap();
        let answer = self.upload.response();
        assert_eq!(
            (answer.text(), answer.get("connection")),
            ("abcd", Some("close"))
        );
    }
}

/// Said once for all workers.
fn assert_cut(said: &str, text: &str, connections: usize) {
    let lines: Vec<_> = said
        .lines()
        .filter(|l| l.contains("connections are cut"))
        .collect();
    let [line] = lines[..] else {
        panic!("{lines:?}");
    };
    assert!(line.contains(text), "{line}");
    assert!(
        line.contains(&format!("connections={connections}")),
        "{line}"
    );
}

fn failures(forebay: &Forebay) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let lines = forebay.access_log(3).into_iter();
    let mut all: Vec<_> = lines
        .map(|line| (text(&line["target"]), text(&line["failure"])))
        .collect();
    all.sort();
    all
}

fn pairs(all: [(&str, &str); 3]) -> Vec<(String, String)> {
    all.map(|(target, failure)| (target.to_owned(), failure.to_owned()))
        .to_vec()
}

/// One worker, for the upload must not end on one before the time is over there
/// and after it is on another.
const SHORT: &str = "workers: 1\nshutdown_timeout: 300ms";

#[test]
fn streams_go_on_after_the_shutdown_timeout_when_the_process_ends() {
    let (backend, held, stream) = backend();
    let mut forebay = Config::to(&backend).top(SHORT).start();
    let clients = Clients::begin(forebay.address(), &backend, &stream);
    forebay.terminate();
    clients.only_streams_finish(&stream);
    assert_eq!(forebay.wait_exit(), Some(0));
    held.open();
    assert_cut(
        &forebay.stderr(),
        "shutdown_timeout has passed since the end was asked for",
        1,
    );
    assert_eq!(
        failures(&forebay),
        pairs([
            ("/held", "shutdown_timeout"),
            ("/stream", ""),
            ("/upload", "")
        ])
    );
}

#[test]
fn streams_go_on_after_the_shutdown_timeout_when_their_listener_is_removed() {
    let (backend, held, stream) = backend();
    let config = Config::to(&backend).top(SHORT).yaml();
    let second = "listeners: [ { id: second, address: \"127.0.0.1:0\" } ]\n";
    let forebay = Forebay::start(&format!("{config}{second}"));
    let clients = Clients::begin(forebay.address_of(1), &backend, &stream);
    forebay.reload(&config);
    clients.only_streams_finish(&stream);
    held.open();
    let said = |line: &str| line.contains("connections are cut").then_some(());
    forebay.stderr_line("connections are cut", said);
    assert_cut(
        &forebay.stderr(),
        "shutdown_timeout has passed since their listener was removed",
        1,
    );
}

#[test]
fn streams_go_on_after_the_shutdown_timeout_in_the_old_process_of_an_upgrade() {
    let (backend, held, stream) = backend();
    let config = Config::to(&backend).top(SHORT).yaml();
    let mut generations = Generations::start(&config);
    let clients = Clients::begin(generations.address(), &backend, &stream);
    let upgrade = generations.upgrade();
    assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
    clients.only_streams_finish(&stream);
    assert_eq!(generations.first().wait_exit(), Some(0));
    held.open();
}

#[test]
fn streams_are_cut_after_the_drain_timeout() {
    let (backend, held, stream) = backend();
    let limits = "shutdown_timeout: 1m\ndrain_timeout: 300ms";
    let mut forebay = Config::to(&backend).top(limits).start();
    let mut clients = Clients::begin(forebay.address(), &backend, &stream);
    forebay.terminate();
    clients.stream.assert_cut_short();
    clients.upload.assert_cut_short();
    stream.open();
    held.open();
    assert_eq!(clients.held.response().text(), "held");
    assert_eq!(forebay.wait_exit(), Some(0));
    assert_cut(
        &forebay.stderr(),
        "drain_timeout has passed since the end was asked for",
        2,
    );
    assert_eq!(
        failures(&forebay),
        pairs([
            ("/held", ""),
            ("/stream", "drain_timeout"),
            ("/upload", "drain_timeout")
        ])
    );
    let log = forebay.access_log(3);
    let stream = log.iter().find(|line| line["target"] == "/stream");
    assert_eq!(stream.unwrap()["response_bytes"], 1, "{log:?}");
}

/// A stream that has ended leaves nothing behind: the next request on its
/// connection is held to `shutdown_timeout`.
#[test]
fn an_exchange_after_a_stream_is_no_stream() {
    let (backend, held, stream) = backend();
    let mut forebay = Config::to(&backend).top(SHORT).start();
    let mut client = forebay.client();
    client
        .send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream.wait_for(1);
    stream.open();
    assert_eq!(client.response().text(), "xy");
    let upload = "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab";
    client.send(upload).unwrap();
    backend.wait_requests(2);
    client.send("cd").unwrap();
    assert_eq!(client.response().text(), "abcd");
    client
        .send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    held.wait_for(1);
    forebay.terminate();
    client.assert_cut_short();
    assert_eq!(forebay.wait_exit(), Some(0));
    held.open();
}

/// A listener that is being drained longer than a later configuration allows
/// does not hold the end up.
#[test]
fn the_end_does_not_wait_for_what_a_removed_listener_was_allowed() {
    let (backend, held, stream) = backend();
    let with = |limits: &str| Config::to(&backend).top(limits).yaml();
    let long = with("drain_timeout: 1h");
    let second = "listeners: [ { id: second, address: \"127.0.0.1:0\" } ]\n";
    let mut forebay = Forebay::start(&format!("{long}{second}"));
    let mut clients = Clients::begin(forebay.address_of(1), &backend, &stream);
    forebay.reload(&long);
    forebay.reload(&with("shutdown_timeout: 300ms\ndrain_timeout: 300ms"));
    forebay.terminate();
    clients.stream.assert_cut_short();
    until("the process is gone", || {
        (!forebay.is_running()).then_some(())
    });
    held.open();
    stream.open();
}
