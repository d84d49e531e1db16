//! `forebay-steady`: requests at a constant rate, whatever becomes of them.
//!
//! A client that waits for an answer before it asks again leaves a slow server
//! alone just when it is slow, and measures too little. This one has a time for
//! every request before it starts, and counts latency from that time, also when
//! the request had to wait for a connection or the generator itself was late.
//!
//! One thread; every connection has at most one request under way, and the one
//! that has been idle for longest is next. The first second does not count. What
//! it saw is one line of JSON; times are in microseconds.

mod answer;
mod load;
mod schedule;
mod seen;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

const USAGE: &str = "usage: forebay-steady --to ADDRESS:PORT --rate PER_SECOND --seconds N --connections N --path PATH";

/// What is to be sent.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    to: SocketAddr,
    /// Requests per second.
    rate: u64,
    /// How long the requests count.
    seconds: u64,
    connections: usize,
    path: String,
}

fn main() -> ExitCode {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is a program: it owns its arguments"
    )]
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match Plan::from(&arguments) {
        Some(plan) => load::run(&plan).and_then(|seen| writeln!(io::stdout(), "{seen}")),
        None => Err(io::Error::other(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error itself is gone.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

impl Plan {
    /// `None` when the arguments make no sense.
    fn from(arguments: &[String]) -> Option<Plan> {
        let value = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1)
        };
        let plan = Plan {
            to: value("--to")?.parse().ok()?,
            rate: value("--rate")?.parse().ok()?,
            seconds: value("--seconds")?.parse().ok()?,
            connections: value("--connections")?.parse().ok()?,
            path: value("--path")?.clone(),
        };
        let makes_sense = (1..=1_000_000).contains(&plan.rate)
            && (1..=3600).contains(&plan.seconds)
            && plan.connections > 0
            && plan.path.starts_with('/')
            && arguments.len() == 10;
        makes_sense.then_some(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;

    fn plan(text: &str) -> Option<Plan> {
        let arguments: Vec<String> = text.split(' ').map(str::to_owned).collect();
        Plan::from(&arguments)
    }

    #[test]
    fn arguments() {
        let good = "--to 127.0.0.1:80 --rate 10 --seconds 2 --connections 3 --path /a?b";
        let wanted = Plan {
            to: ([127, 0, 0, 1], 80).into(),
            rate: 10,
            seconds: 2,
            connections: 3,
            path: "/a?b".to_owned(),
        };
        assert_eq!(plan(good), Some(wanted));
        for bad in [
            "",
            "--to 127.0.0.1:80",
            &good.replace(" 10", " 0"),
            &good.replace(" 3", " 0"),
            &good.replace(" 2", " two"),
            &good.replace("/a", "a"),
            &format!("{good} --more"),
        ] {
            assert_eq!(plan(bad), None, "{bad}");
        }
    }
}
