//! What `Connection` says, and the fields that concern one connection only
//! (RFC 9110 section 7.6.1).

use message::{Failure, Fields, Kind, Known, KnownSet, Version};

use super::scan;

/// What a message says about its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Persistence {
    /// The connection may carry another message after this one
    /// (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// The message asks for, or agrees to, another protocol.
    pub upgrade: bool,
}

/// More options than anybody needs: each is looked for among all fields, and a
/// peer is not to have Forebay look for thousands.
const MOST_OPTIONS: usize = 128;

/// Reads what a head says about its connection and takes out every field that
/// must not travel further: the hop-by-hop ones and those that `Connection`
/// names. `Host` and `Content-Length` stay whatever `Connection` says: without
/// them the message would mean something else. `too_many` is the failure of a
/// head with too many options.
pub fn take_connection(
    version: Version,
    fields: &mut Fields,
    too_many: Kind,
) -> Result<Persistence, Failure> {
    let mut says = Persistence {
        keep_alive: version == Version::Http11,
        upgrade: false,
    };
    if fields.has(Known::Connection) {
        let mut named: Vec<Vec<u8>> = Vec::new();
        for option in fields
            .all(Known::Connection)
            .flat_map(|v| v.split(|&b| b == b','))
        {
            let (_, option) = scan::trim(option);
            if option.eq_ignore_ascii_case(b"close") {
                says.keep_alive = false;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                says.upgrade = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                says.keep_alive |= version == Version::Http10;
            } else if !option.is_empty()
                && !matches!(Known::of(option), Known::Host | Known::ContentLength)
            {
                named.push(option.to_vec());
                if named.len() > MOST_OPTIONS {
                    return Err(Failure::new(too_many, "Connection has too many options"));
                }
            }
        }
        // It wins over `keep-alive`, in whatever order they stand.
        if has_token(fields, Known::Connection, b"close") {
            says.keep_alive = false;
        }
        for name in named {
            fields.remove_named(&name);
        }
    }
    fields.remove_all(KnownSet::HOP_BY_HOP);
    Ok(says)
}

/// Whether a field with a list of names has this one, in any letter case.
pub fn has_token(fields: &Fields, field: Known, token: &[u8]) -> bool {
    fields
        .all(field)
        .flat_map(|v| v.split(|&b| b == b','))
        .any(|o| scan::trim(o).1.eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(version: Version, fields: &[(&str, &str)]) -> (bool, bool, Vec<String>) {
        let mut list = Fields::default();
        for (name, value) in fields {
            list.push(name.as_bytes(), value.as_bytes());
        }
        let says = take_connection(version, &mut list, Kind::Malformed).unwrap();
        let left = list
            .iter()
            .map(|f| String::from_utf8_lossy(f.name).into_owned());
        (says.keep_alive, says.upgrade, left.collect())
    }

    #[test]
    fn persistence() {
        use Version::{Http10, Http11};
        for (version, connection, expected) in [
            (Http11, None, true),
            (Http10, None, false),
            (Http11, Some("close"), false),
            (Http11, Some("CLOSE"), false),
            (Http11, Some("keep-alive, close"), false),
            (Http11, Some("close, keep-alive"), false),
            (Http10, Some("Keep-Alive"), true),
            (Http10, Some("keep-alive, close"), false),
            (Http10, Some("close, keep-alive"), false),
            (Http11, Some("x-y"), true),
        ] {
            let fields: Vec<_> = connection.map(|c| ("Connection", c)).into_iter().collect();
            assert_eq!(
                take(version, &fields).0,
                expected,
                "{version:?} {connection:?}"
            );
        }
        assert!(
            !take(
                Http11,
                &[("Connection", "keep-alive"), ("connection", "close")]
            )
            .0
        );
    }

    #[test]
    fn hop_by_hop_fields_go_and_so_do_those_that_connection_names() {
        let (_, upgrade, left) = take(
            Version::Http11,
            &[
                ("Host", "h"),
                ("Connection", "Upgrade, X-One , host, content-length"),
                ("Upgrade", "websocket"),
                ("X-One", "1"),
                ("x-one", "2"),
                ("X-Two", "3"),
                ("Content-Length", "5"),
                ("TE", "trailers"),
                ("Keep-Alive", "timeout=5"),
                ("Proxy-Connection", "keep-alive"),
                ("Transfer-Encoding", "chunked"),
            ],
        );
        assert!(upgrade);
        assert_eq!(left, ["Host", "X-Two", "Content-Length"]);
    }

    #[test]
    fn thousands_of_options_are_refused() {
        for (count, expected) in [(128, true), (129, false), (15_000, false)] {
            let mut fields = Fields::default();
            fields.push(b"Connection", &b"a,".repeat(count));
            let taken = take_connection(Version::Http11, &mut fields, Kind::BadResponse);
            let kind = taken.map_err(|failure| failure.kind);
            assert_eq!(kind.is_ok(), expected, "{count}");
            assert!(expected || kind == Err(Kind::BadResponse));
        }
    }
}
