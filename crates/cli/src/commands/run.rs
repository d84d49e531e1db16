//! `forebay run`.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use forebay::{AccessLogOutput, LogWriter, Output, Plan, Running};
use tracing::{error, info, warn};

use crate::arguments::RunOptions;
use crate::files::Mistakes;
use crate::signals::{Asked, Signals};
use crate::{REFUSED, files, logging};

pub(crate) fn run(options: &RunOptions) -> ExitCode {
    if options.config.is_none() && options.to.is_empty() {
        eprintln!(
            "error: nothing to serve: give a configuration, or at least one backend\n\n  \
             forebay run -c forebay.yaml\n  \
             forebay run --listen {} --to http://127.0.0.1:3000",
            options.listen
        );
        return ExitCode::from(2);
    }
    match plan_of(options) {
        Some(plan) => serve(plan, |_| {}),
        None => ExitCode::from(REFUSED),
    }
}

fn plan_of(options: &RunOptions) -> Option<Plan> {
    let mut plan = match &options.config {
        Some(path) => files::load(path, Mistakes::when(options.strict))?,
        None => files::read("command line", &configuration(&options.listen, &options.to))?,
    };
    if let Some(n) = options.workers {
        plan.workers = Some(usize::from(n));
    }
    match &options.access_log {
        None => {}
        Some(AccessLogOutput::Off) => plan.access_log = None,
        Some(AccessLogOutput::Stdout) => plan.log_access_to(Output::Stdout),
        Some(AccessLogOutput::File(path)) => plan.log_access_to(Output::File(path.into())),
    }
    Some(plan)
}

/// The configuration that `--listen` and `--to` stand for. JSON quotes any text.
pub(crate) fn configuration(listen: &str, to: &[String]) -> String {
    let backends: Vec<String> = to
        .iter()
        .map(|url| format!("    - url: {url:?}\n"))
        .collect();
    format!(
        "server: {{ address: {listen:?} }}\nroutes:\n  - id: \"all\"\n    backend_group: \"backends\"\nbackend_groups:\n  - id: \"backends\"\n    backends:\n{}telemetry: {{ access_log: {{ format: \"combined\" }} }}\n",
        backends.concat()
    )
}

/// Serves a plan until a signal ends it. `ready` is told once every listener
/// listens.
pub(crate) fn serve(plan: Plan, ready: impl FnOnce(&Running)) -> ExitCode {
    raise_file_limit();
    let log = match logging::start(&plan.logging) {
        Ok(log) => log,
        Err(fault) => {
            eprintln!("error: {fault}");
            return ExitCode::from(REFUSED);
        }
    };
    let code = serve_logged(Arc::new(plan), &log, ready);
    log.close(Duration::from_secs(5));
    code
}

fn serve_logged(plan: Arc<Plan>, log: &LogWriter, ready: impl FnOnce(&Running)) -> ExitCode {
    let fail = |message: String| {
        tracing::error!("{message}");
        if plan.logging.output != Output::Stderr {
            eprintln!("error: {message}");
        }
        ExitCode::from(REFUSED)
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("no event loop: {error}")),
    };
    let within = plan.shutdown_timeout;
    runtime.block_on(async {
        // Before the listeners, so that no signal is ever missed.
        let mut signals = match Signals::watch() {
            Ok(signals) => signals,
            Err(error) => return fail(format!("signals cannot be watched: {error}")),
        };
        let running = match forebay::start(Arc::clone(&plan)) {
            Ok(running) => running,
            Err(fault) => return fail(fault.to_string()),
        };
        announce(&plan, &running);
        ready(&running);
        // Without a service manager that asks for it, nobody is told.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        while let Asked::ToReopenLogs = signals.next().await {
            log.reopen();
            running.reopen_logs();
            info!("logs opened anew");
        }
        end(running, within, &mut signals).await
    })
}

/// What runs, as the runtime log's first lines.
fn announce(plan: &Plan, running: &Running) {
    let backends: usize = plan.groups.iter().map(|g| g.balance.backends.len()).sum();
    let workers = running.workers();
    info!(
        version = env!("CARGO_PKG_VERSION"),
        workers,
        routes = plan.routes.len(),
        backends,
        "forebay starts"
    );
    for (id, address) in running.addresses() {
        info!(listener = &**id, %address, "listening on http://{address}");
    }
    if let (Some(address), Some(metrics)) = (running.metrics_address(), &plan.metrics) {
        info!(%address, "metrics on http://{address}{}", metrics.path);
    }
    for file in &plan.left_out {
        error!(
            file = &**file,
            "{file} is left out because of mistakes in it; see `forebay check`"
        );
    }
    info!("ready");
    if plan.logging.output != Output::Stderr || !matches!(&*plan.logging.level, "debug" | "info") {
        for (_, address) in running.addresses() {
            eprintln!(
                "forebay is ready: http://{address}, runtime log in {}",
                plan.logging.output
            );
        }
    }
}

/// Finishes what is in flight; a second signal ends the program at once.
async fn end(running: Running, within: Duration, signals: &mut Signals) -> ExitCode {
    info!(
        "shutting down: finishing what is in flight within {within:?}; a second signal ends at once"
    );
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    let mut draining = tokio::task::spawn_blocking(move || running.drain(within));
    loop {
        tokio::select! {
            done = &mut draining => {
                if done.is_err() {
                    warn!("shutting down did not go well");
                }
                info!("bye");
                return ExitCode::SUCCESS;
            }
            asked = signals.next() => if let Asked::ToEnd = asked {
                warn!("second signal: ending at once");
                std::process::exit(1);
            },
        }
    }
}

/// Each connection needs a descriptor on both sides; the soft limit that
/// programs start with is far below what the system allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, the old one holds.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}
