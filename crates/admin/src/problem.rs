//! What went wrong, as RFC 9457 writes it.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Mistake, Refused};

pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// An answer that says what went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Problem {
    /// The kind of problem, as a URN that does not change.
    #[serde(rename = "type")]
    pub(crate) kind: Box<str>,
    pub(crate) title: Box<str>,
    /// The status of the answer.
    pub(crate) status: u16,
    /// What went wrong this time.
    pub(crate) detail: Box<str>,
    /// Every mistake, where a configuration has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) problems: Vec<Mistake>,
    /// What is wrong with each field, where a registration is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<FieldProblem>,
    /// In seconds; a field of the answer's head.
    #[serde(skip)]
    pub(crate) retry_after: Option<u64>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FieldProblem {
    pub(crate) field: String,
    pub(crate) problem: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Box<str>>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        let kind = title.to_ascii_lowercase().replace(' ', "-");
        Self {
            kind: format!("urn:forebay:{kind}").into(),
            title: title.into(),
            status: status.as_u16(),
            detail: detail.into(),
            problems: Vec::new(),
            fields: Vec::new(),
            retry_after: None,
        }
    }

    /// What was asked for is not there.
    pub(crate) fn not_found(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// It is well-formed, but means nothing that can be done.
    pub(crate) fn invalid(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// Forebay is about to end, or too busy to say.
    pub(crate) fn unavailable(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        if let Some(wait) = refused.retry_after {
            let mut problem = Self::unavailable(refused.why);
            problem.retry_after = Some(wait.as_secs());
            return problem;
        }
        let mut problem = Self::invalid(refused.why);
        problem.kind = "urn:forebay:configuration-refused".into();
        problem.title = "Configuration refused".into();
        problem.problems = refused.mistakes;
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let text = serde_json::to_string(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(text + "\n"));
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let media_type = HeaderValue::from_static(MEDIA_TYPE);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        if let Some(seconds) = self.retry_after {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_the_rfc() {
        let problem = Problem::not_found("there is no group `x`");
        assert_eq!(
            serde_json::to_value(&problem).unwrap(),
            serde_json::json!({
                "type": "urn:forebay:not-found",
                "title": "Not Found",
                "status": 404,
                "detail": "there is no group `x`",
            })
        );
        let response = problem.into_response();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["content-type"], MEDIA_TYPE);
    }
}
