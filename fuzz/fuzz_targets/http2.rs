#![no_main]

use std::io::{IoSlice, Result};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use message::{RequestHead, ResponseHead};
use wire::blocks::Blocks;
use wire::h1::Limits;
use wire::h2::{
    AnswerTo, Connection, Options, PREFACE, Patience, StreamKey, Watch, Windows, write_request,
};
use wire::io::Output;

const LIMITS: Limits = Limits {
    line: 1000,
    fields: 4096,
    count: 20,
};

const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const ACKNOWLEDGED: [u8; 9] = [0, 0, 0, 4, 1, 0, 0, 0, 0];

// The same frames as a client sends them and as a backend does, whole and in pieces,
// whose size is the first byte. Both ways give the same, and what waits to be sent is
// bounded.
fuzz_target!(|data: &[u8]| {
    let [step, frames @ ..] = data else {
        return;
    };
    let step = usize::from(*step).max(1);
    let greeting = [&SETTINGS[..], &ACKNOWLEDGED].concat();
    let came = [PREFACE, &greeting, frames].concat();
    assert_eq!(served(&came, came.len()), served(&came, step));
    let came = [&greeting, frames].concat();
    assert_eq!(asked(&came, came.len()), asked(&came, step));
});

/// What a client is sent, and the requests and bodies that have come of it.
fn served(came: &[u8], step: usize) -> (Vec<u8>, Vec<String>) {
    let options = Options {
        max_concurrent_streams: 4,
        stream_window: 70_000,
        connection_window: 100_000,
        max_header_list_size: 4096,
        takes_extended_connect: true,
    };
    let mut connection = Connection::new(options, watch(), Blocks::default());
    let (mut head, mut seen, mut keys) = (RequestHead::default(), Vec::new(), Vec::new());
    for mut piece in came.chunks(step) {
        while !piece.is_empty() {
            let (taken, arrived) = connection.receive(piece, &LIMITS, &mut head);
            piece = &piece[taken..];
            match arrived {
                Some(arrived) => {
                    keys.push(arrived.stream);
                    seen.push(format!("{:?}", arrived.verdict.map(|()| head.clone())));
                }
                None => assert!(piece.is_empty() || connection.is_over()),
            }
            if taken == 0 {
                break;
            }
        }
    }
    finish(connection, &keys, seen)
}

/// What a backend is sent, and the answers that have come of it.
fn asked(came: &[u8], step: usize) -> (Vec<u8>, Vec<String>) {
    let windows = Windows {
        stream: 70_000,
        connection: 100_000,
        max_header_list_size: 4096,
    };
    let mut connection = Connection::asking(windows, watch(), Blocks::default());
    let mut request = Vec::new();
    write_request(&mut request, &RequestHead::default(), false);
    let mut keys = Vec::new();
    // Once the backend has said how many it takes.
    let (greeting, frames) = came.split_at(SETTINGS.len());
    connection.receive_answers(greeting, &LIMITS);
    for to in [AnswerTo::Other, AnswerTo::Head, AnswerTo::Connect] {
        let key = connection.open(&request, to).expect("a stream");
        if to == AnswerTo::Other {
            connection.finish(key, &[]);
        }
        keys.push(key);
    }
    for piece in frames.chunks(step) {
        let taken = connection.receive_answers(piece, &LIMITS);
        assert!(taken == piece.len() || connection.is_over());
    }
    let mut seen = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    for &key in &keys {
        let mut head = ResponseHead::default();
        while let Poll::Ready(came) = connection.poll_head(key, &cx, &mut head) {
            let is_over = came.is_err();
            seen.push(format!("{:?}", came.map(|()| head.clone())));
            if is_over {
                break;
            }
        }
    }
    finish(connection, &keys, seen)
}

/// Reads all bodies and lets go of everything.
fn finish(
    mut connection: Connection,
    keys: &[StreamKey],
    mut seen: Vec<String>,
) -> (Vec<u8>, Vec<String>) {
    let cx = Context::from_waker(Waker::noop());
    for &key in keys {
        let mut body = Vec::with_capacity(100_000);
        let end = loop {
            match connection.poll_read(key, &cx, &mut body) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                end => break end,
            }
        };
        assert!(body.len() <= 70_000, "more than the window");
        let trailers = connection.take_trailers(key);
        seen.push(format!("{end:?} {body:?} {trailers:?}"));
        connection.release(key);
    }
    let mut sent = Sent::default();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(connection.poll_flush(&mut cx, &mut sent).is_ready());
    (sent.0, seen)
}

fn watch() -> Watch {
    let patience = Patience {
        resets: 10,
        control_frames: 100,
        stalls: 1,
    };
    Watch::new(patience, Instant::now())
}

#[derive(Default)]
struct Sent(Vec<u8>);

impl Output for Sent {
    fn poll_write(&mut self, _: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let before = self.0.len();
        pieces
            .iter()
            .for_each(|piece| self.0.extend_from_slice(piece));
        Poll::Ready(Ok(self.0.len() - before))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}
