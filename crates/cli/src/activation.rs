//! Sockets that the service manager has opened (`LISTEN_FDS`, see
//! `sd_listen_fds(3)`).
#![expect(
    clippy::disallowed_methods,
    reason = "only the program reads the environment"
)]

use std::net::TcpListener;

use forebay::Sockets;
use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

/// No unit has more.
const MOST: usize = 1024;

/// The sockets, each for whatever has its address. Takes the variables out of
/// the environment, so it must come before any thread.
pub(crate) fn sockets() -> Result<Vec<Sockets>, String> {
    let variable = |name| std::env::var(name).ok();
    let (descriptors, pid) = (variable("LISTEN_FDS"), variable("LISTEN_PID"));
    let count = count(descriptors.as_deref(), pid.as_deref(), std::process::id())?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut given = ListenFd::from_env();
    (0..count)
        .map(|index| {
            let socket = given.take_tcp_listener(index);
            let socket = socket
                .ok()
                .flatten()
                .filter(|s| socket_acceptconn(s) == Ok(true));
            let socket = socket.ok_or_else(|| {
                format!(
                    "descriptor {} of LISTEN_FDS is no listening TCP socket",
                    index + 3
                )
            })?;
            sockets_of(socket).map_err(|error| format!("a socket of LISTEN_FDS: {error}"))
        })
        .collect()
}

fn sockets_of(socket: TcpListener) -> std::io::Result<Sockets> {
    Ok(Sockets {
        kind: Sockets::ANY.into(),
        name: "".into(),
        address: socket.local_addr()?,
        sockets: vec![socket],
    })
}

/// How many there are for this process.
fn count(descriptors: Option<&str>, pid: Option<&str>, own: u32) -> Result<usize, String> {
    let (Some(descriptors), Some(pid)) = (descriptors, pid) else {
        return Ok(0);
    };
    let pid: u32 = number("LISTEN_PID", pid)?;
    if pid != own {
        return Ok(0);
    }
    match number("LISTEN_FDS", descriptors)? {
        count if count > MOST => Err(format!("LISTEN_FDS is {count}, more than {MOST}")),
        count => Ok(count),
    }
}

fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, String> {
    text.parse()
        .map_err(|_| format!("{name} is {text:?}, which is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_for_other_processes_mean_nothing_and_bad_ones_are_refused() {
        for (descriptors, pid, expected) in [
            (None, None, Ok(0)),
            (Some("1"), None, Ok(0)),
            (None, Some("7"), Ok(0)),
            (Some("2"), Some("7"), Ok(2)),
            (Some("2"), Some("8"), Ok(0)),
            (Some("x"), Some("8"), Ok(0)),
            (Some("0"), Some("7"), Ok(0)),
            (Some("1024"), Some("7"), Ok(1024)),
            (Some("1025"), Some("7"), Err(())),
            (Some("-1"), Some("7"), Err(())),
            (Some(""), Some("7"), Err(())),
            (Some("2"), Some("seven"), Err(())),
            (Some("99999999999999999999"), Some("7"), Err(())),
        ] {
            let found = count(descriptors, pid, 7).map_err(drop);
            assert_eq!(found, expected, "{descriptors:?} {pid:?}");
        }
    }
}
