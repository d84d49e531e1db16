//! What the log is to say of a client that is refused: who it says it is by its
//! certificate, or whom it asks for.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::facts::parse;

/// More of it tells nobody anything.
const LONGEST_SUBJECT: usize = 200;

thread_local! {
    /// Of the handshake that this thread is at: rustls keeps nothing of a
    /// certificate that it has refused, and its errors decide which alert is sent.
    static REFUSED: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Of the same, for the same reasons.
    static UNKNOWN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The subject of the certificate that was refused just now, on this thread.
pub(crate) fn take_subject() -> Option<String> {
    REFUSED.take()
}

/// No certificate is for this name that a client asks for, or for none.
pub(crate) fn note_name(name: Option<&str>) {
    UNKNOWN.set(name.map(str::to_owned));
}

/// The name for which no certificate was found just now, on this thread.
pub(crate) fn take_name() -> Option<String> {
    UNKNOWN.take()
}

/// Verifies as another does, and keeps the subject of what that refuses.
#[derive(Debug)]
pub(crate) struct Noting(pub(crate) Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Noting {
    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(shown, issuers, now);
        REFUSED.set(match verified {
            Ok(_) => None,
            Err(_) => parse(shown).map(|shown| {
                let subject = shown.subject().to_string();
                subject.chars().take(LONGEST_SUBJECT).collect()
            }),
        });
        verified
    }

    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
