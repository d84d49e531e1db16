//! TLS to backends: whom Forebay believes, and what it shows.

use super::tls::TlsVersion;
use crate::span::Spanned;
use crate::value::form::WORD;

settings! {
    /// TLS to the backends of a group at `https://` and `tls://`. Sessions are taken up again where the backend allows it.
    "TLS to backends" => pub struct BackendTls {
        /// Whether a backend has to show a certificate for its name that one of the believed authorities has given. Without that, anybody
        /// on the way can be the backend.
        verify: Spanned<bool> = Spanned::unwritten(true), example false;
        /// File with the certificates of the authorities that are believed, in PEM form. Without it, those that the system believes.
        ca_file: Option<Spanned<String>>, rule Form(&WORD), example "certs/backends-ca.crt";
        /// The name that the certificate has to be for, and that the backend is asked for (SNI, RFC 6066). Without it, the host of the URL;
        /// of an address the certificate has to name it, and it is not asked for.
        server_name: Option<Spanned<String>>, rule Form(&WORD), example "app.internal";
        /// File with the certificate chain that backends are shown if they ask, in PEM form.
        cert_file: Option<Spanned<String>>, rule Form(&WORD), example "certs/forebay.crt";
        /// File with its private key, in PEM form.
        key_file: Option<Spanned<String>>, rule Form(&WORD), example "certs/forebay.key";
        /// The oldest version of TLS that is spoken.
        min_version: Spanned<TlsVersion> = Spanned::unwritten(TlsVersion::V12), example "1.3";
        /// The newest.
        max_version: Spanned<TlsVersion> = Spanned::unwritten(TlsVersion::V13), example "1.2";
    }
}
