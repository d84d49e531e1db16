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
    #[arg(long = "name", value_name = "HOST")]
    pub(crate) names: Vec<String>,
    /// Write over files that are there already.
    #[arg(long)]
    pub(crate) force: bool,
}
