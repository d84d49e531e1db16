//! TLS of listeners: certificates, what is offered, and what clients have to show.

use std::time::Duration;

use crate::span::Spanned;
use crate::value::form::{DNS_NAME, WORD};

choices! {
    /// A version of TLS.
    pub enum TlsVersion {
        /// RFC 5246.
        V12 = "1.2",
        /// RFC 8446.
        V13 = "1.3",
    }

    /// Whether clients are asked for certificates.
    pub enum ClientCertificates {
        /// They are not.
        Off = "off",
        /// Who shows one has to show a good one; nobody has to.
        Request = "request",
        /// Who shows none is turned down.
        Require = "require",
    }
}

settings! {
    /// TLS of a listener. It takes a certificate here, or `cert_file` and `key_file` of the listener, or both; those come first.
    "TLS" => pub struct Tls {
        /// Certificates, of which a client is shown the one for the name that it asks for: an exact one, or else one with a wildcard. Of
        /// several for one name it is shown one that it can check, ECDSA before RSA. The first is for whoever asks for another name or none.
        certificates: Vec<Spanned<TlsCertificate>>,
            example [{"cert_file": "certs/a.crt", "key_file": "certs/a.key"}, {"cert_file": "certs/b.crt", "key_file": "certs/b.key"}];
        /// Whether a client that asks for a name in no certificate, or for none, is turned down.
        sni_strict: bool = false, example true;
        /// The oldest version of TLS that is spoken.
        min_version: Spanned<TlsVersion> = Spanned::unwritten(TlsVersion::V12), example "1.3";
        /// The newest.
        max_version: Spanned<TlsVersion> = Spanned::unwritten(TlsVersion::V13), example "1.2";
        /// Cipher suites by their names at IANA, best first. Without it, all that are good.
        cipher_suites: Vec<Spanned<String>>, rule Form(&WORD),
            example ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];
        /// Groups for the key exchange by their names at IANA, best first. Without it `X25519MLKEM768`, which withstands quantum computers, and then the usual ones.
        key_exchange_groups: Vec<Spanned<String>>, rule Form(&WORD), example ["x25519", "secp256r1"];
        /// Whether clients are asked for certificates.
        client_certificates: Spanned<ClientCertificates> = Spanned::unwritten(ClientCertificates::Off), example "require";
        /// File with the certificates of the authorities whose clients are believed, in PEM form.
        client_ca_file: Option<Spanned<String>>, rule Form(&WORD), example "certs/clients-ca.crt";
        /// Files with revocation lists of these authorities, in PEM form. With any, there has to be one for each authority of a client's chain.
        client_crl_files: Vec<Spanned<String>>, rule Form(&WORD), example ["certs/clients.crl"];
        /// Whether backends are told of a client's certificate in `Client-Cert` (RFC 9440).
        forward_client_certificate: Spanned<bool> = Spanned::unwritten(false), example true;
    }

    /// One certificate with its key: both files, or `acme`.
    "a certificate" => pub struct TlsCertificate {
        /// File with the certificate chain, in PEM form.
        cert_file: Option<Spanned<String>>, rule Form(&WORD), example "certs/a.crt";
        /// File with the private key, in PEM form.
        key_file: Option<Spanned<String>>, rule Form(&WORD), example "certs/a.key";
        /// File with the authority's answer that it is not revoked, in DER form, which clients are shown (OCSP stapling).
        ocsp_file: Option<Spanned<String>>, rule Form(&WORD), example "certs/a.ocsp";
        /// Hosts that one certificate is had for from the authority under `acme` at the top level.
        acme: Vec<Spanned<String>>, rule Form(&DNS_NAME), example ["example.com", "www.example.com"];
    }

    /// Tells browsers to use nothing but HTTPS from then on (HSTS, RFC 6797).
    "HSTS" => pub struct Hsts {
        /// For how long.
        max_age: Duration = Duration::from_hours(365 * 24), example "180d";
        /// For all hosts below, too.
        include_subdomains: bool = false, example true;
        /// May be put on the lists that browsers come with.
        preload: bool = false, example true;
    }

    /// Tickets with which clients take up earlier TLS sessions, which costs less than a new one. Their keys are the same for all listeners
    /// and workers, stay over reloads and go along in an upgrade.
    "session tickets" => pub struct SessionTickets {
        /// Whether there are any.
        enabled: bool = true, example false;
        /// How long a key makes tickets. The two keys before it still open theirs.
        rotate: Duration = Duration::from_hours(24), rule Positive, example "12h";
    }
}
