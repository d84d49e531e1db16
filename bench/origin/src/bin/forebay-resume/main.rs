//! `forebay-resume`: connections that each take up the TLS 1.3 session of one
//! before, with one request each. `wrk` makes a full handshake for every one.
//!
//! Every client is a thread with sessions of its own. What it saw is one line of
//! JSON; only answers over sessions that were taken up are `requests`.

mod client;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use client::{Client, Seen, now};

const USAGE: &str =
    "usage: forebay-resume ADDRESS:PORT CLIENTS SECONDS FILE   (which holds the request)";

fn main() -> ExitCode {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is a program: it owns its arguments"
    )]
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(|word| &**word).collect();
    match run(&words).and_then(|seen| writeln!(io::stdout(), "{seen}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error itself is gone.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> io::Result<Seen> {
    let usage = || io::Error::other(USAGE);
    let [to, clients, seconds, file] = words else {
        return Err(usage());
    };
    let to: SocketAddr = to.parse().map_err(|_| usage())?;
    let clients: u16 = clients.parse().map_err(|_| usage())?;
    let seconds: u32 = seconds.parse().map_err(|_| usage())?;
    let request = std::fs::read(file)?;
    let began = now();
    let until = began + Duration::from_secs(seconds.into());
    let mut seen = Seen::default();
    std::thread::scope(|scope| {
        let work = || Ok(Client::new(to, &request)?.work(until));
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let of_one: io::Result<Seen> = thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a client panicked")));
            seen.add(&of_one?);
        }
        io::Result::Ok(())
    })?;
    seen.seconds = began.elapsed().as_secs_f64();
    Ok(seen)
}
