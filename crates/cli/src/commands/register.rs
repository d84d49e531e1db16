//! `forebay register`: runs a program and keeps it registered.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

mod lease;

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::Duration;

use forebay::words::plain;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::REFUSED;
use crate::arguments::RegisterOptions;
use crate::client::{Client, token};
use crate::signals::{Asked, Signals};
use lease::Lease;

/// For the admin API; a heartbeat that takes longer comes too late.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks whether the program listens.
const LOOK: Duration = Duration::from_millis(100);
/// After so many, it is said what is waited for.
const PATIENT_LOOKS: u32 = 20;

pub(crate) fn register(options: &RegisterOptions) -> ExitCode {
    let done = lease(options).and_then(|lease| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("no event loop: {error}"))?
            .block_on(run(options, lease))
    });
    done.unwrap_or_else(|why| {
        eprintln!("error: {why}");
        ExitCode::from(REFUSED)
    })
}

fn lease(options: &RegisterOptions) -> Result<Lease, String> {
    let token = token(options.token_file.as_deref())?;
    let client = Client::new(&options.admin, token)?.within(PATIENCE);
    let metadata = options.metadata.iter().cloned();
    let metadata: Map<String, Value> = metadata.map(|(k, v)| (k, v.into())).collect();
    let mut registration = json!({
        "name": options.name,
        "address": options.address,
        "ttl": options.ttl,
        "tags": options.tags,
        "metadata": metadata,
    });
    if let Some(id) = &options.id {
        registration["id"] = id.as_str().into();
    }
    Ok(Lease::new(client, registration))
}

async fn run(options: &RegisterOptions, lease: Lease) -> Result<ExitCode, String> {
    // Before the program, so that no signal is ever missed.
    let mut signals =
        Signals::watch().map_err(|error| format!("signals cannot be watched: {error}"))?;
    let (pid, mut program) = match start(&options.program)? {
        Some(child) => {
            let pid = Pid::from_child(&child);
            (Some(pid), Some(waiting_for(child)))
        }
        None => (None, None),
    };
    let (stop, stopped) = oneshot::channel();
    let keeping = tokio::spawn(keep(options.address.clone(), lease, stopped));
    let mut stop = Some((stop, keeping));
    let ended = loop {
        tokio::select! {
            ended = end(&mut program) => break ended,
            asked = signals.next() => if let Asked::End = asked {
                // Requests stop coming before the program stops taking them.
                leave(&mut stop).await;
                match pid {
                    // It may be gone already.
                    Some(pid) => drop(kill_process(pid, Signal::TERM)),
                    None => break None,
                }
            },
        }
    };
    leave(&mut stop).await;
    Ok(ended.map_or(ExitCode::SUCCESS, code))
}

fn start(program: &[String]) -> Result<Option<Child>, String> {
    let Some((program, arguments)) = program.split_first() else {
        return Ok(None);
    };
    let started = Command::new(program).args(arguments).spawn();
    let child = started.map_err(|error| format!("{program} cannot be started: {error}"))?;
    Ok(Some(child))
}

fn waiting_for(mut child: Child) -> oneshot::Receiver<ExitStatus> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        if let Ok(status) = child.wait() {
            // Nobody may be waiting for it any more.
            let _ = tell.send(status);
        }
    });
    told
}

/// How the program ended, once it has; where there is none, never.
async fn end(program: &mut Option<oneshot::Receiver<ExitStatus>>) -> Option<ExitStatus> {
    match program {
        Some(program) => program.await.ok(),
        None => std::future::pending().await,
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let signal = status.signal().map(|signal| 128 + signal);
    let code = status.code().or(signal).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

type Keeping = (oneshot::Sender<()>, tokio::task::JoinHandle<()>);

async fn leave(keeping: &mut Option<Keeping>) {
    if let Some((stop, keeping)) = keeping.take() {
        let _ = stop.send(());
        // However the admin API is, the end is not kept waiting for long.
        let _ = tokio::time::timeout(2 * PATIENCE, keeping).await;
    }
}

/// Keeps the lease from when the address accepts connections until told to stop.
async fn keep(address: String, mut lease: Lease, mut stopped: oneshot::Receiver<()>) {
    tokio::select! {
        () = listening(&address) => {}
        _ = &mut stopped => return,
    }
    loop {
        let tried = spawn_blocking(move || (lease.keep(), lease)).await;
        let Ok((tried, kept)) = tried else { return };
        lease = kept;
        if let Some(news) = tried.news {
            eprintln!("forebay: {}", plain(&news));
        }
        tokio::select! {
            () = sleep(tried.wait) => {}
            _ = &mut stopped => break,
        }
    }
    if let Ok(Err(why)) = spawn_blocking(move || lease.leave()).await {
        eprintln!("forebay: {}; the lease ends by itself", plain(&why));
    }
}

async fn listening(address: &str) {
    let mut looks = 0;
    while tokio::net::TcpStream::connect(address).await.is_err() {
        looks += 1;
        if looks == PATIENT_LOOKS {
            eprintln!(
                "forebay: nothing listens at {address} yet; it is registered once something does"
            );
        }
        sleep(LOOK).await;
    }
}
