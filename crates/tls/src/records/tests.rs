//! Records against rustls' own, which has the other end.

use std::io::{IoSlice, Read, Write};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, version};

use super::*;
use crate::client::Anybody;
use crate::{Agreed, Certificate, Handshake, Server, ServerOptions};

fn server() -> Server {
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificate = Certificate::read(chain.as_bytes(), key.as_bytes()).unwrap();
    let options = ServerOptions {
        protocols: vec!["h2", "http/1.1"],
        tickets: Some(crate::Tickets::new().unwrap()),
        ..ServerOptions::default()
    };
    Server::new(vec![certificate], &options).unwrap()
}

fn client(suite: Option<rustls::SupportedCipherSuite>) -> Arc<ClientConfig> {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(suite) = suite {
        provider.cipher_suites = vec![suite];
    }
    let provider = Arc::new(provider);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS12, &version::TLS13])
        .unwrap_or_else(|_| unreachable!())
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

struct Pair {
    client: ClientConnection,
    server: Records,
    is_resumed: bool,
}

/// Shakes hands, the client's bytes coming `step` at a time.
fn pair(server: &Server, config: &Arc<ClientConfig>, step: usize) -> Pair {
    let name = ServerName::try_from("a.test").unwrap();
    let mut client = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut handshake: Handshake = server.handshake().unwrap();
    let (mut arrived, mut at, mut out) = (Vec::new(), 0, Vec::new());
    loop {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        let mut is_done = false;
        for piece in sent.chunks(step) {
            assert!(!is_done);
            arrived.extend_from_slice(piece);
            is_done = handshake.advance(&mut arrived, &mut at, &mut out).unwrap();
            arrived.drain(..std::mem::take(&mut at));
        }
        let mut told = &out[..];
        while !told.is_empty() {
            client.read_tls(&mut told).unwrap();
            client.process_new_packets().unwrap();
        }
        out.clear();
        if is_done {
            break;
        }
    }
    assert!(arrived.is_empty() && !client.is_handshaking());
    let Agreed {
        records,
        protocol,
        is_resumed,
        ..
    } = handshake.finish().unwrap();
    assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]));
    Pair {
        client,
        server: records,
        is_resumed,
    }
}

impl Pair {
    fn up(&mut self, text: &[u8], step: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        let mut text = text;
        while !text.is_empty() {
            let n = self.client.writer().write(text).unwrap();
            text = &text[n..];
            while self.client.wants_write() {
                self.client.write_tls(&mut sent).unwrap();
            }
        }
        let mut out = Vec::new();
        let plain = self.arrive(&sent, step, &mut out).unwrap();
        self.take(&out);
        plain
    }

    /// What the server makes of bytes that come `step` at a time.
    fn arrive(&mut self, sent: &[u8], step: usize, out: &mut Vec<u8>) -> Result<Vec<u8>, Fault> {
        let (mut all, mut arrived, mut at) = (Vec::new(), Vec::new(), 0);
        for piece in sent.chunks(step) {
            arrived.extend_from_slice(piece);
            loop {
                let mut plain = Vec::with_capacity(20_000);
                let step = self.server.open(&arrived, &mut at, &mut plain, out)?;
                all.extend_from_slice(&plain);
                if step != Step::Plain {
                    break;
                }
            }
            arrived.drain(..std::mem::take(&mut at));
        }
        assert!(arrived.is_empty());
        Ok(all)
    }

    fn down(&mut self, pieces: &[&[u8]]) -> Vec<u8> {
        let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut out = Vec::new();
        self.server.seal(&pieces, usize::MAX, &mut out).unwrap();
        self.take(&out)
    }

    fn take(&mut self, mut out: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        while !out.is_empty() {
            self.client.read_tls(&mut out).unwrap();
            self.client.process_new_packets().unwrap();
            let mut plain = vec![0; 1 << 17];
            if let Ok(n) = self.client.reader().read(&mut plain) {
                all.extend_from_slice(&plain[..n]);
            }
        }
        all
    }
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

#[test]
fn every_cipher_carries_every_length_both_ways() {
    let suites = aws_lc_rs::ALL_CIPHER_SUITES.iter();
    // The certificate is an ECDSA one.
    for suite in suites.filter(|suite| !format!("{suite:?}").contains("RSA")) {
        let mut pair = pair(&server(), &client(Some(*suite)), usize::MAX);
        for length in [1, 2, 100, RECORD - 1, RECORD, RECORD + 1, 70_000] {
            let text = text(length);
            for step in [length.div_ceil(3).max(7), usize::MAX] {
                assert_eq!(pair.up(&text, step), text, "{suite:?} {length} up");
            }
            let (a, rest) = text.split_at(length / 3);
            let (b, c) = rest.split_at(rest.len() / 2);
            assert_eq!(pair.down(&[a, b, &[], c]), text, "{suite:?} {length} down");
        }
    }
}

#[test]
fn a_record_is_filled_from_several_pieces() {
    let mut pair = pair(&server(), &client(None), usize::MAX);
    let mut out = Vec::new();
    let pieces = [b"head".as_slice(), b"body"].map(IoSlice::new);
    assert_eq!(pair.server.seal(&pieces, usize::MAX, &mut out), Ok(8));
    assert_eq!(out.len(), HEADER + 8 + 1 + TAG);
    assert_eq!(pair.take(&out), b"headbody");
    out.clear();
    assert_eq!(pair.server.seal(&pieces, 6, &mut out), Ok(6));
    assert_eq!(pair.take(&out), b"headbo");
}

#[test]
fn a_handshake_may_come_byte_by_byte_and_a_session_be_resumed() {
    let (server, config) = (server(), client(None));
    assert!(!pair(&server, &config, 1).is_resumed);
    let mut again = pair(&server, &config, usize::MAX);
    assert!(again.is_resumed);
    assert_eq!(again.up(b"hello", 1), b"hello");
}

#[test]
fn keys_are_changed_when_the_peer_wants_it_and_when_they_are_used_up() {
    let mut pair = pair(&server(), &client(None), usize::MAX);
    for _ in 0..3 {
        pair.client.refresh_traffic_keys().unwrap();
        assert_eq!(pair.up(b"after", usize::MAX), b"after");
        assert_eq!(pair.down(&[b"answer"]), b"answer");
    }
    let mut out = Vec::new();
    pair.server.change_key(&mut out).unwrap();
    pair.take(&out);
    assert_eq!(pair.down(&[b"new key"]), b"new key");
}

#[test]
fn an_end_is_told_and_understood() {
    let mut pair = pair(&server(), &client(None), usize::MAX);
    let mut out = Vec::new();
    pair.server.close(&mut out);
    pair.server.close(&mut out);
    pair.take(&out);
    let mut plain = [0];
    assert_eq!(pair.client.reader().read(&mut plain).unwrap(), 0);

    pair.client.send_close_notify();
    let mut sent = Vec::new();
    pair.client.write_tls(&mut sent).unwrap();
    let (mut at, mut plain) = (0, Vec::new());
    let end = pair.server.open(&sent, &mut at, &mut plain, &mut out);
    assert_eq!(end, Ok(Step::End));
    // Whatever comes after it does not count.
    let end = pair.server.open(b"junk", &mut 0, &mut plain, &mut out);
    assert_eq!(end, Ok(Step::End));
}

#[test]
fn what_is_no_good_record_is_refused_with_an_alert() {
    type Alter = fn(&mut Vec<u8>);
    let bad: [(&str, Alter, &str); 6] = [
        ("altered", |r| r[HEADER] ^= 1, "decrypted"),
        (
            "cut",
            |r| {
                r.truncate(HEADER + 4);
                r[3] = 0;
                r[4] = 4;
            },
            "too short",
        ),
        ("too long", |r| r[3] = 0xff, "too long"),
        ("another version", |r| r[1] = 2, "no record"),
        ("another type", |r| r[0] = 22, "type 22"),
        (
            "plain text",
            |r| *r = b"GET / HTTP/1.1\r\n".to_vec(),
            "no record",
        ),
    ];
    for (name, alter, why) in bad {
        let mut pair = pair(&server(), &client(None), usize::MAX);
        pair.client.writer().write_all(b"hello").unwrap();
        let mut sent = Vec::new();
        pair.client.write_tls(&mut sent).unwrap();
        alter(&mut sent);
        let (mut at, mut plain, mut out) = (0, Vec::new(), Vec::new());
        let fault = pair
            .server
            .open(&sent, &mut at, &mut plain, &mut out)
            .unwrap_err();
        assert!(fault.to_string().contains(why), "{name}: {fault}");
        assert!(plain.is_empty() && !out.is_empty(), "{name}");
        pair.client.read_tls(&mut &out[..]).unwrap();
        let told = pair.client.process_new_packets().unwrap_err();
        assert!(
            matches!(told, rustls::Error::AlertReceived(_)),
            "{name}: {told}"
        );
    }
}

#[test]
fn empty_records_come_to_an_end() {
    let mut pair = pair(&server(), &client(None), usize::MAX);
    let mut sent = Vec::new();
    for _ in 0..=MAX_IDLE {
        pair.client.refresh_traffic_keys().unwrap();
        while pair.client.wants_write() {
            pair.client.write_tls(&mut sent).unwrap();
        }
    }
    let mut out = Vec::new();
    assert!(pair.arrive(&sent, usize::MAX, &mut out).is_err());
}

mod bytes {
    use super::*;

    /// Whatever comes: an error or nothing, never a panic, never plaintext.
    #[test]
    fn noise_is_refused() {
        let mut random = 1_u64;
        for round in 0..300 {
            let mut pair = pair(&server_once(), &config_once(), usize::MAX);
            let mut noise = vec![23, 3, 3];
            noise.extend((0..round % 90).map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (random >> 33) as u8
            }));
            let (mut at, mut plain, mut out) = (0, Vec::new(), Vec::new());
            let found = pair.server.open(&noise, &mut at, &mut plain, &mut out);
            assert!(matches!(found, Ok(Step::Starving) | Err(_)) && plain.is_empty());
        }
    }

    fn server_once() -> Server {
        static SERVER: std::sync::OnceLock<Server> = std::sync::OnceLock::new();
        SERVER.get_or_init(server).clone()
    }

    fn config_once() -> Arc<ClientConfig> {
        static CONFIG: std::sync::OnceLock<Arc<ClientConfig>> = std::sync::OnceLock::new();
        Arc::clone(CONFIG.get_or_init(|| client(None)))
    }
}
