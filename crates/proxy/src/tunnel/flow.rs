//! Bytes on their way from one end of a tunnel to the other.

use std::io;
use std::task::{Context, Poll, ready};

use message::Fields;
use wire::h1::{Inbound, Outbound};
use wire::websocket::{Frames, From, push_going_away};

use crate::sockets::passed_on::Broken;
use crate::sockets::stream::{Reader, Writer};

/// How often bytes move before others get their turn.
const ROUNDS: u32 = 16;

/// One direction. While nothing comes it holds no buffer.
pub(super) struct Flow {
    stage: Stage,
    /// Bytes that have moved on.
    pub(super) moved: u64,
    /// Where in its frames it is, for a WebSocket.
    frames: Option<Frames>,
    /// What still comes is thrown away.
    has_parted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Moving,
    /// Nothing more goes to the sink, which is to learn that.
    Ending,
    /// The sink knows; the source is still saying something.
    Ignoring,
    Done,
}

impl Flow {
    pub(super) fn new(is_websocket: bool) -> Self {
        Self {
            stage: Stage::Moving,
            moved: 0,
            frames: is_websocket.then(Frames::default),
            has_parted: false,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// The sink knows that nothing more comes.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ignoring | Stage::Done)
    }

    /// A WebSocket's last word has passed.
    pub(super) fn has_closed(&self) -> bool {
        self.frames.as_ref().is_some_and(Frames::has_closed)
    }

    /// Nothing more moves, which the sink is to learn. False if that was so before.
    pub(super) fn finish(&mut self) -> bool {
        let is_moving = self.stage == Stage::Moving;
        if is_moving {
            self.stage = Stage::Ending;
        }
        is_moving
    }

    /// Nothing more moves.
    pub(super) fn stop(&mut self) {
        self.stage = Stage::Done;
    }

    /// Nothing more moves but a word that this is the end, where it would be
    /// understood.
    pub(super) fn part(&mut self, sink: &mut Outbound<Writer>, from: From) {
        if self.stage != Stage::Moving {
            return;
        }
        self.stage = Stage::Ending;
        self.has_parted = true;
        if let Some(frames) = &self.frames
            && frames.is_between()
            && !frames.has_closed()
        {
            push_going_away(sink.buffer(), from);
        }
    }

    /// Moves what there is to move; ready when the source has ended and the sink
    /// knows.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Inbound<Reader>,
        sink: &mut Outbound<Writer>,
    ) -> Poll<Result<(), Broken>> {
        for _ in 0..ROUNDS {
            match self.stage {
                Stage::Done => return Poll::Ready(Ok(())),
                Stage::Ending => {
                    let told = ready!(poll_end(cx, sink));
                    // After the last word it is nothing to anyone.
                    if !self.has_closed() {
                        told.map_err(Broken::Sink)?;
                    }
                    self.stage = match self.has_parted {
                        true => Stage::Ignoring,
                        false => Stage::Done,
                    };
                }
                Stage::Ignoring => {
                    self.consume(source, source.buffered().len());
                    // What goes wrong now goes wrong for nobody.
                    if self.has_closed() || !matches!(ready!(source.poll_more(cx)), Ok(1..)) {
                        self.stage = Stage::Done;
                    }
                }
                Stage::Moving => {
                    ready!(self.poll_send(cx, source, sink)).map_err(Broken::Sink)?;
                    if ready!(source.poll_more(cx)).map_err(Broken::Source)? == 0 {
                        self.stage = Stage::Ending;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Lets the sink take what has come.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Inbound<Reader>,
        sink: &mut Outbound<Writer>,
    ) -> Poll<io::Result<()>> {
        let mut sent = 0;
        let result = sink.poll_send(cx, source.buffered(), &mut sent);
        self.moved += sent as u64;
        self.consume(source, sent);
        result
    }

    fn consume(&mut self, source: &mut Inbound<Reader>, n: usize) {
        if let Some(frames) = &mut self.frames {
            frames.pass(source.buffered().get(..n).unwrap_or_default());
        }
        source.consume(n);
    }
}

fn poll_end(cx: &mut Context<'_>, sink: &mut Outbound<Writer>) -> Poll<io::Result<()>> {
    sink.end(&Fields::default());
    ready!(sink.poll_flush(cx))?;
    sink.poll_shutdown(cx)
}
