use std::error::Error;
use std::fmt;

use instant_acme::Problem;

/// Why there is no certificate, in words for whoever has to see to it.
#[derive(Debug)]
pub struct Fault {
    why: String,
    /// The authority does not know the account (any more).
    is_account_unknown: bool,
}

/// RFC 8555 section 6.7.
const ACCOUNT_UNKNOWN: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// What is told of a problem; what others write may be long.
const LONGEST: usize = 500;

impl Fault {
    pub fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_account_unknown: false,
        }
    }

    pub(crate) fn is_account_unknown(&self) -> bool {
        self.is_account_unknown
    }

    #[must_use]
    pub(crate) fn about(self, what: &str) -> Self {
        Self {
            why: format!("{what}: {}", self.why),
            ..self
        }
    }
}

/// A problem that an authority has told of (RFC 7807).
pub(crate) fn told(problem: &Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default();
    let mut text = match problem.detail.as_deref() {
        Some(detail) => format!("{detail} ({kind})"),
        None => kind.to_owned(),
    };
    for sub in &problem.subproblems {
        text.push_str(&format!("; {sub}"));
    }
    text.chars().take(LONGEST).collect()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Error for Fault {}

impl From<instant_acme::Error> for Fault {
    fn from(error: instant_acme::Error) -> Self {
        match error {
            instant_acme::Error::Api(problem) => Self {
                is_account_unknown: problem.r#type.as_deref() == Some(ACCOUNT_UNKNOWN),
                why: format!("the authority says: {}", told(&problem)),
            },
            instant_acme::Error::Timeout(_) => {
                Self::new("the authority has not come to a decision in time")
            }
            instant_acme::Error::Json(error) => Self::new(format!(
                "the authority's answer is not what it should be: {error}"
            )),
            error => Self::new(error.to_string()),
        }
    }
}

impl From<rcgen::Error> for Fault {
    fn from(error: rcgen::Error) -> Self {
        Self::new(error.to_string())
    }
}
