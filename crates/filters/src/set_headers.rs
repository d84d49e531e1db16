use message::{Fields, HIDDEN, Known, RequestHead, ResponseHead, is_secret, reads_alike};

use crate::field_rules::{check_request_field, check_response_field};
use crate::{Exchange, Facts, Filter, Step, Template, Verdict};

/// Removes, sets and appends fields of requests or of responses. What is set
/// takes the place of whatever came under that name, so that the receiver can
/// believe it. A later value may quote a field that an earlier one has set.
#[derive(Debug, Clone)]
pub struct SetHeaders {
    name: &'static str,
    side: Side,
    changes: Box<[HeaderChange]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

/// One thing to do to the fields of a message.
#[derive(Debug, Clone)]
pub enum HeaderChange {
    Remove(String),
    Set(String, Template),
    Append(String, Template),
}

/// A field that cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Its place in the list.
    pub which: usize,
    /// Why, as a sentence for people.
    pub message: String,
}

impl SetHeaders {
    /// Changes requests, and is called `name`. Refuses fields that frame a
    /// message or concern one connection only. `Host` may be set.
    pub fn of_requests(name: &'static str, changes: Vec<HeaderChange>) -> Result<Self, FieldFault> {
        Self::new(name, Side::Request, changes)
    }

    /// Changes responses.
    pub fn of_responses(
        name: &'static str,
        changes: Vec<HeaderChange>,
    ) -> Result<Self, FieldFault> {
        Self::new(name, Side::Response, changes)
    }

    fn new(name: &'static str, side: Side, changes: Vec<HeaderChange>) -> Result<Self, FieldFault> {
        for (which, change) in changes.iter().enumerate() {
            let checked = change.check(side);
            checked.map_err(|message| FieldFault { which, message })?;
        }
        let changes = changes.into();
        Ok(Self {
            name,
            side,
            changes,
        })
    }
}

impl HeaderChange {
    fn field(&self) -> &str {
        match self {
            Self::Remove(name) | Self::Set(name, _) | Self::Append(name, _) => name,
        }
    }

    fn check(&self, side: Side) -> Result<(), String> {
        let name = self.field();
        match side {
            Side::Request => check_request_field(name)?,
            Side::Response => check_response_field(name)?,
        }
        match (self, Known::of(name.as_bytes())) {
            (Self::Remove(_) | Self::Append(..), Known::Host) if side == Side::Request => Err(
                format!("`{name}` must be there exactly once; it can only be set"),
            ),
            _ => Ok(()),
        }
    }

    /// The value, rendered beside the fields that it may quote.
    fn render(&self, exchange: &Exchange<'_>, scratch: &mut Vec<u8>) {
        scratch.clear();
        match self {
            Self::Remove(_) => {}
            Self::Set(_, value) | Self::Append(_, value) => value.render(exchange, scratch),
        }
    }

    /// Some backends take `X_User` for `X-User`. What the configuration says
    /// about a field of requests goes for its imitations too.
    fn take_out_imitations(&self, fields: &mut Fields) {
        let name = self.field().as_bytes();
        if !matches!(self, Self::Append(..)) && name.iter().any(|b| b"-_".contains(b)) {
            let is_imitation =
                |found: &[u8]| reads_alike(found, name) && !found.eq_ignore_ascii_case(name);
            fields.remove_where(|field| is_imitation(field.name));
        }
    }

    fn make(&self, fields: &mut Fields, value: &[u8]) {
        match self {
            Self::Remove(name) => drop(fields.remove_named(name.as_bytes())),
            Self::Set(name, _) if !may_set(name, value) => {}
            Self::Set(name, _) => fields.set(name.as_bytes(), value),
            Self::Append(name, _) => fields.push(name.as_bytes(), value),
        }
    }
}

/// The value, unless it is a secret.
fn shown(name: &str, value: &Template) -> String {
    match is_secret(name) {
        true => HIDDEN.to_owned(),
        false => value.to_string(),
    }
}

impl Filter for SetHeaders {
    fn name(&self) -> &'static str {
        self.name
    }

    fn request(
        &self,
        request: &mut RequestHead,
        facts: &Facts<'_>,
        scratch: &mut Vec<u8>,
    ) -> Verdict {
        if self.side == Side::Request {
            for change in &self.changes {
                change.render(&Exchange { request, facts }, scratch);
                change.take_out_imitations(&mut request.fields);
                change.make(&mut request.fields, scratch);
            }
        }
        Verdict::Continue
    }

    fn response(
        &self,
        response: &mut ResponseHead,
        exchange: &Exchange<'_>,
        scratch: &mut Vec<u8>,
    ) {
        if self.side == Side::Response {
            for change in &self.changes {
                change.render(exchange, scratch);
                change.make(&mut response.fields, scratch);
            }
        }
    }

    fn own_fields(&self) -> Vec<&str> {
        let changes = self.changes.iter();
        match self.side {
            Side::Request => changes.map(HeaderChange::field).collect(),
            Side::Response => Vec::new(),
        }
    }

    fn describe(&self) -> String {
        let changes: Vec<String> = self
            .changes
            .iter()
            .map(|change| match change {
                HeaderChange::Remove(name) => format!("without {name}"),
                HeaderChange::Set(name, value) => format!("{name}: {}", shown(name, value)),
                HeaderChange::Append(name, value) => {
                    format!("also {name}: {}", shown(name, value))
                }
            })
            .collect();
        format!("{} {}", self.name, changes.join(", "))
    }

    fn steps(&self) -> Vec<Step> {
        let each = self.changes.iter().map(|change| {
            let (how, value) = match change {
                HeaderChange::Remove(_) => ("without ", None),
                HeaderChange::Set(_, value) => ("", Some(value)),
                HeaderChange::Append(_, value) => ("also ", Some(value)),
            };
            let (name, with) = (change.field(), value.map(Template::to_string));
            let what = format!("{} {how}{name}", self.name);
            match self.side {
                Side::Request => Step::of_request(what, name, value),
                Side::Response => Step::of_response(what, name, with.unwrap_or_default()),
            }
        });
        each.collect()
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

    fn set(name: &str, value: &str) -> HeaderChange {
        HeaderChange::Set(name.to_owned(), Template::parse(value).unwrap())
    }

    fn append(name: &str, value: &str) -> HeaderChange {
        HeaderChange::Append(name.to_owned(), Template::parse(value).unwrap())
    }

    fn remove(name: &str) -> HeaderChange {
        HeaderChange::Remove(name.to_owned())
    }

    fn filter(fields: &[(&str, &str)]) -> SetHeaders {
        let changes = fields.iter().map(|(name, value)| set(name, value));
        SetHeaders::of_requests("add_headers", changes.collect()).unwrap()
    }

    fn lines(fields: &Fields) -> Vec<String> {
        fields
            .iter()
            .map(|f| format!("{}: {}", f.name.escape_ascii(), f.value.escape_ascii()))
            .collect()
    }

    fn after(fields: &[(&str, &str)], received: &[(&str, &str)]) -> Vec<String> {
        let mut head = request("GET", "/x?y=1", received);
        let mut scratch = b"left over".to_vec();
        let verdict = filter(fields).request(&mut head, &facts(), &mut scratch);
        assert_eq!(verdict, Verdict::Continue);
        lines(&head.fields)
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
    fn fields_are_removed_and_appended_in_order() {
        let changes = || {
            vec![
                remove("x-GONE"),
                set("X-Set", "${header.X-Gone}${header.X-Kept}"),
                append("X-Kept", "2"),
                append("Link", "</a>"),
            ]
        };
        let received = [
            ("X-Gone", "0"),
            ("X-Kept", "1"),
            ("X-Gone", "0"),
            ("X-Set", "x"),
        ];
        let mut head = request("GET", "/", &received);
        let filter = SetHeaders::of_requests("request_headers", changes()).unwrap();
        filter.request(&mut head, &facts(), &mut Vec::new());
        assert_eq!(
            lines(&head.fields),
            ["X-Kept: 1", "X-Set: 1", "X-Kept: 2", "Link: </a>"]
        );
        assert_eq!(
            filter.describe(),
            "request_headers without x-GONE, X-Set: ${header.X-Gone}${header.X-Kept}, \
             also X-Kept: 2, also Link: </a>"
        );
    }

    #[test]
    fn imitations_go_with_what_they_imitate() {
        let changes = || {
            vec![
                set("X-User-Id", "1"),
                remove("X-Role"),
                append("X-Tag", "2"),
                set("Plain", "3"),
            ]
        };
        let received = [
            ("x_user_id", "9"),
            ("X-User_Id", "9"),
            ("X_Role", "9"),
            ("X_Tag", "9"),
            ("X_User", "9"),
        ];
        let mut head = request("GET", "/", &received);
        let filter = SetHeaders::of_requests("request_headers", changes()).unwrap();
        filter.request(&mut head, &facts(), &mut Vec::new());
        assert_eq!(
            lines(&head.fields),
            [
                "X_Tag: 9",
                "X_User: 9",
                "X-User-Id: 1",
                "X-Tag: 2",
                "Plain: 3"
            ]
        );
    }

    #[test]
    fn responses_are_changed_with_what_the_request_says() {
        let head = request("GET", "/", &[("X-Tenant", "t1")]);
        let facts = facts();
        let exchange = Exchange {
            request: &head,
            facts: &facts,
        };
        let mut response = ResponseHead::default();
        response.fields.push(b"Server", b"secret/1.0");
        response.fields.push(b"Set-Cookie", b"a=1");
        let changes = vec![
            remove("Server"),
            set("X-Tenant", "${header.X-Tenant}"),
            append("Set-Cookie", "b=2"),
        ];
        let filter = SetHeaders::of_responses("response_headers", changes).unwrap();
        filter.response(&mut response, &exchange, &mut b"left over".to_vec());
        assert_eq!(
            lines(&response.fields),
            ["Set-Cookie: a=1", "X-Tenant: t1", "Set-Cookie: b=2"]
        );
        let mut untouched = head.clone();
        filter.request(&mut untouched, &facts, &mut Vec::new());
        assert_eq!(lines(&untouched.fields), ["X-Tenant: t1"]);
    }

    #[test]
    fn the_one_that_cannot_be_changed_is_named() {
        for (bad, expected) in [
            (set("Content-Length", "x"), "`Content-Length`"),
            (remove("transfer-encoding"), "`transfer-encoding`"),
            (remove("Host"), "can only be set"),
            (append("host", "x"), "can only be set"),
        ] {
            let fault =
                SetHeaders::of_requests("request_headers", vec![set("X-A", "x"), bad]).unwrap_err();
            assert_eq!(fault.which, 1);
            assert!(fault.message.contains(expected), "{fault:?}");
        }
        assert!(SetHeaders::of_responses("response_headers", vec![remove("Host")]).is_ok());
    }

    #[test]
    fn describes_itself() {
        let filter = filter(&[("X-A", "1"), ("X-B", "${host}")]);
        assert_eq!(filter.describe(), "add_headers X-A: 1, X-B: ${host}");
        let filter = self::filter(&[("Authorization", "Basic c2VjcmV0")]);
        assert_eq!(filter.describe(), "add_headers Authorization: (hidden)");
        assert_eq!(
            filter.steps()[0].to_string(),
            "add_headers Authorization: (hidden)"
        );
    }
}
