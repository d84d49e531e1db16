//! Bytes on their way from one socket to another.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use wire::blocks::Blocks;
use wire::io::{Input, Output};

use crate::sockets::passed_on::Broken;
use crate::sockets::pipes::{Pipe, Pipes};
use crate::sockets::stream::{Reader, Writer};

/// What arrives at once in bulk: through a pipe it costs a third less processor
/// time than through a buffer. Small messages cost less with a buffer, for a
/// pipe takes a call more to find that nothing else has come.
const BULK: usize = 32 * 1024;

/// So many times in a row, and the kernel is to move what follows by itself.
const IN_A_ROW: u8 = 2;

/// How often bytes move before others get their turn.
const ROUNDS: u32 = 16;

/// Where the bytes lie of one worker's connections.
#[derive(Clone, Copy)]
pub(crate) struct Room<'w> {
    pub(crate) blocks: &'w Blocks,
    pub(crate) pipes: &'w Pipes,
}

/// One direction of a connection. While nothing comes it holds no buffer.
#[derive(Default)]
pub(crate) struct Flow {
    held: Vec<u8>,
    /// How much of `held` has moved on.
    at: usize,
    pipe: Option<Pipe>,
    /// How often in a row much has come at once.
    bulk: u8,
    stage: Stage,
    /// Bytes that have moved on.
    pub(crate) moved: u64,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Moving,
    /// The source has ended; the sink is to learn that.
    Ending,
    Done,
}

impl Flow {
    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Nothing more moves.
    pub(crate) fn stop(&mut self, room: Room<'_>) {
        self.stage = Stage::Done;
        room.blocks.give(std::mem::take(&mut self.held));
        self.pipe = None;
    }

    /// Moves what there is to move; ready when the source has ended and the sink
    /// knows.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Reader,
        sink: &mut Writer,
        room: Room<'_>,
    ) -> Poll<Result<(), Broken>> {
        for _ in 0..ROUNDS {
            match self.stage {
                Stage::Done => return Poll::Ready(Ok(())),
                Stage::Ending => {
                    ready!(sink.poll_flush(cx)).map_err(Broken::Sink)?;
                    // It has taken everything. Whether it is gone shows where it is read from.
                    let _ = ready!(sink.poll_shutdown(cx));
                    self.stage = Stage::Done;
                }
                Stage::Moving => {
                    ready!(self.poll_send(cx, sink, room))?;
                    if ready!(self.poll_receive(cx, source, sink, room))? == 0 {
                        self.stage = Stage::Ending;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Lets the sink take what is held.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut Writer,
        room: Room<'_>,
    ) -> Poll<Result<(), Broken>> {
        while let rest @ [_, ..] = self.held.get(self.at..).unwrap_or_default() {
            let sent = ready!(sink.poll_write(cx, &[IoSlice::new(rest)]));
            match sent.map_err(Broken::Sink)? {
                0 => return Poll::Ready(Err(Broken::Sink(io::ErrorKind::WriteZero.into()))),
                sent => {
                    self.at += sent;
                    self.moved += sent as u64;
                }
            }
        }
        if self.held.capacity() > 0 {
            room.blocks.give(std::mem::take(&mut self.held));
            self.at = 0;
        }
        while let Some(pipe) = self.pipe.as_mut().filter(|pipe| !pipe.is_empty())
            && let Some(socket) = sink.plain()
        {
            ready!(socket.poll_write_ready(cx)).map_err(Broken::Sink)?;
            match pipe.drain(socket) {
                Ok(drained) => self.moved += drained as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(Broken::Sink(error))),
            }
        }
        if self.bulk < IN_A_ROW
            && let Some(pipe) = self.pipe.take()
        {
            room.pipes.give(pipe);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what the source has; 0 at its end.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Reader,
        sink: &mut Writer,
        room: Room<'_>,
    ) -> Poll<Result<usize, Broken>> {
        let received = match self.bulk >= IN_A_ROW {
            true => self.poll_fill(cx, source, sink, room),
            false => self.poll_read(cx, source, room),
        };
        match received {
            Poll::Ready(received) => {
                if let Ok(count) = received {
                    self.bulk = match count >= BULK {
                        true => self.bulk.saturating_add(1),
                        false => 0,
                    };
                }
                Poll::Ready(received.map_err(Broken::Source))
            }
            Poll::Pending => {
                // Nobody waits for what a sink holds back.
                if let Poll::Ready(Err(error)) = sink.poll_flush(cx) {
                    return Poll::Ready(Err(Broken::Sink(error)));
                }
                Poll::Pending
            }
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Reader,
        room: Room<'_>,
    ) -> Poll<io::Result<usize>> {
        ready!(source.poll_arrival(cx));
        let mut block = room.blocks.take();
        let read = source.poll_read(cx, &mut block);
        match &read {
            Poll::Ready(Ok(1..)) => self.held = block,
            _ => room.blocks.give(block),
        }
        read
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Reader,
        sink: &Writer,
        room: Room<'_>,
    ) -> Poll<io::Result<usize>> {
        let (Some(socket), Some(_)) = (source.plain(), sink.plain()) else {
            return self.poll_read(cx, source, room);
        };
        let mut pipe = match self.pipe.take() {
            Some(pipe) => pipe,
            None => match room.pipes.take() {
                Ok(pipe) => pipe,
                // Without descriptors there are still buffers.
                Err(_) => return self.poll_read(cx, source, room),
            },
        };
        loop {
            if socket.poll_read_ready(cx)?.is_pending() {
                room.pipes.give(pipe);
                return Poll::Pending;
            }
            match pipe.fill(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                filled => {
                    match pipe.is_empty() {
                        true => room.pipes.give(pipe),
                        false => self.pipe = Some(pipe),
                    }
                    return Poll::Ready(filled);
                }
            }
        }
    }
}
