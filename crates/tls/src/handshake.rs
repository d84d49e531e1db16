use std::sync::Arc;

use message::ClientCertificate;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig};

use crate::clients::client_certificate;
use crate::offer::Version;
use crate::records::Kernel;
use crate::{Fault, Reason, Records, UNRECOGNIZED_NAME};

/// A handshake under way.
pub struct Handshake {
    server: Box<UnbufferedServerConnection>,
    /// What the peer has sent right behind it.
    ahead: Vec<u8>,
    has_ended: bool,
    /// A record has been understood.
    has_begun: bool,
}

/// What a handshake has come to.
pub struct Agreed {
    pub records: Records,
    /// The protocol to speak (RFC 7301).
    pub protocol: Option<Box<[u8]>>,
    pub is_resumed: bool,
    pub version: Version,
    /// What the client has shown, where it was asked to.
    pub client: Option<ClientCertificate>,
}

impl Handshake {
    pub(crate) fn server(config: Arc<ServerConfig>) -> Result<Self, Fault> {
        Ok(Self {
            server: Box::new(UnbufferedServerConnection::new(config)?),
            ahead: Vec::new(),
            has_ended: false,
            has_begun: false,
        })
    }

    /// Works through what has arrived from `*at` on. What has to be sent is
    /// appended to `out`, also if it fails. True once the handshake is done;
    /// until then the peer has to send more.
    pub fn advance(
        &mut self,
        arrived: &mut [u8],
        at: &mut usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        loop {
            let rest = arrived.get_mut(*at..).unwrap_or_default();
            let UnbufferedStatus { discard, state, .. } = self.server.process_tls_records(rest);
            let is_over = match state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(out, |room| data.encode(room))?;
                    false
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    false
                }
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        self.ahead.extend_from_slice(record?.payload);
                    }
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.has_ended = true;
                    false
                }
                // Waits for the peer, or is done. Early data is never offered.
                Ok(_) => true,
                Err(error) => {
                    *at += discard;
                    let fault = Fault::from(error);
                    match fault.reason() {
                        // rustls would say that access is denied.
                        Reason::UnknownName => out.extend_from_slice(&UNRECOGNIZED_NAME),
                        _ => self.tell_of_fault(out),
                    }
                    return Err(fault);
                }
            };
            *at += discard;
            self.has_begun |= discard > 0;
            if is_over {
                return Ok(!self.server.is_handshaking());
            }
        }
    }

    /// Nothing has come of which TLS is made.
    pub fn has_not_begun(&self) -> bool {
        !self.has_begun
    }

    /// The alert that goes with a failure. rustls must not be asked for more than
    /// it has to say: it would look at what has arrived again, and panic.
    fn tell_of_fault(&mut self, out: &mut Vec<u8>) {
        while self.server.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.server.process_tls_records(&mut []).state
        {
            if append(out, |room| data.encode(room)).is_err() {
                break;
            }
        }
    }

    /// What comes after a handshake that is done.
    pub fn finish(self) -> Result<Agreed, Fault> {
        let protocol = self.server.alpn_protocol().map(Box::from);
        let is_resumed = self.server.handshake_kind() == Some(HandshakeKind::Resumed);
        let version = match self.server.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => Version::Tls13,
            _ => Version::Tls12,
        };
        let shown = self.server.peer_certificates().and_then(<[_]>::first);
        let client = shown.and_then(|shown| client_certificate(shown));
        let (secrets, kernel) = self.server.dangerous_into_kernel_connection()?;
        let mut records = Records::new(secrets, Kernel::Server(Box::new(kernel)))?;
        records.has_come_ahead(self.ahead, self.has_ended);
        Ok(Agreed {
            records,
            protocol,
            is_resumed,
            version,
            client,
        })
    }
}

/// Appends what `encode` writes, once it has been told how much room it needs.
fn append(
    out: &mut Vec<u8>,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), Fault> {
    let Err(EncodeError::InsufficientSize(needed)) = encode(&mut []) else {
        return Ok(());
    };
    let at = out.len();
    out.resize(at + needed.required_size, 0);
    let room = out.get_mut(at..).unwrap_or_default();
    let written = encode(room).map_err(|error| Fault::told(error.to_string()))?;
    out.truncate(at + written);
    Ok(())
}

#[cfg(test)]
mod tests;
