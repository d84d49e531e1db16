//! `Max-Forwards`: how many more intermediaries an `OPTIONS` or `TRACE` may
//! pass (RFC 9110 section 7.6.2). For other methods the field means nothing.

use std::sync::Arc;

use filters::Answer;
use message::{Failure, Kind, Method, RequestHead};

const FIELD: &[u8] = b"Max-Forwards";

/// Counts the field down by one. At 0 the request goes no further: Forebay
/// answers `OPTIONS` itself, with nothing to say about the resource, and does
/// not support `TRACE`. A value that is no number is left as it is.
pub(crate) fn count_down(request: &mut RequestHead) -> Result<Option<Answer>, Failure> {
    if !matches!(request.method, Method::Options | Method::Trace) {
        return Ok(None);
    }
    let value = request.fields.all_named(FIELD).next();
    let Some(left) = value.and_then(number) else {
        return Ok(None);
    };
    match (left.checked_sub(1), request.method) {
        (Some(left), _) => {
            request.fields.set(FIELD, left.to_string().as_bytes());
            Ok(None)
        }
        (None, Method::Options) => Ok(Some(Answer {
            status: 200,
            fields: Arc::default(),
            body: Arc::default(),
        })),
        (None, _) => Err(Failure::new(
            Kind::MethodRefused,
            "TRACE is not answered here",
        )),
    }
}

fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of the field, or the status of the answer.
    fn counted(method: Method, value: &str) -> Result<String, u16> {
        let mut request = RequestHead {
            method,
            ..RequestHead::default()
        };
        request.fields.push(b"max-forwards", value.as_bytes());
        match count_down(&mut request) {
            Ok(None) => {
                let values: Vec<_> = request.fields.all_named(FIELD).collect();
                Ok(String::from_utf8(values.join(&b"|"[..])).unwrap())
            }
            Ok(Some(answer)) => Err(answer.status),
            Err(failure) => Err(failure.status()),
        }
    }

    #[test]
    fn it_is_counted_down_for_options_and_trace_only() {
        let table = [
            (Method::Options, "3", Ok("2")),
            (Method::Trace, "1", Ok("0")),
            (Method::Options, "0", Err(200)),
            (Method::Trace, "0", Err(501)),
            (Method::Get, "0", Ok("0")),
            (Method::Options, "-1", Ok("-1")),
            (Method::Options, "+1", Ok("+1")),
            (Method::Options, "", Ok("")),
            (
                Method::Options,
                "99999999999999999999",
                Ok("99999999999999999999"),
            ),
        ];
        for (method, value, wanted) in table {
            assert_eq!(
                counted(method, value),
                wanted.map(str::to_owned),
                "{method:?} {value}"
            );
        }
    }
}
