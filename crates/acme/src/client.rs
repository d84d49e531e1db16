//! HTTPS to an authority: a connection for each question, for there are few.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::Fault;

/// For one question, from the name of the authority to the last byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// A chain of certificates has some KiB.
const LARGEST: usize = 1 << 20;

type Answer = Result<BytesResponse, Error>;

pub(crate) struct Client {
    connector: TlsConnector,
}

impl Client {
    /// Believes the authorities in this bundle, in PEM form; without one those of
    /// the system.
    pub(crate) fn new(bundle: Option<&[u8]>) -> Result<Self, Fault> {
        let mut roots = RootCertStore::empty();
        match bundle {
            Some(bundle) => {
                for certificate in CertificateDer::pem_slice_iter(bundle) {
                    let certificate = certificate.map_err(of_bundle)?;
                    roots.add(certificate).map_err(of_bundle)?;
                }
            }
            None => {
                // Single bad ones are no reason to believe none.
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
            }
        }
        if roots.is_empty() {
            return Err(Fault::new(
                "there are no authorities by which the directory could be believed: see `ca_file`",
            ));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Fault::new(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
        })
    }
}

fn of_bundle(error: impl std::fmt::Display) -> Fault {
    Fault::new(format!("`ca_file` cannot be used: {error}"))
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let connector = self.connector.clone();
        Box::pin(async move {
            let uri = request.uri().clone();
            let asked = tokio::time::timeout(PATIENCE, ask(&connector, request)).await;
            asked
                .unwrap_or_else(|_| Err(Error::Other("no answer in time".into())))
                .map_err(|error| at(&uri, &error))
        })
    }
}

/// Where a fault is: authorities may be several hosts.
fn at(uri: &Uri, error: &Error) -> Error {
    let host = uri.authority().map_or("", |authority| authority.as_str());
    Error::Other(format!("{host} cannot be asked: {error}").into())
}

async fn ask(connector: &TlsConnector, mut request: Request<BodyWrapper<Bytes>>) -> Answer {
    let other = |error: &dyn std::fmt::Display| Error::Other(error.to_string().into());
    let uri = request.uri().clone();
    let host = uri.host().unwrap_or_default();
    // What is said there decides about keys, and who may have certificates.
    if uri.scheme_str() != Some("https") || host.is_empty() {
        return Err(Error::Other("it is not at https://".into()));
    }
    let name = host.trim_matches(['[', ']']);
    let socket = TcpStream::connect((name, uri.port_u16().unwrap_or(443))).await;
    let name = ServerName::try_from(name.to_owned()).map_err(|error| other(&error))?;
    let stream = connector.connect(name, socket.map_err(|error| other(&error))?);
    let io = TokioIo::new(stream.await.map_err(|error| other(&error))?);
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    let field = HeaderValue::from_str(authority).map_err(|error| other(&error))?;
    request.headers_mut().insert(HOST, field);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse()?;
    let shaken = hyper::client::conn::http1::handshake(io).await;
    let (mut sender, connection) = shaken.map_err(|error| other(&error))?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let sent = sender.send_request(request).await;
        let (parts, body) = sent.map_err(|error| other(&error))?.into_parts();
        let body = Limited::new(body, LARGEST).collect().await;
        let body = body.map_err(|error| other(&error))?.to_bytes();
        if parts.status.is_server_error() && !body.starts_with(b"{") {
            return Err(Error::Other(format!("it answers {}", parts.status).into()));
        }
        Ok(Response::from_parts(parts, Full::new(body)).into())
    };
    let answer = answer.await;
    connection.abort();
    answer
}
