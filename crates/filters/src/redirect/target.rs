//! Where a redirect's template leads, decided before any request is seen.

use crate::Template;
use crate::template::Part;
use crate::variable::Variable;

/// Whose host the client will ask next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The template is a path.
    ThisHost,
    /// The template names the host.
    Elsewhere,
}

/// Decides where a template leads. Refuses one in which what a client wrote
/// could decide the host; the error is a sentence for people.
pub(super) fn of(to: &Template) -> Result<Target, String> {
    match to.parts() {
        [Part::Variable(Variable::Path | Variable::Uri), ..] => Ok(Target::ThisHost),
        [
            Part::Variable(Variable::Scheme),
            Part::Literal(text),
            rest @ ..,
        ] if text.starts_with("://") => elsewhere(text.trim_start_matches("://"), rest),
        [Part::Literal(text), rest @ ..] => match split_scheme(text) {
            Some(after) => elsewhere(after, rest),
            None if text.starts_with('/') => Ok(Target::ThisHost),
            None => Err(bad_beginning(to)),
        },
        _ => Err(bad_beginning(to)),
    }
}

/// What follows `//`, `http://` or another scheme.
fn split_scheme(text: &str) -> Option<&str> {
    if let Some(after) = text.strip_prefix("//") {
        return Some(after);
    }
    let (scheme, after) = text.split_once("://")?;
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
    is_scheme.then_some(after)
}

/// Checks the part of a URL that names the host: from `text`, which follows
/// the slashes, to the first `/`, `?` or `#`.
fn elsewhere(text: &str, rest: &[Part]) -> Result<Target, String> {
    let mut seen = !text.is_empty();
    if let Some(at) = host_end(text) {
        return host_or_error(at > 0);
    }
    for part in rest {
        match part {
            Part::Literal(text) => match host_end(text) {
                Some(at) => return host_or_error(seen || at > 0),
                None => seen = true,
            },
            // These begin with a slash, which ends the host.
            Part::Variable(Variable::Path | Variable::Uri) => return host_or_error(seen),
            Part::Variable(
                Variable::Host | Variable::Route | Variable::BackendGroup | Variable::Listener,
            ) => seen = true,
            Part::Variable(_) => return Err(client_chooses()),
        }
    }
    host_or_error(seen)
}

fn host_end(text: &str) -> Option<usize> {
    text.find(['/', '?', '#', '\\'])
}

fn host_or_error(seen: bool) -> Result<Target, String> {
    match seen {
        true => Ok(Target::Elsewhere),
        false => Err("the redirect's URL has no host after `//`".to_owned()),
    }
}

fn client_chooses() -> String {
    "in a redirect's URL only `${host}` and names from the configuration may stand before the \
     path, or the client would choose the host; put a `/` or `?` before other variables"
        .to_owned()
}

fn bad_beginning(to: &Template) -> String {
    format!(
        "the redirect `{to}` must begin with `/`, `${{path}}`, `${{uri}}`, `${{scheme}}://` or a \
         scheme such as `https://`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(to: &str) -> Result<Target, String> {
        of(&Template::parse(to).unwrap())
    }

    #[test]
    fn accepted() {
        for (to, expected) in [
            ("/", Target::ThisHost),
            ("/x${query}", Target::ThisHost),
            ("${path}", Target::ThisHost),
            ("${uri}", Target::ThisHost),
            ("/a?to=https://${header.X}", Target::ThisHost),
            ("https://a.example", Target::Elsewhere),
            ("https://${host}", Target::Elsewhere),
            ("https://${host}:8443${uri}", Target::Elsewhere),
            ("${scheme}://www.${host}${path}", Target::Elsewhere),
            ("//${route}.example/${query}", Target::Elsewhere),
            ("https://a.example?${query}", Target::Elsewhere),
        ] {
            assert_eq!(target(to), Ok(expected), "{to}");
        }
    }

    #[test]
    fn refused() {
        for (to, expected) in [
            ("", "must begin with"),
            ("new", "must begin with"),
            ("?x", "must begin with"),
            ("https:${path}", "must begin with"),
            ("${scheme}${path}", "must begin with"),
            ("${query}", "must begin with"),
            ("${header.X-To}", "must begin with"),
            ("${host}/x", "must begin with"),
            ("javascript:x", "must begin with"),
            ("https://", "no host"),
            ("https:///x", "no host"),
            ("https://${path}", "no host"),
            ("//${uri}", "no host"),
            ("${scheme}:///x", "no host"),
            ("https://${query}", "would choose the host"),
            ("https://a.example${query}", "would choose the host"),
            ("https://${header.X-Host}/", "would choose the host"),
            ("https://a.example${header.X}", "would choose the host"),
        ] {
            let message = target(to).unwrap_err();
            assert!(message.contains(expected), "{to}: {message}");
        }
    }
}
