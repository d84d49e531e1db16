//! The command line of `forebay certs`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct CertsOptions {
    #[command(subcommand)]
    pub(crate) command: CertsCommand,
}

#[derive(Subcommand)]
pub(crate) enum CertsCommand {
    /// Make an authority and a certificate for localhost, for development.
    Dev(DevOptions),
}

#[derive(Args)]
#[command(after_help = "\
Writes ca.crt, ca.key, server.crt and server.key. Clients that are told to trust ca.crt believe the certificate, such as \
`curl --cacert certs/ca.crt`. Whoever has ca.key can make certificates that they believe.")]
pub(crate) struct DevOptions {
    /// The folder to write to; it is made if it is not there.
    #[arg(long, value_name = "FOLDER", default_value = "certs")]
    pub(crate) out: PathBuf,
    /// A further host or address that the certificate is for; give it again for each further one.
    #[arg(long = "name", value_name = "HOST", value_parser = host)]
    pub(crate) names: Vec<String>,
    /// Write over files that are there already.
    #[arg(long)]
    pub(crate) force: bool,
}

/// What browsers look for in a certificate: a host (RFC 1123 section 2.1), maybe
/// with a wildcard for its first label, or an address.
fn host(text: &str) -> Result<String, &'static str> {
    let is_label = |label: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let ends = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && label.chars().all(fits) && !ends
    };
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_name = name.len() <= 253 && name.split('.').all(is_label);
    match is_name || text.parse::<std::net::IpAddr>().is_ok() {
        true => Ok(text.to_owned()),
        false => Err("it takes a host such as `app.test` or `*.app.test`, or an address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_addresses_are_taken() {
        for good in ["a", "a.test", "*.a-b.test", "127.0.0.1", "::1"] {
            assert_eq!(host(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "not a name!!",
            "a..b",
            "*",
            "*.",
            "a.*.b",
            "-a",
            "a_b",
            "a:1",
            "https://a",
        ] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }
}
