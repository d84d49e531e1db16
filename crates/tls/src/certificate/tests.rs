use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;
use crate::ServerAuthorities;
use crate::ocsp::tests::response;

struct Made {
    chain: String,
    key: String,
    issuer: String,
}

fn made(names: &[&str]) -> Made {
    made_by("an authority", names)
}

fn made_by(authority_name: &str, names: &[&str]) -> Made {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let name = &mut authority.distinguished_name;
    name.push(rcgen::DnType::CommonName, authority_name);
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
    let cut = made.chain.replace("-----END CERTIFICATE-----", "");
    let reversed = format!("{}{}", made.issuer, made.chain);
    let encrypted = made.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    for (chain, key, expected) in [
        ("", &*made.key, "there is no certificate in the file"),
        ("text", &made.key, "there is no certificate in the file"),
        (&made.key, &made.key, "there is no certificate in the file"),
        (&broken, &made.key, "the certificate file is not PEM"),
        (
            &cut,
            &made.key,
            "the certificate file is not PEM: there is no `-----END CERTIFICATE-----`: it is cut off",
        ),
        (
            &reversed,
            &made.key,
            "the certificates are in the wrong order",
        ),
        (
            &made.key,
            &made.chain,
            "there is no certificate in the file, but a private key",
        ),
        (&made.chain, &encrypted, "the private key is encrypted"),
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
    let made = made(&["a.test"]);
    let whole = format!("{}{}", made.chain, made.issuer);
    let read = |chain: &str| Certificate::read(chain.as_bytes(), made.key.as_bytes()).unwrap();
    let (whole, alone) = (read(&whole), read(&made.chain));
    assert_eq!(whole.names(), ["a.test"]);
    let end = whole.not_after();
    assert_eq!(whole.doubts(end - SOON - 1), []);
    assert_eq!(whole.doubts(end - SOON), [Doubt::ExpiresSoon(end)]);
    assert_eq!(whole.doubts(end), [Doubt::ExpiresSoon(end)]);
    assert_eq!(whole.doubts(end + 1), [Doubt::Expired(end)]);
    let start = whole.not_before();
    assert_eq!(whole.doubts(start - 1), [Doubt::NotYetValid(start)]);
    let [Doubt::IncompleteChain(issuer)] = &*alone.doubts(start) else {
        panic!("{:?}", alone.doubts(start));
    };
    assert!(issuer.to_string().ends_with("CN=an authority"), "{issuer}");
    let authorities = |pem: &str| ServerAuthorities::read(pem.as_bytes()).unwrap();
    assert!(authorities(&made.issuer).include(issuer));
    let other = super::tests::made(&["a.test"]).chain;
    assert!(!authorities(&other).include(issuer));
    assert_ne!(whole.fingerprint(), alone.fingerprint());
    // It is there, but behind another one.
    let other = made_by("another", &["a.test"]).issuer;
    let disorder = read(&[&*made.chain, &other, &made.issuer].concat());
    let doubts = disorder.doubts(start);
    assert!(matches!(&*doubts, [Doubt::IssuerLater(_)]), "{doubts:?}");
}

#[test]
fn names_of_issuers_are_shown_without_harm() {
    let long = "x".repeat(10_000);
    for (name, end) in [
        ("a\nERROR b", "CN=a?ERROR b"),
        ("\u{1b}[31mred\u{202e}", "CN=?[31mred?"),
        (&*long, "xxx..."),
    ] {
        let made = made_by(name, &["a.test"]);
        let read = Certificate::read(made.chain.as_bytes(), made.key.as_bytes()).unwrap();
        let doubts = read.doubts(read.not_before());
        let [Doubt::IncompleteChain(issuer)] = &*doubts else {
            panic!("{doubts:?}");
        };
        let shown = issuer.to_string();
        assert!(shown.ends_with(end) && shown.len() < 300, "{shown}");
    }
}

#[test]
fn an_answer_about_revocation_is_shown_for_as_long_as_it_is_current() {
    let made = made(&["a.test"]);
    let read = Certificate::read(made.chain.as_bytes(), made.key.as_bytes()).unwrap();
    let serial = &*read.facts.serial;
    let stapled = |response: Vec<u8>| read.clone().with_ocsp(response);
    let shows = |certificate: &Certificate, now| certificate.shown_at(now).ocsp.is_some();
    let doubts = |certificate: &Certificate, now| {
        let doubts = certificate.doubts(now).into_iter();
        doubts
            .filter(|doubt| doubt.is_of_staple())
            .collect::<Vec<_>>()
    };
    let good = stapled(response(serial, Some("20260201000000Z"), 0)).unwrap();
    let end = good.staple_until().unwrap();
    assert_eq!(crate::date(end), "2026-02-01 00:00 UTC");
    assert!(shows(&good, end) && !shows(&good, end + 1));
    assert_eq!(doubts(&good, end), []);
    assert_eq!(doubts(&good, end + 1), [Doubt::StapleExpired(end)]);
    assert_ne!(read.fingerprint(), good.fingerprint());
    let revoked = stapled(response(serial, None, 1)).unwrap();
    assert!(shows(&revoked, i64::MAX));
    assert_eq!(doubts(&revoked, end), [Doubt::StapleNotGood]);
    let foreign = stapled(response(&[1, 2, 3], None, 0));
    assert_eq!(foreign.unwrap_err(), StapleFault::OfOthers);
    let pem = stapled(made.chain.into_bytes());
    assert_eq!(pem.unwrap_err(), StapleFault::Malformed);
}
