//! A connection in memory that behaves as TCP may: it takes and gives bytes in
//! any portions, is never readier than it must be, and loses what lies in it
//! when it is reset.

mod forebays_end;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use tokio::time::Instant;

pub(crate) use forebays_end::ForebaysEnd;

use crate::cuts::Cuts;
use crate::line::{End, Line};
use crate::world::World;

/// Sees every byte that Forebay sends on a connection, when it is sent.
pub(crate) trait Tap {
    /// Forebay tries to send, while so many bytes lie there that it has not read.
    fn tries(&mut self, unread: usize);

    fn sends(&mut self, bytes: &[u8]);

    fn ends(&mut self, how: End);

    /// Forebay has read from the connection into a buffer this large.
    fn reads(&mut self, _capacity: usize) {}
}

pub(crate) struct Pipe {
    pub(crate) line: Rc<Line>,
    world: Rc<World>,
    tap: RefCell<Box<dyn Tap>>,
    state: RefCell<State>,
}

struct State {
    random: Rng,
    cuts: Cuts,
    /// What the peer has sent and Forebay has not read.
    toward: VecDeque<u8>,
    /// How much of what Forebay has sent the peer has not read; the tap has
    /// seen the bytes themselves.
    away: usize,
    capacity: usize,
    peer: Closed,
    forebay: Closed,
    resets: bool,
    /// When Forebay read or wrote last, ready or not.
    used_at: Option<Instant>,
    /// Who waits: the peer for reading and writing, Forebay likewise.
    wakers: [Option<Waker>; 4],
}

/// What one end has said about itself.
#[derive(Default)]
struct Closed {
    fin: bool,
    reset: bool,
    /// It reads no more.
    gone: bool,
    /// It has been sent something since.
    knocked: bool,
}

const PEER_READS: usize = 0;
const PEER_WRITES: usize = 1;
const FOREBAY_READS: usize = 2;
const FOREBAY_WRITES: usize = 3;

impl State {
    fn wake(&mut self, who: usize) {
        if let Some(waker) = self.wakers[who].take() {
            waker.wake();
        }
    }

    fn wait<T>(&mut self, who: usize, cx: &Context<'_>) -> Poll<T> {
        self.wakers[who] = Some(cx.waker().clone());
        Poll::Pending
    }

    fn wake_all(&mut self) {
        (0..4).for_each(|who| self.wake(who));
    }
}

impl Pipe {
    pub(crate) fn new(
        world: &Rc<World>,
        line: Rc<Line>,
        tap: Box<dyn Tap>,
        mut random: Rng,
    ) -> Rc<Self> {
        let cuts = Cuts::draw(&mut random);
        let capacity = *random
            .choice(&[64, 1000, 5000, 20_000, 70_000, 300_000])
            .unwrap_or(&1000);
        line.capacity.set(capacity);
        Rc::new(Self {
            line,
            world: Rc::clone(world),
            tap: RefCell::new(tap),
            state: RefCell::new(State {
                random,
                cuts,
                toward: VecDeque::new(),
                away: 0,
                capacity,
                peer: Closed::default(),
                forebay: Closed::default(),
                resets: false,
                used_at: None,
                wakers: [const { None }; 4],
            }),
        })
    }

    /// The peer reads; 0 at the end.
    pub(crate) async fn read(&self, most: usize) -> io::Result<usize> {
        poll_fn(|cx| {
            let state = &mut *self.state.borrow_mut();
            if state.away > 0 {
                let n = state.away.min(most);
                state.away -= n;
                state.wake(FOREBAY_WRITES);
                self.line.peer_reads(n);
                return Poll::Ready(Ok(n));
            }
            match &state.forebay {
                forebay if forebay.reset => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
                forebay if forebay.fin => Poll::Ready(Ok(0)),
                _ => state.wait(PEER_READS, cx),
            }
        })
        .await
    }

    /// The peer writes all of it.
    pub(crate) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        poll_fn(|cx| {
            let state = &mut *self.state.borrow_mut();
            while !bytes.is_empty() {
                if state.peer.gone || state.peer.fin || state.forebay.reset || state.forebay.knocked
                {
                    return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
                }
                if state.forebay.gone {
                    state.forebay.knocked = true;
                    state.forebay.reset = true;
                    state.wake(PEER_READS);
                    return Poll::Ready(Ok(()));
                }
                let n = bytes.len().min(state.capacity - state.toward.len());
                if n == 0 {
                    return state.wait(PEER_WRITES, cx);
                }
                state.toward.extend(&bytes[..n]);
                bytes = &bytes[n..];
                state.wake(FOREBAY_READS);
                self.line.peer_gives(n);
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// The peer will send no more.
    pub(crate) fn shut_down(&self) {
        let state = &mut *self.state.borrow_mut();
        state.peer.fin = true;
        state.wake(FOREBAY_READS);
        self.leave();
    }

    /// The peer writes all of it if there is room at once, and nothing otherwise.
    pub(crate) fn offer(&self, bytes: &[u8]) {
        let state = &mut *self.state.borrow_mut();
        let has_room = state.capacity - state.toward.len() >= bytes.len();
        if has_room && !(state.peer.gone || state.peer.fin || state.forebay.gone) {
            state.toward.extend(bytes);
            state.wake(FOREBAY_READS);
            self.line.peer_gives(bytes.len());
        }
    }

    /// The peer lets go of the connection. Says how that looks to Forebay, or
    /// nothing if it had done so before.
    pub(crate) fn close(&self, how: End) -> Option<End> {
        let state = &mut *self.state.borrow_mut();
        if std::mem::replace(&mut state.peer.gone, true) {
            return None;
        }
        // Closing with unread bytes resets.
        let is_cut = how == End::Reset || state.away > 0;
        if is_cut {
            state.peer.reset = true;
            if state.random.bool() {
                state.toward.clear();
            }
        } else {
            state.peer.fin = true;
        }
        state.away = 0;
        state.wake_all();
        self.leave();
        Some(if is_cut { End::Reset } else { End::Fin })
    }

    fn leave(&self) {
        if self.line.left_at.get().is_none() {
            self.line.left_at.set(Some(Instant::now()));
        }
    }
}
