//! How certificates are had from an authority.

use upstream::Secret;

use super::aspect::Aspect;
use crate::{Acme, AcmeCertificate, ExternalAccount};

/// Secrets are compared by what tells one from another without giving it away.
pub(super) fn aspects(acme: &Acme) -> Vec<Aspect> {
    let Acme {
        directory,
        emails,
        folder,
        key,
        challenge,
        ca_file,
        external,
        certificates,
        // One for the whole process.
        challenges: _,
    } = acme;
    let believed = ca_file.as_ref().map(|(file, bytes)| {
        let print = fingerprint(bytes);
        format!("those in {file} (fingerprint {print})")
    });
    let account = external.as_ref().map(|account| {
        let ExternalAccount { key_id, hmac_key } = account;
        format!("{key_id} (fingerprint {})", fingerprint(hmac_key))
    });
    let each = certificates.iter().map(|certificate| {
        let AcmeCertificate { names, file: _ } = certificate;
        let names = names.join(", ");
        (names.clone(), names)
    });
    vec![
        Aspect::value("authority that gives certificates", directory, "none"),
        Aspect::value("mail of the authority to", emails.join(", "), "nobody"),
        Aspect::value("certificates are kept in", folder, "no folder"),
        Aspect::value("keys of new certificates", key.name(), "none"),
        Aspect::value("challenge of the authority", challenge.name(), "none"),
        Aspect::value(
            "authorities by which the directory is believed",
            believed.unwrap_or_else(|| "those of the system".to_owned()),
            "none",
        ),
        Aspect::value(
            "external account",
            account.unwrap_or_else(|| "none".to_owned()),
            "none",
        ),
        Aspect::items("certificate from the authority", each, "none"),
    ]
}

fn fingerprint(bytes: &[u8]) -> String {
    let text: String = bytes.escape_ascii().to_string();
    Secret::of(&text).fingerprint().unwrap_or_default().into()
}
