//! The four forms of a request target (RFC 9112 section 3.2).

use message::{Failure, Form, Kind, Method, RequestHead, Span};

use super::scan;

/// Fills in form, authority, path and query from the target.
pub(super) fn split_target(head: &mut RequestHead) -> Result<(), Failure> {
    let target = head.target_bytes();
    if !scan::is_target(target) {
        return Err(Failure::new(
            Kind::Malformed,
            "the request target holds a byte that may not stand there",
        ));
    }
    match target {
        _ if head.method == Method::Connect => {
            head.form = Form::Authority;
            head.authority = head.target;
            Ok(())
        }
        [b'/', ..] => {
            head.form = Form::Origin;
            set_path_and_query(head, 0);
            Ok(())
        }
        b"*" if head.method == Method::Options => {
            head.form = Form::Asterisk;
            head.path = head.target;
            Ok(())
        }
        _ => split_absolute(head),
    }
}

/// `http://authority/path?query`; an empty path means `/`, or `*` for OPTIONS
/// (RFC 9112 section 3.2.4).
fn split_absolute(head: &mut RequestHead) -> Result<(), Failure> {
    let target = head.target_bytes();
    let bad = || {
        Failure::new(
            Kind::Malformed,
            "the request target has none of the four forms",
        )
    };
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|s| {
            target
                .get(..s.len())
                .is_some_and(|t| t.eq_ignore_ascii_case(s))
        })
        .ok_or_else(bad)?;
    let rest = target.get(scheme.len()..).unwrap_or_default();
    let length = rest
        .iter()
        .position(|b| matches!(b, b'/' | b'?'))
        .unwrap_or(rest.len());
    if length == 0 {
        return Err(bad());
    }
    head.form = Form::Absolute;
    head.authority = Span {
        at: head.target.at + scheme.len() as u32,
        len: length as u32,
    };
    set_path_and_query(head, scheme.len() + length);
    if head.path.is_empty() {
        let is_asterisk = head.method == Method::Options && head.query.is_empty();
        head.path = head.fields.intern(if is_asterisk { b"*" } else { b"/" });
    }
    Ok(())
}

/// The path begins `skip` bytes into the target; the query keeps its `?`.
fn set_path_and_query(head: &mut RequestHead, skip: usize) {
    let rest = head.target_bytes().get(skip..).unwrap_or_default();
    let path = memchr::memchr(b'?', rest).unwrap_or(rest.len());
    let at = head.target.at as usize + skip;
    let query = rest.len() - path;
    head.path = Span::new(at, path);
    head.query = Span::new(at + path, query);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(method: &str, target: &str) -> Option<(Form, String, String, String)> {
        let mut head = RequestHead {
            method: Method::of(method.as_bytes()),
            ..RequestHead::default()
        };
        head.target = head.fields.intern(target.as_bytes());
        split_target(&mut head).ok()?;
        let text = |span| String::from_utf8_lossy(head.fields.slice(span)).into_owned();
        Some((
            head.form,
            text(head.authority),
            text(head.path),
            text(head.query),
        ))
    }

    #[test]
    fn forms() {
        let ok = |form, a: &str, p: &str, q: &str| {
            Some((form, a.to_owned(), p.to_owned(), q.to_owned()))
        };
        assert_eq!(split("GET", "/"), ok(Form::Origin, "", "/", ""));
        assert_eq!(
            split("GET", "/a/b?c=d?e"),
            ok(Form::Origin, "", "/a/b", "?c=d?e")
        );
        assert_eq!(split("GET", "//x/y"), ok(Form::Origin, "", "//x/y", ""));
        assert_eq!(split("GET", "/a?"), ok(Form::Origin, "", "/a", "?"));
        assert_eq!(
            split("GET", "http://h:1/a?b"),
            ok(Form::Absolute, "h:1", "/a", "?b")
        );
        assert_eq!(split("GET", "HTTPS://h"), ok(Form::Absolute, "h", "/", ""));
        assert_eq!(
            split("GET", "http://h?q"),
            ok(Form::Absolute, "h", "/", "?q")
        );
        assert_eq!(
            split("OPTIONS", "http://h"),
            ok(Form::Absolute, "h", "*", "")
        );
        assert_eq!(split("OPTIONS", "*"), ok(Form::Asterisk, "", "*", ""));
        assert_eq!(
            split("CONNECT", "h:443"),
            ok(Form::Authority, "h:443", "", "")
        );
    }

    #[test]
    fn refused() {
        for (method, target) in [
            ("GET", ""),
            ("GET", "*"),
            ("GET", "a/b"),
            ("GET", "http://"),
            ("GET", "http:///a"),
            ("GET", "ftp://h/"),
            ("GET", "/a#b"),
            ("GET", "/a\x7fb"),
        ] {
            assert_eq!(split(method, target), None, "{method} {target}");
        }
    }
}
