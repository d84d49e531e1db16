//! Where the admin API is served, and to whom.

use std::fmt;
use std::net::SocketAddr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminEndpoint {
    pub address: SocketAddr,
    /// None where everybody who can connect is let in.
    pub tokens: Vec<AdminToken>,
    /// Where what was changed is kept for the next start.
    pub state_file: Option<Box<str>>,
}

/// What a client has to show, and what it opens.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken {
    text: Box<str>,
    pub scope: AdminScope,
}

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminScope {
    /// Everything.
    Admin,
    /// Only the services that register themselves.
    Registry,
}

impl AdminToken {
    pub fn new(text: &str, scope: AdminScope) -> Self {
        Self {
            text: text.into(),
            scope,
        }
    }

    /// To be compared with what a client sends, and never to be shown.
    pub fn secret(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// The secret stays one.
impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdminToken({})", self.scope.label())
    }
}

impl AdminScope {
    /// The word used in settings.
    pub fn label(self) -> &'static str {
        match self {
            AdminScope::Admin => "admin",
            AdminScope::Registry => "registry",
        }
    }
}
