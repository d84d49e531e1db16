//! One client: a connection, a request, the end, and again.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, SignatureScheme,
};

/// How long any one step may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Errors after which a client gives up.
const ENOUGH: u64 = 100;

#[allow(clippy::disallowed_methods, reason = "it measures")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// What became of the connections.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) seconds: f64,
    /// Answers over sessions that were taken up.
    requests: u64,
    /// The server made a full handshake, though it had given out a session.
    full: u64,
    /// An answer other than 200.
    status: u64,
    /// No connection, no handshake, or no answer.
    failed: u64,
}

pub(crate) struct Client<'a> {
    to: SocketAddr,
    request: &'a [u8],
    tls: Arc<ClientConfig>,
}

impl Client<'_> {
    pub(crate) fn new(to: SocketAddr, request: &[u8]) -> io::Result<Client<'_>> {
        // One group, which all servers know: a hybrid one would be more work for those that take it.
        let provider = Arc::new(CryptoProvider {
            kx_groups: vec![aws_lc_rs::kx_group::X25519],
            ..aws_lc_rs::default_provider()
        });
        let mut tls = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth();
        tls.resumption = Resumption::in_memory_sessions(1);
        // No request before the end of the handshake, from whoever would take it.
        tls.enable_early_data = false;
        Ok(Client {
            to,
            request,
            tls: Arc::new(tls),
        })
    }

    pub(crate) fn work(&self, until: Instant) -> Seen {
        let mut seen = Seen::default();
        let mut is_first = true;
        while now() < until && seen.full + seen.status + seen.failed < ENOUGH {
            match self.exchange() {
                Err(_) => seen.failed += 1,
                Ok((_, false)) => seen.status += 1,
                Ok((Some(HandshakeKind::Resumed), true)) => seen.requests += 1,
                Ok(_) if is_first => {}
                Ok(_) => seen.full += 1,
            }
            is_first = false;
        }
        seen
    }

    /// One connection: its handshake, and whether it was answered well.
    fn exchange(&self) -> io::Result<(Option<HandshakeKind>, bool)> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut tls =
            ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        let mut socket = TcpStream::connect_timeout(&self.to, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        stream.write_all(self.request)?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            // Not every server says the end of TLS before that of the connection.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ => Ok((tls.handshake_kind(), answer.starts_with(b"HTTP/1.1 200 "))),
        }
    }
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Seen) {
        self.requests += other.requests;
        self.full += other.full;
        self.status += other.status;
        self.failed += other.failed;
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{\"requests\": {}, \"seconds\": {:.6}, \"full\": {}, \"status\": {}, \"failed\": {}}}",
            self.requests, self.seconds, self.full, self.status, self.failed
        )
    }
}

/// Whoever the server says it is, if only it has the key: what it costs is measured, not whom to believe.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
