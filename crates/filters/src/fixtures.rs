//! A request and what is known of it, for tests.

use message::{Form, Method, RequestHead, Span};

use crate::Facts;

pub(crate) fn facts() -> Facts<'static> {
    Facts {
        client: ([192, 0, 2, 7], 54321).into(),
        request_id: "req-1",
        scheme: "https",
        host: b"a.example",
        path: b"/",
        expression: None,
        route: "api",
        group: "servers",
        listener: "main",
        certificate: None,
    }
}

pub(crate) fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead {
        method: Method::of(method.as_bytes()),
        ..RequestHead::default()
    };
    head.method_text = head.fields.intern(method.as_bytes());
    head.target = head.fields.intern(target.as_bytes());
    let start = match target.split_once("://") {
        Some((scheme, rest)) if !target.starts_with('/') => {
            head.form = Form::Absolute;
            let authority = scheme.len() + 3;
            authority + rest.find(['/', '?']).unwrap_or(rest.len())
        }
        _ => 0,
    };
    let query = target.find('?').unwrap_or(target.len());
    let base = head.target.at as usize;
    head.path = Span::new(base + start, query - start);
    head.query = Span::new(base + query, target.len() - query);
    for (name, value) in fields {
        head.fields.push(name.as_bytes(), value.as_bytes());
    }
    head
}
