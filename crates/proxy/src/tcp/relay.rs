//! Two sockets and the bytes between them, both ways.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use message::{Failure, Kind};

use super::flow::{Flow, Room};
use super::session::Session;
use crate::sockets::passed_on::{Broken, Silence};
use crate::sockets::stream::{Reader, Stream, Writer};
use crate::worker::Worker;

pub(super) struct Relay {
    client: (Reader, Writer),
    backend: (Reader, Writer),
    /// From the client, and to it.
    up: Flow,
    down: Flow,
    silence: Silence,
    /// Why one of them has ended before its time.
    broken: Option<Failure>,
}

impl Relay {
    pub(super) fn new(
        session: &Session,
        idle: Duration,
        client: (Reader, Writer),
        backend: Stream,
    ) -> Self {
        let timers = &session.worker.timers;
        // From now on it may take as long as streams may.
        session.held.door.mark(session.held.place, true);
        Self {
            client,
            backend: backend.split(timers),
            up: Flow::default(),
            down: Flow::default(),
            silence: Silence::new(&session.worker, idle),
            broken: None,
        }
    }

    /// Moves bytes until both ends have ended, each knowing of the other.
    pub(super) async fn run(&mut self, session: &mut Session) -> Result<(), Failure> {
        let ended = poll_fn(|cx| self.poll(cx, session)).await;
        // Whoever is cut off must not take what there is for all of it.
        if ended.is_err() {
            self.cut();
        }
        ended
    }

    fn cut(&self) {
        self.client.1.reset_on_close();
        self.backend.1.reset_on_close();
    }

    fn poll(&mut self, cx: &mut Context<'_>, session: &mut Session) -> Poll<Result<(), Failure>> {
        let before = self.up.moved + self.down.moved;
        self.move_bytes(cx, &session.worker);
        let now = self.up.moved + self.down.moved;
        if now > before {
            self.silence.break_off(&session.worker);
            session.has_moved((self.up.moved, self.down.moved));
        }
        if self.up.is_done() && self.down.is_done() {
            return Poll::Ready(self.broken.take().map_or(Ok(()), Err));
        }
        match self.silence.has_lasted(cx, &session.worker) {
            true => Poll::Ready(Err(Kind::IdleTimeout.into())),
            false => Poll::Pending,
        }
    }

    fn move_bytes(&mut self, cx: &mut Context<'_>, worker: &Worker) {
        let room = Room {
            blocks: &worker.blocks,
            pipes: &worker.pipes,
        };
        let up = (self.up).poll(cx, &mut self.client.0, &mut self.backend.1, room);
        if let Poll::Ready(Err(broken)) = up {
            self.up.stop(room);
            match broken {
                Broken::Source(error) => self.end(room, Kind::ClientGone, &error),
                // It has said all, and closed: what the client still says is for nobody.
                Broken::Sink(error) if self.down.is_done() && is_reset(&error) => self.cut(),
                Broken::Sink(error) => self.note(Kind::Terminated, &error),
            }
        }
        let down = (self.down).poll(cx, &mut self.backend.0, &mut self.client.1, room);
        if let Poll::Ready(Err(broken)) = down {
            self.down.stop(room);
            match broken {
                Broken::Source(error) => self.end(room, Kind::Terminated, &error),
                Broken::Sink(error) => self.note(Kind::ClientGone, &error),
            }
        }
    }

    /// One end takes no more: what it has sent before still goes on to the other.
    fn note(&mut self, kind: Kind, error: &io::Error) {
        let failure = || Failure::new(kind, error.to_string());
        self.broken.get_or_insert_with(failure);
    }

    /// One end is gone, and with it both ways. A client that has been told all takes
    /// nothing from anybody by its reset: so do some close. Of a backend, nobody here
    /// knows whether it had more to say.
    fn end(&mut self, room: Room<'_>, kind: Kind, error: &io::Error) {
        match kind == Kind::ClientGone && self.down.is_done() && is_reset(error) {
            // The other end gets the reset all the same: what is whole it knows best.
            true => self.cut(),
            false => self.note(kind, error),
        }
        self.up.stop(room);
        self.down.stop(room);
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

/// Also when its task is dropped.
impl Drop for Relay {
    fn drop(&mut self) {
        if !(self.up.is_done() && self.down.is_done()) {
            self.cut();
        }
    }
}
