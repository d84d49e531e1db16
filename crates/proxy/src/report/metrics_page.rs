//! The page that Prometheus reads, on its own port and its own thread.
//!
//! Small enough for the codec that is there: one request at a time per
//! connection, no keep-alive, a limit on time and on connections.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as TcpSocket};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use message::{Fields, Known, Method, RequestHead, ResponseHead};
use plan::MetricsEndpoint;
use telemetry::{
    CONTENT_TYPE, CertificateFigures, ConfigurationFigures, Drops, ProcessFigures, Program,
    SourceFigures, render,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::debug;
use wire::blocks::Blocks;
use wire::h1::{Announce, Framing, Inbound, Limits, Outbound, write_response_head};

use crate::sockets::stream::Stream;
use crate::sockets::timers::{TICK, Timers};
use crate::worker::crew::gather;
use crate::worker::event_loop;
use crate::worker::run::Command;

/// Scrapes served at the same time.
const MAX_CONNECTIONS: usize = 16;
/// For one scrape, from connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);
/// For those under way when the page is closed.
const LAST: Duration = Duration::from_secs(1);

/// What no worker knows, and the embedder tells.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) configuration: ConfigurationFigures,
    pub(crate) sources: Option<SourcesAsked>,
    pub(crate) certificates: CertificateFigures,
}

/// Asked for every page.
pub(crate) type SourcesAsked = Box<dyn Fn() -> Vec<SourceFigures> + Send + Sync>;

pub(crate) struct MetricsPage {
    address: SocketAddr,
    /// The page's own, for whoever takes over one day.
    socket: TcpSocket,
    page: Arc<Page>,
    /// Dropping it ends the thread.
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

struct Page {
    path: Mutex<Box<str>>,
    workers: Vec<mpsc::UnboundedSender<Command>>,
    drops: Mutex<Option<Drops>>,
    told: Arc<Mutex<Told>>,
}

impl MetricsPage {
    pub(crate) fn start(
        endpoint: &MetricsEndpoint,
        socket: TcpSocket,
        workers: Vec<mpsc::UnboundedSender<Command>>,
        drops: Option<Drops>,
        told: Arc<Mutex<Told>>,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let own = socket.try_clone()?;
        let page = Arc::new(Page {
            path: Mutex::new(endpoint.path.clone()),
            workers,
            drops: Mutex::new(drops),
            told,
        });
        let served = Arc::clone(&page);
        let (stop, stopped) = oneshot::channel();
        let thread = event_loop::spawn("forebay-control".to_owned(), move |runtime| {
            runtime.block_on(async {
                let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
                tokio::select! {
                    _ = stopped => {}
                    () = serve(socket, served, &room) => {}
                }
                // What has come in is answered.
                let all = room.acquire_many(MAX_CONNECTIONS as u32);
                let _ = tokio::time::timeout(LAST, all).await;
            });
        })?;
        Ok(Self {
            address,
            socket: own,
            page,
            stop,
            thread,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Another descriptor of its socket.
    pub(crate) fn socket(&self) -> io::Result<TcpSocket> {
        self.socket.try_clone()
    }

    /// Takes nothing new, and answers what has come in within a moment.
    pub(crate) fn close(self) {
        drop((self.socket, self.stop));
        // It ends in any case.
        let _ = self.thread.join();
    }

    /// The page is there from now on.
    pub(crate) fn move_to(&self, path: &str) {
        *lock(&self.page.path) = path.into();
    }

    /// The access log is another one, or none.
    pub(crate) fn count_drops(&self, drops: Option<Drops>) {
        *lock(&self.page.drops) = drops;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(socket: TcpSocket, page: Arc<Page>, room: &Arc<Semaphore>) {
    let Ok(socket) = TcpListener::from_std(socket) else {
        return;
    };
    let timers = Timers::new();
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(room).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = socket.accept().await else {
            tokio::time::sleep(TICK).await;
            continue;
        };
        let (page, timers) = (Arc::clone(&page), Rc::clone(&timers));
        tokio::task::spawn_local(async move {
            let _permit = permit;
            let scrape = scrape(&page, stream, &timers);
            if tokio::time::timeout(PATIENCE, scrape).await.is_err() {
                debug!("a scrape took too long and was cut");
            }
        });
    }
}

async fn scrape(page: &Page, stream: TcpStream, timers: &Rc<Timers>) {
    let (reader, writer) = Stream::Tcp(stream).split(timers);
    let blocks = Blocks::default();
    let mut inbound = Inbound::new(reader, blocks.clone());
    let mut outbound = Outbound::new(writer, blocks);
    let mut request = RequestHead::default();
    let limits = Limits::default();
    if poll_fn(|cx| inbound.poll_head(cx, &limits, &mut request))
        .await
        .is_err()
    {
        return;
    }
    let (status, content_type, body) = answer(page, &request).await;
    let mut head = ResponseHead {
        status,
        ..ResponseHead::default()
    };
    describe(&mut head.fields, content_type, body.len());
    let out = outbound.buffer();
    write_response_head(
        out,
        &head,
        Framing::Length(body.len() as u64),
        Announce::Close,
    );
    if request.method != Method::Head {
        out.extend_from_slice(body.as_bytes());
    }
    // A scraper that has gone needs no answer.
    let _ = poll_fn(|cx| outbound.poll_flush(cx)).await;
    let _ = poll_fn(|cx| outbound.poll_shutdown(cx)).await;
}

fn describe(fields: &mut Fields, content_type: &str, length: usize) {
    fields.push_known(Known::ContentType, content_type.as_bytes());
    fields.push_known(Known::ContentLength, length.to_string().as_bytes());
}

async fn answer(page: &Page, request: &RequestHead) -> (u16, &'static str, String) {
    const TEXT: &str = "text/plain; charset=utf-8";
    if !matches!(request.method, Method::Get | Method::Head) {
        return (405, TEXT, "only GET and HEAD are served here\n".to_owned());
    }
    let path = lock(&page.path).clone();
    if request.path_bytes() != path.as_bytes() {
        return (404, TEXT, format!("the metrics are at {path}\n"));
    }
    let Some(snapshot) = gather(&page.workers).await else {
        return (503, TEXT, "no worker has answered\n".to_owned());
    };
    let (configuration, sources, certificates) = {
        let told = lock(&page.told);
        let sources = told.sources.as_ref().map_or_else(Vec::new, |ask| ask());
        (
            told.configuration.clone(),
            sources,
            told.certificates.clone(),
        )
    };
    let program = Program {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        access_log_dropped: lock(&page.drops).as_ref().map_or(0, Drops::get),
        configuration,
        sources,
        certificates,
        process: ProcessFigures::read(),
    };
    match render(snapshot, program) {
        Ok(text) => (200, CONTENT_TYPE, text),
        Err(_) => (500, TEXT, "the metrics could not be written\n".to_owned()),
    }
}
