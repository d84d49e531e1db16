//! Clients that come without TLS are sent to where it is spoken.

use std::sync::Arc;

use filters::Answer;
use message::{Failure, Form, Kind, Known};
use plan::Listener;

use crate::exchange::heads::Heads;

/// The answer to a client that is to come back with HTTPS, to the same place. A
/// trusted proxy may say that the client has come with it already. `explain`
/// asks the same.
pub(crate) fn redirect(
    listener: &Listener,
    heads: &Heads,
    is_trusted: bool,
) -> Result<Option<Answer>, Failure> {
    let Some(port) = listener.redirect_port else {
        return Ok(None);
    };
    let request = &heads.request;
    let came_with = request.fields.get(Known::XForwardedProto);
    if is_trusted && came_with.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https")) {
        return Ok(None);
    }
    if heads.host.is_empty() {
        let why = "the request names no host to be sent to";
        return Err(Failure::new(Kind::BadHost, why));
    }
    let mut location = b"https://".to_vec();
    location.extend_from_slice(&heads.host);
    // 0 is whatever port the system has given to the other listener.
    if !matches!(port, 0 | 443) {
        location.extend_from_slice(format!(":{port}").as_bytes());
    }
    match request.form {
        Form::Asterisk => location.push(b'/'),
        _ => {
            location.extend_from_slice(request.path_bytes());
            location.extend_from_slice(request.query_bytes());
        }
    }
    Ok(Some(Answer {
        status: 308,
        fields: Arc::new([("Location".into(), location.into())]),
        body: Arc::new([]),
    }))
}
