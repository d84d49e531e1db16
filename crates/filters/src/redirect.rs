mod target;

use std::sync::Arc;

use message::{Failure, Kind, Known, RequestHead, without_secrets};

use crate::escape::push_escaped;
use crate::template::Part;
use crate::variable::Variable;
use crate::{Answer, Exchange, Facts, Filter, Step, Template, Verdict};
use target::Target;

/// Sends the client elsewhere.
///
/// What a client wrote must not decide where other people are sent. So the
/// template has to begin with `/`, `${path}`, `${uri}` or a scheme, and only
/// `${host}` and names from the configuration may stand where a URL has its
/// host. A place on this host always begins with exactly one slash, so that
/// the path `//evil.example` of a request does not become another host. Bytes
/// that no URL holds are escaped, among them everything that could end the
/// field, and the backslash, which browsers take for a slash.
#[derive(Debug, Clone)]
pub struct Redirect {
    status: u16,
    to: Template,
    target: Target,
    needs_host: bool,
}

impl Redirect {
    /// The error is a sentence for people.
    pub fn new(status: u16, to: Template) -> Result<Self, String> {
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Err(format!(
                "{status} is not the status of a redirect; use 308 (for good) or 307 (for now), \
                 or 301, 302, 303"
            ));
        }
        let target = target::of(&to)?;
        let host = Part::Variable(Variable::Host);
        let needs_host = target == Target::Elsewhere && to.parts().contains(&host);
        Ok(Self {
            status,
            to,
            target,
            needs_host,
        })
    }

    fn location(&self, rendered: &[u8]) -> Vec<u8> {
        let mut location = Vec::with_capacity(rendered.len() + 1);
        let rest = match self.target {
            Target::Elsewhere => rendered,
            Target::ThisHost => {
                location.push(b'/');
                let start = rendered.iter().position(|&b| b != b'/');
                start.and_then(|at| rendered.get(at..)).unwrap_or_default()
            }
        };
        rest.iter()
            .for_each(|&byte| push_escaped(byte, b"", &mut location));
        location
    }
}

impl Filter for Redirect {
    fn name(&self) -> &'static str {
        "redirect"
    }

    fn request(
        &self,
        request: &mut RequestHead,
        facts: &Facts<'_>,
        scratch: &mut Vec<u8>,
    ) -> Verdict {
        if self.needs_host && facts.host.is_empty() {
            return Verdict::Fail(Failure::new(
                Kind::BadHost,
                "the redirect quotes the host of a request that has none",
            ));
        }
        scratch.clear();
        self.to.render(&Exchange { request, facts }, scratch);
        let location = self.location(scratch).into();
        Verdict::Answer(Answer {
            status: self.status,
            fields: Arc::new([(Known::Location.as_str().into(), location)]),
            body: Arc::default(),
        })
    }

    fn describe(&self) -> String {
        let to = without_secrets(&self.to.to_string());
        format!("redirect {} to {to}", self.status)
    }

    fn steps(&self) -> Vec<Step> {
        let with = format!("{} to {}", self.status, self.to);
        vec![Step::to_url(self.name(), with)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{facts, request};
    use proptest::prelude::*;

    fn location(to: &str, target: &str, fields: &[(&str, &str)]) -> String {
        let filter = Redirect::new(308, Template::parse(to).unwrap()).unwrap();
        let mut head = request("GET", target, fields);
        let mut scratch = b"left over".to_vec();
        let Verdict::Answer(answer) = filter.request(&mut head, &facts(), &mut scratch) else {
            panic!("no answer");
        };
        assert_eq!((answer.status, answer.body.len()), (308, 0));
        let [(name, value)] = &*answer.fields else {
            panic!("{:?}", answer.fields);
        };
        assert_eq!(&**name, "Location");
        String::from_utf8(value.to_vec()).unwrap()
    }

    #[test]
    fn locations() {
        for (to, target, expected) in [
            ("/new", "/old", "/new"),
            ("/", "/old", "/"),
            ("https://${host}${uri}", "/a?b=1", "https://a.example/a?b=1"),
            ("https://www.${host}/", "/a", "https://www.a.example/"),
            (
                "${scheme}://b.example${path}",
                "/a?b",
                "https://b.example/a",
            ),
            ("//b.example${path}", "/a", "//b.example/a"),
            ("${path}/", "/a", "/a/"),
            ("/v2${path}?${query}", "/a?b", "/v2/a?b"),
            ("/caf\u{e9} x", "/", "/caf%C3%A9%20x"),
            ("/a%20b", "/", "/a%20b"),
            // What a client sends stays on this host and in this field.
            ("${path}", "//evil.example/x", "/evil.example/x"),
            ("${uri}", "///evil.example", "/evil.example"),
            ("${path}", "/\\evil.example", "/%5Cevil.example"),
            ("/${query}", "/?/evil.example", "/evil.example"),
            ("/${query}", "/?\\evil.example", "/%5Cevil.example"),
            (
                "https://${host}${path}",
                "//evil.example",
                "https://a.example//evil.example",
            ),
        ] {
            assert_eq!(location(to, target, &[]), expected, "{to} {target}");
        }
    }

    #[test]
    fn fields_cannot_break_out() {
        for (value, expected) in [
            ("a\r\nSet-Cookie: b", "/aSet-Cookie:%20b"),
            ("\t/evil.example", "/%09/evil.example"),
            ("/evil.example", "/evil.example"),
            ("<script>\"", "/%3Cscript%3E%22"),
        ] {
            let fields = [("X-To", value)];
            assert_eq!(location("/${header.X-To}", "/", &fields), expected);
        }
    }

    #[test]
    fn a_quoted_host_must_be_there() {
        let to = Template::parse("https://${host}${uri}").unwrap();
        let filter = Redirect::new(301, to).unwrap();
        let nameless = Facts {
            host: b"",
            ..facts()
        };
        let mut head = request("GET", "/evil.example", &[]);
        let verdict = filter.request(&mut head, &nameless, &mut Vec::new());
        assert!(matches!(verdict, Verdict::Fail(f) if f.kind == Kind::BadHost));
    }

    #[test]
    fn statuses() {
        for status in 0..600 {
            let built = Redirect::new(status, Template::parse("/x").unwrap());
            let expected = [301, 302, 303, 307, 308].contains(&status);
            assert_eq!(built.is_ok(), expected, "{status}");
        }
    }

    #[test]
    fn describes_itself() {
        let to = Template::parse("https://${host}${uri}").unwrap();
        let filter = Redirect::new(308, to).unwrap();
        assert_eq!(filter.describe(), "redirect 308 to https://${host}${uri}");
        let to = Template::parse("https://user:pw@a.example${path}?from=${host}&key=abc").unwrap();
        let filter = Redirect::new(308, to).unwrap();
        let shown = "https://(hidden)@a.example${path}?from=${host}&key=(hidden)";
        assert_eq!(filter.describe(), format!("redirect 308 to {shown}"));
        assert_eq!(filter.steps()[0].shown(), format!("308 to {shown}"));
    }

    proptest! {
        #[test]
        fn a_client_never_chooses_the_host(path in "/[/\\\\.a%\t \r\n@:]{0,8}", value in ".{0,8}") {
            for to in ["${path}", "/${header.X}", "${path}${header.X}", "${uri}?${header.X}"] {
                let found = location(to, &path, &[("X", &value)]);
                prop_assert!(found.starts_with('/') && !found.starts_with("//"));
                prop_assert!(found.bytes().all(|b| b.is_ascii_graphic() && b != b'\\'));
            }
        }
    }
}
