//! `forebay-origin`: the backend behind every proxy of a benchmark.
//!
//! It shares a core with the load generator, so it is built to cost next to
//! nothing: one thread, edge-triggered readiness, and for a small exchange one
//! receive and one send. It prints the address it listens on as its first line.
//!
//! | request | answer |
//! |---|---|
//! | `GET /128`, `/64k`, `/1m`, `/bytes/N` | that many bytes, with `Content-Length` (`k` and `m` are 1024-based) |
//! | `POST` or `PUT`, any path | 200; the text is the number of body bytes received |
//! | anything else | 404 |
//! | any over HTTP/2, by prior knowledge | a gRPC message of 128 bytes, then `grpc-status: 0` |

mod answers;
mod body;
mod grpc;
mod outbox;
mod request;
mod server;
mod session;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

const USAGE: &str = "usage: forebay-origin [--listen ADDRESS:PORT]   (default 127.0.0.1:0)";

fn main() -> ExitCode {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is a program: it owns its arguments"
    )]
    let arguments = std::env::args().skip(1);
    let Some(address) = listen_address(arguments) else {
        complain(USAGE);
        return ExitCode::from(2);
    };
    match serve(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("forebay-origin: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(address: SocketAddr) -> io::Result<()> {
    let mut server = server::Server::bind(address)?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", server.address()?)?;
    stdout.flush()?;
    server.run()
}

/// The address to listen on, or `None` when the arguments make no sense.
fn listen_address(mut arguments: impl Iterator<Item = String>) -> Option<SocketAddr> {
    let text = match arguments.next().as_deref() {
        None => "127.0.0.1:0".to_owned(),
        Some("--listen") => arguments.next()?,
        Some(other) => other.strip_prefix("--listen=")?.to_owned(),
    };
    match arguments.next() {
        None => text.parse().ok(),
        Some(_) => None,
    }
}

fn complain(text: &str) {
    // Nothing is left to do when standard error itself is gone.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::listen_address;

    #[test]
    fn arguments() {
        let table: &[(&[&str], Option<&str>)] = &[
            (&[], Some("127.0.0.1:0")),
            (&["--listen", "127.0.0.1:9000"], Some("127.0.0.1:9000")),
            (&["--listen=[::1]:80"], Some("[::1]:80")),
            (&["--listen"], None),
            (&["--listen", "nowhere"], None),
            (&["--listen", "127.0.0.1:1", "more"], None),
            (&["-h"], None),
        ];
        for (given, wanted) in table {
            let found = listen_address(given.iter().map(|text| (*text).to_owned()));
            assert_eq!(
                found.map(|address| address.to_string()).as_deref(),
                *wanted,
                "{given:?}"
            );
        }
    }
}
