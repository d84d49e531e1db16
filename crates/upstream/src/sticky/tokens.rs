use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{hmac, rand};

use crate::Backend;

/// What tokens are made with. Never shown.
#[derive(Clone)]
pub struct Secret {
    key: hmac::Key,
    /// What it is made of, where it was made up.
    made_up: Option<[u8; 32]>,
}

impl Secret {
    /// From the settings: the same in every Forebay that has it.
    pub fn of(text: &str) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()),
            made_up: None,
        }
    }

    /// One that nobody knows. None where the system has no randomness to give.
    pub fn random() -> Option<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).ok()?;
        Some(Self::made_up(bytes))
    }

    /// One that was made up before, by another process.
    pub fn made_up(bytes: [u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &bytes),
            made_up: Some(bytes),
        }
    }

    /// What it is made of, for a process that takes over; none where the
    /// settings have it.
    pub fn bytes(&self) -> Option<[u8; 32]> {
        self.made_up
    }

    /// What tells it from another without giving it away; none for one that
    /// was made up, which no other can be compared with.
    pub fn fingerprint(&self) -> Option<Box<str>> {
        // No token is the signature of so short a text.
        let signature = || hmac::sign(&self.key, b"mark");
        self.made_up.is_none().then(|| hex(signature().as_ref(), 8))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A token for each backend of a group: the signature of its name (HMAC-SHA256,
/// 128 bits), without the name. So nobody can make one up, and nobody learns
/// from one what is behind Forebay.
#[derive(Debug)]
pub struct Tokens {
    tokens: Box<[Box<str>]>,
    indices: HashMap<Box<str>, usize>,
    fingerprint: Option<Box<str>>,
}

impl Tokens {
    pub fn new(secret: &Secret, group: &str, backends: &[Arc<Backend>]) -> Self {
        let tokens: Box<[Box<str>]> = backends
            .iter()
            .map(|backend| token(secret, group, &backend.url))
            .collect();
        let indices = tokens.iter().cloned().zip(0..).collect();
        Self {
            tokens,
            indices,
            fingerprint: secret.fingerprint(),
        }
    }

    /// What tells the secret from another; none where it was made up.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// The backend that a token names.
    pub fn find(&self, token: &[u8]) -> Option<usize> {
        let token = std::str::from_utf8(token).ok()?;
        self.indices.get(token).copied()
    }

    /// The token that names a backend.
    pub fn of(&self, index: usize) -> Option<&str> {
        self.tokens.get(index).map(|token| &**token)
    }
}

fn token(secret: &Secret, group: &str, url: &str) -> Box<str> {
    let mut signing = hmac::Context::with_key(&secret.key);
    // No group's name can run into a backend's.
    signing.update(&(group.len() as u64).to_be_bytes());
    signing.update(group.as_bytes());
    signing.update(url.as_bytes());
    hex(signing.sign().as_ref(), 16)
}

/// The first bytes, as digits.
fn hex(bytes: &[u8], count: usize) -> Box<str> {
    let bytes = bytes.iter().take(count);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::tests::backends;

    #[test]
    fn a_token_names_its_backend_and_nothing_else_does() {
        let backends = backends(3);
        let secret = Secret::of("s");
        let tokens = Tokens::new(&secret, "api", &backends);
        for index in 0..3 {
            let token = tokens.of(index).unwrap();
            assert_eq!(token.len(), 32);
            assert_eq!(tokens.find(token.as_bytes()), Some(index));
            assert_eq!(tokens.find(token.to_uppercase().as_bytes()), None);
            assert_eq!(tokens.find(&token.as_bytes()[..31]), None);
        }
        assert_eq!(tokens.of(3), None);
        for forged in [&b""[..], b"0", b"\xff", b"http://10.0.0.0"] {
            assert_eq!(tokens.find(forged), None);
        }
    }

    #[test]
    fn tokens_depend_on_secret_group_and_backend_only() {
        let all = backends(2);
        let first = |secret: &Secret, group: &str| {
            let tokens = Tokens::new(secret, group, &all);
            tokens.of(0).unwrap().to_owned()
        };
        let (one, other) = (Secret::of("1"), Secret::of("2"));
        assert_eq!(first(&one, "api"), first(&Secret::of("1"), "api"));
        assert_ne!(first(&one, "api"), first(&other, "api"));
        assert_ne!(first(&one, "api"), first(&one, "web"));
        let turned: Vec<_> = all.iter().rev().cloned().collect();
        let turned = Tokens::new(&one, "api", &turned);
        assert_eq!(turned.of(1), Some(&*first(&one, "api")));
        let random = Secret::random().unwrap();
        assert_ne!(
            first(&random, "api"),
            first(&Secret::random().unwrap(), "api")
        );
        assert_eq!(format!("{random:?}"), "Secret");
    }

    #[test]
    fn secrets_have_a_fingerprint_unless_they_were_made_up() {
        let of = |secret: &Secret| {
            let tokens = Tokens::new(secret, "api", &backends(1));
            tokens.fingerprint().map(str::to_owned)
        };
        let one = of(&Secret::of("1")).unwrap();
        assert_eq!(one.len(), 16);
        assert_eq!(of(&Secret::of("1")), Some(one.clone()));
        assert_ne!(of(&Secret::of("2")), Some(one));
        assert_eq!(of(&Secret::random().unwrap()), None);
    }
}
