use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;

struct Made {
    chain: String,
    key: String,
    issuer: String,
}

fn made(names: &[&str]) -> Made {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let name = &mut authority.distinguished_name;
    name.push(rcgen::DnType::CommonName, "an authority");
    let authority_key = KeyPair::generate().unwrap();
    let issuer_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let chain = params.signed_by(&key, &issuer).unwrap().pem();
    Made {
        chain,
        key: key.serialize_pem(),
        issuer: issuer_pem,
    }
}

#[test]
fn each_fault_is_told_by_its_name() {
    let made = made(&["a.test"]);
    let other = KeyPair::generate().unwrap().serialize_pem();
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let broken = made.chain.replace('M', "!");
    for (chain, key, expected) in [
        ("", &*made.key, "there is no certificate in the file"),
        ("text", &made.key, "there is no certificate in the file"),
        (&made.key, &made.key, "there is no certificate in the file"),
        (&broken, &made.key, "the certificate file is not PEM"),
        (no_der, &made.key, "what is in the file is no certificate"),
        (&made.chain, "", "there is no private key in the file"),
        (
            &made.chain,
            &made.chain,
            "there is no private key in the file",
        ),
        (
            &made.chain,
            &made.key.replace('M', "!"),
            "the key file is not PEM",
        ),
        (
            &made.chain,
            &other,
            "the private key is not the one of the certificate",
        ),
    ] {
        let fault = Certificate::read(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(
            fault.to_string().starts_with(expected),
            "{fault}: {expected}"
        );
    }
}

#[test]
fn what_clients_may_hold_against_it_is_known() {
    const YEAR: i64 = 366 * 24 * 3600;
    let made = made(&["a.test"]);
    let whole = format!("{}{}", made.chain, made.issuer);
    let read = |chain: &str| Certificate::read(chain.as_bytes(), made.key.as_bytes()).unwrap();
    let (whole, alone) = (read(&whole), read(&made.chain));
    assert_eq!(whole.names(), ["a.test"]);
    let end = whole.not_after();
    assert_eq!(whole.doubts(end), []);
    assert_eq!(whole.doubts(end + 1), [Doubt::Expired]);
    assert_eq!(whole.doubts(end - 11 * YEAR), [Doubt::NotYetValid]);
    assert_eq!(alone.doubts(end), [Doubt::IncompleteChain]);
    assert_ne!(whole.fingerprint(), alone.fingerprint());
    let stapled = whole.clone().with_ocsp(vec![1]);
    assert_ne!(whole.fingerprint(), stapled.fingerprint());
}
