use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a backend listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    Ip(SocketAddr),
    /// Resolved anew whenever a connection is opened.
    Name {
        host: Box<str>,
        port: u16,
    },
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => address.fmt(f),
            Address::Name { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_are_written() {
        let name = Address::Name {
            host: "app.internal".into(),
            port: 3000,
        };
        for (address, text) in [
            (Address::Ip("10.0.0.1:80".parse().unwrap()), "10.0.0.1:80"),
            (Address::Ip("[::1]:8080".parse().unwrap()), "[::1]:8080"),
            (name, "app.internal:3000"),
            (Address::Unix("/run/app.sock".into()), "unix:/run/app.sock"),
        ] {
            assert_eq!(address.to_string(), text);
        }
    }
}
