//! HTTP/2 (RFC 9113): a client's connection as a machine of bytes, and the heads of
//! messages to and from backends as the protocol's library knows them.

mod connection;
mod fields;
mod frame;
pub mod hpack;
mod request;
mod watch;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{self, Authority, PathAndQuery, Scheme, Uri};
use http::{Request, StatusCode};
use message::{Failure, Fields, Kind, Known, RequestHead, ResponseHead, Version};

use crate::h1::{Limits, may_be_trailer};

pub use connection::{Arrived, Connection, Options, StreamKey};
pub use frame::{PREFACE, Reason};
pub use watch::{Flood, Patience, Watch};

/// The head of a response, interim or final, as a field section; what was written
/// before may refer to nothing in it, nor it to that.
pub fn write_response(out: &mut Vec<u8>, head: &ResponseHead) {
    hpack::write_status(out, head.status);
    write_section(out, &head.fields);
}

/// Fields or trailers as a part of a field section.
pub fn write_section(out: &mut Vec<u8>, fields: &Fields) {
    for field in fields.iter() {
        hpack::write_field(out, field.known, field.name, field.value);
    }
}

/// The head of a request to a backend. Trailers are welcome: whoever wants none
/// is not given any.
pub fn write_request(head: &RequestHead, is_secure: bool) -> Result<Request<()>, Failure> {
    let refuse = |what: &str| {
        let detail = format!("the {what} cannot be sent in HTTP/2");
        Failure::new(Kind::Malformed, detail)
    };
    let mut fields = write_fields(&head.fields).map_err(|_| refuse("head"))?;
    fields.insert(http::header::TE, HeaderValue::from_static("trailers"));
    let mut uri = uri::Parts::default();
    uri.scheme = Some(match is_secure {
        true => Scheme::HTTPS,
        false => Scheme::HTTP,
    });
    let authority = fields.remove(http::header::HOST);
    let authority = authority.map(|host| Authority::try_from(host.as_bytes()));
    uri.authority = authority.transpose().map_err(|_| refuse("host"))?;
    uri.path_and_query = Some(target(head).ok_or_else(|| refuse("target"))?);
    let mut request = Request::new(());
    *request.version_mut() = http::Version::HTTP_2;
    *request.method_mut() =
        http::Method::from_bytes(head.method_bytes()).map_err(|_| refuse("method"))?;
    *request.uri_mut() = Uri::from_parts(uri).map_err(|_| refuse("target"))?;
    *request.headers_mut() = fields;
    Ok(request)
}

/// What has no place in a URI (RFC 3986), but is sent all the same, is escaped.
fn target(head: &RequestHead) -> Option<PathAndQuery> {
    let mut target = head.path_bytes().to_vec();
    target.extend_from_slice(head.query_bytes());
    if let Ok(as_it_is) = PathAndQuery::try_from(&*target) {
        return Some(as_it_is);
    }
    let mut escaped = String::with_capacity(target.len());
    for byte in target {
        match byte {
            b'!' | b'$'..=b';' | b'=' | b'?'..=b'Z' | b'[' | b']' | b'_' | b'a'..=b'z' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    PathAndQuery::try_from(escaped).ok()
}

/// Fills in the head of a response, interim or final. Where its body ends is said
/// as HTTP/1 does: by `Content-Length`, or else its stream's end.
pub fn read_response(
    status: StatusCode,
    fields: &HeaderMap,
    limits: &Limits,
    head: &mut ResponseHead,
) -> Result<(), Failure> {
    head.clear();
    head.version = Version::Http2;
    head.status = status.as_u16();
    let size = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 32;
    if fields.len() > limits.count || fields.iter().map(size).sum::<usize>() > limits.fields {
        return Err(Kind::ResponseHeadTooLarge.into());
    }
    for (name, value) in fields {
        head.fields
            .push(name.as_str().as_bytes(), value.as_bytes().trim_ascii());
    }
    Ok(())
}

/// Fields or trailers, all names in lower case (RFC 9113 section 8.2.1).
pub fn write_fields(fields: &Fields) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(fields.len());
    for field in fields.iter() {
        let name = HeaderName::from_bytes(field.name).map_err(|_| unsendable())?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| unsendable())?;
        map.try_append(name, value).map_err(|_| unsendable())?;
    }
    Ok(map)
}

fn unsendable() -> Failure {
    Failure::new(Kind::BadResponse, "the answer cannot be sent in HTTP/2")
}

/// Trailers that have come.
pub fn read_trailers(trailers: &HeaderMap, fields: &mut Fields) {
    for (name, value) in trailers {
        let name = name.as_str().as_bytes();
        if may_be_trailer(Known::of(name)) {
            fields.push(name, value.as_bytes());
        }
    }
}
