//! `forebay-tunnels`: both ends of connections that a proxy passes on as they
//! are, for `bench/tunnels.py`.
//!
//! A connection begins with nine bytes: what it is for, and how many bytes are to
//! come. `serve` gives back what it gets, or sends so many bytes; the others are
//! the clients, and print one line of JSON at their end.

mod client;
mod server;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

const USAGE: &str = "usage: forebay-tunnels serve
       forebay-tunnels echo ADDRESS CONNECTIONS SECONDS
       forebay-tunnels stream ADDRESS MIB
       forebay-tunnels crowd ADDRESS CONNECTIONS RATE SECONDS";

/// Bytes of a message.
const MESSAGE: usize = 128;

const PIECE: usize = 256 * 1024;

/// What a connection is for.
const ECHO: u8 = b'e';
const STREAM: u8 = b's';

fn main() -> ExitCode {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is a program: it owns its arguments"
    )]
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(|word| &**word).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error itself is gone.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> io::Result<()> {
    let usage = || io::Error::other(USAGE);
    let number = |word: &str| word.parse::<u64>().map_err(|_| usage());
    let address = |word: &str| word.parse::<SocketAddr>().map_err(|_| usage());
    match words {
        ["serve"] => server::serve(),
        ["echo", to, count, seconds] => {
            client::echo(address(to)?, number(count)? as usize, number(seconds)?)
        }
        ["stream", to, mib] => client::stream(address(to)?, number(mib)? << 20),
        ["crowd", to, count, rate, seconds] => client::crowd(
            address(to)?,
            number(count)? as usize,
            number(rate)?,
            number(seconds)?,
        ),
        _ => Err(usage()),
    }
}
