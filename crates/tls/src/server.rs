use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use crate::choice::Choice;
use crate::offer::{Version, provider};
use crate::refused::Noting;
use crate::tickets::BoundTickets;
use crate::{ACME_TLS, Certificate, Challenges, ClientAuthorities, Fault, Handshake, Tickets};

/// What a listener offers.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Protocols to agree on, best first (RFC 7301).
    pub protocols: Vec<&'static str>,
    pub min_version: Version,
    pub max_version: Version,
    /// Best first; all where there is none.
    pub cipher_suites: Vec<String>,
    /// Best first; the usual ones where there is none.
    pub groups: Vec<String>,
    /// Who asks for a name that is in no certificate is turned down.
    pub sni_strict: bool,
    /// Sessions are taken up again.
    pub tickets: Option<Tickets>,
    /// How long each of their keys seals.
    pub ticket_rotation: Duration,
    /// Clients are asked for certificates.
    pub clients: Option<ClientAuthorities>,
    /// Authorities that check names are answered.
    pub challenges: Option<Challenges>,
    /// Names for which there is no certificate yet.
    pub awaited: Vec<Box<str>>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            protocols: Vec::new(),
            min_version: Version::Tls12,
            max_version: Version::Tls13,
            cipher_suites: Vec::new(),
            groups: Vec::new(),
            sni_strict: false,
            tickets: None,
            ticket_rotation: Duration::from_hours(24),
            clients: None,
            challenges: None,
            awaited: Vec::new(),
        }
    }
}

/// The server's side of handshakes.
#[derive(Clone)]
pub struct Server {
    config: Arc<ServerConfig>,
    fingerprint: String,
    /// There are certificates to come.
    awaits: bool,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.fingerprint).finish()
    }
}

impl Server {
    /// The first certificate is the default one.
    ///
    /// # Errors
    ///
    /// When versions and cipher suites do not go together.
    pub fn new(certificates: Vec<Certificate>, options: &ServerOptions) -> Result<Self, Fault> {
        let fingerprints: Vec<_> = certificates.iter().map(Certificate::fingerprint).collect();
        let provider = Arc::new(provider(&options.cipher_suites, &options.groups));
        let versions = Version::between(options.min_version, options.max_version);
        let verifier: Arc<dyn ClientCertVerifier> = match &options.clients {
            Some(clients) => Arc::new(Noting(clients.verifier(&provider)?)),
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(Choice::new(
                certificates,
                options.sni_strict,
                options.challenges.clone(),
            )));
        config.alpn_protocols = options
            .protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        if options.challenges.is_some() {
            // Last: whoever speaks anything else does not come to check.
            config.alpn_protocols.push(ACME_TLS.to_vec());
        }
        // The records after the handshake are ours.
        config.enable_secret_extraction = true;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match &options.tickets {
            Some(tickets) => {
                let clients = options.clients.as_ref();
                config.ticketer = Arc::new(BoundTickets {
                    tickets: tickets.clone(),
                    rotation: options.ticket_rotation,
                    bound_to: clients.map_or([0; 32], ClientAuthorities::hash),
                });
            }
            None => config.send_tls13_tickets = 0,
        }
        Ok(Self {
            config: Arc::new(config),
            fingerprint: fingerprints.join(" "),
            awaits: !options.awaited.is_empty(),
        })
    }

    /// Tells its certificates from others.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// # Errors
    ///
    /// Not for anything that a peer can do.
    pub fn handshake(&self) -> Result<Handshake, Fault> {
        Handshake::server(Arc::clone(&self.config), self.awaits)
    }
}
