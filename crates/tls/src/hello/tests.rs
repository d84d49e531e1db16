use std::io::Read;
use std::sync::Arc;

use proptest::prelude::*;
use rustls::pki_types::ServerName;
use rustls::server::Acceptor;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;

/// What a real client says first: with keys against quantum computers.
fn hello(name: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// The same message in records of so many bytes.
fn split(hello: &[u8], size: usize) -> Vec<u8> {
    let pieces = hello[RECORD_FRAME..].chunks(size);
    pieces
        .flat_map(|piece| {
            let length = (piece.len() as u16).to_be_bytes();
            [&[22, 3, 1], &length[..], piece].concat()
        })
        .collect()
}

fn whole(name: &str) -> Result<Hello, NoHello> {
    Ok(Hello::Whole(Some(name.into())))
}

/// A hello without extensions, or with these.
fn old(extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 1];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[0, 0, 2, 0, 47, 1, 0]);
    body.extend_from_slice(extensions);
    let message = [&[1, 0, 0, body.len() as u8], &body[..]].concat();
    [&[22, 3, 1, 0, message.len() as u8], &message[..]].concat()
}

#[test]
fn names_are_found_however_it_is_cut() {
    let hello = hello("DB.example.com");
    assert!(hello.len() > 1400, "{}", hello.len());
    for size in [1, 7, 100, 1000, 16_384] {
        let records = split(&hello, size);
        assert_eq!(client_hello(&records), whole("db.example.com"), "{size}");
        for end in (0..records.len()).step_by(13) {
            let so_far = client_hello(&records[..end]);
            assert_eq!(so_far, Ok(Hello::Unfinished), "{size} {end}");
        }
        let more = [&records[..], b"\x14\x03\x03"].concat();
        assert_eq!(client_hello(&more), whole("db.example.com"), "{size}");
    }
}

#[test]
fn some_ask_for_no_name() {
    assert_eq!(client_hello(&hello("127.0.0.1")), Ok(Hello::Whole(None)));
    assert_eq!(client_hello(&old(b"")), Ok(Hello::Whole(None)));
    assert_eq!(client_hello(&old(&[0, 0])), Ok(Hello::Whole(None)));
}

#[test]
fn what_is_no_hello_is_refused_at_once() {
    let name = |name: &[u8]| {
        let length = name.len() as u8;
        let head = [
            0,
            length + 9,
            0,
            0,
            0,
            length + 5,
            0,
            length + 3,
            0,
            0,
            length,
        ];
        old(&[&head, name].concat())
    };
    assert_eq!(client_hello(&name(b"a.b")), whole("a.b"));
    for bytes in [
        b"GET / HTTP/1.1\r\n".to_vec(),
        b"SSH-2.0-x\r\n".to_vec(),
        vec![22, 2],
        vec![22, 3, 1, 0, 0],
        vec![22, 3, 1, 0x40, 1],
        vec![22, 3, 1, 0, 4, 2, 0, 0, 0],
        vec![22, 3, 1, 0, 4, 1, 1, 0, 0],
        old(&[0, 1]),
        old(&[0, 4, 0, 0, 0, 9]),
        old(&[0, 4, 0, 0, 0, 0]),
        name(b""),
        name(b"a b"),
        name(b"a\0b"),
        name("bücher.de".as_bytes()),
    ] {
        assert!(client_hello(&bytes).is_err(), "{bytes:?}");
    }
    // However long somebody goes on.
    let mut long = vec![22, 3, 1, 0x40, 0, 1, 0, 0x70, 0];
    long.resize(RECORD_FRAME + 16_384, 0);
    long.extend_from_slice(&[22, 3, 1, 0x40, 0]);
    long.resize(LONGEST_HELLO, 0);
    assert!(client_hello(&long).is_err());
}

/// As rustls reads it.
fn accepted(mut bytes: &[u8]) -> Option<Option<Box<str>>> {
    let mut acceptor = Acceptor::default();
    while !bytes.is_empty() {
        acceptor.read_tls(&mut bytes.by_ref()).ok()?;
        if let Some(accepted) = acceptor.accept().ok()? {
            let name = accepted.client_hello();
            return Some(name.server_name().map(Into::into));
        }
    }
    None
}

proptest! {
    #[test]
    fn any_bytes_are_answered_and_more_change_nothing(
        start in prop::sample::select(vec![vec![], vec![22, 3, 1], old(&[]), old(&[0, 9, 0, 0, 0, 5])]),
        rest: Vec<u8>,
    ) {
        let bytes = [start, rest].concat();
        let mut answer = Ok(Hello::Unfinished);
        for end in 0..=bytes.len() {
            let found = client_hello(&bytes[..end]);
            if answer != Ok(Hello::Unfinished) {
                prop_assert_eq!(&found, &answer);
            }
            answer = found;
        }
    }

    /// Whoever is passed on under a name asks the backend for the same one.
    #[test]
    fn rustls_reads_the_same_name(at: prop::sample::Index, byte: u8, size in 1usize..3000) {
        let mut hello = hello("a.example.com");
        let at = RECORD_FRAME + at.index(hello.len() - RECORD_FRAME);
        hello[at] = byte;
        let records = split(&hello, size);
        if let Some(name) = accepted(&records) {
            prop_assert_eq!(client_hello(&records), Ok(Hello::Whole(name)));
        }
    }
}
