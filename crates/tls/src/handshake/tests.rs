use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, version};

use crate::{Certificate, ClientAuthorities, Fault, Reason, Server, ServerOptions};

struct Sides {
    server: Server,
    /// One that shows a certificate, and one that does not.
    clients: [Arc<ClientConfig>; 2],
}

static SIDES: LazyLock<Sides> = LazyLock::new(|| {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    let chain = params.signed_by(&key, &issuer).unwrap().pem();
    let key = key.serialize_pem();
    let options = ServerOptions {
        clients: Some(ClientAuthorities::read(authority_pem.as_bytes(), true).unwrap()),
        ..ServerOptions::default()
    };
    let certificate = Certificate::read(chain.as_bytes(), key.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority_pem.as_bytes()).unwrap();
    roots.add(root).unwrap();
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS12, &version::TLS13])
            .unwrap()
            .with_root_certificates(roots.clone())
    };
    let shown = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    let shown_key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let with = builder().with_client_auth_cert(vec![shown], shown_key);
    Sides {
        server: Server::new(vec![certificate], &options).unwrap(),
        clients: [
            Arc::new(with.unwrap()),
            Arc::new(builder().with_no_client_auth()),
        ],
    }
});

/// Shakes hands with what the client sends changed, `step` bytes at a time;
/// what the server sends last is returned with what came of it.
fn shake(
    client: usize,
    step: usize,
    mut change: impl FnMut(&mut Vec<u8>),
) -> (Result<bool, Fault>, Vec<u8>) {
    let name = ServerName::try_from("a.test").unwrap();
    let config = Arc::clone(&SIDES.clients[client]);
    let mut client = ClientConnection::new(config, name).unwrap();
    let mut handshake = SIDES.server.handshake().unwrap();
    let (mut arrived, mut at) = (Vec::new(), 0);
    loop {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        if sent.is_empty() {
            return (Ok(false), Vec::new());
        }
        change(&mut sent);
        let mut out = Vec::new();
        for piece in sent.chunks(step) {
            arrived.extend_from_slice(piece);
            let done = handshake.advance(&mut arrived, &mut at, &mut out);
            assert!(at <= arrived.len());
            if done != Ok(false) {
                return (done, out);
            }
        }
        let mut rest = &out[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            // It may have been told of the change by an alert.
            if client.process_new_packets().is_err() {
                return (Ok(false), Vec::new());
            }
        }
    }
}

#[test]
fn who_shows_no_certificate_is_told_so_whatever_the_packets_were() {
    for step in [1, 7, 100, usize::MAX] {
        assert_eq!(shake(0, step, |_| {}).0, Ok(true), "{step}");
        // The rest of its last message is in the same record as what is refused.
        let (refused, out) = shake(1, step, |_| {});
        assert_eq!(refused.unwrap_err().reason(), Reason::NoClientCertificate);
        assert!(!out.is_empty(), "{step}");
    }
}

proptest! {
    #[test]
    fn nothing_that_a_client_sends_makes_it_panic(
        client in 0..2_usize,
        flight in 0..3_usize,
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        step in prop_oneof![Just(usize::MAX), 1..200_usize],
    ) {
        let mut number = 0;
        // Whatever comes of it.
        let _ = shake(client, step, |sent| {
            if number == flight {
                for (place, byte) in &places {
                    let place = place.index(sent.len());
                    sent[place] = *byte;
                }
                if let Some(cut) = cut {
                    let from = cut.index(sent.len());
                    let rest = sent.split_off(from);
                    sent.extend_from_slice(&rest[rest.len() / 2..]);
                }
            }
            number += 1;
        });
    }
}
