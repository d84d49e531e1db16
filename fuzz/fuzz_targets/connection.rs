#![no_main]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Result};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use message::RequestHead;
use plan::{Heritage, Plan};
use proxy::sim::{Connecting, Shared, Socket, Worker, World};
use telemetry::Record;
use upstream::Address;
use wire::h1::{HeadParser, Limits};

/// What a client sends, and what backends answer, piece by piece.
#[derive(Arbitrary, Debug)]
struct Case {
    client: Script,
    backends: Vec<Script>,
}

#[derive(Arbitrary, Debug, Clone)]
struct Script {
    pieces: Vec<Vec<u8>>,
    /// It closes when it has said everything; otherwise it falls silent.
    closes: bool,
}

// Any bytes on both sides of a whole connection. It ends, whatever was said;
// every exchange settles once; nothing is kept; and what backends get begins
// with a request.
fuzz_target!(|case: Case| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("an event loop");
    runtime.block_on(run(&case));
});

async fn run(case: &Case) {
    let around = Rc::new(Around {
        scripts: RefCell::new(case.backends.iter().cloned().collect()),
        opened: RefCell::default(),
        settled: Cell::new(0),
    });
    let world: Rc<dyn World> = Rc::<Around>::clone(&around);
    let worker = Worker::new(&Shared::new(plan()), world, 1);
    let client = Peer::new(case.client.clone());
    let peer = ([192, 0, 2, 1], 50_000).into();
    worker.accept(client, peer, 0);
    let ended = async {
        while worker.clients() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let within = tokio::time::timeout(Duration::from_secs(3600), ended);
    assert!(worker.run(within).await.is_ok(), "the connection never ends");
    let requests = around.opened.borrow();
    for backend in requests.iter() {
        let written = backend.written.borrow();
        let mut head = RequestHead::default();
        let parsed = HeadParser::default().parse(&written, &LIMITS, &mut head);
        assert!(written.is_empty() || parsed.is_ok(), "{}", written.escape_ascii());
    }
    let pooled: usize = worker.pool().map(|(backend, _)| backend.load()).sum();
    assert_eq!(pooled, 0, "an exchange still counts");
}

const LIMITS: Limits = Limits {
    line: 1 << 20,
    fields: 1 << 20,
    count: 1000,
};

fn plan() -> Arc<Plan> {
    static PLAN: OnceLock<Arc<Plan>> = OnceLock::new();
    let compiled = || {
        let text = "\
server: { address: \"127.0.0.1:1\", max_body: 64KiB }
routes:
  - { id: all, backend_group: g, response_headers: { set: { X-A: \"${path}\" } } }
  - { id: other, path: \"prefix:/o\", rewrite: \"/x${path}\", backend_group: g, request_headers: { set: { X-B: \"${query.a}\" } } }
  - { id: mine, path: /m, respond: { body: mine } }
backend_groups:
  - id: g
    backends: [ { url: \"http://10.0.0.1\" }, { url: \"http://10.0.0.2\" } ]
    retry: { retry_on: [connection_error, timeout, 5xx], delay: 1ms, max_delay: 1ms }
";
        let mut reading = config::read("fuzz.yaml", text, &|_| None);
        let open = |_: &str| Err(ErrorKind::NotFound.into());
        let plan = plan::compile(&reading.settings, &mut reading.problems, &Heritage::default(), &open);
        Arc::new(plan.expect("a plan"))
    };
    Arc::clone(PLAN.get_or_init(compiled))
}

/// Backends that say what the case has for them, one connection after another.
struct Around {
    scripts: RefCell<VecDeque<Script>>,
    opened: RefCell<Vec<Rc<Peer>>>,
    settled: Cell<usize>,
}

impl World for Around {
    fn connect(&self, _address: &Address) -> Connecting {
        let script = self.scripts.borrow_mut().pop_front();
        let peer = script.map(Peer::new);
        self.opened.borrow_mut().extend(peer.clone());
        Box::pin(async move {
            let peer: Rc<dyn Socket> = peer.ok_or(ErrorKind::ConnectionRefused)?;
            Ok(peer)
        })
    }

    fn settled(&self, _record: &Record<'_>) {
        self.settled.set(self.settled.get() + 1);
    }
}

/// The other end of a connection.
struct Peer {
    pieces: RefCell<VecDeque<Vec<u8>>>,
    closes: bool,
    written: RefCell<Vec<u8>>,
}

impl Peer {
    fn new(script: Script) -> Rc<Self> {
        Rc::new(Self {
            pieces: RefCell::new(script.pieces.into()),
            closes: script.closes,
            written: RefCell::default(),
        })
    }
}

impl Socket for Peer {
    fn poll_read(&self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<Result<usize>> {
        let mut pieces = self.pieces.borrow_mut();
        let Some(piece) = pieces.front_mut() else {
            return match self.closes {
                true => Poll::Ready(Ok(0)),
                false => Poll::Pending,
            };
        };
        // An empty piece is a pause.
        if piece.is_empty() {
            pieces.pop_front();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let room = into.capacity() - into.len();
        let count = piece.len().min(room);
        into.extend(piece.drain(..count));
        if piece.is_empty() {
            pieces.pop_front();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(&self, _: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let mut written = self.written.borrow_mut();
        pieces.iter().for_each(|piece| written.extend_from_slice(piece));
        Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()))
    }

    fn poll_shutdown(&self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn reset_on_close(&self) {}
}
