/// What the certificate of a client says, which has been verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whom it is for, as RFC 4514 writes it or nearly so.
    pub subject: String,
    /// Alternative names: hosts, addresses, mail addresses and URIs.
    pub names: Vec<String>,
    /// The SHA-256 of all of it, in hexadecimal digits.
    pub fingerprint: String,
    /// In hexadecimal digits.
    pub serial: String,
    /// The value of `Client-Cert` (RFC 9440 section 2.1).
    pub field: String,
}

impl ClientCertificate {
    /// What can be asked of it by name.
    pub const FACTS: [&str; 4] = ["subject", "name", "fingerprint", "serial"];

    /// The values of one of [`Self::FACTS`].
    pub fn values(&self, fact: &str) -> impl Iterator<Item = &[u8]> {
        let one = match fact {
            "subject" => Some(&self.subject),
            "fingerprint" => Some(&self.fingerprint),
            "serial" => Some(&self.serial),
            _ => None,
        };
        let names = self.names.iter().filter(move |_| fact == "name");
        one.into_iter().chain(names).map(|value| value.as_bytes())
    }
}
