use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;

use crate::{Certificate, Fault, Handshake};

/// What a listener offers.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Protocols to agree on, best first (RFC 7301).
    pub protocols: Vec<&'static str>,
}

/// The server's side of handshakes.
#[derive(Clone)]
pub struct Server {
    config: Arc<ServerConfig>,
    fingerprint: String,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.fingerprint).finish()
    }
}

impl Server {
    pub fn new(certificate: Certificate, options: &ServerOptions) -> Result<Self, Fault> {
        let fingerprint = certificate.fingerprint();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(certificate.key)));
        config.alpn_protocols = options
            .protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        // The records after the handshake are ours.
        config.enable_secret_extraction = true;
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Self {
            config: Arc::new(config),
            fingerprint,
        })
    }

    /// Tells the certificate from others: the beginning of its SHA-256.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub fn handshake(&self) -> Result<Handshake, Fault> {
        Handshake::server(Arc::clone(&self.config))
    }
}

#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}
