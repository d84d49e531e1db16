use message::{Known, RequestHead};

use crate::field_rules::check_request_field;
use crate::{Exchange, Facts, Filter, Template, Verdict};

/// Sets request fields, each in place of whatever the client sent under that
/// name, so that a backend can believe them. A later value may quote a field
/// that an earlier one has set.
#[derive(Debug, Clone)]
pub struct AddHeaders {
    fields: Box<[(Box<str>, Template)]>,
}

/// A field that cannot be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Its place in the list.
    pub which: usize,
    /// Why, as a sentence for people.
    pub message: String,
}

impl AddHeaders {
    /// Refuses fields that frame a message or concern one connection only.
    /// `Host` may be set.
    pub fn new(fields: Vec<(String, Template)>) -> Result<Self, FieldFault> {
        for (which, (name, _)) in fields.iter().enumerate() {
            check_request_field(name).map_err(|message| FieldFault { which, message })?;
        }
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect();
        Ok(Self { fields })
    }
}

impl Filter for AddHeaders {
    fn name(&self) -> &'static str {
        "add_headers"
    }

    fn request(
        &self,
        request: &mut RequestHead,
        facts: &Facts<'_>,
        scratch: &mut Vec<u8>,
    ) -> Verdict {
        for (name, value) in &self.fields {
            if let Some(text) = value.literal() {
                request.fields.set(name.as_bytes(), text.as_bytes());
                continue;
            }
            // A value may quote the fields it is about to join, so it is
            // rendered beside them first.
            scratch.clear();
            value.render(&Exchange { request, facts }, scratch);
            if may_set(name, scratch) {
                request.fields.set(name.as_bytes(), scratch);
            }
        }
        Verdict::Continue
    }

    fn describe(&self) -> String {
        let fields: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        format!("add_headers {}", fields.join(", "))
    }
}

/// Where a variable makes `Host` something that is no host, the request keeps
/// the one it came with: a backend could only refuse the other.
fn may_set(name: &str, value: &[u8]) -> bool {
    let is_host_byte = |b: &u8| b.is_ascii_alphanumeric() || b"-._~:[]".contains(b);
    Known::of(name.as_bytes()) != Known::Host
        || (!value.is_empty() && value.iter().all(is_host_byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{facts, request};

    fn filter(fields: &[(&str, &str)]) -> AddHeaders {
        let parsed = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Template::parse(value).unwrap()))
            .collect();
        AddHeaders::new(parsed).unwrap()
    }

    fn after(fields: &[(&str, &str)], received: &[(&str, &str)]) -> Vec<String> {
        let mut head = request("GET", "/x?y=1", received);
        let mut scratch = b"left over".to_vec();
        let verdict = filter(fields).request(&mut head, &facts(), &mut scratch);
        assert_eq!(verdict, Verdict::Continue);
        head.fields
            .iter()
            .map(|f| {
                let (name, value) = (f.name.escape_ascii(), f.value.escape_ascii());
                format!("{name}: {value}")
            })
            .collect()
    }

    #[test]
    fn sets_and_replaces() {
        for (fields, received, expected) in [
            (
                &[("X-Proxy-Version", "1.0")][..],
                &[("Host", "a")][..],
                &["Host: a", "X-Proxy-Version: 1.0"][..],
            ),
            (
                &[("X-Client", "${client_ip}")],
                &[("x-client", "forged"), ("Host", "a"), ("X-CLIENT", "twice")],
                &["Host: a", "X-Client: 192.0.2.7"],
            ),
            (
                &[("Host", "backend.internal:8080")],
                &[("Host", "a"), ("Accept", "*/*")],
                &["Accept: */*", "Host: backend.internal:8080"],
            ),
            (
                &[("X-A", "<${header.X-A}>"), ("X-B", "${header.X-A}!")],
                &[("X-A", "1"), ("X-A", "2")],
                &["X-A: <1, 2>", "X-B: <1, 2>!"],
            ),
            (
                &[("X-Gone", "${header.X-None}")],
                &[("X-Gone", "forged")],
                &["X-Gone: "],
            ),
            (
                &[("X-Copy", "${header.X-Evil}")],
                &[("X-Evil", "a\r\nX-Injected: 1\0")],
                &[
                    "X-Evil: a\\r\\nX-Injected: 1\\x00",
                    "X-Copy: aX-Injected: 1",
                ],
            ),
            (
                &[("Host", "${header.X-Host}")],
                &[("Host", "a"), ("X-Host", "b c")],
                &["Host: a", "X-Host: b c"],
            ),
            (
                &[("Host", "${header.X-Host}")],
                &[("Host", "a")],
                &["Host: a"],
            ),
            (
                &[("Host", "${header.X-Host}")],
                &[("Host", "a"), ("X-Host", "b:80")],
                &["X-Host: b:80", "Host: b:80"],
            ),
        ] {
            assert_eq!(after(fields, received), expected, "{fields:?}");
        }
    }

    #[test]
    fn the_one_that_cannot_be_set_is_named() {
        let template = || Template::parse("x").unwrap();
        let fields = vec![
            ("X-A".to_owned(), template()),
            ("Content-Length".to_owned(), template()),
        ];
        let fault = AddHeaders::new(fields).unwrap_err();
        assert_eq!(fault.which, 1);
        assert!(fault.message.contains("`Content-Length`"), "{fault:?}");
    }

    #[test]
    fn describes_itself() {
        let filter = filter(&[("X-A", "1"), ("X-B", "${host}")]);
        assert_eq!(filter.describe(), "add_headers X-A: 1, X-B: ${host}");
    }
}
