//! Why a format was refused.

use std::borrow::Cow;
use std::fmt;

/// A mistake in an access log format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatFault {
    /// Where in the text, in bytes from its start.
    pub offset: usize,
    pub message: Cow<'static, str>,
    pub suggestion: Option<Cow<'static, str>>,
}

impl FormatFault {
    pub(super) fn at(offset: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            offset,
            message: message.into(),
            suggestion: None,
        }
    }

    pub(super) fn suggest(mut self, suggestion: impl Into<Cow<'static, str>>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl fmt::Display for FormatFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FormatFault {}
