//! HTTP/1 messages as they were on the wire.

/// A start line and fields, in order and as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    pub start: String,
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// Parses a head with its final empty line. Anything odd fails the test:
    /// what Forebay writes must be beyond reproach.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let text = text
            .strip_suffix("\r\n\r\n")
            .expect("a head ends in an empty line");
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let fields = lines.map(field).collect();
        assert!(
            !text.replace("\r\n", "").contains(['\r', '\n']),
            "stray line end in {text:?}"
        );
        Self { start, fields }
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self
            .fields
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The field's value; a field that is repeated fails the test.
    #[track_caller]
    pub fn get(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} is repeated: {all:?}");
        all.first().copied()
    }

    /// What follows the fields, for a request or a response that may have a body.
    pub(crate) fn framing(&self) -> Framing {
        if let Some(coding) = self.get("transfer-encoding") {
            assert_eq!(coding, "chunked");
            assert_eq!(self.get("content-length"), None, "two framings");
            return Framing::Chunked;
        }
        match self.get("content-length") {
            Some(length) => Framing::Length(length.parse().expect("a length")),
            None => Framing::None,
        }
    }
}

/// How a body's end is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    /// Nothing is said: no body in a request, until the end in a response.
    None,
}

/// A field line. Unlike the parts of a list, its value is kept whole.
pub(crate) fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').expect("a field line has a colon");
    (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
}

/// A body with its framing taken off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

/// A request as a backend received it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The number of the connection it came on, from 0.
    pub connection: usize,
    pub head: Head,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    /// Every byte of it.
    pub raw: Vec<u8>,
}

impl Request {
    pub fn method(&self) -> &str {
        self.head.start.split(' ').next().unwrap_or_default()
    }

    pub fn target(&self) -> &str {
        self.head.start.split(' ').nth(1).unwrap_or_default()
    }
}

/// A response as a client received it.
#[derive(Debug, Clone, Default)]
pub struct Response {
    pub status: u16,
    pub head: Head,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Response {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }

    #[track_caller]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    /// The exact reason in the answer's `Proxy-Status`.
    pub fn reason(&self) -> Option<&str> {
        let value = self.get("proxy-status")?;
        let after = |mark: &str| value.split_once(mark).map(|(_, rest)| rest);
        let reason = after("details=\"").or_else(|| after("error="))?;
        Some(reason.split(['"', ';']).next().unwrap_or_default())
    }
}

/// A body of every byte value, without a period that buffers or records could hide.
pub fn bytes(count: usize) -> Vec<u8> {
    (0..count)
        .map(|i| (i ^ (i >> 8) ^ (i >> 15)) as u8)
        .collect()
}
