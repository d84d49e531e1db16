//! The generator against the backend, and against nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

fn steady(to: &str, path: &str) -> String {
    let words = format!("--to {to} --rate 300 --seconds 1 --connections 4 --path {path}");
    let output = Command::new(env!("CARGO_BIN_EXE_forebay-steady"))
        .args(words.split(' '))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_request_is_answered_once() {
    let mut origin = Command::new(env!("CARGO_BIN_EXE_forebay-origin"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(origin.stdout.take().unwrap());
    let mut address = String::new();
    stdout.read_line(&mut address).unwrap();
    let good = steady(address.trim(), "/64k?a=b");
    let missing = steady(address.trim(), "/nothing");
    origin.kill().unwrap();
    origin.wait().unwrap();
    assert!(good.contains("\"answered\": 300,"), "{good}");
    let none =
        "\"status\": 0, \"cut\": 0, \"unanswered\": 0, \"hung\": 0, \"unsent\": 0, \"refused\": 0";
    assert!(good.contains(none), "{good}");
    // The warm-up does not count as answered, but its errors are errors.
    assert!(missing.contains("\"answered\": 0,"), "{missing}");
    assert!(missing.contains("\"status\": 600,"), "{missing}");
}

#[test]
fn a_server_that_hangs_up_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // Every connection gets one answer, and half of another.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                for answer in [&whole[..], &whole[..20]] {
                    let mut request = [0; 4096];
                    if stream.read(&mut request).unwrap_or(0) > 0 {
                        stream.write_all(answer).unwrap();
                    }
                }
            });
        }
    });
    let seen = steady(&address, "/");
    // A machine that is busy with other things may leave a few out.
    let cut = seen
        .split("\"cut\": ")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    let cut: usize = cut.unwrap().parse().unwrap();
    assert!((250..=300).contains(&cut), "{seen}");
    assert!(seen.contains("\"unanswered\": 0, \"hung\": 0"), "{seen}");
}
