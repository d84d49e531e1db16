use super::*;

fn certificate(names: &[&str], algorithm: &'static rcgen::SignatureAlgorithm) -> Certificate {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::CertificateParams::new(names).unwrap();
    let made = made.self_signed(&key).unwrap();
    Certificate::read(made.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
}

const ECDSA: &rcgen::SignatureAlgorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
const RSA: &rcgen::SignatureAlgorithm = &rcgen::PKCS_RSA_SHA256;
const BOTH: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::ECDSA_NISTP256_SHA256,
];

#[test]
fn an_exact_name_comes_before_a_wildcard_and_that_before_the_first() {
    let names: [&[&str]; 4] = [
        &["first.test"],
        &["*.a.test", "A.test"],
        &["x.a.test"],
        &["192.0.2.1", "*.com"],
    ];
    let all: Vec<_> = names
        .iter()
        .map(|names| certificate(names, ECDSA))
        .collect();
    let prints: Vec<_> = all.iter().map(Certificate::fingerprint).collect();
    let lenient = Choice::new(all.clone(), false, None);
    let strict = Choice::new(all, true, None);
    for (name, expected) in [
        (Some("first.test"), Some(0)),
        (Some("a.test"), Some(1)),
        (Some("y.a.test"), Some(1)),
        (Some("x.a.test"), Some(2)),
        // A wildcard stands for one label, and not for none.
        (Some("z.y.a.test"), None),
        (Some("b.test"), None),
        (Some("com"), None),
        (Some("b.com"), Some(3)),
        (Some("*.a.test"), Some(1)),
        (None, None),
    ] {
        let chosen = strict.choose(name, BOTH).map(Certificate::fingerprint);
        assert_eq!(
            chosen.as_ref(),
            expected.map(|at: usize| &prints[at]),
            "{name:?}"
        );
        let chosen = lenient.choose(name, BOTH).map(Certificate::fingerprint);
        assert_eq!(
            chosen.as_ref(),
            Some(&prints[expected.unwrap_or(0)]),
            "{name:?}"
        );
    }
}

#[test]
fn a_client_is_shown_what_it_can_check_and_what_costs_least() {
    let all = vec![
        certificate(&["a.test"], RSA),
        certificate(&["a.test"], ECDSA),
    ];
    let prints: Vec<_> = all.iter().map(Certificate::fingerprint).collect();
    let choice = Choice::new(all, false, None);
    for name in [Some("a.test"), None] {
        for (schemes, expected) in [
            (BOTH, 1),
            (&BOTH[..1], 0),
            (&BOTH[1..], 1),
            // Nothing goes; the handshake says so.
            (&[], 1),
        ] {
            let chosen = choice.choose(name, schemes).unwrap();
            assert_eq!(
                chosen.fingerprint(),
                prints[expected],
                "{name:?} {schemes:?}"
            );
        }
    }
}
