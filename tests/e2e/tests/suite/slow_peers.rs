//! Peers that are slow: all of it arrives, in constant memory, or a timeout
//! says who was at fault.

use std::sync::Arc;
use std::time::Duration;

use forebay_e2e::{Backend, Config, Watched, until};
use socket2::{Domain, Socket, Type};

const MIB: usize = 1 << 20;
const LARGE: usize = 256 * MIB;
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A block of the large body; every one differs from the others.
fn block(number: usize) -> Vec<u8> {
    let mut block = vec![(number % 251) as u8; MIB];
    block[..8].copy_from_slice(&(number as u64).to_le_bytes());
    block
}

#[test]
fn a_slow_client_gets_everything_in_constant_memory() {
    let sent = Arc::new(Watched::new(0usize));
    let count = Arc::clone(&sent);
    let backend = Backend::scripted(move |conn| {
        conn.request().unwrap();
        conn.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"
        ))
        .unwrap();
        for number in 0..LARGE / MIB {
            conn.send(block(number)).unwrap();
            count.update(|sent| *sent += 1);
        }
    });
    let forebay = Config::to(&backend).start();
    let before = forebay.resident();
    let mut client = forebay.client();
    client.shrink_window();
    client.send(GET).unwrap();
    client.head().unwrap().unwrap();
    // Nobody reads: the backend must come to a halt, long before the end.
    let pause = Duration::from_millis(200);
    let look = || {
        let now = sent.read(|sent| *sent);
        sent.wait_within(pause, |sent| (*sent > now).then_some(()))
            .is_none()
            .then_some(now)
    };
    let stalled_at = until("the backend is held back", look);
    assert!(
        stalled_at < LARGE / MIB / 2,
        "{stalled_at} MiB are on their way"
    );
    let mut most = forebay.resident();
    for number in 0..LARGE / MIB {
        assert!(
            client.exactly(MIB).unwrap() == block(number),
            "block {number} is not as sent"
        );
        most = most.max(forebay.resident());
    }
    let growth = most.saturating_sub(before);
    assert!(growth < 8 * MIB as u64, "grew by {growth} bytes");
    client.assert_open();
}

#[test]
fn a_slow_backend_gets_everything_in_constant_memory() {
    let backend = Backend::scripted(move |conn| {
        conn.request_head().unwrap();
        for number in 0..LARGE / MIB / 4 {
            assert!(
                conn.exactly(MIB).unwrap() == block(number),
                "block {number} is not as sent"
            );
        }
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .unwrap();
    });
    let forebay = Config::to(&backend).start();
    let before = forebay.resident();
    let mut client = forebay.client();
    let length = LARGE / 4;
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        ))
        .unwrap();
    let mut most = before;
    for number in 0..LARGE / MIB / 4 {
        client.send(block(number)).unwrap();
        most = most.max(forebay.resident());
    }
    assert_eq!(client.response().text(), "ok");
    let growth = most.saturating_sub(before);
    assert!(growth < 8 * MIB as u64, "grew by {growth} bytes");
}

#[test]
fn a_client_that_stops_reading_is_cut_off() {
    let backend = Backend::scripted(|conn| {
        conn.request().unwrap();
        conn.send("HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while conn.send(block(0)).is_ok() {}
    });
    let forebay = Config::to(&backend).server("write_timeout: 300ms").start();
    let mut client = forebay.client();
    client.shrink_window();
    client.send(GET).unwrap();
    let line = &forebay.access_log(1)[0];
    assert_eq!(
        (&line["failure"], &line["status"]),
        (&"client_write_timeout".into(), &200.into())
    );
    backend.wait_open(0);
}

#[test]
fn a_backend_that_does_not_answer_in_time_is_a_gateway_timeout() {
    let backend = Backend::scripted(|conn| {
        conn.request().unwrap();
        conn.until_gone();
    });
    let forebay = Config::to(&backend)
        .group("timeout: { request: 200ms }")
        .start();
    let mut client = forebay.client();
    let response = client.get("/");
    assert_eq!(
        (response.status, response.reason()),
        (504, Some("http_response_timeout"))
    );
    backend.wait_open(0);
    // It is nobody's fault that is connected here: the connection goes on.
    assert_eq!(client.get("/").status, 504);
    assert_eq!(backend.requests().len(), 2);
}

/// A response's time runs from the moment the request has been sent.
#[test]
fn a_slow_upload_does_not_count_as_a_slow_answer() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .group("timeout: { request: 300ms }")
        .start();
    let mut client = forebay.client();
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n")
        .unwrap();
    for _ in 0..8 {
        assert!(
            client.is_silent_for(Duration::from_millis(60)),
            "an answer came too soon"
        );
        client.send("x").unwrap();
    }
    assert_eq!(client.response().text(), "ok");
}

/// Nor may a client hold a backend for longer than that by sending slowly.
#[test]
fn a_slow_upload_ends_with_the_time_for_all_attempts() {
    let backend = Backend::scripted(|conn| {
        let request = conn.request_head().unwrap();
        assert!(conn.request_body(&request.head).is_err());
    });
    let forebay = Config::to(&backend)
        .group("timeout: { request: 10s, total: 300ms }")
        .start();
    let mut client = forebay.client();
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
        .unwrap();
    for _ in 0..100 {
        if !client.is_silent_for(Duration::from_millis(50)) {
            break;
        }
        client.send("x").unwrap();
    }
    let response = client.response();
    assert_eq!(
        (response.status, response.reason()),
        (504, Some("http_response_timeout"))
    );
    client.assert_closed();
    backend.wait_open(0);
}

#[test]
fn a_backend_that_falls_silent_within_its_answer_is_cut_off() {
    let backend = Backend::scripted(|conn| {
        conn.request().unwrap();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegins")
            .unwrap();
        conn.until_gone();
    });
    let forebay = Config::to(&backend)
        .group("timeout: { idle: 200ms }")
        .start();
    let mut client = forebay.client();
    client.send(GET).unwrap();
    client.assert_cut_short();
    assert_eq!(
        forebay.access_log(1)[0]["failure"],
        "connection_read_timeout"
    );
    backend.wait_open(0);
}

/// Pieces that keep coming keep the connection alive, however long it takes.
#[test]
fn a_backend_that_trickles_is_waited_for() {
    let backend = Backend::scripted(|conn| {
        conn.request().unwrap();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            .unwrap();
        for _ in 0..10 {
            assert!(
                conn.is_silent_for(Duration::from_millis(60)),
                "Forebay gave up"
            );
            conn.send("x").unwrap();
        }
    });
    let forebay = Config::to(&backend)
        .group("timeout: { request: 300ms, idle: 300ms }")
        .start();
    assert_eq!(forebay.get("/").text(), "xxxxxxxxxx");
}

#[test]
fn a_backend_that_takes_no_connection_is_a_gateway_timeout() {
    // With its backlog full, a listener lets further attempts hang.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap();
    let fillers: Vec<Socket> = (0..4)
        .map(|_| {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            filler.set_nonblocking(true).unwrap();
            // In progress is all it will ever be for the later ones.
            let _ = filler.connect(&address);
            filler
        })
        .collect();
    let url = format!("http://{}", address.as_socket().unwrap());
    let forebay = Config::to_urls([url])
        .group("timeout: { connect: 300ms }")
        .start();
    let response = forebay.get("/");
    assert_eq!(
        (response.status, response.reason()),
        (504, Some("connection_timeout"))
    );
    drop(fillers);
}

/// The client's own timeouts do not run while it waits for its answer.
#[test]
fn an_answer_may_take_longer_than_a_client_may_pause() {
    let backend = Backend::answering(|request| {
        std::thread::sleep(Duration::from_millis(900));
        forebay_e2e::Reply::ok(&request.body)
    });
    let forebay = Config::to(&backend)
        .server("header_timeout: 200ms, body_timeout: 200ms, keep_alive_timeout: 200ms")
        .start();
    let mut client = forebay.client();
    assert_eq!(client.get("/").status, 200);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(client.ask(post).text(), "hi");
}

/// A byte now and then keeps nobody waiting for ever.
#[test]
fn a_client_that_trickles_its_body_is_cut_off() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .server("body_timeout: 1s, min_rate: 1KiB")
        .start();
    let mut client = forebay.client();
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
        .unwrap();
    let began = std::time::Instant::now();
    let mut sent = 0;
    while sent < 100 && client.is_silent_for(Duration::from_millis(50)) {
        client.send("x").unwrap();
        sent += 1;
    }
    let took = began.elapsed();
    let response = client.response();
    assert_eq!(
        (response.status, response.reason()),
        (408, Some("request_body_timeout"))
    );
    assert!(
        took >= Duration::from_secs(1) && sent < 60,
        "{took:?} {sent}"
    );
    // Who is as slow as that, but fast enough, gets through.
    let mut client = forebay.client();
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n")
        .unwrap();
    for _ in 0..30 {
        assert!(client.is_silent_for(Duration::from_millis(50)));
        client.send("x".repeat(1000)).unwrap();
    }
    assert_eq!(client.response().status, 200);
}
