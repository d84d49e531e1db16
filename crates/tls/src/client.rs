//! The client's side: whom we ask, whom we believe, and what we show.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::clients::{add_roots, hex, read_roots};
use crate::facts::DistinguishedName;
use crate::offer::{Version, provider};
use crate::{Certificate, Fault, Handshake};

/// Sessions that are kept, to be taken up again.
const SESSIONS: usize = 256;

/// How servers are spoken to.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Protocols to agree on, best first (RFC 7301).
    pub protocols: Vec<&'static str>,
    pub min_version: Version,
    pub max_version: Version,
    /// Whose servers are believed; any where there are none.
    pub authorities: Option<ServerAuthorities>,
    /// What is shown to servers that ask.
    pub certificate: Option<Certificate>,
}

/// Whose servers are believed.
#[derive(Debug, Clone)]
pub struct ServerAuthorities(Arc<RootCertStore>);

impl ServerAuthorities {
    /// Reads the certificates of authorities, in PEM form; or says why that
    /// cannot be.
    ///
    /// # Errors
    ///
    /// When there is none, or one that cannot be used.
    pub fn read(bundle: &[u8]) -> Result<Self, String> {
        read_roots(bundle).map(|roots| Self(Arc::new(roots)))
    }

    /// Other authorities, other digits.
    pub fn fingerprint(&self) -> String {
        let mut hash = Context::new(&SHA256);
        add_roots(&mut hash, &self.0);
        hex(hash.finish().as_ref().get(..8).unwrap_or_default())
    }

    /// Whether an authority of this name is among them.
    pub fn include(&self, name: &DistinguishedName) -> bool {
        let subjects = self.0.subjects();
        subjects
            .iter()
            .any(|subject| subject.as_ref() == &*name.der)
    }

    /// Those that the system believes; or says why there are none.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn of_the_system() -> Result<Self, String> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if !roots.is_empty() {
            return Ok(Self(Arc::new(roots)));
        }
        let why = found.errors.first().map(ToString::to_string);
        Err(why.unwrap_or_else(|| "the system believes no authority".to_owned()))
    }
}

/// How servers are spoken to, with the sessions that can be taken up again.
#[derive(Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
    fingerprint: Arc<str>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.fingerprint).finish()
    }
}

impl Client {
    /// # Errors
    ///
    /// When these options do not go together.
    pub fn new(options: &ClientOptions) -> Result<Self, Fault> {
        let provider = Arc::new(provider(&[], &[]));
        let versions = Version::between(options.min_version, options.max_version);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)?;
        let verifier: Arc<dyn ServerCertVerifier> = match &options.authorities {
            None => Arc::new(Anybody(provider)),
            Some(ServerAuthorities(roots)) => {
                WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider)
                    .build()
                    .map_err(|error| Fault::told(error.to_string()))?
            }
        };
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &options.certificate {
            None => builder.with_no_client_auth(),
            Some(shown) => {
                let shown = SingleCertAndKey::from(Arc::clone(&shown.key));
                builder.with_client_cert_resolver(Arc::new(shown))
            }
        };
        config.alpn_protocols = options
            .protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        // The records after the handshake are ours.
        config.enable_secret_extraction = true;
        Ok(Self {
            config: Arc::new(config),
            fingerprint: fingerprint(options).into(),
        })
    }

    /// A server, by the name or address that its certificate has to be for, and
    /// that it is told where it is a name.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn to(&self, name: &str) -> Result<Peer, String> {
        let of = ServerName::try_from(name.to_owned());
        Ok(Peer {
            client: self.clone(),
            name: of.map_err(|_| "it is neither a name nor an address".to_owned())?,
        })
    }
}

/// One whom we speak to.
#[derive(Clone)]
pub struct Peer {
    client: Client,
    name: ServerName<'static>,
}

impl Peer {
    /// # Errors
    ///
    /// Not for anything that a peer can do.
    pub fn handshake(&self) -> Result<Handshake, Fault> {
        self.handshake_for(self.client.config.alpn_protocols.clone())
    }

    /// The same, for a connection on which only HTTP/1.1 is of use.
    ///
    /// # Errors
    ///
    /// As with [`Self::handshake`].
    pub fn handshake_for_http1(&self) -> Result<Handshake, Fault> {
        self.handshake_for(vec![b"http/1.1".to_vec()])
    }

    fn handshake_for(&self, protocols: Vec<Vec<u8>>) -> Result<Handshake, Fault> {
        let config = Arc::clone(&self.client.config);
        Handshake::client(config, self.name.clone(), protocols)
    }
}

/// Whether it is spoken to in the same way.
impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.client.fingerprint == other.client.fingerprint
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("name", &self.name.to_str())
            .field("client", &self.client.fingerprint)
            .finish()
    }
}

/// Other options, other digits.
fn fingerprint(options: &ClientOptions) -> String {
    let mut hash = Context::new(&SHA256);
    let (min, max) = (options.min_version.name(), options.max_version.name());
    let terms = format!("{min} {max} {:?}\n", options.protocols);
    hash.update(terms.as_bytes());
    if let Some(authorities) = &options.authorities {
        hash.update(b"of ");
        hash.update(authorities.fingerprint().as_bytes());
    }
    if let Some(shown) = &options.certificate {
        hash.update(b" showing ");
        hash.update(shown.fingerprint().as_bytes());
    }
    hex(hash.finish().as_ref().get(..8).unwrap_or_default())
}

/// Believes every server; it still has to have the key of what it shows.
#[derive(Debug)]
pub(crate) struct Anybody(pub(crate) Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
