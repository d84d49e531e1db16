//! HTTP/2 heads (RFC 9113 section 8): the messages that the protocol's library
//! knows, and ours. Bodies need nothing of the kind: their bytes are their bytes.

pub mod hpack;
mod watch;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{self, Authority, PathAndQuery, Scheme, Uri};
use http::{Request, Response, StatusCode};
use message::{Failure, Fields, Form, Kind, Known, Method, RequestHead, ResponseHead, Version};

use crate::h1::{Limits, may_be_trailer};

pub use watch::{Flood, Patience, Watch};

/// Fills in the head of a request. Whether its body has a length or ends with
/// the stream is said as HTTP/1.1 does, by `Content-Length` or
/// `Transfer-Encoding`, which no peer can send in HTTP/2.
pub fn read_request(
    request: &Parts,
    is_end: bool,
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<(), Failure> {
    head.clear();
    head.version = Version::Http2;
    let method = request.method.as_str().as_bytes();
    head.method = Method::of(method);
    head.method_text = head.fields.intern(method);
    let authority = request.uri.authority().map(|text| text.as_str().as_bytes());
    let target = request.uri.path_and_query();
    // RFC 9113 section 8.5; with a path it is of RFC 8441.
    if head.method == Method::Connect && target.is_none() {
        head.form = Form::Authority;
        head.target = head.fields.intern(authority.unwrap_or_default());
        head.authority = head.target;
        return read_fields(request, authority, limits, head);
    }
    let target = target.map_or(&b"/"[..], |target| target.as_str().as_bytes());
    if target.len() > limits.line {
        return Err(Kind::TargetTooLong.into());
    }
    let query = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at_checked(query).unwrap_or_default();
    head.form = if path == b"*" {
        Form::Asterisk
    } else {
        Form::Origin
    };
    head.path = head.fields.intern(path);
    head.query = head.fields.intern(query);
    head.target = message::Span {
        at: head.path.at,
        len: head.path.len + head.query.len,
    };
    read_fields(request, authority, limits, head)?;
    if !is_end && !head.fields.has(Known::ContentLength) {
        head.fields.push(b"transfer-encoding", b"chunked");
    }
    Ok(())
}

/// `:authority` becomes `Host`.
fn read_fields(
    request: &Parts,
    authority: Option<&[u8]>,
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<(), Failure> {
    if request.headers.len() > limits.count {
        return Err(Kind::HeadTooLarge.into());
    }
    let refuse = |detail| Err(Failure::new(Kind::Malformed, detail));
    let named = request.headers.get(http::header::HOST);
    match (authority, named) {
        // RFC 9113 section 8.3.1.
        (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b.as_bytes()) => {
            return refuse(":authority and Host name different hosts");
        }
        (Some(authority), _) => head.fields.push(b"host", authority),
        (None, _) => {}
    }
    let mut size = 0;
    for (name, value) in &request.headers {
        size += name.as_str().len() + value.len() + 32;
        if size > limits.fields {
            return Err(Kind::HeadTooLarge.into());
        }
        // RFC 9113 section 8.2.1. Whoever reads HTTP/1.1 takes it off.
        if value.as_bytes().trim_ascii().len() != value.len() {
            return refuse("a field value begins or ends with white space");
        }
        match *name {
            http::header::HOST if authority.is_some() => {}
            http::header::COOKIE => {}
            _ => head.fields.push(name.as_str().as_bytes(), value.as_bytes()),
        }
    }
    // It may come in several fields, of which HTTP/1.1 knows nothing (RFC 9113 section 8.2.3).
    if request.headers.contains_key(http::header::COOKIE) {
        let all: Vec<&[u8]> = request
            .headers
            .get_all(http::header::COOKIE)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        head.fields.push(b"cookie", &all.join(&b"; "[..]));
    }
    Ok(())
}

/// The head of a response, interim or final.
pub fn write_response(head: &ResponseHead) -> Result<Response<()>, Failure> {
    let mut response = Response::new(());
    *response.version_mut() = http::Version::HTTP_2;
    *response.status_mut() = StatusCode::from_u16(head.status).map_err(|_| unsendable())?;
    *response.headers_mut() = write_fields(&head.fields)?;
    Ok(response)
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
