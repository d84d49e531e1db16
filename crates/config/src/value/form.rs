//! Forms that a text can be required to have.

use super::written::{Fault, unlike};

/// What a text has to look like.
pub(crate) struct Form {
    /// "a path such as `/health`".
    pub(crate) noun: &'static str,
    /// ECMA regular expression for the schema.
    pub(crate) pattern: &'static str,
    check: fn(&str) -> Result<(), Option<String>>,
}

impl Form {
    /// Whether `text` has this form.
    pub(crate) fn check(&self, text: &str) -> Result<(), Fault> {
        (self.check)(text).map_err(|help| Fault {
            help,
            ..unlike(self.noun, text)
        })
    }
}

/// Any text that says something.
pub(crate) const WORD: Form = Form {
    noun: "a text that is not empty",
    pattern: ".",
    check: |text| ok_if(!text.trim().is_empty()),
};

/// A request method (RFC 9110 section 9.1). Methods are case-sensitive and the registered ones are upper case,
/// so one in lower case is a mistake that would never match.
pub(crate) const METHOD: Form = Form {
    noun: "a request method such as `GET`",
    pattern: "^[A-Z0-9!#$%&'*+.^_`|~-]+$",
    check: |text| {
        if is_token(text) && text.chars().any(|letter| letter.is_ascii_lowercase()) {
            return Err(Some(format!(
                "methods are in capitals: `{}`",
                text.to_ascii_uppercase()
            )));
        }
        ok_if(is_token(text))
    },
};

/// A header field name (RFC 9110 section 5.1).
pub(crate) const FIELD_NAME: Form = Form {
    noun: "a header name such as `X-Request-ID`",
    pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    check: |text| ok_if(is_token(text)),
};

/// A protocol that a connection may be switched to (RFC 9110 section 7.8). One that is HTTP again would bring requests past everything
/// that looks at them.
pub(crate) const UPGRADE: Form = Form {
    noun: "a protocol such as `websocket`",
    pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+(/[A-Za-z0-9!#$%&'*+.^_`|~-]+)?$",
    check: |text| {
        let (name, version) = text.split_once('/').unwrap_or((text, "0"));
        let is_one_of = |names: &[&str]| names.iter().any(|n| name.eq_ignore_ascii_case(n));
        if is_one_of(&["h2c", "h2", "http", "tls"]) {
            return Err(Some(format!(
                "`{name}` would bring requests to backends that Forebay has not seen"
            )));
        }
        ok_if(is_token(name) && is_token(version))
    },
};

/// The value of `Content-Type`. Nothing in it can end the field.
pub(crate) const CONTENT_TYPE: Form = Form {
    noun: "a content type such as `text/html`",
    pattern: "^[ -~]*[!-~][ -~]*$",
    check: |text| {
        let fits = |letter: char| letter.is_ascii_graphic() || letter == ' ';
        ok_if(!text.trim().is_empty() && text.chars().all(fits))
    },
};

/// The name of a cookie (RFC 6265 section 4.1.1).
pub(crate) const COOKIE_NAME: Form = Form {
    noun: "the name of a cookie such as `session`",
    ..FIELD_NAME
};

/// A name that a client's TLS asks for (RFC 6066 section 3), or one label in front of such names.
pub(crate) const SERVER_NAME: Form = Form {
    noun: "a server name such as `db.example.com` or `*.example.com`",
    pattern: "^(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$",
    check: |text| {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        let mut labels = text.strip_prefix("*.").unwrap_or(text).split('.');
        let is_label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(fits);
        ok_if(text.len() <= 253 && labels.all(is_label))
    },
};

/// What a client's certificate can be asked for.
pub(crate) const CERTIFICATE_FACT: Form = Form {
    noun: "`subject`, `name`, `fingerprint` or `serial`",
    pattern: "^(subject|name|fingerprint|serial)$",
    check: |text| ok_if(["subject", "name", "fingerprint", "serial"].contains(&text)),
};

/// The path of a cookie (RFC 6265 section 4.1.1).
pub(crate) const COOKIE_PATH: Form = Form {
    noun: "a path such as `/shop`",
    pattern: "^/[^;\\s]*$",
    check: |text| {
        let fits = |c: char| c.is_ascii_graphic() && c != ';';
        ok_if(text.starts_with('/') && text.chars().all(fits))
    },
};

/// The host of a route: exact, `*.` and a domain, or `*`.
pub(crate) const HOST: Form = Form {
    noun: "a host such as `example.com` or `*.example.com`",
    pattern: "^(\\*|(\\*\\.)?[^*/\\s]+)$",
    check: |text| {
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(Some(format!(
                "leave out `{scheme}://`; a route's host is only a name"
            )));
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        if name.contains('*') && text != "*" {
            return Err(Some("`*` stands alone, or before the first dot".to_owned()));
        }
        if name.contains('/') {
            return Err(Some("put the path into the key `path`".to_owned()));
        }
        ok_if(!name.is_empty() && !name.contains(char::is_whitespace))
    },
};

/// A host that an authority can give a certificate for (RFC 1123 section 2.1).
pub(crate) const DNS_NAME: Form = Form {
    noun: "the name of a host such as `www.example.com`",
    pattern: "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$",
    check: |text| {
        if text.starts_with("*.") {
            return Err(Some(
                "a wildcard takes the challenge dns-01, which Forebay does not speak: name each host"
                    .to_owned(),
            ));
        }
        let top = text.rsplit('.').next().unwrap_or_default();
        if top.eq_ignore_ascii_case("localhost") {
            return Err(Some(
                "no authority can look at `localhost`: `forebay certs dev` makes a certificate for it, to be named with `cert_file` and `key_file`"
                    .to_owned(),
            ));
        }
        let is_label = |label: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let ends = label.starts_with('-') || label.ends_with('-');
            (1..=63).contains(&label.len()) && label.chars().all(fits) && !ends
        };
        // An address would end in a number.
        let is_address = top.chars().all(|c| c.is_ascii_digit());
        ok_if(text.len() <= 253 && text.split('.').all(is_label) && !is_address)
    },
};

/// Where mail is sent to.
pub(crate) const EMAIL: Form = Form {
    noun: "an address such as `ops@example.com`",
    pattern: "^[^@\\s:,]+@[^@\\s:,]+$",
    check: |text| {
        if text.starts_with("mailto:") {
            return Err(Some("leave out `mailto:`".to_owned()));
        }
        let is_part = |part: &str| {
            !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "@:,".contains(c))
        };
        ok_if(
            text.split_once('@')
                .is_some_and(|(who, at)| is_part(who) && is_part(at)),
        )
    },
};

/// The directory of an authority (RFC 8555 section 6.1).
pub(crate) const DIRECTORY: Form = Form {
    noun: "a URL such as `https://ca.internal/acme/directory`",
    pattern: "^https://[^/\\s]+(/[^\\s]*)?$",
    check: |text| {
        let rest = text.strip_prefix("https://").unwrap_or_default();
        let fits = |c: char| c.is_ascii_graphic();
        ok_if(!rest.is_empty() && !rest.starts_with('/') && rest.chars().all(fits))
    },
};

/// The path of a route: exact, a beginning followed by `/*`, a `prefix:` or a `regex:`.
pub(crate) const ROUTE_PATH: Form = Form {
    noun: "a path such as `/health` or `/api/*`",
    pattern: "^/([^*?#]*/)?\\*$|^/[^*?#]*$|^prefix:/[^*?#]*$|^regex:.",
    check: |text| {
        if let Some(prefix) = text.strip_prefix("prefix:") {
            return path(prefix);
        }
        if let Some(expression) = text.strip_prefix("regex:") {
            return ok_if(!expression.is_empty());
        }
        if let Some(expression) = looks_like_expression(text) {
            return Err(Some(format!(
                "a regular expression begins with `regex:`: `regex:{expression}`"
            )));
        }
        path(text)?;
        let exact = text.strip_suffix("/*").unwrap_or(text);
        if exact.contains('*') {
            return Err(Some(
                "`*` can only be the last part, as in `/api/*`; for anything else there are expressions, as in `regex:\\.png$`"
                    .to_owned(),
            ));
        }
        Ok(())
    },
};

/// A path without any pattern.
pub(crate) const PATH: Form = Form {
    noun: "a path such as `/health`",
    pattern: "^/[^?#]*$",
    check: path,
};

/// A path that may have a query, for requests that Forebay makes itself.
pub(crate) const TARGET: Form = Form {
    noun: "a path such as `/health`",
    pattern: "^/[^#\\s]*$",
    check: |text| {
        if !text.starts_with('/') {
            return Err(Some(format!("begin it with a slash: `/{text}`")));
        }
        ok_if(!text.contains('#') && !text.contains(|c: char| c.is_whitespace() || c.is_control()))
    },
};

/// What other servers take for a regular expression: `^/a`, `~ ^/a` and `~* ^/a`.
fn looks_like_expression(text: &str) -> Option<&str> {
    let tilde = text.strip_prefix("~*").or_else(|| text.strip_prefix('~'));
    let expression = tilde.map_or(text, str::trim_start);
    (tilde.is_some() || text.starts_with('^')).then_some(expression)
}

fn path(text: &str) -> Result<(), Option<String>> {
    if !text.starts_with('/') {
        return Err(Some(format!("begin it with a slash: `/{text}`")));
    }
    if text.contains(['?', '#']) {
        return Err(Some(
            "leave out the query; only the path is compared".to_owned(),
        ));
    }
    ok_if(!text.contains(|letter: char| letter.is_control()))
}

fn ok_if(fine: bool) -> Result<(), Option<String>> {
    if fine { Ok(()) } else { Err(None) }
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    const MARKS: &str = "!#$%&'*+-.^_`|~";
    let fits = |letter: char| letter.is_ascii_alphanumeric() || MARKS.contains(letter);
    !text.is_empty() && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_accept_and_refuse() {
        for (form, accepted, refused) in [
            (&WORD, &["a", "a b"][..], &["", "  "][..]),
            (
                &METHOD,
                &["GET", "M-SEARCH"],
                &["", "get", "Get", "G T", "GÉT"],
            ),
            (&FIELD_NAME, &["X-A", "x_a"], &["", "a b", "a:"]),
            (
                &SERVER_NAME,
                &["db.example.com", "*.example.com", "db", "DB_1.x"],
                &["", "*", "*.", "a.*.b", "a..b", ".a", "a b", "bücher.de"],
            ),
            (
                &UPGRADE,
                &["websocket", "WebSocket", "chat/2"],
                &[
                    "", "a b", "a,b", "h2c", "H2C", "h2", "HTTP/2.0", "TLS/1.0", "/2",
                ],
            ),
            (
                &CONTENT_TYPE,
                &["text/html; charset=utf-8", "application/json"],
                &["", " ", "text/html\r\nX-A: b", "text/\tx", "text/é"],
            ),
            (
                &HOST,
                &[
                    "*",
                    "a",
                    "example.com",
                    "*.example.com",
                    "[::1]",
                    "10.0.0.1",
                ],
                &["", "*.", "a*", "*.a.*", "http://a", "a/b", "a b"],
            ),
            (
                &ROUTE_PATH,
                &[
                    "/",
                    "/a",
                    "/a/*",
                    "/*",
                    "/a//b",
                    "prefix:/a",
                    "regex:^/a|b$",
                ],
                &["", "a", "/a*", "/*/a", "/a?b", "/a#b", "prefix:a", "regex:"],
            ),
            (
                &DNS_NAME,
                &["a", "a.test", "www.example-1.com", "1.test"],
                &[
                    "",
                    "*.a.test",
                    "a..b",
                    ".a",
                    "a.",
                    "-a.test",
                    "a-.test",
                    "a_b.test",
                    "10.0.0.1",
                    "é.test",
                    "a/b",
                    "../a",
                    "localhost",
                    "a.LOCALHOST",
                ],
            ),
            (
                &EMAIL,
                &["a@b", "a+b@c.test"],
                &["", "a", "@b", "a@", "a@b@c", "mailto:a@b", "a b@c"],
            ),
            (
                &DIRECTORY,
                &["https://a", "https://a:14000/dir"],
                &[
                    "",
                    "http://a/dir",
                    "https://",
                    "https:///dir",
                    "https://a b",
                ],
            ),
            (&PATH, &["/", "/api/v1"], &["", "api", "/a?b"]),
            (
                &TARGET,
                &["/health", "/health?full=1"],
                &["", "health", "/a b", "/a#b", "/a\r\n"],
            ),
        ] {
            for text in accepted {
                assert_eq!(form.check(text), Ok(()), "{} {text}", form.noun);
            }
            for text in refused {
                assert!(form.check(text).is_err(), "{} {text}", form.noun);
            }
        }
    }

    #[test]
    fn common_mistakes_get_advice() {
        for (form, text, help) in [
            (&METHOD, "get", "methods are in capitals: `GET`"),
            (&DNS_NAME, "*.a.test", "name each host"),
            (&EMAIL, "mailto:a@b", "leave out `mailto:`"),
            (&HOST, "https://a.com", "leave out `https://`"),
            (&ROUTE_PATH, "api/*", "begin it with a slash: `/api/*`"),
            (&ROUTE_PATH, "/a*", "`*` can only be the last part"),
            (&ROUTE_PATH, "/a/*.png", "as in `regex:\\.png$`"),
            (&ROUTE_PATH, "^/a", "`regex:^/a`"),
            (&ROUTE_PATH, "~* ^/a", "`regex:^/a`"),
        ] {
            let advice = form.check(text).expect_err(text).help.expect("advice");
            assert!(advice.contains(help), "{advice}");
        }
    }
}
