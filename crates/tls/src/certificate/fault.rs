use std::fmt;

use rustls::pki_types::pem;

use super::LEAST_RSA;

/// Why files are no certificate to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFault {
    /// The certificate file is not PEM.
    Chain(String),
    /// There is no certificate in it.
    NoCertificate,
    /// There is the key, and the certificate in the key's file.
    Swapped,
    /// What is in it is none.
    Malformed,
    /// It is of a version that clients do not believe.
    Version1,
    /// It cannot be used for another reason.
    Unusable(String),
    /// The key is that of a certificate further behind.
    WrongOrder,
    /// The key file is not PEM.
    Key(String),
    /// There is no private key in it.
    NoKey,
    /// There is one that takes a password.
    Encrypted,
    /// A key of a kind that cannot be used.
    KeyKind(String),
    /// A key of RSA with so few bits.
    ShortKey(usize),
    /// The key is another certificate's.
    Mismatch,
}

impl CertificateFault {
    /// It is the key's file that is wrong.
    pub fn is_of_key(&self) -> bool {
        match self {
            Self::Chain(_)
            | Self::NoCertificate
            | Self::Swapped
            | Self::Malformed
            | Self::Version1
            | Self::Unusable(_)
            | Self::WrongOrder => false,
            Self::Key(_)
            | Self::NoKey
            | Self::Encrypted
            | Self::KeyKind(_)
            | Self::ShortKey(_)
            | Self::Mismatch => true,
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(why) => write!(f, "the certificate file is not PEM: {why}"),
            Self::NoCertificate => f.write_str("there is no certificate in the file"),
            Self::Swapped => f.write_str(
                "there is no certificate in the file, but a private key: are `cert_file` and `key_file` swapped?",
            ),
            Self::Malformed => f.write_str("what is in the file is no certificate"),
            Self::Version1 => f.write_str(
                "the certificate is of X.509 version 1, which names no host and which clients refuse: \
                 make it of version 3, as `openssl x509 -req -extfile FILE` does, with `subjectAltName=DNS:example.com` in FILE",
            ),
            Self::Unusable(why) => write!(f, "the certificate cannot be used: {why}"),
            Self::WrongOrder => f.write_str(
                "the certificates are in the wrong order: the one that the key is of comes first, its issuer's behind it",
            ),
            Self::Key(why) => write!(f, "the key file is not PEM: {why}"),
            Self::NoKey => f.write_str("there is no private key in the file"),
            Self::Encrypted => f.write_str(
                "the private key is encrypted: take the password away with `openssl pkey -in FILE -out NEW`",
            ),
            Self::KeyKind(why) => write!(f, "the private key cannot be used: {why}"),
            Self::ShortKey(bits) => write!(
                f,
                "the private key cannot be used: RSA with {bits} bits is too weak, it takes {LEAST_RSA} or more"
            ),
            Self::Mismatch => f.write_str("the private key is not the one of the certificate"),
        }
    }
}

impl std::error::Error for CertificateFault {}

/// Why a text is not PEM (RFC 7468), as people read it.
pub(crate) fn no_pem(error: &pem::Error) -> String {
    let text = |bytes: &[u8]| -> String {
        let text = String::from_utf8_lossy(bytes);
        text.trim().chars().take(64).collect()
    };
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!(
                "there is no `-----END {}-----`: it is cut off",
                text(end_marker).trim_matches('-')
            )
        }
        pem::Error::IllegalSectionStart { line } => {
            format!("`{}` begins nothing", text(line))
        }
        error => error.to_string(),
    }
}
