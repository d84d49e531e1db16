use message::{Failure, Kind, RequestHead, without_secrets};

use crate::escape::push_escaped;
use crate::replace_prefix::{is_path_letter, is_safe};
use crate::template::Part;
use crate::variable::Variable;
use crate::{Exchange, Facts, Filter, Step, Template, Verdict};

/// Asks the backend for another path, and, if the template has a `?`, with
/// another query; without one, the query stays as it is.
///
/// What a client wrote cannot become more than a part of the path or of the
/// query: bytes that would end it are escaped, the path begins with exactly one
/// slash, and one that could climb is refused. In the query, only `${query}`
/// and `${uri}` are more than one value.
#[derive(Debug, Clone)]
pub struct Rewrite {
    to: Template,
    path: Box<[Part]>,
    query: Option<Box<[Part]>>,
}

impl Rewrite {
    /// The error is a sentence for people.
    pub fn new(to: Template) -> Result<Self, String> {
        let begins = match to.parts() {
            [Part::Literal(text), ..] => text.starts_with('/'),
            [Part::Variable(_), ..] => true,
            [] => false,
        };
        if !begins {
            return Err(format!("`{to}` must begin with `/`"));
        }
        let mut path = Vec::new();
        let mut query: Option<Vec<Part>> = None;
        for part in to.parts() {
            match (part, &mut query) {
                (part, Some(query)) => query.push(part.clone()),
                (Part::Literal(text), None) => {
                    let (before, after) = match text.split_once('?') {
                        Some((before, after)) => (before, Some(after)),
                        None => (&**text, None),
                    };
                    path.push(Part::Literal(before.into()));
                    query = after.map(|after| vec![Part::Literal(after.into())]);
                }
                (part, None) => path.push(part.clone()),
            }
        }
        check_letters(&to)?;
        Ok(Self {
            path: path.into(),
            query: query.map(Into::into),
            to,
        })
    }
}

fn check_letters(to: &Template) -> Result<(), String> {
    let literals = to.parts().iter().filter_map(|part| match part {
        Part::Literal(text) => Some(text),
        Part::Variable(_) => None,
    });
    let odd = literals
        .flat_map(|text| text.chars())
        .find(|&letter| !is_path_letter(letter) && letter != '?');
    match odd {
        Some(odd) => Err(format!("`{to}` cannot hold `{}`", odd.escape_debug())),
        None => Ok(()),
    }
}

impl Filter for Rewrite {
    fn name(&self) -> &'static str {
        "rewrite"
    }

    fn request(
        &self,
        request: &mut RequestHead,
        facts: &Facts<'_>,
        scratch: &mut Vec<u8>,
    ) -> Verdict {
        scratch.clear();
        let exchange = Exchange { request, facts };
        render(&self.path, &exchange, PATH_ENDS, scratch);
        let query = self.query.as_ref().map(|parts| {
            let mut query = vec![b'?'];
            render(parts, &exchange, VALUE_ENDS, &mut query);
            query
        });
        let slashes = scratch.iter().take_while(|&&byte| byte == b'/').count();
        let rest = scratch.get(slashes..).unwrap_or_default();
        let path = [b"/", rest].concat();
        if !is_safe(&path) || path.windows(3).any(|three| three == b"%00") {
            return Verdict::Fail(Failure::new(
                Kind::BadPath,
                "the rewritten path would climb, or has a NUL",
            ));
        }
        request.path = request.fields.intern(&path);
        match query.as_deref() {
            None => {}
            Some(b"?") => request.query = request.fields.intern(b""),
            Some(query) => request.query = request.fields.intern(query),
        }
        Verdict::Continue
    }

    fn describe(&self) -> String {
        format!("rewrite {}", without_secrets(&self.to.to_string()))
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step::to_url(self.name(), self.to.to_string())]
    }
}

/// What ends a path.
const PATH_ENDS: &[u8] = b"?#";

/// What ends a value in a query, or is a space there (WHATWG URL section 5.1);
/// some backends still take `;` for `&`.
const VALUE_ENDS: &[u8] = b"#&;+";

/// Literals as they are; of what variables hold, bytes that no URL holds are
/// escaped, and those in `ends` as well. What was decoded is encoded again.
fn render(parts: &[Part], exchange: &Exchange<'_>, ends: &[u8], out: &mut Vec<u8>) {
    for part in parts {
        match part {
            Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Part::Variable(variable) => {
                let mut value = Vec::new();
                variable.write(exchange, &mut value);
                let ends = match variable {
                    Variable::Query | Variable::Uri if ends == VALUE_ENDS => b"#",
                    _ => ends,
                };
                for byte in value {
                    match byte {
                        b'%' if variable.is_decoded() => out.extend_from_slice(b"%25"),
                        _ => push_escaped(byte, ends, out),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{facts, request};
    use proptest::prelude::*;
    use regex::bytes::Regex;

    /// Path and query after the filter, if the request may go on.
    fn rewritten(to: &str, expression: &str, target: &str) -> Option<String> {
        let filter = Rewrite::new(Template::parse(to).unwrap()).unwrap();
        let expression = Regex::new(expression).unwrap();
        let mut head = request(
            "GET",
            target,
            &[("X-A", "a b?c#d%zz\r\n"), ("Cookie", "nul=%00")],
        );
        let path = head.path_bytes().to_vec();
        let facts = Facts {
            path: &path,
            expression: Some(&expression),
            ..facts()
        };
        match filter.request(&mut head, &facts, &mut b"left over".to_vec()) {
            Verdict::Continue => {
                let target = [head.path_bytes(), head.query_bytes()].concat();
                Some(String::from_utf8(target).unwrap())
            }
            Verdict::Fail(failure) => {
                assert_eq!(failure.kind, Kind::BadPath);
                None
            }
            Verdict::Answer(answer) => panic!("{answer:?}"),
        }
    }

    #[test]
    fn targets() {
        let users = "^/users/(?<id>[^/]+)(/.*)?$";
        for (to, target, expected) in [
            ("/fixed", "/users/7?x=1", Some("/fixed?x=1")),
            ("/fixed?", "/users/7?x=1", Some("/fixed")),
            ("/u/${capture.id}", "/users/7?x=1", Some("/u/7?x=1")),
            ("/u?id=${capture.id}", "/users/7?x=1", Some("/u?id=7")),
            (
                "/u?id=${capture.id}&${query}",
                "/users/7?x=1",
                Some("/u?id=7&x=1"),
            ),
            ("/u${capture.2}", "/users/7/a/b", Some("/u/a/b")),
            ("/u${capture.2}", "/users/7", Some("/u")),
            (
                "${capture.2}",
                "/users/7//evil.example",
                Some("/evil.example"),
            ),
            ("${capture.2}", "/users/7", Some("/")),
            ("/p${path}", "/users/7", Some("/p/users/7")),
            ("/x/${capture.id}", "/users/%2F", Some("/x/%2F")),
            // One value stays one value, and what was decoded is encoded again.
            (
                "/u?id=${capture.id}&a=1",
                "/users/7&a=2;a=3+%26",
                Some("/u?id=7%26a=2%3Ba=3%2B%26&a=1"),
            ),
            (
                "/u?id=${query.x}",
                "/users/7?x=1%26a%3D2%2B%2500",
                Some("/u?id=1%26a=2%2B%2500"),
            ),
            (
                "/u/${query.x}",
                "/users/7?x=%2500",
                Some("/u/%2500?x=%2500"),
            ),
            (
                "/u${uri}",
                "/users/7?x=1&y",
                Some("/u/users/7%3Fx=1&y?x=1&y"),
            ),
            ("/u?${query}", "/users/7?x=1&y;z+", Some("/u?x=1&y;z+")),
            ("/u/${cookie.nul}", "/users/7", None),
            ("/x/${capture.id}", "/users/..", None),
            ("/x/${capture.id}", "/users/..%2fa", None),
            (
                "/${header.X-A}?${header.X-A}",
                "/users/7",
                Some("/a%20b%3Fc%23d%zz%0D%0A?a%20b?c%23d%zz%0D%0A"),
            ),
        ] {
            assert_eq!(
                rewritten(to, users, target).as_deref(),
                expected,
                "{to} {target}"
            );
        }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (to, expected) in [
            ("", "must begin with `/`"),
            ("x", "must begin with `/`"),
            ("/a b", "cannot hold ` `"),
            ("/a#b", "cannot hold `#`"),
            ("/é", "cannot hold"),
        ] {
            let message = Rewrite::new(Template::parse(to).unwrap()).unwrap_err();
            assert!(message.contains(expected), "{to}: {message}");
        }
    }

    proptest! {
        #[test]
        fn what_a_client_wrote_stays_within_its_part(path in "/(/|\\.|%2e|%2F|%5c|\\\\|\\?|#| |b){0,8}") {
            if let Some(target) = rewritten("/a/${capture.1}?", "^/(.*)$", &path.replace('?', "%3F")) {
                prop_assert!(target.starts_with("/a/"));
                prop_assert!(!target.contains(['?', '#', ' ', '\\']));
            }
        }
    }
}
