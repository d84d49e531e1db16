#![no_main]

use std::net::SocketAddr;

use filters::{Exchange, Facts, Template};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use message::{Form, Method, RequestHead, Version};

/// A template in pieces, most of which mean something, and a request whose
/// every part is whatever it likes.
#[derive(Arbitrary, Debug)]
struct Case<'a> {
    pieces: Vec<Piece<'a>>,
    method: &'a [u8],
    target: &'a [u8],
    path: &'a [u8],
    query: &'a [u8],
    host: &'a [u8],
    fields: Vec<(&'a str, &'a [u8])>,
    client: SocketAddr,
    text: &'a str,
    absolute: bool,
    old: bool,
}

#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Text(&'a str),
    Dollar,
    Variable(u8),
    Header(&'a str),
}

const VARIABLES: &[&str] = &[
    "client_ip",
    "client_port",
    "request_id",
    "host",
    "method",
    "path",
    "query",
    "uri",
    "scheme",
    "protocol",
    "route",
    "backend_group",
    "listener",
];

// A template that is taken prints as it was written, and never renders a byte
// that could end a header line. One that is not taken says where it is wrong.
fuzz_target!(|case: Case<'_>| {
    let source: String = case.pieces.iter().map(Piece::source).collect();
    let template = match Template::parse(&source) {
        Ok(template) => template,
        Err(fault) => {
            assert!(source.get(fault.at..).is_some_and(|rest| !rest.is_empty()));
            assert!(!fault.message.is_empty());
            return;
        }
    };
    assert_eq!(template.to_string(), source);
    assert_eq!(Template::parse(&template.to_string()), Ok(template.clone()));

    let request = case.request();
    let facts = case.facts();
    let exchange = Exchange {
        request: &request,
        facts: &facts,
    };
    let mut out = b"before\r\n".to_vec();
    template.render(&exchange, &mut out);
    let rendered = out.strip_prefix(b"before\r\n").expect("only appended to");
    assert!(!rendered.iter().any(|b| b"\r\n\0".contains(b)));
    if let Some(literal) = template.literal() {
        assert_eq!(rendered, literal.as_bytes());
    }
});

impl Piece<'_> {
    fn source(&self) -> String {
        match self {
            Piece::Text(text) => (*text).to_owned(),
            Piece::Dollar => "$$".to_owned(),
            Piece::Variable(n) => format!("${{{}}}", VARIABLES[*n as usize % VARIABLES.len()]),
            Piece::Header(name) => format!("${{header.{name}}}"),
        }
    }
}

impl Case<'_> {
    fn request(&self) -> RequestHead {
        let mut head = RequestHead {
            method: Method::of(self.method),
            ..RequestHead::default()
        };
        head.method_text = head.fields.intern(self.method);
        head.target = head.fields.intern(self.target);
        head.path = head.fields.intern(self.path);
        head.query = head.fields.intern(self.query);
        for (name, value) in &self.fields {
            head.fields.push(name.as_bytes(), value);
        }
        if self.absolute {
            head.form = Form::Absolute;
        }
        if self.old {
            head.version = Version::Http10;
        }
        head
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            client: self.client,
            request_id: self.text,
            scheme: self.text,
            host: self.host,
            path: self.path,
            expression: None,
            route: self.text,
            group: self.text,
            listener: self.text,
        }
    }
}
