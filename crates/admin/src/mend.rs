//! The last look at every answer: errors of the framework become problems like
//! all others, and nothing is kept by caches or taken for what it is not.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::{MEDIA_TYPE, Problem};

/// Bytes of a framework's own text that are repeated.
const TEXT: usize = 1024;

pub(crate) async fn mend(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let mut response = match is_bare_error(&response) {
        true => as_problem(response, &method, &path).await,
        false => response,
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    let media_type = response.headers().get(header::CONTENT_TYPE);
    (status.is_client_error() || status.is_server_error())
        && media_type.is_none_or(|found| found != MEDIA_TYPE)
}

async fn as_problem(response: Response, method: &Method, path: &str) -> Response {
    let status = response.status();
    let allow = response.headers().get(header::ALLOW).cloned();
    let text = to_bytes(response.into_body(), TEXT).await;
    let text = text.map_or_else(
        |_| String::new(),
        |text| String::from_utf8_lossy(&text).into_owned(),
    );
    let detail = match status {
        StatusCode::NOT_FOUND => format!("there is nothing at {path}; see /openapi.json"),
        StatusCode::METHOD_NOT_ALLOWED => {
            let allowed = allow.as_ref().and_then(|allow| allow.to_str().ok());
            let allowed = allowed.unwrap_or("nothing").replace(',', ", ");
            format!("{path} takes {allowed}, and not {method}")
        }
        StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than may be sent here".to_owned(),
        _ if text.is_empty() => "the request cannot be served".to_owned(),
        _ => text,
    };
    let mut response = Problem::new(status, detail).into_response();
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}
