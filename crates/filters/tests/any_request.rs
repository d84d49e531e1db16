//! Whatever a request holds, no template writes a byte that could end a header
//! line.

use forebay_filters as filters;

use filters::{Exchange, Facts, Template};
use message::{Form, Method, RequestHead};
use proptest::collection::vec;
use proptest::prelude::*;

const TEMPLATE: &str = "${client_ip} ${client_port} ${request_id} ${host} ${method} ${path} \
    ${query} ${uri} ${scheme} ${protocol} ${route} ${backend_group} ${listener} ${header.X-A} \
    ${query.a} ${cookie.a} ${capture.0} ${capture.1} ${capture.x} $$";

/// Bytes among which there are often those that matter.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(
        prop_oneof![any::<u8>(), prop::sample::select(b"\r\n\0:/? ".to_vec())],
        0..12,
    )
}

fn request(method: &[u8], target: &[u8], query: &[u8], value: &[u8]) -> RequestHead {
    let mut head = RequestHead {
        method: Method::of(method),
        ..RequestHead::default()
    };
    head.method_text = head.fields.intern(method);
    head.target = head.fields.intern(target);
    head.path = head.target;
    head.query = head.fields.intern(query);
    head.fields.push(b"X-A", value);
    head.fields.push(b"x-a", target);
    head
}

proptest! {
    #[test]
    fn renders_no_byte_that_ends_a_line(
        (method, target, query, value) in (bytes(), bytes(), bytes(), bytes()),
        host in bytes(),
        text in "[a\\r\\n\\x00é]{0,8}",
        absolute: bool,
    ) {
        let mut head = request(&method, &target, &query, &value);
        if absolute {
            head.form = Form::Absolute;
        }
        let expression = regex::bytes::Regex::new("(?s-u)^(?<x>.)(.*)").unwrap();
        head.fields.push(b"Cookie", &[b"a=", &*value].concat());
        let facts = Facts {
            client: ([192, 0, 2, 7], 1).into(),
            request_id: &text,
            scheme: &text,
            host: &host,
            path: &target,
            expression: Some(&expression),
            route: &text,
            group: &text,
            listener: &text,
            certificate: None,
        };
        let template = Template::parse(TEMPLATE).map_err(|f| TestCaseError::fail(f.message))?;
        let mut out = b"a\r\n".to_vec();
        template.render(&Exchange { request: &head, facts: &facts }, &mut out);
        let written = out.strip_prefix(b"a\r\n").unwrap_or_default();
        prop_assert!(written.ends_with(b" $"));
        prop_assert!(!written.iter().any(|b| b"\r\n\0".contains(b)));
    }
}
