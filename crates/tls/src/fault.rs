use std::fmt;

use crate::refused::{take_name, take_subject};

/// Why a connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The alert that says so (RFC 8446 section 6), where the peer is still to be told.
    pub(crate) alert: Option<Alert>,
    reason: Reason,
    why: String,
    subject: Option<String>,
    server_name: Option<String>,
}

/// What kind of fault ended a handshake: one of a few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No version, cipher suite, group or signature that both know.
    NothingInCommon,
    /// No certificate is for the name that the client asks for.
    UnknownName,
    /// The same, and there are certificates that an authority has been asked for.
    NoCertificateYet,
    /// The client has to show a certificate, and has none.
    NoClientCertificate,
    /// The peer's certificate is not believed.
    Certificate,
    /// The peer has refused, such as for the certificate that it was shown.
    ByPeer,
    /// What the peer says is not TLS, or wrong.
    Malformed,
    Other,
}

impl Reason {
    /// As metrics of listeners call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::NothingInCommon => "nothing_in_common",
            Self::UnknownName => "unknown_name",
            Self::NoCertificateYet => "no_certificate_yet",
            Self::NoClientCertificate => "no_client_certificate",
            Self::Certificate => "client_certificate_refused",
            Self::ByPeer => "refused_by_client",
            Self::Malformed => "malformed",
            Self::Other => "other",
        }
    }
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
            reason: Reason::Other,
            why: why.into(),
            subject: None,
            server_name: None,
        }
    }

    /// What the peer has said, or has been told already.
    pub(crate) fn told(why: impl Into<String>) -> Self {
        Self {
            alert: None,
            reason: Reason::Other,
            why: why.into(),
            subject: None,
            server_name: None,
        }
    }

    /// No certificate was found where some are still to come.
    #[must_use]
    pub(crate) fn of_awaited(self) -> Self {
        Self {
            reason: Reason::NoCertificateYet,
            why: "there is no certificate yet".to_owned(),
            ..self
        }
    }

    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Whom the certificate of a client was for that is not believed.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The name that a client asks for where no certificate is for it: one of DNS, so
    /// of at most 253 letters, digits, hyphens, underscores and dots.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
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
        use rustls::Error;
        let reason = match &error {
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Reason::NothingInCommon,
            // What rustls says where no certificate was chosen.
            Error::General(why) if why.starts_with("no server certificate") => Reason::UnknownName,
            Error::NoCertificatesPresented => Reason::NoClientCertificate,
            Error::InvalidCertificate(_)
            | Error::InvalidCertRevocationList(_)
            | Error::UnsupportedNameType => Reason::Certificate,
            Error::AlertReceived(_) => Reason::ByPeer,
            Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::InvalidEncryptedClientHello(_)
            | Error::InvalidMessage(_)
            | Error::PeerMisbehaved(_)
            | Error::DecryptError
            | Error::PeerSentOversizedRecord => Reason::Malformed,
            _ => Reason::Other,
        };
        Self {
            reason,
            subject: match reason {
                Reason::Certificate => take_subject(),
                _ => None,
            },
            server_name: match reason {
                Reason::UnknownName => take_name(),
                _ => None,
            },
            ..Self::told(error.to_string())
        }
    }
}
