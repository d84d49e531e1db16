use crate::facts::{DistinguishedName, date};

/// What may be held against a certificate that can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// When it did, in seconds since 1970.
    Expired(i64),
    /// When it will.
    ExpiresSoon(i64),
    /// When it will be.
    NotYetValid(i64),
    /// The certificate of the first one's issuer does not follow it.
    IncompleteChain(DistinguishedName),
    /// It does, but not at once.
    IssuerLater(DistinguishedName),
    /// It names no host: clients look at nothing but the alternative names.
    Nameless,
    /// The answer about its revocation was to be followed by a newer one.
    StapleExpired(i64),
    /// The answer does not say that it is good.
    StapleNotGood,
}

/// Who is shown a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewers {
    Clients,
    Backends,
}

impl Viewers {
    fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Backends => "backends",
        }
    }
}

impl Doubt {
    /// It is of the answer about revocation, not of the certificate.
    pub fn is_of_staple(&self) -> bool {
        matches!(self, Self::StapleExpired(_) | Self::StapleNotGood)
    }

    /// Whether these viewers look at it: nobody asks for the host of a client.
    pub fn concerns(&self, viewers: Viewers) -> bool {
        !matches!((self, viewers), (Self::Nameless, Viewers::Backends))
    }

    /// In a sentence for the operator.
    pub fn say(&self, viewers: Viewers) -> String {
        let them = viewers.name();
        match self {
            Self::Expired(end) => {
                let end = date(*end);
                format!("the certificate has expired, on {end}: {them} will refuse it")
            }
            Self::ExpiresSoon(end) => format!("the certificate expires soon, on {}", date(*end)),
            Self::NotYetValid(start) => {
                let start = date(*start);
                format!("the certificate is not valid before {start}: {them} will refuse it")
            }
            Self::IncompleteChain(issuer) => format!(
                "the chain is incomplete: the certificate is not followed by its issuer's, {issuer}, and {them} that do not have that one will refuse it"
            ),
            Self::IssuerLater(issuer) => format!(
                "the chain is in disorder: the certificate's issuer, {issuer}, does not come next, and some {them} will refuse it"
            ),
            Self::Nameless => format!("the certificate names no host: {them} will refuse it"),
            Self::StapleExpired(end) => {
                let end = date(*end);
                format!("the OCSP response has expired, on {end}: {them} are not shown it")
            }
            Self::StapleNotGood => format!(
                "the OCSP response does not say that the certificate is good: {them} will refuse it"
            ),
        }
    }

    /// What can be done about it, where that is not plain.
    pub fn help(&self, viewers: Viewers) -> Option<String> {
        match self {
            Self::IncompleteChain(_) => {}
            Self::IssuerLater(_) => {
                return Some(
                    "put the issuer's certificate second, and behind each its issuer's".into(),
                );
            }
            _ => return None,
        }
        let them = viewers.name();
        Some(format!(
            "append the issuer's certificate to the file; where it is a private root that {them} have installed, there is nothing to do"
        ))
    }
}
