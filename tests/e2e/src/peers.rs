//! Real servers as backends.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use crate::authority::Issued;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::until;

/// Python's `http.server` on a directory.
pub struct PythonServer {
    address: SocketAddr,
    _process: Process,
}

impl PythonServer {
    #[track_caller]
    pub fn serving(directory: &Scratch) -> Self {
        let directory = directory.as_path().to_str().unwrap();
        let arguments = [
            "-u",
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "--directory",
            directory,
        ];
        let mut arguments = arguments.to_vec();
        arguments.extend_from_slice(&["--protocol", "HTTP/1.1", "0"]);
        let process = Process::start("python3", &arguments);
        let lines = process.stdout_lines(1);
        // Serving HTTP on 127.0.0.1 port 40123 (http://127.0.0.1:40123/) ...
        let (_, rest) = lines[0].split_once("(http://").expect("its first line");
        let address = rest.split('/').next().unwrap().parse().unwrap();
        Self {
            address,
            _process: process,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Python with a script of `tests/e2e/peers`, and the libraries that `make tools`
/// installs.
pub struct PythonPeer;

impl PythonPeer {
    /// One that says where it listens, and its port.
    #[track_caller]
    pub fn server(script: &str, arguments: &[&str]) -> (Process, u16) {
        let process = Self::start(script, arguments);
        let lines = process.stdout_lines(1);
        let port = lines[0].rsplit(' ').next().unwrap().parse().unwrap();
        (process, port)
    }

    #[track_caller]
    pub fn start(script: &str, arguments: &[&str]) -> Process {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let python = format!("{root}/.venv/bin/python");
        assert!(
            Path::new(&python).exists(),
            "no {python}: `make tools` makes it"
        );
        let script = format!("{root}/tests/e2e/peers/{script}");
        let arguments = [&["-u", &*script], arguments].concat();
        Process::start(&python, &arguments)
    }
}

/// Python's `websockets`.
pub struct PythonWebSocket;

impl PythonWebSocket {
    /// A server that says everything back, and its URL for Forebay.
    #[track_caller]
    pub fn server() -> (Process, String) {
        let (process, port) = PythonPeer::server("websocket.py", &["server"]);
        (process, format!("http://127.0.0.1:{port}"))
    }

    /// A client that checks what comes back, and says what it sees.
    #[track_caller]
    pub fn client(forebay: SocketAddr) -> Process {
        PythonPeer::start("websocket.py", &["client", &format!("ws://{forebay}/")])
    }
}

/// nginx with one server on a Unix socket, so that no port can be taken; with
/// TLS, on a port that was free.
pub struct Nginx {
    url: String,
    process: Process,
    _scratch: Scratch,
}

impl Nginx {
    /// `server` is the inside of its `server` block.
    #[track_caller]
    pub fn start(server: &str) -> Self {
        Self::with("", "", server)
    }

    /// The same with words for its `listen`.
    #[track_caller]
    pub fn listening(how: &str, server: &str) -> Self {
        Self::with("", how, server)
    }

    /// The same with something beside the `server` block.
    #[track_caller]
    pub(crate) fn with(http: &str, how: &str, server: &str) -> Self {
        let scratch = Scratch::new();
        let socket = scratch.path("nginx.sock").to_str().unwrap().to_owned();
        let listen = format!("listen unix:{socket} {how}; {server}");
        let process = run(&scratch, http, &listen);
        until("nginx listens", || {
            std::os::unix::net::UnixStream::connect(&socket).ok()
        });
        Self {
            url: format!("unix:{socket}"),
            process,
            _scratch: scratch,
        }
    }

    /// It speaks TLS, with this certificate.
    #[track_caller]
    pub fn secure(issued: &Issued, server: &str) -> Self {
        Self::secure_with(issued, "", server)
    }

    /// The same with `how` among the words of `listen`.
    #[track_caller]
    pub fn secure_with(issued: &Issued, how: &str, server: &str) -> Self {
        let (chain, key) = (&issued.cert_file, &issued.key_file);
        for _ in 0..10 {
            let scratch = Scratch::new();
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let listen = format!(
                "listen {address} ssl {how}; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {chain}; ssl_certificate_key {key};"
            );
            let mut process = run(&scratch, "", &format!("{listen} {server}"));
            let listens = until("nginx listens or has ended", || {
                let connected = TcpStream::connect(address).is_ok();
                (connected || !process.is_running()).then_some(connected)
            });
            // Somebody else may have taken the port, and answer there.
            if listens && process.is_running() {
                return Self {
                    url: format!("https://{address}"),
                    process,
                    _scratch: scratch,
                };
            }
        }
        panic!("nginx found no port");
    }

    /// As Forebay's configuration names it.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }
}

/// `http` and `server` are what is in its blocks of these names.
#[track_caller]
fn run(scratch: &Scratch, http: &str, server: &str) -> Process {
    let directory = scratch.as_path().display().to_string();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {directory}/{kind};\n"))
        .concat();
    let file = scratch.write(
            "nginx.conf",
            &format!(
                "daemon off; master_process off; worker_processes 1; pid {directory}/pid; error_log stderr;\n\
                 events {{}}\n\
                 http {{\n{temporary}access_log off;\n{http}\nserver {{ {server} }}\n}}\n"
            ),
        );
    Process::start("nginx", &["-e", "stderr", "-p", &directory, "-c", &file])
}
