//! The URL of a backend: `http://host:port`, `https://host:port`, or `unix:/path` for a socket in the file system.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::written::{Fault, Written, unlike};

/// Where a backend listens.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum BackendUrl {
    /// A port of a host.
    Tcp {
        /// What is spoken there.
        scheme: Scheme,
        /// Name or address.
        host: Host,
        /// Port; when the URL has none, 80 of HTTP and 443 with TLS.
        port: u16,
    },
    /// A Unix domain socket.
    Unix {
        /// Absolute path of the socket.
        path: String,
    },
}

/// What a backend speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// HTTP.
    Http,
    /// HTTP through TLS.
    Https,
    /// Anything, of which Forebay understands nothing.
    Tcp,
    /// The same through TLS.
    Tls,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

/// The host of a URL.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Host {
    /// An address, for which nothing needs to be looked up.
    Ip(IpAddr),
    /// A name, in lower case.
    Name(String),
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { scheme, host, port } => write!(f, "{scheme}://{host}:{port}"),
            Self::Unix { path } => write!(f, "unix:{path}"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// As in a configuration; an error says what was expected.
impl std::str::FromStr for BackendUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|fault| match fault.help {
            Some(help) => format!("{}; {help}", fault.message),
            None => fault.message,
        })
    }
}

impl Written for BackendUrl {
    const NOUN: &'static str = "a backend URL such as `http://10.0.0.1:8080`";
    const PATTERN: &'static str =
        "^(([hH][tT][tT][pP][sS]?|[tT][cC][pP]|[tT][lL][sS])://[^/?#@\\s]+/?|unix:/.+)$";

    fn parse(text: &str) -> Result<Self, Fault> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path, text);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(without_scheme(text));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => tcp(Scheme::Http, rest, text),
            "https" => tcp(Scheme::Https, rest, text),
            "tcp" => tcp(Scheme::Tcp, rest, text),
            "tls" => tcp(Scheme::Tls, rest, text),
            _ => Err(unlike(Self::NOUN, text).help(
                "backends are reached by `http://`, `https://`, `tcp://`, `tls://` or `unix:`",
            )),
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }

    /// Port 0 belongs to no backend.
    fn placeholder() -> Self {
        Self::Tcp {
            scheme: Scheme::Http,
            host: Host::Ip(Ipv4Addr::UNSPECIFIED.into()),
            port: 0,
        }
    }
}

fn without_scheme(text: &str) -> Fault {
    let fault = unlike(BackendUrl::NOUN, text);
    if text.starts_with('/') {
        return fault.help(format!(
            "write `unix:{text}` for a socket in the file system"
        ));
    }
    if text.is_empty() {
        return fault;
    }
    fault.help(format!("begin it with `http://`: `http://{text}`"))
}

/// Longest path that fits a socket address on every system (108 bytes with the final NUL on Linux, 104 elsewhere).
const LONGEST_SOCKET_PATH: usize = 103;

fn unix(path: &str, text: &str) -> Result<BackendUrl, Fault> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if !path.starts_with('/') || path.contains(char::is_control) {
        return Err(unlike(BackendUrl::NOUN, text)
            .help("give the socket's absolute path: `unix:/run/app.sock`"));
    }
    if path.len() > LONGEST_SOCKET_PATH {
        return Err(Fault::new(format!(
            "the path of a socket can have {LONGEST_SOCKET_PATH} bytes, this one has {}",
            path.len()
        )));
    }
    Ok(BackendUrl::Unix {
        path: path.to_owned(),
    })
}

fn tcp(scheme: Scheme, rest: &str, text: &str) -> Result<BackendUrl, Fault> {
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(authority_end);
    if !matches!(behind, "" | "/") {
        return Err(Fault::new(format!(
            "a backend URL cannot have a path or query, found `{behind}`"
        ))
        .help(format!(
            "write `{scheme}://{authority}`; requests keep their own path"
        )));
    }
    if authority.contains('@') {
        return Err(
            Fault::new("a backend URL cannot have a user or password in it")
                .help("send credentials with `add_headers`"),
        );
    }
    let (host, port) = host_and_port(authority, text)?;
    let port = match (port, scheme) {
        (Some(port), _) => port,
        (None, Scheme::Http) => 80,
        (None, Scheme::Https) => 443,
        (None, Scheme::Tcp | Scheme::Tls) => {
            return Err(unlike(BackendUrl::NOUN, text)
                .help(format!("say which port, such as `{scheme}://{host}:5432`")));
        }
    };
    Ok(BackendUrl::Tcp { scheme, host, port })
}

fn host_and_port(authority: &str, text: &str) -> Result<(Host, Option<u16>), Fault> {
    if authority.parse::<Ipv6Addr>().is_ok() {
        return Err(unlike(BackendUrl::NOUN, text).help(format!(
            "put brackets around an IPv6 address: `http://[{authority}]:80`"
        )));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = match port.map(str::parse) {
        None => None,
        Some(Ok(port)) if port > 0 => Some(port),
        Some(_) => {
            return Err(unlike(BackendUrl::NOUN, text).help("a port is a number from 1 to 65535"));
        }
    };
    let host = parse_host(host).map_err(|help| unlike(BackendUrl::NOUN, text).help(help))?;
    Ok((host, port))
}

fn parse_host(host: &str) -> Result<Host, String> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address
            .strip_suffix(']')
            .and_then(|address| address.parse().ok());
        let address = address.map(|address: Ipv6Addr| Host::Ip(address.into()));
        return address.ok_or_else(|| format!("`{host}` is not an IPv6 address"));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(address.into()));
    }
    // A name whose last label is a number could only be a misspelt address.
    let last = host.rsplit('.').next().unwrap_or_default();
    if !last.is_empty() && last.chars().all(|digit| digit.is_ascii_digit()) {
        return Err(format!("`{host}` is not an IPv4 address"));
    }
    if !is_name(host) {
        return Err(
            "a host is an IP address or a name of letters, digits, `-`, `_` and dots".to_owned(),
        );
    }
    Ok(Host::Name(host.to_ascii_lowercase()))
}

/// Names as resolvers take them: labels of up to 63 bytes, 253 in all (RFC 1035 section 2.3.4), a final dot
/// allowed; underscores too, since private names have them.
fn is_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    host.len() <= 253
        && host
            .split('.')
            .all(|label| (1..=63).contains(&label.len()) && label.chars().all(fits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_are_read() {
        for (text, url) in [
            ("http://10.0.0.1:8001", "http://10.0.0.1:8001"),
            ("http://10.0.0.1", "http://10.0.0.1:80"),
            (
                "http://App-1.Example.com:3000/",
                "http://app-1.example.com:3000",
            ),
            ("HTTP://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:80", "http://[::1]:80"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://my_app", "http://my_app:80"),
            ("https://app", "https://app:443"),
            ("HTTPS://[::1]:8443/", "https://[::1]:8443"),
            ("tcp://10.0.0.1:5432", "tcp://10.0.0.1:5432"),
            ("TCP://DB:5432/", "tcp://db:5432"),
            ("tls://db:5432", "tls://db:5432"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
            ("unix:///run/app.sock", "unix:/run/app.sock"),
        ] {
            assert_eq!(
                BackendUrl::parse(text).map(|url| url.text()),
                Ok(url.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn others_are_refused_with_advice() {
        let long = format!("unix:/{}", "x".repeat(LONGEST_SOCKET_PATH));
        for (text, part) in [
            ("10.0.0.1:8001", "`http://10.0.0.1:8001`"),
            ("localhost", "`http://localhost`"),
            ("/run/app.sock", "`unix:/run/app.sock`"),
            ("unix:app.sock", "absolute path"),
            ("https://a/api", "write `https://a`"),
            ("ftp://a", "`tcp://`, `tls://` or `unix:`"),
            ("http://a/api", "cannot have a path or query, found `/api`"),
            ("http://a?x", "cannot have a path or query"),
            ("http://u:p@a", "user or password"),
            ("http://a:99999", "a port is a number"),
            ("http://a:0", "a port is a number"),
            ("http://a:", "a port is a number"),
            ("http://", "a host is"),
            ("http://:80", "a host is"),
            ("tcp://db", "`tcp://db:5432`"),
            ("tcp://db:5432/x", "write `tcp://db:5432`"),
            ("http://a b", "a host is"),
            ("http://bücher.example", "a host is"),
            ("http://::1", "`http://[::1]:80`"),
            ("http://[::1", "is not an IPv6 address"),
            ("http://[x]:80", "is not an IPv6 address"),
            ("http://10.0.0.256:80", "is not an IPv4 address"),
            ("", "expected a backend URL"),
            (&long, "can have 103 bytes"),
        ] {
            let fault = BackendUrl::parse(text).expect_err(text);
            let said = format!("{} | {}", fault.message, fault.help.unwrap_or_default());
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(host in "[a-z][a-z0-9-]{0,9}(\\.[a-z]{1,5}){0,2}", port in 1..u16::MAX) {
            let url = BackendUrl::Tcp { scheme: Scheme::Tcp, host: Host::Name(host), port };
            prop_assert_eq!(BackendUrl::parse(&url.text()), Ok(url));
        }

        #[test]
        fn any_text_is_answered(text in "(http://|tcp://|unix:|)[\\[\\]:./@a0-]{0,12}") {
            if let Ok(url) = BackendUrl::parse(&text) {
                prop_assert_eq!(BackendUrl::parse(&url.text()), Ok(url));
            }
        }
    }
}
