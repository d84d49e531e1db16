//! Certificates that Forebay gets from an authority itself (ACME).

use crate::span::Spanned;
use crate::value::form::{DIRECTORY, EMAIL, WORD};

choices! {
    /// How an authority is shown that a name leads here (RFC 8555 section 8).
    pub enum AcmeChallenge {
        /// By an answer on a listener without TLS; authorities ask at port 80.
        Http01 = "http-01",
        /// By a handshake on a listener with TLS (RFC 8737); authorities ask at port 443.
        TlsAlpn01 = "tls-alpn-01",
    }

    /// The kind of key that certificates are made for.
    pub enum AcmeKey {
        /// ECDSA with the curve P-256.
        P256 = "ecdsa-p256",
        /// ECDSA with the curve P-384.
        P384 = "ecdsa-p384",
        /// RSA of 2048 bits, for very old clients.
        Rsa = "rsa-2048",
    }
}

settings! {
    /// How certificates are had from an authority that speaks ACME (RFC 8555), and renewed. Those listeners' `tls.certificates` with `acme` are.
    "ACME" => pub struct Acme {
        /// Folder for the account and the certificates. It has to last, and nobody else should be able to read it.
        storage: Spanned<String>, rule Form(&WORD), example "/var/lib/forebay/acme";
        /// Says that you agree to the terms of the authority. Nothing is asked of it without.
        agree_to_terms: Spanned<bool> = Spanned::unwritten(false), example true;
        /// Where the authority writes to about the account.
        email: Vec<Spanned<String>>, rule Form(&EMAIL), example ["ops@example.com"];
        /// URL of the authority's directory. Without it, that of Let's Encrypt.
        directory: Option<Spanned<String>>, rule Form(&DIRECTORY), example "https://ca.internal/acme/directory";
        /// Whether Let's Encrypt is asked for trial: nobody believes these certificates, but mistakes use up no quota.
        staging: Spanned<bool> = Spanned::unwritten(false), example true;
        /// File with the certificates of the authorities that the directory itself is believed by, in PEM form. Without it, those of the system.
        ca_file: Option<Spanned<String>>, rule Form(&WORD), example "certs/ca.crt";
        /// The kind of key that new certificates are made for.
        key: AcmeKey = AcmeKey::P256, example "ecdsa-p384";
        /// How the authority is shown that a name leads here. Without it, `http-01` if there is a listener without TLS at port 80, or else
        /// `tls-alpn-01` if there is one with TLS at port 443, or else whichever a listener can answer.
        challenge: Option<Spanned<AcmeChallenge>>, example "tls-alpn-01";
        /// The account with the authority that the one of ACME is bound to, where it asks for that.
        external_account: Option<Spanned<ExternalAccount>>, example {"key_id": "kid-1", "hmac_key": "${env:ACME_HMAC_KEY}"};
    }

    /// An account that was made with an authority elsewhere (RFC 8555 section 7.3.4).
    "an external account" => pub struct ExternalAccount {
        /// What the authority calls it.
        key_id: Spanned<String>, rule Form(&WORD), example "kid-1";
        /// Its key, in base64url.
        hmac_key: Spanned<String>, rule Form(&WORD), example "${env:ACME_HMAC_KEY}";
    }
}
