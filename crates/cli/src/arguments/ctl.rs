//! The command line of `forebay ctl`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{header, method};

#[derive(Args)]
#[command(after_help = "\
The token is read from --token-file, or from the environment variable FOREBAY_ADMIN_TOKEN.

Exit status: 0 when the admin API has done it, 1 when it has not, 2 for a wrong command line.")]
pub(crate) struct CtlOptions {
    /// Where the admin API is.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8081"
    )]
    pub(crate) admin: String,
    /// A file with the token.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Print what the API says, as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: CtlCommand,
}

#[derive(Subcommand)]
pub(crate) enum CtlCommand {
    /// What runs, and how it is.
    Status,
    /// Who answers, and how they are.
    Backends {
        /// Only those of this group.
        group: Option<String>,
    },
    /// The routes, in the order in which they are decided.
    Routes,
    /// Requests, failures and times of each route.
    Stats,
    /// The slowest and the failed exchanges of the last five minutes.
    Exchanges,
    /// What happens, as it happens, until interrupted.
    Events,
    /// Read the configuration anew.
    Reload,
    /// What would become of a request now, and why; nothing is sent.
    Explain {
        /// The request's method.
        #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET", value_parser = method)]
        method: String,
        /// A header field of the request; give it again for each further one.
        #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
        headers: Vec<(String, String)>,
        /// Where the request comes from.
        #[arg(long, value_name = "IP")]
        client: Option<IpAddr>,
        /// The listener's id; if there is none, the one that a full URL leads to, or the first.
        #[arg(long, value_name = "ID")]
        listener: Option<String>,
        /// Such as http://example.com/api/x or just /api/x.
        url: String,
    },
    /// Let a backend run dry: it takes nobody new.
    Drain(BackendOptions),
    /// Give a backend requests again.
    Enable(BackendOptions),
    /// Give a backend no request at all.
    Disable(BackendOptions),
    /// Check a backend now.
    Check(BackendOptions),
    /// Set a backend's weight.
    Weight {
        #[command(flatten)]
        backend: BackendOptions,
        /// Its share of the requests relative to the others, from 0 to 1000.
        weight: u32,
    },
    /// Add a backend to a group.
    Add {
        #[command(flatten)]
        backend: BackendOptions,
        /// Its share of the requests relative to the others.
        #[arg(long)]
        weight: Option<u32>,
    },
    /// Take a backend away from a group.
    Remove(BackendOptions),
    /// Set how much the runtime log says.
    Log {
        #[arg(value_parser = ["error", "warn", "info", "debug"])]
        level: String,
    },
    /// The services that have registered themselves.
    Services {
        #[command(subcommand)]
        command: Option<ServicesCommand>,
    },
}

/// Which backend is meant.
#[derive(Args)]
pub(crate) struct BackendOptions {
    /// The id of its group.
    pub(crate) group: String,
    /// Its URL, as `forebay ctl backends` shows it, such as http://127.0.0.1:3000.
    pub(crate) url: String,
}

#[derive(Subcommand)]
pub(crate) enum ServicesCommand {
    /// List them.
    List {
        /// Only those of this name.
        name: Option<String>,
        /// Only those with this tag; give it again for each further one.
        #[arg(long)]
        tag: Vec<String>,
    },
    /// Register one, or renew it.
    Register {
        /// The name under which others find it.
        name: String,
        /// `host:port`.
        address: String,
        #[arg(long)]
        id: Option<String>,
        #[arg(long)]
        tag: Vec<String>,
        /// How long it is believed without a heartbeat, such as 30s.
        #[arg(long)]
        ttl: Option<String>,
    },
    /// One service.
    Show { id: String },
    /// A service is alive.
    Heartbeat { id: String },
    /// A service leaves.
    Remove { id: String },
    /// Changes as they happen, until interrupted.
    Watch {
        /// Only those of this name.
        name: Option<String>,
    },
}
