//! What is not shown to anybody: the one rule for descriptions, explanations,
//! comparisons and logs.

use crate::{Known, KnownSet};

/// What is shown in the place of a secret.
pub const HIDDEN: &str = "(hidden)";

/// Whether the value of something with this name is a secret: of a header field,
/// a query parameter or a cookie. A name that merely sounds like it is enough.
pub fn is_secret(name: &str) -> bool {
    const SECRETS: KnownSet = KnownSet::of(&[
        Known::Authorization,
        Known::Cookie,
        Known::ProxyAuthorization,
        Known::SetCookie,
    ]);
    const WORDS: [&str; 7] = [
        "auth",
        "credential",
        "key",
        "passwd",
        "password",
        "secret",
        "token",
    ];
    let lower = name.to_ascii_lowercase();
    SECRETS.has(Known::of(name.as_bytes())) || WORDS.iter().any(|word| lower.contains(word))
}

/// A URL or the target of a request without user information and the values of
/// its query. What a template quotes there is a name, and stays.
pub fn without_secrets(url: &str) -> String {
    let (url, fragment) = match url.split_once('#') {
        Some((url, fragment)) => (url, format!("#{fragment}")),
        None => (url, String::new()),
    };
    let Some((place, query)) = url.split_once('?') else {
        return without_user(url) + &fragment;
    };
    let parameters: Vec<String> = query.split('&').map(without_value).collect();
    format!("{}?{}{fragment}", without_user(place), parameters.join("&"))
}

fn without_user(place: &str) -> String {
    let authority = place.split_once("//").map(|(scheme, rest)| {
        let end = rest.find('/').unwrap_or(rest.len());
        (scheme, rest.split_at(end))
    });
    match authority {
        Some((scheme, (authority, path))) => match authority.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}//{HIDDEN}@{host}{path}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    }
}

fn without_value(parameter: &str) -> String {
    let (name, value) = match parameter.split_once('=') {
        Some((name, value)) => (Some(name), value),
        None => (None, parameter),
    };
    let is_quote = value.starts_with("${") && value.find('}') == Some(value.len() - 1);
    match name {
        _ if value.is_empty() || is_quote => parameter.to_owned(),
        Some(name) => format!("{name}={HIDDEN}"),
        None => HIDDEN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_secrets() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "Cookie",
            "Set-Cookie",
            "X-API-Key",
            "X-Auth-Token",
            "api_key",
            "X-Client-Secret",
            "db-Password",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["Host", "X-User", "Accept", "User-Agent", "Cookies", ""] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn urls_are_shown_without_user_and_values() {
        for (url, expected) in [
            ("/", "/"),
            ("*", "*"),
            ("/health?token=abc", "/health?token=(hidden)"),
            ("/a?b=1&c&d=&e==", "/a?b=(hidden)&(hidden)&d=&e=(hidden)"),
            ("/a?", "/a?"),
            ("/a?x=1#y", "/a?x=(hidden)#y"),
            ("/a?x=${path}&y=${a}b}", "/a?x=${path}&y=(hidden)"),
            ("http://u:p@h/a@b", "http://(hidden)@h/a@b"),
            ("http://u:p@h?x=//a@b", "http://(hidden)@h?x=(hidden)"),
            ("http://h/a@b", "http://h/a@b"),
            ("//u@h", "//(hidden)@h"),
        ] {
            assert_eq!(without_secrets(url), expected);
        }
    }
}
