//! Reading what a request brings: JSON, exactly as expected.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// For a whole body.
const PATIENCE: Duration = Duration::from_secs(20);

/// A body of JSON. Its type says what is in it; a field that it does not know
/// is a mistake.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = bytes(request, state).await?;
        read(&bytes).map(Self)
    }
}

/// A body of text.
pub(crate) struct Text(pub(crate) String);

impl<S: Sync> FromRequest<S> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = bytes(request, state).await?;
        let text = String::from_utf8(bytes.into());
        let bad = |_| Problem::new(StatusCode::BAD_REQUEST, "the body is not UTF-8");
        text.map(Self).map_err(bad)
    }
}

async fn bytes<S: Sync>(request: Request, _: &S) -> Result<Bytes, Problem> {
    let read = tokio::time::timeout(PATIENCE, Bytes::from_request(request, &()));
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long");
    read.await.map_err(late)?.map_err(|refused| {
        let status = refused.status();
        let detail = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than may be sent here".to_owned(),
            _ => refused.body_text(),
        };
        Problem::new(status, detail)
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let status = match error.classify() {
            serde_json::error::Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_REQUEST,
        };
        let detail = match bytes.is_empty() {
            true => "a body of JSON is needed".to_owned(),
            false => format!("the body is not as it should be: {error}"),
        };
        Problem::new(status, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        #[expect(dead_code, reason = "only read")]
        level: String,
    }

    #[test]
    fn what_is_not_expected_is_refused() {
        for (body, status, said) in [
            ("", 400, "a body of JSON is needed"),
            ("{", 400, "EOF"),
            ("{\"level\": 1}", 422, "invalid type: integer"),
            ("{}", 422, "missing field `level`"),
            (
                "{\"level\": \"info\", \"lvl\": 1}",
                422,
                "unknown field `lvl`",
            ),
        ] {
            let problem = read::<Wanted>(body.as_bytes()).expect_err(body);
            assert_eq!(problem.status, status, "{body}");
            assert!(problem.detail.contains(said), "{}", problem.detail);
        }
        assert!(read::<Wanted>(b"{\"level\": \"info\"}").is_ok());
    }
}
