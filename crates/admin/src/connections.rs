//! Connections of the admin API: few at a time, none that dawdles over a head,
//! and a short end.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::debug;

use crate::shared::Shared;
use crate::{clock, services, table};

/// Connections at a time, those that watch events included.
const MOST: usize = 256;
/// For the head of a request, and between two requests.
const HEAD: Duration = Duration::from_secs(30);
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
    let room = Arc::new(Semaphore::new(MOST));
    let mut connections = JoinSet::new();
    let mut stop = shared.stop.clone();
    let mut leases = tokio::time::interval(LEASES);
    connections.spawn(services::tell(Arc::clone(&shared)));
    loop {
        tokio::select! {
            _ = stop.wait_for(|&stop| stop) => break,
            _ = leases.tick() => end_leases(&shared),
            accepted = accept(&socket, &room) => {
                let (stream, permit) = accepted;
                let (router, stop) = (router.clone(), shared.stop.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    connection(stream, router, stop).await;
                });
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(socket);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(END, ended).await.is_err() {
        debug!("connections of the admin API are cut");
    }
}

async fn accept(
    socket: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match socket.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: TowerToHyperService<axum::Router>,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), router);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
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
