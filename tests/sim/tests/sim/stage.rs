//! A worker among peers that do exactly what a test says, on a paused clock.

use std::cell::{Cell, RefCell};
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use proxy::sim::{Connecting, Shared, Socket, Worker, World};
use telemetry::Record;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Duration, sleep, timeout};
use upstream::Address;

use crate::usual::teach;

/// What a connection takes that its other end does not read: a client's, and a
/// backend's, which has hardly any.
const CLIENTS_ROOM: usize = 16 * 1024;
const BACKENDS_ROOM: usize = 64;

/// Nothing that has to happen takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    worker: Option<Worker>,
    connected: mpsc::UnboundedReceiver<Peer>,
    around: Rc<Around>,
}

struct Around {
    connected: mpsc::UnboundedSender<Peer>,
    connect_time: Duration,
    /// Status, bytes of request body.
    settled: RefCell<Vec<(u16, u64)>>,
}

/// The other end of one of the worker's connections.
pub(crate) struct Peer {
    stream: DuplexStream,
    was_reset: Rc<Cell<bool>>,
}

struct End {
    stream: RefCell<DuplexStream>,
    resets: Rc<Cell<bool>>,
}

/// Plays one scene. `server` and `group` are entries of the configuration, by
/// which there are two backends; connecting to one takes so long.
pub(crate) fn play<F: Future<Output = ()>>(
    server: &str,
    group: &str,
    connect_time: Duration,
    scene: impl FnOnce(Stage) -> F,
) {
    let urls = "{ url: \"http://10.0.0.1:80\" }, { url: \"http://10.0.0.2:80\" }";
    let yaml = format!(
        "server: {{ address: \"127.0.0.1:0\", {server} }}\n\
         telemetry: {{ access_log: {{ output: \"off\" }} }}\n\
         routes: [ {{ id: all, backend_group: app }} ]\n\
         backend_groups: [ {{ id: app, backends: [ {urls} ], {group} }} ]\n"
    );
    let read = forebay::read("sim.yaml", &yaml, &forebay::Outside::nothing());
    let Some(plan) = read.plan else {
        panic!("{}", read.problems.render(false));
    };
    teach(&plan);
    let shared = Shared::new(Arc::new(plan));
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (sender, connected) = mpsc::unbounded_channel();
        let around = Rc::new(Around {
            connected: sender,
            connect_time,
            settled: RefCell::default(),
        });
        let stage = Stage {
            worker: Some(Worker::new(&shared, Rc::clone(&around) as Rc<dyn World>, 1)),
            connected,
            around,
        };
        LocalSet::new().run_until(scene(stage)).await;
    });
}

impl Stage {
    /// A client that has connected.
    pub(crate) fn client(&self) -> Peer {
        let (end, peer) = connection(CLIENTS_ROOM);
        let address = "192.0.2.1:1000".parse().unwrap();
        self.worker.as_ref().unwrap().accept(end, address, 0);
        peer
    }

    /// Lets the worker run for so long, or until the scene has gone on.
    pub(crate) async fn run<T>(&self, until: impl Future<Output = T>) -> T {
        self.worker.as_ref().unwrap().run(until).await
    }

    /// The next connection that reaches the backend.
    pub(crate) async fn backend(&mut self) -> Peer {
        let next = timeout(PATIENCE, self.connected.recv());
        let came = self.worker.as_ref().unwrap().run(next).await;
        came.expect("nobody connects to the backend").unwrap()
    }

    /// The worker's thread ends, with all its tasks.
    pub(crate) fn end_worker(&mut self) {
        self.worker = None;
    }

    /// The status of every exchange that has settled, and how many bytes its
    /// request's body had.
    pub(crate) fn settled(&self) -> Vec<(u16, u64)> {
        self.around.settled.borrow().clone()
    }
}

fn connection(room: usize) -> (Rc<dyn Socket>, Peer) {
    let (own, stream) = duplex(room);
    let was_reset = Rc::new(Cell::new(false));
    let end = End {
        stream: RefCell::new(own),
        resets: Rc::clone(&was_reset),
    };
    (Rc::new(end), Peer { stream, was_reset })
}

impl Peer {
    pub(crate) async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything up to this text.
    pub(crate) async fn hear_until(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        let hear = async {
            while !heard.ends_with(end.as_bytes()) {
                heard.push(self.stream.read_u8().await.ok()?);
            }
            Some(())
        };
        let came = timeout(PATIENCE, hear).await;
        let heard = String::from_utf8(heard).unwrap();
        assert_eq!(came, Ok(Some(())), "only {heard:?}");
        heard
    }

    pub(crate) fn was_reset(&self) -> bool {
        self.was_reset.get()
    }
}

impl World for Around {
    fn connect(&self, _: &Address) -> Connecting {
        let (end, peer) = connection(BACKENDS_ROOM);
        let connected = self.connected.clone();
        let time = self.connect_time;
        Box::pin(async move {
            sleep(time).await;
            // A scene that is over needs no backend.
            let _ = connected.send(peer);
            Ok(end)
        })
    }

    fn settled(&self, record: &Record<'_>) {
        self.settled
            .borrow_mut()
            .push((record.status, record.request_bytes));
    }
}

impl Socket for End {
    fn poll_read(&self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<Result<usize>> {
        let mut bytes = [0; 1024];
        let most = bytes.len().min(into.capacity() - into.len());
        let mut buffer = ReadBuf::new(&mut bytes[..most]);
        let stream = &mut *self.stream.borrow_mut();
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        into.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(&self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let first = pieces.iter().find(|piece| !piece.is_empty());
        let piece = first.map_or(&[][..], |piece| piece);
        let stream = &mut *self.stream.borrow_mut();
        Pin::new(stream).poll_write(cx, piece)
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let stream = &mut *self.stream.borrow_mut();
        Pin::new(stream).poll_shutdown(cx)
    }

    fn reset_on_close(&self) {
        self.resets.set(true);
    }
}
