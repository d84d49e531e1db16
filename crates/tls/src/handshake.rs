use std::sync::Arc;

use message::ClientCertificate;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, ServerConfig};

use crate::clients::client_certificate;
use crate::offer::Version;
use crate::records::Kernel;
use crate::{Fault, Reason, Records, UNRECOGNIZED_NAME};

/// A handshake under way.
pub struct Handshake {
    end: End,
    /// What the peer has sent right behind it.
    ahead: Ahead,
    /// A record has been understood.
    has_begun: bool,
    /// Where no certificate is found there may soon be one.
    awaits: bool,
}

/// Which of the two we are.
enum End {
    Server(Box<UnbufferedServerConnection>),
    Client(Box<UnbufferedClientConnection>),
}

#[derive(Default)]
struct Ahead {
    plain: Vec<u8>,
    has_ended: bool,
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
    pub(crate) fn server(config: Arc<ServerConfig>, awaits: bool) -> Result<Self, Fault> {
        let server = UnbufferedServerConnection::new(config)?;
        Ok(Self {
            awaits,
            ..Self::of(End::Server(Box::new(server)))
        })
    }

    pub(crate) fn client(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        protocols: Vec<Vec<u8>>,
    ) -> Result<Self, Fault> {
        let client = UnbufferedClientConnection::new_with_alpn(config, name, protocols)?;
        Ok(Self::of(End::Client(Box::new(client))))
    }

    fn of(end: End) -> Self {
        Self {
            end,
            ahead: Ahead::default(),
            has_begun: false,
            awaits: false,
        }
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
            let (discard, taken) = match &mut self.end {
                End::Server(server) => step(server.process_tls_records(rest), &mut self.ahead, out),
                End::Client(client) => step(client.process_tls_records(rest), &mut self.ahead, out),
            };
            *at += discard;
            match taken {
                Err(fault) => {
                    if fault.reason() != Reason::UnknownName {
                        self.tell_of_fault(out);
                        return Err(fault);
                    }
                    // rustls would say that access is denied.
                    out.extend_from_slice(&UNRECOGNIZED_NAME);
                    return Err(match self.awaits {
                        true => fault.of_awaited(),
                        false => fault,
                    });
                }
                Ok(waits) => {
                    self.has_begun |= discard > 0;
                    if waits {
                        return Ok(!self.is_under_way());
                    }
                }
            }
        }
    }

    fn is_under_way(&self) -> bool {
        match &self.end {
            End::Server(server) => server.is_handshaking(),
            End::Client(client) => client.is_handshaking(),
        }
    }

    /// Nothing has come of which TLS is made.
    pub fn has_not_begun(&self) -> bool {
        !self.has_begun
    }

    /// The alert that goes with a failure. rustls must not be asked for more than
    /// it has to say: it would look at what has arrived again, and panic.
    fn tell_of_fault(&mut self, out: &mut Vec<u8>) {
        let mut ahead = Ahead::default();
        loop {
            let (_, told) = match &mut self.end {
                End::Server(end) if end.wants_write() => {
                    step(end.process_tls_records(&mut []), &mut ahead, out)
                }
                End::Client(end) if end.wants_write() => {
                    step(end.process_tls_records(&mut []), &mut ahead, out)
                }
                _ => return,
            };
            if told != Ok(false) {
                return;
            }
        }
    }

    /// What comes after a handshake that is done.
    pub fn finish(self) -> Result<Agreed, Fault> {
        let kind = match &self.end {
            End::Server(server) => server.handshake_kind(),
            End::Client(client) => client.handshake_kind(),
        };
        let (version, protocol) = match &self.end {
            End::Server(server) => (server.protocol_version(), server.alpn_protocol()),
            End::Client(client) => (client.protocol_version(), client.alpn_protocol()),
        };
        let protocol = protocol.map(Box::from);
        let mut client = None;
        let (secrets, kernel) = match self.end {
            End::Server(server) => {
                let shown = server.peer_certificates().and_then(<[_]>::first);
                client = shown.and_then(|shown| client_certificate(shown));
                let (secrets, kernel) = server.dangerous_into_kernel_connection()?;
                (secrets, Kernel::Server(Box::new(kernel)))
            }
            End::Client(client) => {
                let (secrets, kernel) = client.dangerous_into_kernel_connection()?;
                (secrets, Kernel::Client(Box::new(kernel)))
            }
        };
        let mut records = Records::new(secrets, kernel)?;
        records.has_come_ahead(self.ahead.plain, self.ahead.has_ended);
        Ok(Agreed {
            records,
            protocol,
            is_resumed: kind == Some(HandshakeKind::Resumed),
            version: match version {
                Some(ProtocolVersion::TLSv1_3) => Version::Tls13,
                _ => Version::Tls12,
            },
            client,
        })
    }
}

/// Does what rustls asks for next; true once that is to wait for the peer, or
/// nothing. Also says how much of what has arrived is used up.
fn step<D>(
    status: UnbufferedStatus<'_, '_, D>,
    ahead: &mut Ahead,
    out: &mut Vec<u8>,
) -> (usize, Result<bool, Fault>) {
    let UnbufferedStatus { discard, state, .. } = status;
    let waits = match state {
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            append(out, |room| data.encode(room)).map(|()| false)
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(false)
        }
        Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
            match traffic.next_record() {
                Some(Ok(record)) => ahead.plain.extend_from_slice(record.payload),
                Some(Err(error)) => break Err(error.into()),
                None => break Ok(false),
            }
        },
        Ok(ConnectionState::PeerClosed) => {
            ahead.has_ended = true;
            Ok(false)
        }
        // Waits for the peer, or is done. Early data is never offered.
        Ok(_) => Ok(true),
        Err(error) => Err(error.into()),
    };
    (discard, waits)
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
