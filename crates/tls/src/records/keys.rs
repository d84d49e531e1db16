//! One direction: its key, and the number of the next record.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rustls::ConnectionTrafficSecrets;

use crate::Fault;
use crate::fault::Alert;

/// Type, version, length.
pub(super) const HEADER: usize = 5;
pub(super) const TAG: usize = 16;
/// How much longer than what it carries a record may be (RFC 8446 section
/// 5.2; RFC 5246 section 6.2.3 has 2,048, of which no AEAD needs more).
pub(super) const EXPANSION: usize = 256;

/// The part of a nonce that TLS 1.2 sends along with AES-GCM (RFC 5288).
const EXPLICIT: usize = 8;
const NONCE: usize = 12;

pub(super) struct Half {
    key: LessSafeKey,
    iv: [u8; NONCE],
    /// Of the next record.
    number: u64,
    form: Form,
    /// Number of the first record under this key.
    first: u64,
}

/// How a record is built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Tls13,
    /// TLS 1.2: the nonce is the number of the record.
    Tls12,
    /// TLS 1.2: half of the nonce goes along.
    Tls12Explicit,
}

impl Half {
    pub(super) fn new(
        (number, secrets): (u64, ConnectionTrafficSecrets),
        is_tls13: bool,
    ) -> Result<Self, Fault> {
        type Secrets = ConnectionTrafficSecrets;
        let (algorithm, key, iv) = match &secrets {
            Secrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            Secrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            Secrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(internal("an unknown cipher")),
        };
        let form = match (is_tls13, &secrets) {
            (true, _) => Form::Tls13,
            (false, Secrets::Chacha20Poly1305 { .. }) => Form::Tls12,
            (false, _) => Form::Tls12Explicit,
        };
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| internal("a wrong key"))?;
        Ok(Self {
            key: LessSafeKey::new(key),
            iv: iv.as_ref().try_into().map_err(|_| internal("a wrong IV"))?,
            number,
            form,
            first: number,
        })
    }

    /// Records made with this key.
    pub(super) fn made(&self) -> u64 {
        self.number - self.first
    }

    /// Decrypts a whole record, appends what it carries to `plain`, and returns
    /// of what type that is.
    pub(super) fn open(&mut self, record: &[u8], plain: &mut Vec<u8>) -> Result<u8, Fault> {
        let (header, sealed) = record.split_at_checked(HEADER).ok_or_else(short)?;
        let (nonce, sealed) = match self.form {
            Form::Tls12Explicit => {
                let (explicit, sealed) = sealed.split_at_checked(EXPLICIT).ok_or_else(short)?;
                let mut nonce = self.iv;
                nonce[NONCE - EXPLICIT..].copy_from_slice(explicit);
                (nonce, sealed)
            }
            Form::Tls13 | Form::Tls12 => (self.nonce(), sealed),
        };
        let length = sealed.len().checked_sub(TAG).ok_or_else(short)?;
        let (sealed, tag) = sealed.split_at(length);
        let kind = header.first().copied().unwrap_or_default();
        let before = plain.len();
        plain.resize(before + length, 0);
        let room = plain.get_mut(before..).unwrap_or_default();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = match self.form {
            Form::Tls13 => {
                let aad = Aad::from(header);
                self.key.open_separate_gather(nonce, aad, sealed, tag, room)
            }
            Form::Tls12 | Form::Tls12Explicit => {
                let aad = Aad::from(self.described(kind, length));
                self.key.open_separate_gather(nonce, aad, sealed, tag, room)
            }
        };
        if opened.is_err() {
            plain.truncate(before);
            return Err(Fault::new(
                Alert::BadRecordMac,
                "a record cannot be decrypted",
            ));
        }
        self.number += 1;
        if self.form != Form::Tls13 {
            return Ok(kind);
        }
        // What it carries, its type, and zeros up to a length of the peer's choice.
        let end = plain
            .get(before..)
            .unwrap_or_default()
            .iter()
            .rposition(|byte| *byte != 0);
        let Some(end) = end else {
            plain.truncate(before);
            return Err(Fault::new(
                Alert::UnexpectedMessage,
                "a record without a type",
            ));
        };
        let kind = plain.get(before + end).copied().unwrap_or_default();
        plain.truncate(before + end);
        Ok(kind)
    }

    /// Appends a record that carries `parts` one after another to `out`.
    pub(super) fn seal(
        &mut self,
        kind: u8,
        parts: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let nonce = self.nonce();
        let (outer, carried, explicit) = match self.form {
            Form::Tls13 => (super::APPLICATION_DATA, length + 1, &[][..]),
            Form::Tls12 => (kind, length, &[][..]),
            Form::Tls12Explicit => (kind, length, &nonce[NONCE - EXPLICIT..]),
        };
        let [high, low] = ((explicit.len() + carried + TAG) as u16).to_be_bytes();
        let header = [outer, 3, 3, high, low];
        out.extend_from_slice(&header);
        out.extend_from_slice(explicit);
        let before = out.len();
        for part in parts {
            out.extend_from_slice(part);
        }
        if self.form == Form::Tls13 {
            out.push(kind);
        }
        let carried = out.get_mut(before..).unwrap_or_default();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = match self.form {
            Form::Tls13 => {
                let aad = Aad::from(header);
                self.key.seal_in_place_separate_tag(nonce, aad, carried)
            }
            Form::Tls12 | Form::Tls12Explicit => {
                let aad = Aad::from(self.described(kind, length));
                self.key.seal_in_place_separate_tag(nonce, aad, carried)
            }
        };
        let tag = tag.map_err(|_| internal("a record cannot be encrypted"))?;
        out.extend_from_slice(tag.as_ref());
        self.number += 1;
        Ok(())
    }

    /// RFC 8446 section 5.3.
    fn nonce(&self) -> [u8; NONCE] {
        let mut nonce = self.iv;
        let number = self.number.to_be_bytes();
        for (byte, of_number) in nonce.iter_mut().skip(NONCE - number.len()).zip(number) {
            *byte ^= of_number;
        }
        nonce
    }

    /// What TLS 1.2 protects beside what a record carries (RFC 5246 section 6.2.3.3).
    fn described(&self, kind: u8, length: usize) -> [u8; 13] {
        let [a, b, c, d, e, f, g, h] = self.number.to_be_bytes();
        let [high, low] = (length as u16).to_be_bytes();
        [a, b, c, d, e, f, g, h, kind, 3, 3, high, low]
    }
}

fn short() -> Fault {
    Fault::new(Alert::DecodeError, "a record is too short")
}

fn internal(why: &str) -> Fault {
    Fault::new(Alert::InternalError, why)
}
