//! The tasks of a client's HTTP/2 connection. Each serves one stream after
//! another: to start a task for each would cost more than to read a request.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::task::{AbortHandle, spawn_local};
use wire::h2::StreamKey;

use crate::client::http2::Arrived;
use crate::client::{Client, Peer};
use crate::path::receive::expect;
use crate::path::{exchange, reply};
use crate::sockets::h2_stream::{Carrier, H2Stream};
use crate::sockets::stream::Stream;
use crate::worker::{Held, Worker};

/// What all lanes of a connection have.
pub(crate) struct Shared {
    pub(crate) worker: Rc<Worker>,
    /// Given back when the last exchange has settled.
    pub(crate) held: Rc<Held>,
    pub(crate) carrier: Rc<Carrier>,
    pub(crate) peer: Peer,
}

/// Its task ends when it is dropped, after the exchange that is under way.
pub(crate) struct Lane {
    task: AbortHandle,
    next: Rc<Next>,
}

impl Lane {
    pub(crate) fn start(shared: Rc<Shared>) -> Self {
        let next = Rc::new(Next::default());
        let task = spawn_local(serve(shared, Rc::clone(&next)));
        Self {
            task: task.abort_handle(),
            next,
        }
    }

    /// It has nothing to do and is ready for it.
    pub(crate) fn is_alive(&self) -> bool {
        !self.task.is_finished()
    }

    pub(crate) fn give(&self, stream: StreamKey, request: Arrived) {
        self.next.stream.set(Some((stream, request)));
        self.next.wake();
    }

    /// Cuts the exchange that is under way.
    pub(crate) fn cut(&self) {
        self.task.abort();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.next.is_over.set(true);
        self.next.wake();
    }
}

/// What a lane is to do next.
#[derive(Default)]
struct Next {
    stream: Cell<Option<(StreamKey, Arrived)>>,
    is_over: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Next {
    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<(StreamKey, Arrived)>> {
        if let Some(next) = self.stream.take() {
            return Poll::Ready(Some(next));
        }
        if self.is_over.get() {
            return Poll::Ready(None);
        }
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

async fn serve(shared: Rc<Shared>, next: Rc<Next>) {
    let Shared {
        worker,
        held,
        carrier,
        peer,
    } = &*shared;
    while let Some((key, mut request)) = poll_fn(|cx| next.poll(cx)).await {
        let stream = H2Stream::new(Rc::clone(carrier), key);
        let stream = Stream::H2(Rc::new(RefCell::new(stream)));
        let door = (Rc::clone(&held.door), held.place);
        let mut client = Client::new(worker, stream, door, *peer);
        if expect(worker, &mut client, true) {
            exchange(worker, &mut client, Some(&mut request)).await;
            end(&mut client).await;
        }
    }
}

/// Ends a stream. One that has its whole answer may still be sending: told at
/// once that nobody reads it, some clients would miss the answer.
async fn end(client: &mut Client) {
    let is_answered = client
        .h2
        .as_ref()
        .is_some_and(|stream| stream.borrow().is_answered());
    match is_answered {
        true if client.body.is_end() => {}
        true => reply::close(client).await,
        false => client.outbound.io().reset_on_close(),
    }
}
