//! Real servers as backends that write down every request they see.

use std::fmt;
use std::path::Path;

use crate::peers::Nginx;
use crate::process::Process;
use crate::scratch::Scratch;

/// A server that answers each request with its target, once it has all of it,
/// and `/early` as soon as it has the head.
pub struct Recorder {
    url: String,
    server: Server,
}

enum Server {
    Nginx(
        Nginx,
        #[expect(dead_code, reason = "holds the socket")] Scratch,
    ),
    /// What it has said before its first request, and the program.
    Script(usize, Process),
}

/// A request as a server understood it.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub extent: Extent,
    /// Without its framing; empty unless all of it came.
    pub body: Vec<u8>,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, target, body) = (&self.method, &self.target, self.body.escape_ascii());
        write!(f, "{method} {target} {:?} {body}", self.extent)
    }
}

/// How much of a request a server got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Whole,
    /// It ended before its end, or the server found fault with it. Then method
    /// and target may be `-`.
    Cut,
    /// The server did not wait for its body.
    Early,
}

impl Recorder {
    /// nginx that reads a body as it does for a proxy: another nginx server
    /// behind it gives the answers.
    #[track_caller]
    pub fn nginx() -> Self {
        let scratch = Scratch::new();
        let echo = scratch.path("echo.sock").display().to_string();
        let http = format!(
            "log_format seen escape=default '$request_method $request_uri $extent $request_body';\n\
             map \"$status $uri\" $extent {{ '200 /early' early; ~^200 whole; default cut; }}\n\
             server {{ listen unix:{echo}; location / {{ return 200 $request_uri; }} }}"
        );
        let server = format!(
            "access_log /dev/stdout seen;\n\
             location / {{ proxy_pass http://unix:{echo}; }}\n\
             location = /early {{ return 200 $request_uri; }}"
        );
        let nginx = Nginx::with(&http, "", &server);
        Self {
            url: nginx.url(),
            server: Server::Nginx(nginx, scratch),
        }
    }

    /// Node's `http` module.
    #[track_caller]
    pub fn node() -> Self {
        Self::script("node", "record.js")
    }

    /// Python's `http.server`.
    #[track_caller]
    pub fn python() -> Self {
        Self::script("python3", "record.py")
    }

    #[track_caller]
    fn script(program: &str, file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("recorders")
            .join(file);
        let process = Process::start(program, &[path.to_str().unwrap()]);
        let lines = process.stdout_lines(1);
        Self {
            url: format!("http://127.0.0.1:{}", lines[0]),
            server: Server::Script(1, process),
        }
    }

    /// As Forebay's configuration names it.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Everything seen, once this target has been.
    #[track_caller]
    pub fn seen_until(&self, target: &str) -> Vec<Seen> {
        let (skip, process) = match &self.server {
            Server::Nginx(nginx, _) => (0, nginx.process()),
            Server::Script(skip, process) => (*skip, process),
        };
        let is_last = |line: &str| (line.split(' ').nth(1) == Some(target)).then_some(());
        process.stdout_line(&format!("a backend sees {target}"), is_last);
        let lines = process.stdout_lines(0);
        lines.iter().skip(skip).map(|line| seen(line)).collect()
    }
}

/// A line such as `POST /x whole hello`.
fn seen(line: &str) -> Seen {
    let parts: Vec<&str> = line.splitn(4, ' ').collect();
    let [method, target, extent, body] = parts[..] else {
        panic!("a backend's record has another form: {line}");
    };
    let extent = match extent {
        "whole" => Extent::Whole,
        "early" => Extent::Early,
        _ => Extent::Cut,
    };
    let body = match (extent, body) {
        (Extent::Whole, body) if body != "-" => unescape(body),
        _ => Vec::new(),
    };
    Seen {
        method: method.to_owned(),
        target: target.to_owned(),
        extent,
        body,
    }
}

/// The bytes that a text with `\r`, `\n`, `\t`, `\\` and `\xHH` stands for.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first().expect("something is escaped");
        rest = after;
        bytes.push(match escape {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => {
                let (digits, after) = rest.split_at(2);
                rest = after;
                let digits = std::str::from_utf8(digits).unwrap();
                u8::from_str_radix(digits, 16).expect("two hexadecimal digits")
            }
            _ => panic!("no such escape in {text}"),
        });
    }
    bytes
}
