//! Where a message's body ends (RFC 9112 section 6).

use message::{Failure, Fields, Kind, Known, Method, RequestHead, ResponseHead, Version};

use super::scan;

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    Empty,
    /// Exactly so many bytes.
    Length(u64),
    /// The chunked coding says.
    Chunked,
    /// The end of the connection; responses only.
    UntilClose,
}

/// The framing of a request. Anything two readers could understand differently
/// is refused: both lengths given, differing lengths, codings in HTTP/1.0.
pub fn request_framing(head: &RequestHead) -> Result<Framing, Failure> {
    let refuse = |detail| Err(Failure::new(Kind::Malformed, detail));
    match (coding(&head.fields), length(&head.fields)) {
        (Coding::None, Length::None) => Ok(Framing::Empty),
        (Coding::None, Length::Bytes(n)) => Ok(Framing::Length(n)),
        (Coding::None, Length::Bad) => refuse("Content-Length is not one number"),
        (_, Length::Bytes(_) | Length::Bad) => {
            refuse("both Transfer-Encoding and Content-Length are given")
        }
        _ if head.version == Version::Http10 => refuse("Transfer-Encoding in an HTTP/1.0 request"),
        (Coding::Chunked, Length::None) => Ok(Framing::Chunked),
        (Coding::Other, Length::None) => Err(Kind::UnknownCoding.into()),
        (Coding::Bad, Length::None) => {
            refuse("Transfer-Encoding does not name chunked exactly once")
        }
    }
}

/// The framing of the final response to a request with this method
/// (RFC 9112 section 6.3).
pub fn response_framing(method: Method, head: &ResponseHead) -> Result<Framing, Failure> {
    let refuse = |detail| Err(Failure::new(Kind::BadResponse, detail));
    if method == Method::Head || head.is_interim() || matches!(head.status, 204 | 304) {
        return Ok(Framing::Empty);
    }
    match (coding(&head.fields), length(&head.fields)) {
        (Coding::None, Length::None) => Ok(Framing::UntilClose),
        (Coding::None, Length::Bytes(n)) => Ok(Framing::Length(n)),
        (Coding::None, Length::Bad) => refuse("Content-Length is not one number"),
        (_, Length::Bytes(_) | Length::Bad) => {
            refuse("both Transfer-Encoding and Content-Length are given")
        }
        _ if head.version == Version::Http10 => refuse("Transfer-Encoding in an HTTP/1.0 response"),
        (Coding::Chunked, Length::None) => Ok(Framing::Chunked),
        _ => refuse("a transfer coding that was not asked for"),
    }
}

/// A length that was said several times, in several fields or in one, is passed
/// on once.
pub fn say_length_once(fields: &mut Fields, framing: Framing) {
    let Framing::Length(n) = framing else {
        return;
    };
    let mut said = fields.all(Known::ContentLength);
    let is_once = said.next().is_some_and(|v| !v.contains(&b',')) && said.next().is_none();
    drop(said);
    if !is_once {
        fields.set(b"Content-Length", n.to_string().as_bytes());
    }
}

/// The length in a response without a body, to a HEAD or with 304, frames
/// nothing here. It is passed on if it is one; the next reader might make
/// something of any other.
pub fn tidy_idle_length(fields: &mut Fields) {
    match length(fields) {
        Length::None => {}
        Length::Bytes(n) => say_length_once(fields, Framing::Length(n)),
        Length::Bad => {
            fields.remove(Known::ContentLength);
        }
    }
}

enum Coding {
    None,
    Chunked,
    /// A coding other than chunked.
    Other,
    /// Empty, or chunked more than once.
    Bad,
}

fn coding(fields: &Fields) -> Coding {
    let mut found = Coding::None;
    for value in fields.all(Known::TransferEncoding) {
        for name in value.split(|&b| b == b',') {
            let (_, name) = scan::trim(name);
            found = match found {
                Coding::None if name.eq_ignore_ascii_case(b"chunked") => Coding::Chunked,
                _ if name.is_empty() || name.eq_ignore_ascii_case(b"chunked") => {
                    return Coding::Bad;
                }
                _ => return Coding::Other,
            };
        }
    }
    found
}

enum Length {
    None,
    Bytes(u64),
    Bad,
}

/// The same length said several times is one length (RFC 9112 section 6.3,
/// case 5); anything else is bad.
fn length(fields: &Fields) -> Length {
    let mut found = Length::None;
    for value in fields.all(Known::ContentLength) {
        for item in value.split(|&b| b == b',') {
            let (_, item) = scan::trim(item);
            found = match (scan::decimal(item), found) {
                (Some(n), Length::None) => Length::Bytes(n),
                (Some(n), Length::Bytes(m)) if n == m => Length::Bytes(n),
                _ => return Length::Bad,
            };
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, fields: &[(&str, &str)]) -> Result<Framing, Kind> {
        let mut head = RequestHead {
            version,
            ..RequestHead::default()
        };
        for (name, value) in fields {
            head.fields.push(name.as_bytes(), value.as_bytes());
        }
        request_framing(&head).map_err(|f| f.kind)
    }

    fn response(
        method: Method,
        status: u16,
        version: Version,
        fields: &[(&str, &str)],
    ) -> Result<Framing, Kind> {
        let mut head = ResponseHead {
            version,
            status,
            ..ResponseHead::default()
        };
        for (name, value) in fields {
            head.fields.push(name.as_bytes(), value.as_bytes());
        }
        response_framing(method, &head).map_err(|f| f.kind)
    }

    const CL: &str = "Content-Length";
    const TE: &str = "Transfer-Encoding";

    #[test]
    fn requests() {
        type Case = (
            &'static [(&'static str, &'static str)],
            Result<Framing, Kind>,
        );
        let cases: &[Case] = &[
            (&[], Ok(Framing::Empty)),
            (&[(CL, "0")], Ok(Framing::Length(0))),
            (&[(CL, "5"), (CL, "5")], Ok(Framing::Length(5))),
            (&[(CL, "5, 5")], Ok(Framing::Length(5))),
            (&[(TE, "chunked")], Ok(Framing::Chunked)),
            (&[(TE, "CHUNKED")], Ok(Framing::Chunked)),
            (&[(CL, "5"), (CL, "6")], Err(Kind::Malformed)),
            (&[(CL, "5, 6")], Err(Kind::Malformed)),
            (&[(CL, "5,")], Err(Kind::Malformed)),
            (&[(CL, "")], Err(Kind::Malformed)),
            (&[(CL, "+5")], Err(Kind::Malformed)),
            (&[(CL, "-5")], Err(Kind::Malformed)),
            (&[(CL, "0x5")], Err(Kind::Malformed)),
            (&[(CL, "5 5")], Err(Kind::Malformed)),
            (&[(CL, "99999999999999999999")], Err(Kind::Malformed)),
            (&[(CL, "5"), (TE, "chunked")], Err(Kind::Malformed)),
            (&[(CL, "x"), (TE, "chunked")], Err(Kind::Malformed)),
            (&[(TE, "chunked, chunked")], Err(Kind::Malformed)),
            (&[(TE, "chunked"), (TE, "chunked")], Err(Kind::Malformed)),
            (&[(TE, "")], Err(Kind::Malformed)),
            (&[(TE, "chunked,")], Err(Kind::Malformed)),
            (&[(TE, "gzip, chunked")], Err(Kind::UnknownCoding)),
            (&[(TE, "gzip")], Err(Kind::UnknownCoding)),
            (&[(TE, "identity")], Err(Kind::UnknownCoding)),
            (&[(TE, "xchunked")], Err(Kind::UnknownCoding)),
            (&[(TE, "chunked;q=1")], Err(Kind::UnknownCoding)),
            (
                &[(TE, "chunked"), (TE, "identity")],
                Err(Kind::UnknownCoding),
            ),
            (&[(TE, "identity"), (CL, "3")], Err(Kind::Malformed)),
        ];
        for (fields, expected) in cases {
            assert_eq!(request(Version::Http11, fields), *expected, "{fields:?}");
        }
        assert_eq!(
            request(Version::Http10, &[(TE, "chunked")]),
            Err(Kind::Malformed)
        );
        assert_eq!(
            request(Version::Http10, &[(CL, "3")]),
            Ok(Framing::Length(3))
        );
    }

    #[test]
    fn a_repeated_length_is_passed_on_once() {
        for (said, expected) in [
            (&["5"][..], "5"),
            (&["5", "5"], "5"),
            (&["5, 5"], "5"),
            (&["007"], "007"),
        ] {
            let mut fields = Fields::default();
            for value in said {
                fields.push(b"content-length", value.as_bytes());
            }
            say_length_once(&mut fields, Framing::Length(5));
            assert_eq!(
                fields.all(Known::ContentLength).collect::<Vec<_>>(),
                [expected.as_bytes()]
            );
        }
    }

    #[test]
    fn a_length_that_frames_nothing_is_passed_on_if_it_is_one() {
        for (said, expected) in [
            (&["5"][..], Some("5")),
            (&["5", "5"], Some("5")),
            (&["5", "6"], None),
            (&["5, 6"], None),
            (&["five"], None),
            (&[], None),
        ] {
            let mut fields = Fields::default();
            for value in said {
                fields.push(b"content-length", value.as_bytes());
            }
            tidy_idle_length(&mut fields);
            let left: Vec<_> = fields.all(Known::ContentLength).collect();
            assert_eq!(
                left,
                Vec::from_iter(expected.map(str::as_bytes)),
                "{said:?}"
            );
        }
    }

    #[test]
    fn responses() {
        use Method::{Get, Head};
        let v11 = Version::Http11;
        for status in [100, 103, 204, 304] {
            assert_eq!(response(Get, status, v11, &[(CL, "5")]), Ok(Framing::Empty));
        }
        assert_eq!(response(Head, 200, v11, &[(CL, "5")]), Ok(Framing::Empty));
        assert_eq!(response(Get, 200, v11, &[]), Ok(Framing::UntilClose));
        assert_eq!(
            response(Get, 200, v11, &[(CL, "5")]),
            Ok(Framing::Length(5))
        );
        assert_eq!(
            response(Get, 200, v11, &[(TE, "chunked")]),
            Ok(Framing::Chunked)
        );
        for bad in [
            &[(CL, "5"), (TE, "chunked")][..],
            &[(CL, "5"), (CL, "6")],
            &[(CL, "five")],
            &[(TE, "gzip")],
            &[(TE, "chunked, chunked")],
        ] {
            assert_eq!(
                response(Get, 200, v11, bad),
                Err(Kind::BadResponse),
                "{bad:?}"
            );
        }
        assert_eq!(
            response(Get, 200, Version::Http10, &[(TE, "chunked")]),
            Err(Kind::BadResponse)
        );
    }
}
