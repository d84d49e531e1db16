//! Who may do what: tokens, and requests that a browser was tricked into.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use plan::{AdminScope, AdminToken};
use subtle::ConstantTimeEq;

use crate::problem::Problem;
use crate::seats::Seat;
use crate::shared::Shared;

/// What probes may ask without a token: it says no more than yes or no.
const OPEN: [&str; 2] = ["/health", "/ready"];

/// What the scope `registry` opens.
const SERVICES: &str = "/v1/services";

pub(crate) async fn admit(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    match check(&shared, &request) {
        Ok(()) => {
            let seat = request.extensions().get::<Seat>();
            if let Some(seat) = seat.filter(|_| !is_open(&request)) {
                seat.keep();
            }
            next.run(request).await
        }
        Err(problem) => refuse(problem),
    }
}

/// Whether anybody may ask it.
fn is_open(request: &Request) -> bool {
    OPEN.contains(&request.uri().path())
}

fn refuse(problem: Problem) -> Response {
    let mut response = problem.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer realm=\"forebay\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

fn check(shared: &Shared, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    check_repetitions(headers)?;
    if shared.is_loopback {
        check_host(headers)?;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        check_origin(headers)?;
    }
    if is_open(request) {
        return Ok(());
    }
    check_token(&shared.tokens(), headers, request.uri().path())
}

/// Of two that say who asks whom, somebody in front may have judged the other.
fn check_repetitions(headers: &HeaderMap) -> Result<(), Problem> {
    for name in [header::HOST, header::ORIGIN, header::AUTHORIZATION] {
        if headers.get_all(&name).iter().nth(1).is_some() {
            let detail = format!("the field `{name}` is there more than once");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
    }
    Ok(())
}

/// A name that leads here is no reason to believe that its owner is asking: a
/// page in a browser can have any name lead to 127.0.0.1 (DNS rebinding).
fn check_host(headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    match host.is_some_and(is_own_name) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "call it by an IP address or `localhost`: the Host field names something else",
        )),
    }
}

fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// Pages of other sites may look, if they can, but change nothing. Whoever is
/// no browser sends no Origin.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let own = origin.as_bytes().strip_prefix(b"http://");
    match own.is_some() && own == host {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "the request comes from a page of another site",
        )),
    }
}

fn check_token(tokens: &[AdminToken], headers: &HeaderMap, path: &str) -> Result<(), Problem> {
    if tokens.is_empty() {
        return Ok(());
    }
    let unknown = |detail: &str| Problem::new(StatusCode::UNAUTHORIZED, detail);
    let Some(written) = headers.get(header::AUTHORIZATION) else {
        return Err(unknown("send `Authorization: Bearer` and a token"));
    };
    let shown = bearer(written.as_bytes())
        .ok_or_else(|| unknown("the Authorization field is not `Bearer` and a token"))?;
    let scope = scope_of(tokens, shown).ok_or_else(|| unknown("no such token is known"))?;
    match scope == AdminScope::Admin || is_of_services(path) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!("this token opens only {SERVICES}"),
        )),
    }
}

/// The scheme's name in any letters (RFC 9110 section 11.1).
fn bearer(written: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = written.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

/// Looks at every token to its end, so that the time it takes says nothing of
/// how much of one was right. It may say how long they are.
fn scope_of(tokens: &[AdminToken], shown: &[u8]) -> Option<AdminScope> {
    let mut found = None;
    for token in tokens {
        let is_it = bool::from(token.secret().ct_eq(shown));
        if is_it && found != Some(AdminScope::Admin) {
            found = Some(token.scope);
        }
    }
    found
}

fn is_of_services(path: &str) -> bool {
    let rest = path.strip_prefix(SERVICES);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: &str = "admin-0123456789abcdef";
    const SERVICE: &str = "service-0123456789abcdef";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn tokens_open_what_their_scope_says() {
        let tokens = [
            AdminToken::new(ADMIN, AdminScope::Admin),
            AdminToken::new(SERVICE, AdminScope::Registry),
        ];
        let status = |written: Option<&str>, path: &str| {
            let pairs: Vec<_> = written.iter().map(|&w| ("authorization", w)).collect();
            check_token(&tokens, &headers(&pairs), path).map_err(|problem| problem.status)
        };
        for (written, path, expected) in [
            (None, "/status", Err(401)),
            (Some("Basic YTpi"), "/status", Err(401)),
            (Some("Bearer"), "/status", Err(401)),
            (Some("Bearer "), "/status", Err(401)),
            (Some("Bearer admin-0123456789abcdeg"), "/status", Err(401)),
            (Some("Bearer admin-0123456789abcde"), "/status", Err(401)),
            (Some("Bearer admin-0123456789abcdef"), "/status", Ok(())),
            (Some("bearer  admin-0123456789abcdef"), "/status", Ok(())),
            (
                Some("Bearer admin-0123456789abcdef"),
                "/v1/services",
                Ok(()),
            ),
            (Some("Bearer service-0123456789abcdef"), "/status", Err(403)),
            (
                Some("Bearer service-0123456789abcdef"),
                "/v1/servicesx",
                Err(403),
            ),
            (
                Some("Bearer service-0123456789abcdef"),
                "/v1/services",
                Ok(()),
            ),
            (
                Some("Bearer service-0123456789abcdef"),
                "/v1/services/a",
                Ok(()),
            ),
        ] {
            assert_eq!(status(written, path), expected, "{written:?} {path}");
        }
        assert_eq!(check_token(&[], &HeaderMap::new(), "/status"), Ok(()));
    }

    #[test]
    fn only_own_names_are_answered_to() {
        for (host, is_own) in [
            ("127.0.0.1:8081", true),
            ("127.0.0.1", true),
            ("[::1]:8081", true),
            ("localhost:8081", true),
            ("LocalHost", true),
            ("evil.example:8081", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:8081", false),
            ("", false),
        ] {
            assert_eq!(
                check_host(&headers(&[("host", host)])).is_ok(),
                is_own,
                "{host}"
            );
        }
        assert!(check_host(&HeaderMap::new()).is_err());
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        for (origin, is_own) in [
            ("http://127.0.0.1:8081", true),
            ("https://127.0.0.1:8081", false),
            ("http://127.0.0.1:9000", false),
            ("http://evil.example", false),
            ("null", false),
        ] {
            let headers = headers(&[("host", "127.0.0.1:8081"), ("origin", origin)]);
            assert_eq!(check_origin(&headers).is_ok(), is_own, "{origin}");
        }
        assert!(check_origin(&HeaderMap::new()).is_ok());
    }
}
