//! The generator of resumed sessions, against a server that resumes and one that does not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Answers one request on each connection, and says its end or does not.
fn serve(gives_tickets: bool, status: &'static str, is_polite: bool) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    tls.ticketer = Ticketer::new().unwrap();
    tls.send_tls13_tickets = usize::from(gives_tickets);
    let tls = Arc::new(tls);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let (socket, tls) = (socket.unwrap(), Arc::clone(&tls));
            std::thread::spawn(move || answer(socket, tls, status, is_polite));
        }
    });
    address
}

fn answer(
    socket: TcpStream,
    tls: Arc<ServerConfig>,
    status: &str,
    is_polite: bool,
) -> std::io::Result<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), socket);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut piece = [0; 1024];
        let count = stream.read(&mut piece)?;
        request.extend_from_slice(&piece[..count]);
    }
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok")?;
    if is_polite {
        stream.conn.send_close_notify();
    }
    stream.flush()
}

/// The counts by name, of two clients in one second.
fn seen(to: SocketAddr, file: &str) -> impl Fn(&str) -> u64 + use<> {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(&path, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_forebay-resume"))
        .args([&to.to_string(), "2", "1"])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    move |name| {
        let (_, rest) = text.split_once(&format!("\"{name}\": ")).unwrap();
        let number = rest.split([',', '}']).next().unwrap();
        number.parse().unwrap()
    }
}

#[test]
fn answers_over_resumed_sessions_are_counted() {
    for is_polite in [true, false] {
        let seen = seen(serve(true, "200 OK", is_polite), "resumed");
        assert!(seen("requests") > 10, "{}", seen("requests"));
        assert_eq!(["full", "status", "failed"].map(&seen), [0, 0, 0]);
    }
}

#[test]
fn full_handshakes_are_errors_but_for_the_first_of_a_client() {
    let seen = seen(serve(false, "200 OK", true), "full");
    assert_eq!(["requests", "status", "failed"].map(&seen), [0, 0, 0]);
    assert!((1..=200).contains(&seen("full")), "{}", seen("full"));
}

#[test]
fn other_answers_and_none_are_errors() {
    let bad = seen(serve(true, "503 No", true), "status");
    assert_eq!(["requests", "full", "failed"].map(&bad), [0, 0, 0]);
    assert_eq!(bad("status"), 200);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    assert_eq!(seen(address, "none")("failed"), 200);
}
