//! The command line.

mod certs;
mod ctl;
mod register;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use forebay::AccessLogOutput;

pub(crate) use certs::{CertsCommand, CertsOptions, DevOptions};
pub(crate) use ctl::{BackendOptions, CtlCommand, CtlOptions, ServicesCommand};
pub(crate) use register::RegisterOptions;

/// A reverse proxy and load balancer that says what it does and why.
#[derive(Parser)]
#[command(
    name = "forebay",
    version,
    max_term_width = 100,
    after_help = "\
Try it:      forebay demo
One backend: forebay run --listen 127.0.0.1:8080 --to http://127.0.0.1:3000
From a file: forebay check -c forebay.yaml && forebay run -c forebay.yaml

Exit status: 0 when all is well, 1 for a refused configuration, a failed start or a failed test, 2 for a wrong command line, \
3 from `forebay diff --exit-code` when anything differs."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve: from a configuration file, or straight to one or more backends.
    Run(RunOptions),
    /// Let the program as it is on disk now take over from one that serves, without losing a request.
    Upgrade(UpgradeOptions),
    /// Serve a demonstration: a proxy with three small backends, one of them slow.
    Demo(DemoOptions),
    /// Check a configuration and show everything that is wrong with it.
    Check(CheckOptions),
    /// Run the unit tests of a configuration; nothing is sent.
    Test(TestOptions),
    /// Show the decided plan, or what would become of one request and why.
    Explain(ExplainOptions),
    /// Show what a change of the configuration means, and what it does to recorded requests.
    Diff(DiffOptions),
    /// Ask the admin API of a running Forebay, or change something through it.
    Ctl(CtlOptions),
    /// Run a program and keep it registered, so that groups with `registry` sources find it.
    Register(RegisterOptions),
    /// Make certificates for development.
    Certs(CertsOptions),
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Print the reference of every configuration key, in Markdown.
    Reference,
    /// Print the version.
    Version,
}

#[derive(Args)]
pub(crate) struct FileOption {
    /// The configuration: YAML, or JSON or TOML by the file's extension.
    #[arg(short, long = "config", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Refuse a configuration of which an included file has a mistake, instead of leaving that file out.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Args)]
pub(crate) struct CheckOptions {
    /// The configuration: YAML, or JSON or TOML by the file's extension.
    #[arg(short, long = "config", value_name = "FILE")]
    pub(crate) config: PathBuf,
}

#[derive(Args)]
pub(crate) struct TestOptions {
    #[command(flatten)]
    pub(crate) file: FileOption,
    /// A file with further tests, under the key `tests`; give it again for each further one.
    #[arg(long, value_name = "FILE")]
    pub(crate) tests: Vec<PathBuf>,
}

#[derive(Args, Clone)]
pub(crate) struct RunOptions {
    /// The configuration: YAML, or JSON or TOML by the file's extension.
    #[arg(short, long = "config", value_name = "FILE", conflicts_with_all = ["listen", "to"])]
    pub(crate) config: Option<PathBuf>,
    /// Refuse a configuration of which an included file has a mistake, instead of leaving that file out; reloads and upgrades always do.
    #[arg(long, requires = "config")]
    pub(crate) strict: bool,
    /// Take up the configuration anew whenever one of its files changes, as SIGHUP does.
    #[arg(long, requires = "config")]
    pub(crate) watch: bool,
    /// Without a file: where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: String,
    /// Without a file: a backend, such as http://127.0.0.1:3000. Give it again for each further one.
    #[arg(long, value_name = "URL")]
    pub(crate) to: Vec<String>,
    /// Worker threads, over what the file says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// The access log, over what the file says: off, - for standard output, or a file.
    #[arg(long, value_name = "off|-|FILE")]
    pub(crate) access_log: Option<AccessLogOutput>,
    /// Write the number of the main process to this file once it serves; it is removed at the end.
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Sends SIGUSR2 and waits. The serving process starts the program at its own path, with its own arguments, and hands over all
listening sockets. When the new one does not become ready, the old one goes on as if nothing had happened.

Exit status: 0 when another process serves now; 1 when everything is as it was; 2 for a wrong command line.")]
pub(crate) struct UpgradeOptions {
    /// The number of the process that serves.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pid: Option<u32>,
    /// The file with its number, as `forebay run --pid-file` writes it.
    #[arg(long, value_name = "FILE", conflicts_with = "pid")]
    pub(crate) pid_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct DemoOptions {
    /// Where the proxy listens; port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
}

#[derive(Args)]
pub(crate) struct ExplainOptions {
    #[command(flatten)]
    pub(crate) file: FileOption,
    /// The request's method.
    #[arg(
        short = 'X',
        long,
        value_name = "METHOD",
        default_value = "GET",
        value_parser = method,
        requires = "url"
    )]
    pub(crate) method: String,
    /// A header field of the request; give it again for each further one.
    #[arg(
        short = 'H',
        long = "header",
        value_name = "NAME: VALUE",
        value_parser = header,
        requires = "url"
    )]
    pub(crate) headers: Vec<(String, String)>,
    /// Where the request comes from.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", requires = "url")]
    pub(crate) client: std::net::IpAddr,
    /// The name of the listener that it comes to; if there is none, the one that a full URL leads to, or the first.
    #[arg(long, value_name = "ID", requires = "url")]
    pub(crate) listener: Option<String>,
    /// A certificate that the client shows, in PEM form. It is taken as verified.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// The URL of a request to follow, such as http://example.com/api/x or just /api/x.
    pub(crate) url: Option<String>,
}

#[derive(Args)]
#[command(after_help = "\
Settings are compared by what they mean: the order of keys, comments, the file format and defaults that are spelt out make no difference.

Exit status: 0 whether anything differs or not, unless --exit-code is given; 1 when a file cannot be used; 2 for a wrong command line.")]
pub(crate) struct DiffOptions {
    /// The configuration as it was.
    pub(crate) old: PathBuf,
    /// The configuration as it is to be.
    pub(crate) new: PathBuf,
    /// An access log in the format `json`, or - for standard input: each of its requests is decided by both
    /// configurations, and those that fare differently are shown.
    #[arg(long, value_name = "FILE")]
    pub(crate) requests: Option<PathBuf>,
    /// End with status 3 when anything differs, for scripts.
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Refuse a configuration of which an included file has a mistake, instead of leaving that file out.
    #[arg(long)]
    pub(crate) strict: bool,
}

pub(crate) fn method(text: &str) -> Result<String, &'static str> {
    let is_method = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    is_method
        .then(|| text.to_owned())
        .ok_or("a method is one word, such as GET")
}

pub(crate) fn header(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
