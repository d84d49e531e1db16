//! Tickets with which a client takes up an earlier session (RFC 8446 section
//! 4.6.1, RFC 5077): sealed by keys of which all workers have the same.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::fill;
use rustls::server::ProducesTickets;

use crate::Fault;

/// How many keys there are: one that seals and two before it.
const KEYS: usize = 3;
const NAME: usize = 16;
const SECRET: usize = 32;
/// A client may keep a ticket no longer than this (RFC 8446 section 4.6.1).
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// The keys that seal tickets: one set for all workers and listeners of the
/// process, over all reloads.
#[derive(Clone)]
pub struct Tickets(Arc<Shared>);

struct Shared {
    /// The newest first.
    keys: RwLock<Vec<Key>>,
}

struct Key {
    name: [u8; NAME],
    secret: [u8; SECRET],
    /// When it was made up, in seconds since 1970.
    since: u64,
    sealing: LessSafeKey,
}

impl Tickets {
    /// # Errors
    ///
    /// When the system has no random bytes.
    pub fn new() -> Result<Self, Fault> {
        Ok(Self::of(vec![Key::made_up(today())?]))
    }

    fn of(keys: Vec<Key>) -> Self {
        let keys = RwLock::new(keys);
        Self(Arc::new(Shared { keys }))
    }

    fn keys(&self) -> RwLockReadGuard<'_, Vec<Key>> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys as text, for a process that takes over: a secret.
    pub fn to_text(&self) -> String {
        let keys = self.keys();
        let line = |key: &Key| {
            let bytes = key.name.iter().chain(&key.secret);
            let digits: String = bytes.map(|byte| format!("{byte:02x}")).collect();
            format!("{}:{digits}", key.since)
        };
        let lines: Vec<String> = keys.iter().map(line).collect();
        lines.join(" ")
    }

    /// What [`Tickets::to_text`] has written; None where it is not.
    pub fn from_text(text: &str) -> Option<Self> {
        let keys: Option<Vec<Key>> = text.split(' ').take(KEYS).map(Key::read).collect();
        keys.map(Self::of)
    }

    /// Goes over to a new key if the newest is old enough.
    fn rotate(&self, now: u64, every: Duration) {
        let every = every.as_secs().max(1);
        let is_due = |keys: &[Key]| {
            let newest = keys.first();
            newest.is_none_or(|key| now.saturating_sub(key.since) >= every)
        };
        if !is_due(&self.keys()) {
            return;
        }
        let mut keys = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        if is_due(&keys)
            && let Ok(key) = Key::made_up(now)
        {
            keys.insert(0, key);
            // What was sealed long ago is not to be opened, however seldom somebody comes.
            let oldest = now.saturating_sub(every.saturating_mul(KEYS as u64));
            keys.retain(|key| key.since >= oldest);
            keys.truncate(KEYS);
        }
    }

    fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys();
        let key = keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce).ok()?;
        let mut sealed = Vec::with_capacity(NAME + NONCE_LEN + plain.len() + 16);
        sealed.extend_from_slice(&key.name);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let within = sealed.get_mut(NAME + NONCE_LEN..)?;
        let (nonce, aad) = (Nonce::assume_unique_for_key(nonce), Aad::from(bound_to));
        let tag = key.sealing.seal_in_place_separate_tag(nonce, aad, within);
        sealed.extend_from_slice(tag.ok()?.as_ref());
        Some(sealed)
    }

    fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = sealed.split_at_checked(NAME)?;
        let (nonce, within) = rest.split_at_checked(NONCE_LEN)?;
        let keys = self.keys();
        let key = keys.iter().find(|key| key.name == name)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut within = within.to_vec();
        let plain = key
            .sealing
            .open_in_place(nonce, Aad::from(bound_to), &mut within);
        let length = plain.ok()?.len();
        within.truncate(length);
        Some(within)
    }
}

/// Not the keys.
impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}

impl Key {
    fn made_up(since: u64) -> Result<Self, Fault> {
        let (mut name, mut secret) = ([0; NAME], [0; SECRET]);
        let filled = fill(&mut name).and_then(|()| fill(&mut secret));
        filled.map_err(|_| Fault::told("the system has no random bytes"))?;
        Self::of(name, secret, since).ok_or_else(|| Fault::told("a wrong key"))
    }

    fn of(name: [u8; NAME], secret: [u8; SECRET], since: u64) -> Option<Self> {
        let sealing = UnboundKey::new(&AES_256_GCM, &secret).ok()?;
        Some(Self {
            name,
            secret,
            since,
            sealing: LessSafeKey::new(sealing),
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (since, digits) = text.split_once(':')?;
        let mut bytes = [0; NAME + SECRET];
        if digits.len() != 2 * bytes.len() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        let (name, secret) = bytes.split_at(NAME);
        Self::of(
            name.try_into().ok()?,
            secret.try_into().ok()?,
            since.parse().ok()?,
        )
    }
}

/// A listener's use of the keys. A session says whose certificate a client has
/// shown, so its ticket is of use only where the same is asked of clients.
pub(crate) struct BoundTickets {
    pub(crate) tickets: Tickets,
    /// How long each key seals.
    pub(crate) rotation: Duration,
    pub(crate) bound_to: [u8; 32],
}

impl fmt::Debug for BoundTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundTickets")
    }
}

impl ProducesTickets for BoundTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        // The newest key may be about to become an old one.
        let lifetime = self.rotation.saturating_mul(KEYS as u32 - 1).min(LONGEST);
        u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let now = today();
        self.tickets.rotate(now, self.rotation);
        self.tickets.seal(plain, &self.bound_to)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let now = today();
        self.tickets.rotate(now, self.rotation);
        self.tickets.open(cipher, &self.bound_to)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "nobody can give it the time here, and keys go from process to process"
)]
fn today() -> u64 {
    let today = SystemTime::now().duration_since(UNIX_EPOCH);
    today.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
