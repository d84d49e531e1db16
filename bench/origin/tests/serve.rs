//! The program itself, on real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

struct Origin {
    process: Child,
    address: String,
    /// Held so that the program keeps a standard output.
    _stdout: BufReader<ChildStdout>,
}

impl Origin {
    fn start() -> Origin {
        let mut process = Command::new(env!("CARGO_BIN_EXE_forebay-origin"))
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut address = String::new();
        stdout.read_line(&mut address).unwrap();
        Origin {
            process,
            address: address.trim().to_owned(),
            _stdout: stdout,
        }
    }

    fn connect(&self) -> BufReader<TcpStream> {
        BufReader::new(TcpStream::connect(&self.address).unwrap())
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Reads one answer: its status and the length of its body.
fn answer(stream: &mut BufReader<TcpStream>) -> (u16, usize) {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let status = line[9..12].parse().unwrap();
    let mut length = 0;
    while line != "\r\n" {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the head was cut");
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    stream.read_exact(&mut vec![0; length]).unwrap();
    (status, length)
}

#[test]
fn many_requests_on_one_connection() {
    let origin = Origin::start();
    let mut stream = origin.connect();
    for (path, wanted) in [
        ("/128", (200, 128)),
        ("/64k?a=b", (200, 65_536)),
        ("/1m", (200, 1_048_576)),
        ("/bytes/9000000", (200, 9_000_000)),
        ("/nothing", (404, 0)),
    ] {
        for _ in 0..3 {
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            stream.get_mut().write_all(request.as_bytes()).unwrap();
            assert_eq!(answer(&mut stream), wanted, "{path}");
        }
    }
}

#[test]
fn answers_larger_than_the_sockets_wait_for_a_slow_reader() {
    let origin = Origin::start();
    let mut stream = origin.connect();
    let request = "GET /bytes/30000000 HTTP/1.1\r\nHost: a\r\n\r\n";
    stream
        .get_mut()
        .write_all(request.repeat(3).as_bytes())
        .unwrap();
    for _ in 0..3 {
        assert_eq!(answer(&mut stream), (200, 30_000_000));
    }
}

#[test]
fn an_upload_is_counted() {
    let origin = Origin::start();
    let mut stream = origin.connect();
    let body = vec![b'x'; 1 << 20];
    for _ in 0..3 {
        write!(
            stream.get_mut(),
            "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .unwrap();
        stream.get_mut().write_all(&body).unwrap();
        assert_eq!(answer(&mut stream), (200, "1048576".len()));
    }
}

#[test]
fn a_request_sent_with_its_end_is_answered() {
    let origin = Origin::start();
    let mut stream = origin.connect();
    stream
        .get_mut()
        .write_all(b"GET /128 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream
        .get_mut()
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    assert_eq!(answer(&mut stream), (200, 128));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn connections_come_and_go() {
    let origin = Origin::start();
    for _ in 0..50 {
        let mut streams: Vec<_> = (0..20).map(|_| origin.connect()).collect();
        for stream in &mut streams {
            stream
                .get_mut()
                .write_all(b"GET /128 HTTP/1.1\r\nConnection: close\r\n\r\n")
                .unwrap();
        }
        for stream in &mut streams {
            assert_eq!(answer(stream), (200, 128));
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        }
    }
}

#[test]
fn a_client_of_http2_gets_grpc() {
    let origin = Origin::start();
    let mut stream = origin.connect();
    let empty_settings = b"\0\0\0\x04\0\0\0\0\0";
    let request = b"\0\0\x01\x01\x05\0\0\0\x01\x83";
    for bytes in [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &empty_settings[..],
        request,
    ] {
        stream.get_mut().write_all(bytes).unwrap();
    }
    let mut seen = Vec::new();
    // Its settings, room for bodies, the word that ours were taken, and an answer of three frames.
    for _ in 0..6 {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap();
        seen.push((head[3], head[4], head[8], payload));
    }
    assert_eq!(
        seen.iter()
            .map(|frame| (frame.0, frame.1, frame.2))
            .collect::<Vec<_>>(),
        [
            (4, 0, 0),
            (8, 0, 0),
            (4, 1, 0),
            (1, 4, 1),
            (0, 0, 1),
            (1, 5, 1)
        ]
    );
    assert_eq!(seen[4].3[..6], *b"\0\0\0\0\x80x");
    assert_eq!(seen[5].3, b"\0\x0bgrpc-status\x010");
}
