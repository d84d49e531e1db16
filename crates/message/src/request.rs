use crate::{Fields, Method, Span};

/// The protocol version a message was received in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    Http10,
    #[default]
    Http11,
    Http2,
}

impl Version {
    pub fn label(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
            Version::Http2 => "HTTP/2.0",
        }
    }
}

/// The four forms of a request target (RFC 9112 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// `/path?query`
    #[default]
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `host:port`, for CONNECT only.
    Authority,
    /// `*`, for OPTIONS only.
    Asterisk,
}

/// A request's head. All text lies in `fields`.
#[derive(Debug, Clone)]
pub struct RequestHead {
    pub version: Version,
    pub method: Method,
    pub form: Form,
    /// The method as received.
    pub method_text: Span,
    /// The whole target as received.
    pub target: Span,
    /// The authority of an absolute or authority form; empty otherwise.
    pub authority: Span,
    /// The path as received, or as a filter has changed it; empty for CONNECT.
    pub path: Span,
    /// The query with its leading `?`; empty where there is none.
    pub query: Span,
    pub fields: Fields,
}

impl Default for RequestHead {
    fn default() -> Self {
        Self {
            version: Version::Http11,
            method: Method::Get,
            form: Form::Origin,
            method_text: Span::default(),
            target: Span::default(),
            authority: Span::default(),
            path: Span::default(),
            query: Span::default(),
            fields: Fields::default(),
        }
    }
}

impl RequestHead {
    /// Forgets the request but keeps the memory.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self {
            fields,
            ..Self::default()
        };
    }

    pub fn method_bytes(&self) -> &[u8] {
        self.fields.slice(self.method_text)
    }

    pub fn target_bytes(&self) -> &[u8] {
        self.fields.slice(self.target)
    }

    pub fn path_bytes(&self) -> &[u8] {
        self.fields.slice(self.path)
    }

    pub fn query_bytes(&self) -> &[u8] {
        self.fields.slice(self.query)
    }
}
