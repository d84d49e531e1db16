//! `forebay run`.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use forebay::{AccessLogOutput, Heritage, Hooks, Live, LiveFault, Output, Plan, Running, Source};
use tracing::{error, info, warn};

use crate::arguments::RunOptions;
use crate::commands::reload;
use crate::duties::{Duties, End, Upgrades};
use crate::files::Mistakes;
use crate::logging::Log;
use crate::office::Office;
use crate::origin::Origin;
use crate::pid_file::PidFile;
use crate::reloads::Reloads;
use crate::signals::{Asked, Signals, end_at_once};
use crate::upgrade::{Forward, Program};
use crate::watch::{Touched, Watch};
use crate::{REFUSED, files};

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
    let origin = match Origin::find() {
        Ok(origin) => origin,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(REFUSED);
        }
    };
    let touched = Touched::default();
    let mut reading = options.clone();
    // What serves is not replaced by less of it because of a mistake in a file.
    reading.strict |= origin.link.is_some();
    let settings = Options {
        config: options.config.clone(),
        watched: options.watch.then(|| touched.clone()),
        pid_file: options.pid_file.clone().map(PidFile::new),
        program: Program::own()
            .inspect_err(|why| eprintln!("warning: {why}; there can be no upgrade"))
            .ok(),
        origin,
    };
    serve(source(reading, touched), settings, |_| {})
}

/// Reads the configuration that the command line asks for.
fn source(options: RunOptions, touched: Touched) -> Source {
    let adjusting = options.clone();
    Source {
        read: Box::new(move |heritage| match &options.config {
            Some(path) => {
                let mistakes = Mistakes::when(options.strict);
                files::read_file(path, mistakes, &touched, heritage)
            }
            None => {
                let text = configuration(&options.listen, &options.to);
                Ok(files::read_text("command line", &text, heritage))
            }
        }),
        adjust: Box::new(move |plan| overrule(plan, &adjusting)),
    }
}

/// The command line comes before the file.
fn overrule(plan: &mut Plan, options: &RunOptions) {
    if let Some(n) = options.workers {
        plan.workers = Some(usize::from(n));
    }
    match &options.access_log {
        None => {}
        Some(AccessLogOutput::Off) => plan.access_log = None,
        Some(AccessLogOutput::Stdout) => plan.log_access_to(Output::Stdout),
        Some(AccessLogOutput::File(path)) => plan.log_access_to(Output::File(path.into())),
    }
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

/// How it serves, beside what the configuration says.
#[derive(Default)]
pub(crate) struct Options {
    /// The configuration file, if there is one.
    config: Option<PathBuf>,
    watched: Option<Touched>,
    pid_file: Option<PidFile>,
    /// What takes over in an upgrade; none where there can be no upgrade.
    program: Option<Program>,
    origin: Origin,
}

/// Serves until a signal ends it. `ready` is told once every listener listens.
#[expect(clippy::disallowed_methods, reason = "the time that people are told")]
pub(crate) fn serve(source: Source, options: Options, ready: impl FnOnce(&Running)) -> ExitCode {
    let heritage = Heritage::default();
    let Origin { predecessor, link } = options.origin;
    predecessor.handover.prepare(&heritage);
    let mut office = Office::new(link, options.pid_file);
    let read = source.read(&heritage);
    if let Some(why) = files::refusal(&read) {
        office.refuse(&why);
    }
    let Some(first) = files::told(read, options.config.as_deref()) else {
        return ExitCode::from(REFUSED);
    };
    let Some(plan) = &first.plan else {
        return ExitCode::from(REFUSED);
    };
    raise_file_limit();
    let logging = plan.logging.clone();
    let log = match Log::start(&logging) {
        Ok(log) => Arc::new(log),
        Err(fault) => {
            office.refuse(&fault.to_string());
            eprintln!("error: {fault}");
            return ExitCode::from(REFUSED);
        }
    };
    let duties = Duties {
        reloads: Reloads::new(options.watched.map(Watch::new)),
        upgrades: Upgrades::new(options.program),
    };
    let hooks = hooks(&log, reload::Warned::of(&first.problems));
    let start = move || {
        Live::start_after(
            predecessor,
            source,
            heritage,
            first,
            hooks,
            SystemTime::now(),
        )
    };
    let code = match serve_logged(start, duties, &mut office, &log, ready) {
        Ok(code) => code,
        Err(message) => {
            office.refuse(&message);
            tracing::error!("{message}");
            if logging.output != Output::Stderr {
                eprintln!("error: {message}");
            }
            ExitCode::from(REFUSED)
        }
    };
    log.close();
    code
}

/// What the library has done here.
fn hooks(log: &Arc<Log>, warned: reload::Warned) -> Hooks {
    let (telling, setting) = (Arc::clone(log), Arc::clone(log));
    Hooks {
        told: Box::new(move |result| reload::told(result, &telling, &warned)),
        set_log_level: Box::new(move |level| {
            setting.set_level(level);
            Ok(())
        }),
    }
}

fn serve_logged(
    start: impl FnOnce() -> Result<Arc<Live>, LiveFault> + Send + 'static,
    mut duties: Duties,
    office: &mut Office,
    log: &Log,
    ready: impl FnOnce(&Running),
) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no event loop: {error}"))?;
    let ended = runtime.block_on(async {
        // Before the listeners, so that no signal is ever missed.
        let mut signals =
            Signals::watch().map_err(|error| format!("signals cannot be watched: {error}"))?;
        // It may take a while until backends are found and checked.
        let starting = tokio::task::spawn_blocking(start);
        let live = tokio::select! {
            live = starting => live.map_err(|_| "the start has failed".to_owned())?,
            () = signals.end() => {
                info!("told to end before it serves");
                return Ok(ExitCode::SUCCESS);
            }
        };
        let live = live.map_err(|fault| fault.to_string())?;
        announce(live.running());
        ready(live.running());
        if let Some(last_word) = office.take() {
            let live = Arc::downgrade(&live);
            tokio::task::spawn_blocking(move || {
                last_word.wait();
                if let Some(live) = live.upgrade() {
                    live.predecessor_has_left();
                }
            });
        }
        let end = duties.obey(&live, &mut signals, log, office).await;
        Ok(finish(&live, &mut signals, end).await)
    });
    // A reload that waits for a file must not hold up the end.
    runtime.shutdown_background();
    ended
}

/// What runs, as the runtime log's first lines.
fn announce(running: &Running) {
    let plan = running.plan();
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
        let scheme = scheme(&plan, &id);
        info!(listener = &*id, %address, "listening on {scheme}://{address}");
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
        for (id, address) in running.addresses() {
            eprintln!(
                "forebay is ready: {}://{address}, runtime log in {}",
                scheme(&plan, &id),
                plan.logging.output
            );
        }
    }
}

fn scheme(plan: &Plan, listener: &str) -> &'static str {
    let mut listeners = plan.listeners.iter();
    let listener = listeners.find(|l| *l.id == *listener);
    listener.map_or("http", |l| l.scheme())
}

/// Finishes what is in flight; a second signal ends the program at once.
async fn finish(live: &Arc<Live>, signals: &mut Signals, end: End) -> ExitCode {
    let ending = Arc::clone(live);
    let mut draining = tokio::task::spawn_blocking(move || {
        let plan = ending.running().plan();
        let who = who_serves(end);
        info!(
            "shutting down{who}: finishing what is in flight within {:?}, streams within {:?}; a second signal ends at once",
            plan.shutdown_timeout, plan.drain_timeout
        );
        drop(plan);
        match end {
            End::Asked => {
                ending.close();
                ending.running().drain();
            }
            End::Succeeded(_) => ending.running().hand_over(),
        }
    });
    loop {
        tokio::select! {
            done = &mut draining => {
                if done.is_err() {
                    warn!("shutting down did not go well");
                }
                info!("bye{}", who_serves(end));
                return ExitCode::SUCCESS;
            }
            asked = signals.next() => match (asked, end) {
                (Asked::End, _) => end_at_once(),
                // Whoever asks may not know yet that another process serves.
                (asked, End::Succeeded(pid)) => {
                    let forward = Forward {
                        reload: asked == Asked::Reload,
                        reopen: asked == Asked::ReopenLogs,
                    };
                    forward.send_to(pid);
                }
                (_, End::Asked) => {}
            },
        }
    }
}

/// So that nobody takes the end of one process for that of the service.
fn who_serves(end: End) -> String {
    match end {
        End::Asked => String::new(),
        End::Succeeded(pid) => format!(" (process {pid} serves)"),
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
