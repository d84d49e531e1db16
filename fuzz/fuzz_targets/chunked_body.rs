#![no_main]

use std::io::Result;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use message::{Kind, Side, Source};
use wire::blocks::Blocks;
use wire::h1::{Body, Framing, Inbound, Incoming, Limits};
use wire::io::Input;

/// Bytes that arrive in pieces of `step`.
struct Pieces<'a> {
    rest: &'a [u8],
    step: usize,
}

impl Input for Pieces<'_> {
    fn poll_read(&mut self, _: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<Result<usize>> {
        let (piece, rest) = self.rest.split_at(self.step.min(self.rest.len()));
        into.extend_from_slice(piece);
        self.rest = rest;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_arrival(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn is_quiet(&mut self) -> bool {
        false
    }
}

type Decoded = (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

fn decode(bytes: &[u8], step: usize) -> std::result::Result<Decoded, Kind> {
    let mut inbound = Inbound::new(Pieces { rest: bytes, step }, Blocks::default());
    let mut body = Body::new(Side::Client);
    let limits = Limits {
        fields: 300,
        count: 10,
        ..Limits::default()
    };
    body.begin(Framing::Chunked, limits, 10_000);
    let mut data = Vec::new();
    let mut source = Incoming {
        inbound: &mut inbound,
        body: &mut body,
    };
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match source.poll_fill(&mut cx) {
            Poll::Ready(Ok(())) if source.is_end() => break,
            Poll::Ready(Ok(())) => {
                data.extend_from_slice(source.available());
                let n = source.available().len();
                source.consume(n);
            }
            Poll::Ready(Err(failure)) => return Err(failure.kind),
            Poll::Pending => unreachable!("pieces are always ready"),
        }
    }
    assert!(data.len() <= 10_000);
    let trailers = source.trailers().iter();
    let trailers = trailers.map(|f| (f.name.to_vec(), f.value.to_vec())).collect();
    Ok((data, trailers))
}

// The first byte says how the rest is split; the result must not depend on it.
fuzz_target!(|data: &[u8]| {
    let Some((&step, bytes)) = data.split_first() else {
        return;
    };
    let whole = decode(bytes, bytes.len().max(1));
    let split = decode(bytes, usize::from(step).max(1));
    match (whole, split) {
        (Ok(a), Ok(b)) => assert_eq!(a, b),
        // Which of two faults is found first may differ.
        (Err(_), Err(_)) => {}
        _ => panic!("the result depends on how the bytes are split"),
    }
});
