//! `acme`: what it takes, and what comes of it.

use super::*;

/// A secure listener and a plain one; `acme` is line 1.
fn site(acme: &str, secure: &str, plain: &str) -> String {
    format!(
        "{acme}\nserver: {{ address: \"127.0.0.1:{secure} }}\n{plain}\nroutes: [ {{ id: a, backend_group: g }} ]\n{GROUP}"
    )
}

const ACME: &str = "acme: { storage: kept/, agree_to_terms: true }";
const SECURE: &str = "443\", tls: { certificates: [ { acme: [ A.test, b.test ] } ] }";
const PLAIN: &str = "listeners: [ { id: plain, address: \"127.0.0.1:80\" } ]";

#[test]
fn mistakes_are_told() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        (
            site("", SECURE, PLAIN),
            "2:70 nobody says which authority gives the certificate (add `acme: { storage: /var/lib/forebay/acme, agree_to_terms: true }` at the top level)",
        ),
        (
            site("acme: { storage: kept }", SECURE, PLAIN),
            "1:7 the authority gives nothing to those who do not agree to its terms (read them, and add `agree_to_terms: true`)",
        ),
        (
            site(
                "acme: { storage: kept, agree_to_terms: true, directory: \"https://ca/dir\" }",
                SECURE,
                PLAIN,
            ),
            "1:7 warning: the authority knows nobody to write to, and some refuse that (add `email: ops@example.com`)",
        ),
        (
            site(
                "acme: { storage: kept, agree_to_terms: true, staging: true, directory: \"https://ca/dir\", email: a@b }",
                SECURE,
                PLAIN,
            ),
            "1:55 `staging` is Let's Encrypt's, and `directory` names another authority",
        ),
        (
            site(
                "acme: { storage: kept, agree_to_terms: true, ca_file: none }",
                SECURE,
                PLAIN,
            ),
            "1:55 `none`: the file cannot be read: entity not found",
        ),
        (
            site(
                "acme: { storage: kept, agree_to_terms: true, external_account: { key_id: a, hmac_key: \"?\" } }",
                SECURE,
                PLAIN,
            ),
            "1:87 the key is not in base64url",
        ),
        (
            site(
                "acme: { storage: kept, agree_to_terms: true, challenge: http-01 }",
                SECURE,
                "",
            ),
            "1:57 no listener can answer: http-01 takes one without TLS (add `listeners: [ { address: \"0.0.0.0:80\" } ]`)",
        ),
        (
            site(
                ACME,
                "443\", tls: { client_certificates: require, client_ca_file: bytes, certificates: [ { acme: [ a.test ] } ] }",
                "",
            ),
            "1:7 no listener can answer the authority, which has no certificate to show (add `listeners: [ { address: \"0.0.0.0:80\", redirect_to_https: true } ]`)",
        ),
        (
            site(
                ACME,
                "443\", tls: { certificates: [ { acme: [ \"*.a.test\" ] } ] }",
                PLAIN,
            ),
            "2:70 expected the name of a host such as `www.example.com`, found the text \"*.a.test\" (a wildcard takes the challenge dns-01, which Forebay does not speak: name each host)",
        ),
        (
            site(
                ACME,
                "443\", tls: { certificates: [ { acme: [ a.test ] }, { acme: [ a.test, b.test ] } ] }",
                PLAIN,
            ),
            "2:92 two certificates have `a.test` first, for different hosts (a certificate is kept under its first host: begin with another)",
        ),
        (
            site(
                ACME,
                "443\", tls: { certificates: [ { acme: [ a.test ], cert_file: x, key_file: y } ] }",
                PLAIN,
            ),
            "2:70 a certificate is from files or from an authority, not from both (leave out `acme`, or all of `cert_file`, `key_file` and `ocsp_file`)",
        ),
        (
            site(
                ACME,
                "443\", tls: { certificates: [ { cert_file: x } ] }",
                PLAIN,
            ),
            "2:60 a certificate takes both `cert_file` and `key_file` (or `acme: [ example.com ]`, for one that Forebay gets itself)",
        ),
        (
            site(ACME, "443\"", PLAIN),
            "1:7 warning: no certificate is had from the authority (add `certificates: [ { acme: [ example.com ] } ]` to the `tls` of a listener)",
        ),
    ] {
        let (_, shown) = compiled(&text);
        if !shown.iter().any(|line| line == expected) {
            wrong.push(format!("{expected}\n{shown:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_challenge_is_one_that_a_listener_can_answer() {
    let other = "listeners: [ { id: plain, address: \"127.0.0.1:8080\" } ]";
    let elsewhere = SECURE.replace("443", "8443");
    for (secure, plain, expected) in [
        (SECURE, PLAIN, AcmeChallenge::Http01),
        (SECURE, other, AcmeChallenge::TlsAlpn01),
        (SECURE, "", AcmeChallenge::TlsAlpn01),
        (&elsewhere, other, AcmeChallenge::Http01),
        (&elsewhere, "", AcmeChallenge::TlsAlpn01),
    ] {
        let text = site(ACME, secure, plain);
        let (plan, shown) = compiled(&text);
        let acme = plan.and_then(|plan| plan.acme);
        assert_eq!(
            acme.map(|acme| acme.challenge),
            Some(expected),
            "{text}: {shown:?}"
        );
    }
}

#[test]
fn certificates_are_kept_by_authority_and_first_host() {
    let (plan, shown) = compiled(&site(ACME, SECURE, PLAIN));
    let plan = plan.expect("a plan");
    assert_eq!(shown, Vec::<String>::new());
    let acme = plan.acme.as_ref().expect("an authority");
    assert_eq!(
        &*acme.directory,
        "https://acme-v02.api.letsencrypt.org/directory"
    );
    let folder = "kept/acme-v02.api.letsencrypt.org-directory";
    assert_eq!(&*acme.folder, folder);
    let [certificate] = &*acme.certificates else {
        panic!("{:?}", acme.certificates);
    };
    assert_eq!(*certificate.names, ["a.test".into(), "b.test".into()]);
    let file = format!("{folder}/certificates/a.test.pem");
    assert_eq!(*certificate.file, *file);
    // There is none yet: the listener serves, and its file is watched.
    let tls = plan.listeners[0].tls.as_ref().expect("TLS");
    assert!(tls.certificates.is_empty());
    assert_eq!(tls.options.awaited, certificate.names);
    assert_eq!(plan.tls_files().collect::<Vec<_>>(), [&*file]);
}

#[test]
fn no_directory_leads_out_of_the_storage() {
    for directory in ["https://..", "https://../../x", "https://a/../../etc"] {
        let acme = format!(
            "acme: {{ storage: kept, agree_to_terms: true, email: a@b, directory: \"{directory}\" }}"
        );
        let (plan, shown) = compiled(&site(&acme, SECURE, PLAIN));
        let folder = plan.and_then(|plan| plan.acme).map(|acme| acme.folder);
        let label = folder
            .as_ref()
            .and_then(|folder| folder.strip_prefix("kept/"));
        let label = label.unwrap_or_else(|| panic!("{shown:?}"));
        assert!(!label.contains('/') && !label.starts_with('.'), "{label}");
    }
}
