//! Forebay's end of a connection, in the place of a socket.

use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use proxy::sim::Socket;
use tokio::time::Instant;

use super::{FOREBAY_READS, FOREBAY_WRITES, PEER_READS, PEER_WRITES, Pipe, State};
use crate::line::End;

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
        let offered = pieces.iter().map(|piece| piece.len()).sum();
        pipe.world.check_offer(&pipe.line, offered);
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

impl State {
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
