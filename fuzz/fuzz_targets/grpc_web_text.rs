#![no_main]

use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use message::{Failure, Fields, Kind, Source};
use wire::grpc_web::TextRequest;

/// A body that arrives in pieces of `step`.
struct Pieces<'a> {
    rest: &'a [u8],
    step: usize,
    none: Fields,
}

impl Source for Pieces<'_> {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn available(&self) -> &[u8] {
        self.rest.get(..self.step).unwrap_or(self.rest)
    }

    fn consume(&mut self, n: usize) {
        self.rest = &self.rest[n..];
    }

    fn is_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn remaining(&self) -> Option<u64> {
        None
    }

    fn trailers(&self) -> &Fields {
        &self.none
    }
}

fn decode(bytes: &[u8], step: usize) -> Result<Vec<u8>, Kind> {
    let mut text = TextRequest::default();
    let none = Fields::default();
    let rest = bytes;
    let mut source = text.decode(Pieces { rest, step, none });
    let mut cx = Context::from_waker(Waker::noop());
    let mut data = Vec::new();
    loop {
        match source.poll_fill(&mut cx) {
            Poll::Ready(Ok(())) if source.is_end() => return Ok(data),
            Poll::Ready(Ok(())) => {
                let n = source.available().len();
                assert!(n > 0);
                data.extend_from_slice(source.available());
                source.consume(n);
            }
            Poll::Ready(Err(failure)) => return Err(failure.kind),
            Poll::Pending => unreachable!("pieces are always ready"),
        }
    }
}

// The first byte says how the rest is split; the result must not depend on it.
fuzz_target!(|data: &[u8]| {
    let Some((&step, bytes)) = data.split_first() else {
        return;
    };
    let whole = decode(bytes, bytes.len().max(1));
    assert_eq!(decode(bytes, usize::from(step).max(1)), whole);
});
