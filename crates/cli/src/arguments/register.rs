//! The command line of `forebay register`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
#[command(after_help = "\
The program is registered once its port accepts a connection, and leaves when it ends or when this command is told to end. Without a \
program, the service is registered until then.

The token is read from --token-file, or from the environment variable FOREBAY_ADMIN_TOKEN.

Exit status: that of the program; 128 and the number of the signal that ended it; 1 when it cannot be started.")]
pub(crate) struct RegisterOptions {
    /// Where the admin API is.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    pub(crate) admin: String,
    /// A file with the token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The name under which others find it.
    #[arg(long)]
    pub(crate) name: String,
    /// Where it listens, such as 127.0.0.1:3000.
    #[arg(long)]
    pub(crate) address: String,
    /// An id of its own; without it one is made.
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// A tag; give it again for each further one.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Something else about it, such as weight=5; give it again for each further one.
    #[arg(long = "meta", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,
    /// How long it is believed to be there without a heartbeat.
    #[arg(long, default_value = "30s")]
    pub(crate) ttl: String,
    /// The program and its arguments, after `--`.
    #[arg(last = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<String>,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("write it as key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}
