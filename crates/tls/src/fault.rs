use std::fmt;

/// Why a connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The alert that says so (RFC 8446 section 6), where the peer is still to be told.
    pub(crate) alert: Option<Alert>,
    why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alert {
    UnexpectedMessage = 10,
    BadRecordMac = 20,
    RecordOverflow = 22,
    DecodeError = 50,
    InternalError = 80,
}

impl Fault {
    pub(crate) fn new(alert: Alert, why: impl Into<String>) -> Self {
        Self {
            alert: Some(alert),
            why: why.into(),
        }
    }

    /// What the peer has said, or has been told already.
    pub(crate) fn told(why: impl Into<String>) -> Self {
        Self {
            alert: None,
            why: why.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Fault {}

impl From<rustls::Error> for Fault {
    fn from(error: rustls::Error) -> Self {
        Self::told(error.to_string())
    }
}
