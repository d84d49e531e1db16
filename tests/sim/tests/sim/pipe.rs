//! A connection in memory that behaves as TCP may: it takes and gives bytes in
//! any portions, is never readier than it must be, and loses what lies in it
//! when it is reset.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use proxy::sim::Socket;
use tokio::time::Instant;

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

    /// Closing with unread bytes resets, as does asking for it.
    fn drop_forebays_end(&mut self) -> End {
        self.forebay.gone = true;
        let is_cut = self.resets || !self.toward.is_empty();
        if is_cut {
            self.forebay.reset = true;
            if self.random.bool() {
                self.away = 0;
            }
        }
        self.wake_all();
        if is_cut { End::Reset } else { End::Fin }
    }

    /// Not ready although it could be, as when a task has done much already;
    /// so not for the first time at any moment.
    fn stutters(&mut self, cx: &Context<'_>) -> bool {
        let now = Instant::now();
        let is_first = self.used_at.replace(now) != Some(now);
        // Only a waker that does nothing has nothing to do it with.
        let is_look = cx.waker().data().is_null();
        let stutters = !is_first && !is_look && self.cuts.stutters(&mut self.random);
        if stutters {
            cx.waker().wake_by_ref();
        }
        stutters
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

/// Forebay's end.
pub(crate) struct ForebaysEnd(pub(crate) Rc<Pipe>);

impl Socket for ForebaysEnd {
    fn poll_read(&self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let pipe = &*self.0;
        pipe.world.count_step();
        let state = &mut *pipe.state.borrow_mut();
        if state.stutters(cx) {
            return Poll::Pending;
        }
        let spare = into.capacity() - into.len();
        if spare == 0 {
            pipe.world
                .wrong(format!("{}: read into a full buffer", pipe.line.name));
        }
        pipe.tap.borrow_mut().reads(into.capacity());
        if !state.toward.is_empty() {
            let most = state.cuts.most(&mut state.random, pipe.line.taken.get());
            let n = most.min(spare).min(state.toward.len());
            into.extend(state.toward.drain(..n));
            pipe.line.taken.set(pipe.line.taken.get() + n as u64);
            state.wake(PEER_WRITES);
            return Poll::Ready(Ok(n));
        }
        match &state.peer {
            peer if peer.reset => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
            peer if peer.fin => Poll::Ready(Ok(0)),
            _ => state.wait(FOREBAY_READS, cx),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let pipe = &*self.0;
        pipe.world.count_step();
        let state = &mut *pipe.state.borrow_mut();
        pipe.tap.borrow_mut().tries(state.toward.len());
        if state.stutters(cx) {
            return Poll::Pending;
        }
        if state.forebay.fin {
            pipe.world
                .wrong(format!("{}: sent after the end", pipe.line.name));
        }
        if state.peer.knocked || state.peer.reset {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let room = match state.peer.gone {
            // The kernel takes it, and learns a moment later that nobody is there.
            true => usize::MAX,
            false => state.capacity - state.away,
        };
        let most = state.cuts.most(&mut state.random, pipe.line.sent.get());
        let mut left = most.min(room);
        if left == 0 {
            return state.wait(FOREBAY_WRITES, cx);
        }
        let mut n = 0;
        for piece in pieces {
            let part = &piece[..piece.len().min(left)];
            pipe.tap.borrow_mut().sends(part);
            left -= part.len();
            n += part.len();
        }
        pipe.line.sent.set(pipe.line.sent.get() + n as u64);
        if state.peer.gone {
            state.peer.knocked = true;
            state.peer.reset |= !state.peer.fin || state.random.bool();
            state.wake(FOREBAY_READS);
        } else {
            if state.away == 0 {
                // From now on the peer leaves something lying.
                pipe.line.read_at.set(Instant::now());
            }
            state.away += n;
            state.wake(PEER_READS);
        }
        Poll::Ready(Ok(n))
    }

    fn poll_shutdown(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.end(End::Fin);
        Poll::Ready(Ok(()))
    }

    fn reset_on_close(&self) {
        self.0.state.borrow_mut().resets = true;
    }
}

impl Pipe {
    /// Forebay will send no more.
    fn end(&self, how: End) {
        let state = &mut *self.state.borrow_mut();
        state.forebay.fin = true;
        state.wake(PEER_READS);
        if self.line.ended.get().is_none() {
            self.line.ended.set(Some(how));
            self.tap.borrow_mut().ends(how);
        }
    }
}

impl Drop for ForebaysEnd {
    fn drop(&mut self) {
        let pipe = &*self.0;
        pipe.line.dropped_at.set(Some(Instant::now()));
        let how = pipe.state.borrow_mut().drop_forebays_end();
        pipe.end(how);
    }
}
