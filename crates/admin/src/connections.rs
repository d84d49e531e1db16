//! Connections of the admin API: a bounded number at a time, of which those that
//! were not let in make room for others; none that dawdles over a head; and a
//! short end.

use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::debug;

use crate::seats::{Seat, Strangers};
use crate::shared::Shared;
use crate::{clock, services, table};

/// Connections at a time, those that watch events included; but no more than
/// this share of the descriptors that the process may have.
const MOST: usize = 2048;
const SHARE: u64 = 4;
/// For the first head on a connection.
const FIRST_HEAD: Duration = Duration::from_secs(5);
/// For the head of a further request, and between two requests.
const HEAD: Duration = Duration::from_secs(30);
/// Bytes of a head.
const HEAD_BYTES: usize = 16 << 10;
/// For what is under way when it ends.
const END: Duration = Duration::from_secs(5);
/// How often it is looked whether leases are over.
const LEASES: Duration = Duration::from_millis(500);

/// Serves until told to stop.
pub(crate) async fn serve(socket: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(socket) = TcpListener::from_std(socket) else {
        return;
    };
    let router = TowerToHyperService::new(table::router(Arc::clone(&shared)));
    let most = most();
    let mut strangers = Strangers::default();
    let mut connections = JoinSet::new();
    let mut stop = shared.stop.clone();
    let mut leases = tokio::time::interval(LEASES);
    let telling = tokio::spawn(services::tell(Arc::clone(&shared)));
    loop {
        let has_room = connections.len() < most || !strangers.is_empty();
        tokio::select! {
            _ = stop.wait_for(|&stop| stop) => break,
            _ = leases.tick() => end_leases(&shared),
            Some(_) = connections.join_next() => {}
            stream = accept(&socket), if has_room => {
                if connections.len() >= most && strangers.send_one_away() {
                    // It, or another one: there is room then.
                    connections.join_next().await;
                }
                let seat = Seat::default();
                let stop = shared.stop.clone();
                let task = connection(stream, router.clone(), seat.clone(), stop);
                strangers.add(seat, connections.spawn(task), most);
            }
        }
    }
    drop(socket);
    telling.abort();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(END, ended).await.is_err() {
        debug!("connections of the admin API are cut");
    }
}

fn most() -> usize {
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let share = usize::try_from(allowed / SHARE).unwrap_or(MOST);
    share.clamp(1, MOST)
}

async fn accept(socket: &TcpListener) -> TcpStream {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: TowerToHyperService<axum::Router>,
    seat: Seat,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let first = {
        let seat = seat.clone();
        async move {
            tokio::time::sleep(FIRST_HEAD).await;
            if seat.has_asked() {
                std::future::pending::<()>().await;
            }
        }
    };
    let service = service_fn(move |mut request: Request<Incoming>| {
        seat.ask();
        request.extensions_mut().insert(seat.clone());
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = first => return,
        () = async { drop(stop.wait_for(|&stop| stop).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        debug!(%error, "a connection of the admin API ended badly");
    }
}

/// Services whose leases are over leave, so that those who watch learn of it.
fn end_leases(shared: &Shared) {
    if let Ok(control) = shared.control() {
        control.registry().lock().expire(clock::now());
    }
}
