//! The record layer after the handshake (RFC 8446 section 5, RFC 5246 section
//! 6.2): application data, and the few messages that may still come between.

mod keys;

use std::io::IoSlice;

use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;
use rustls::{ExtractedSecrets, ProtocolVersion};

use crate::Fault;
use crate::fault::Alert;
use keys::{HEADER, Half, TAG};

/// How much one record carries at most.
pub const RECORD: usize = 16 * 1024;

/// Records in a row that carry nothing but cost work.
const MAX_IDLE: u32 = 32;

/// After this many records the key is changed; AES-GCM allows for 2^24.5 (RFC
/// 8446 section 5.5).
const KEY_LASTS: u64 = 1 << 23;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const HELLO_REQUEST: u8 = 0;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

/// How long a session ticket may be, with what goes with it.
const LONGEST_TICKET: usize = 64 * 1024;

/// What is left of the handshake: the keys to come.
pub(crate) enum Kernel {
    Server(Box<KernelConnection<ServerConnectionData>>),
    Client(Box<KernelConnection<ClientConnectionData>>),
}

/// Both directions of one connection. Holds keys and, but for what came right
/// behind the handshake, no bytes.
pub struct Records {
    rx: Half,
    tx: Half,
    is_tls13: bool,
    kernel: Kernel,
    ahead: Vec<u8>,
    /// The beginning of a session ticket whose end is in further records.
    ticket: Vec<u8>,
    /// Records since the last one that carried something.
    idle: u32,
    has_ended: bool,
    has_said_end: bool,
}

/// What a look at what has arrived has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Plaintext, which was appended.
    Plain,
    /// No whole record.
    Starving,
    /// The peer's word that nothing more will come.
    End,
}

impl Records {
    pub(crate) fn new(secrets: ExtractedSecrets, kernel: Kernel) -> Result<Self, Fault> {
        let is_tls13 = kernel.version() == ProtocolVersion::TLSv1_3;
        Ok(Self {
            rx: Half::new(secrets.rx, is_tls13)?,
            tx: Half::new(secrets.tx, is_tls13)?,
            is_tls13,
            kernel,
            ahead: Vec::new(),
            ticket: Vec::new(),
            idle: 0,
            has_ended: false,
            has_said_end: false,
        })
    }

    pub(crate) fn has_come_ahead(&mut self, plain: Vec<u8>, has_ended: bool) {
        self.ahead = plain;
        self.has_ended = has_ended;
    }

    /// Decrypts whole records from `arrived`, from `*at` on, and appends what
    /// they carry to `plain` for as long as another record surely fits into its
    /// capacity, or until one has been decrypted. What has to be sent for it is
    /// appended to `out`, also if it fails.
    pub fn open(
        &mut self,
        arrived: &[u8],
        at: &mut usize,
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Step, Fault> {
        let before = plain.len();
        if !self.ahead.is_empty() {
            plain.append(&mut std::mem::take(&mut self.ahead));
        }
        if let Err(fault) = self.open_records(arrived, at, plain, out) {
            self.tell(&fault, out);
            return Err(fault);
        }
        match (plain.len() > before, self.has_ended) {
            (true, _) => Ok(Step::Plain),
            (false, true) => Ok(Step::End),
            (false, false) => Ok(Step::Starving),
        }
    }

    fn open_records(
        &mut self,
        arrived: &[u8],
        at: &mut usize,
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let before = plain.len();
        while !self.has_ended {
            let has_some = plain.len() > before;
            if has_some && plain.capacity() - plain.len() < RECORD + keys::EXPANSION {
                break;
            }
            let rest = arrived.get(*at..).unwrap_or_default();
            let Some(record) = next_record(rest, self.is_tls13)? else {
                break;
            };
            *at += record.len();
            self.open_record(record, plain, out)?;
        }
        Ok(())
    }

    fn open_record(
        &mut self,
        record: &[u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let before = plain.len();
        let kind = self.rx.open(record, plain)?;
        let length = plain.len() - before;
        if length > RECORD {
            return Err(Fault::new(
                Alert::RecordOverflow,
                "a record carries too much",
            ));
        }
        if kind == APPLICATION_DATA && length > 0 {
            self.idle = 0;
            return Ok(());
        }
        self.idle += 1;
        if self.idle > MAX_IDLE {
            let why = "the peer sends records that carry nothing";
            return Err(Fault::new(Alert::UnexpectedMessage, why));
        }
        let message = plain.split_off(before);
        match kind {
            APPLICATION_DATA => Ok(()),
            ALERT => self.alerted(&message),
            HANDSHAKE => self.told(&message, out),
            other => Err(unexpected(&format!("a record of type {other}"))),
        }
    }

    fn alerted(&mut self, message: &[u8]) -> Result<(), Fault> {
        const CLOSE_NOTIFY: u8 = 0;
        const USER_CANCELED: u8 = 90;
        const WARNING: u8 = 1;
        match *message {
            [_, CLOSE_NOTIFY] => {
                self.has_ended = true;
                Ok(())
            }
            [_, USER_CANCELED] => Ok(()),
            [WARNING, _] if !self.is_tls13 => Ok(()),
            [_, code] => Err(Fault::told(format!("the peer ended TLS with alert {code}"))),
            _ => Err(Fault::new(
                Alert::DecodeError,
                "an alert of the wrong length",
            )),
        }
    }

    /// A message of the handshake protocol.
    fn told(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let is_client = matches!(self.kernel, Kernel::Client(_));
        match message {
            // Alone in its record, and whole (RFC 8446 section 5.1).
            [KEY_UPDATE, ..] if self.is_tls13 && self.ticket.is_empty() => {
                self.update_keys(message, out)
            }
            _ if self.is_tls13 && is_client => self.take_tickets(message),
            // May be ignored (RFC 5246 section 7.4.1.1).
            [HELLO_REQUEST, 0, 0, 0] if is_client => Ok(()),
            [kind, ..] => Err(unexpected(&format!("handshake message {kind}"))),
            [] => Ok(()),
        }
    }

    /// Session tickets, of which a record may have several or a part (RFC 8446
    /// sections 4.6.1 and 5.1). They are kept for the next handshake.
    fn take_tickets(&mut self, message: &[u8]) -> Result<(), Fault> {
        self.ticket.extend_from_slice(message);
        while let Some(&[kind, lengths @ ..]) = self.ticket.first_chunk::<4>() {
            if kind != NEW_SESSION_TICKET {
                return Err(unexpected(&format!("handshake message {kind}")));
            }
            let length = lengths.iter().fold(0, |sum, &n| sum << 8 | usize::from(n));
            if length > LONGEST_TICKET {
                return Err(Fault::new(Alert::DecodeError, "a ticket is too long"));
            }
            let Some(ticket) = self.ticket.get(4..4 + length) else {
                return Ok(());
            };
            self.kernel.take_ticket(ticket)?;
            self.ticket.drain(..4 + length);
        }
        if self.ticket.is_empty() {
            self.ticket = Vec::new();
        }
        Ok(())
    }

    fn update_keys(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let is_wanted = match *message {
            [KEY_UPDATE, 0, 0, 1, wanted @ (0 | 1)] => wanted == 1,
            _ => return Err(Fault::new(Alert::DecodeError, "a wrong key update")),
        };
        self.rx = self.kernel.next_rx()?;
        if is_wanted {
            self.change_key(out)?;
        }
        Ok(())
    }

    /// Goes over to the next key for what is sent.
    fn change_key(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.tx.seal(HANDSHAKE, &[&[KEY_UPDATE, 0, 0, 1, 0]], out)?;
        self.tx = self.kernel.next_tx()?;
        Ok(())
    }

    /// Appends records to `out` that carry the first bytes of `pieces`, up to
    /// `most` of them; returns how many.
    pub fn seal(
        &mut self,
        pieces: &[IoSlice<'_>],
        most: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, Fault> {
        let mut sealed = 0;
        let mut pieces = pieces.iter().map(|piece| &**piece);
        let mut piece: &[u8] = &[];
        loop {
            if self.tx.made() >= KEY_LASTS {
                if !self.is_tls13 {
                    return Err(Fault::new(Alert::InternalError, "the key has been used up"));
                }
                self.change_key(out)?;
            }
            // A record is filled from as many pieces as it takes.
            let mut parts: [&[u8]; 4] = [&[]; 4];
            let mut room = RECORD.min(most - sealed);
            for part in &mut parts {
                while piece.is_empty() {
                    match pieces.next() {
                        Some(next) => piece = next,
                        None => break,
                    }
                }
                let (first, rest) = piece.split_at(piece.len().min(room));
                (*part, piece) = (first, rest);
                room -= first.len();
            }
            let length: usize = parts.iter().map(|part| part.len()).sum();
            if length == 0 {
                return Ok(sealed);
            }
            self.tx.seal(APPLICATION_DATA, &parts, out)?;
            sealed += length;
        }
    }

    /// Appends the word that nothing more will be sent, once.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_said_end, true) {
            // Without it the end of the stream says the same.
            let _ = self.tx.seal(ALERT, &[&[1, 0]], out);
        }
    }

    fn tell(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        const FATAL: u8 = 2;
        if let Some(alert) = fault.alert
            && !std::mem::replace(&mut self.has_said_end, true)
        {
            let _ = self.tx.seal(ALERT, &[&[FATAL, alert as u8]], out);
        }
    }
}

fn unexpected(what: &str) -> Fault {
    Fault::new(Alert::UnexpectedMessage, format!("unexpected {what}"))
}

/// The first record, once all of it is there.
fn next_record(arrived: &[u8], is_tls13: bool) -> Result<Option<&[u8]>, Fault> {
    let Some(&[kind, 3, _, high, low]) = arrived.first_chunk::<HEADER>() else {
        return match arrived.get(1) {
            Some(version) if *version != 3 => Err(unexpected("bytes that are no record")),
            _ => Ok(None),
        };
    };
    let is_known = match is_tls13 {
        true => kind == APPLICATION_DATA,
        false => (ALERT..=APPLICATION_DATA).contains(&kind),
    };
    if !is_known {
        return Err(unexpected(&format!("record of type {kind}")));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > RECORD + keys::EXPANSION {
        return Err(Fault::new(Alert::RecordOverflow, "a record is too long"));
    }
    if length < TAG {
        return Err(Fault::new(Alert::DecodeError, "a record is too short"));
    }
    Ok(arrived.get(..HEADER + length))
}

impl Kernel {
    fn version(&self) -> ProtocolVersion {
        match self {
            Self::Server(kernel) => kernel.protocol_version(),
            Self::Client(kernel) => kernel.protocol_version(),
        }
    }

    fn next_rx(&mut self) -> Result<Half, Fault> {
        let secrets = match self {
            Self::Server(kernel) => kernel.update_rx_secret()?,
            Self::Client(kernel) => kernel.update_rx_secret()?,
        };
        Half::new(secrets, true)
    }

    fn next_tx(&mut self) -> Result<Half, Fault> {
        let secrets = match self {
            Self::Server(kernel) => kernel.update_tx_secret()?,
            Self::Client(kernel) => kernel.update_tx_secret()?,
        };
        Half::new(secrets, true)
    }

    fn take_ticket(&mut self, ticket: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Server(_) => Err(unexpected("session ticket")),
            Self::Client(kernel) => Ok(kernel.handle_new_session_ticket(ticket)?),
        }
    }
}

#[cfg(test)]
mod tests;
