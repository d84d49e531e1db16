use std::task::Waker;

use proptest::prelude::*;

use super::*;

/// A body that comes in these pieces; before each, nothing is there once.
struct Pieces {
    pieces: Vec<Vec<u8>>,
    has_waited: bool,
    is_there: bool,
    trailers: Fields,
}

impl Pieces {
    fn new(pieces: Vec<Vec<u8>>, trailers: &[(&str, &str)]) -> Self {
        let mut fields = Fields::default();
        for (name, value) in trailers {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        Self {
            pieces: pieces.into_iter().filter(|p| !p.is_empty()).rev().collect(),
            has_waited: false,
            is_there: false,
            trailers: fields,
        }
    }

    /// The same bytes in pieces of these sizes, again and again.
    fn split(mut bytes: &[u8], sizes: &[usize]) -> Self {
        let mut sizes = sizes.iter().cycle();
        let mut pieces = Vec::new();
        while let (false, Some(size)) = (bytes.is_empty(), sizes.next()) {
            let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
            pieces.push(piece.to_vec());
            bytes = rest;
        }
        Self::new(pieces, &[])
    }
}

impl Source for Pieces {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.is_there = std::mem::replace(&mut self.has_waited, true);
        match self.is_there {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn available(&self) -> &[u8] {
        match (self.is_there, self.pieces.last()) {
            (true, Some(piece)) => piece,
            _ => &[],
        }
    }

    fn consume(&mut self, n: usize) {
        let piece = self.pieces.last_mut().unwrap();
        piece.drain(..n);
        if piece.is_empty() {
            self.pieces.pop();
            self.has_waited = false;
            self.is_there = false;
        }
    }

    fn is_end(&self) -> bool {
        self.is_there && self.pieces.is_empty()
    }

    fn remaining(&self) -> Option<u64> {
        None
    }

    fn trailers(&self) -> &Fields {
        &self.trailers
    }
}

/// All pieces that come of it.
fn read(mut source: impl Source) -> Result<Vec<Vec<u8>>, Failure> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut pieces = Vec::new();
    loop {
        match source.poll_fill(&mut cx) {
            Poll::Pending => assert!(source.available().is_empty()),
            Poll::Ready(Err(failure)) => return Err(failure),
            Poll::Ready(Ok(())) if source.is_end() => return Ok(pieces),
            Poll::Ready(Ok(())) => {
                let piece = source.available().to_vec();
                assert!(!piece.is_empty() && piece.len() <= LETTERS);
                source.consume(piece.len());
                pieces.push(piece);
            }
        }
    }
}

fn decoded(source: Pieces) -> Result<Vec<u8>, Kind> {
    let pieces = read(TextRequest::default().decode(source));
    pieces
        .map(|pieces| pieces.concat())
        .map_err(|failure| failure.kind)
}

#[test]
fn text_is_base64_with_paddings_wherever_four_letters_end() {
    for (text, expected) in [
        ("", Some("")),
        ("YWJj", Some("abc")),
        ("YQ==", Some("a")),
        ("YQ==YmM=", Some("abc")),
        ("YQ==YQ==YQ==YWJj", Some("aaaabc")),
        // Cut short.
        ("Y", None),
        ("YQ", None),
        ("YQ=", None),
        ("YWJjYQ", None),
        // No padding of base64.
        ("=", None),
        ("====", None),
        ("Y===", None),
        ("YQ=a", None),
        // Bits that stand for nothing.
        ("YR==", None),
        // Other letters.
        ("YW-_", None),
        ("YWJj\r\n", None),
        ("YW Jj", None),
        ("\0\0\0\0", None),
    ] {
        for size in 1..=text.len().max(1) {
            let came = decoded(Pieces::split(text.as_bytes(), &[size]));
            let expected = expected.map(|text| text.as_bytes().to_vec());
            assert_eq!(came, expected.ok_or(Kind::BadBody), "{text} by {size}");
        }
    }
}

#[test]
fn what_is_whole_does_not_wait_for_the_rest() {
    let pieces = [&b"YWJjZ"[..], b"GVm", b"ZA", b"=="].map(<[u8]>::to_vec);
    let came = read(TextRequest::default().decode(Pieces::new(pieces.to_vec(), &[])));
    assert_eq!(came.unwrap(), [&b"abc"[..], b"def", b"d"]);
}

fn answer(
    is_text: bool,
    pieces: &[&[u8]],
    trailers: &[(&str, &str)],
) -> Result<Vec<Vec<u8>>, Kind> {
    let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
    let mut answer = Answer::new(is_text);
    let source = answer.encode(Pieces::new(pieces, trailers));
    assert!(source.trailers().is_empty());
    read(source).map_err(|failure| failure.kind)
}

/// A frame of gRPC.
fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&[flag], &length[..], message].concat()
}

#[test]
fn an_answer_ends_with_a_frame_of_trailers() {
    let trailers = [("Grpc-Status", "0"), ("grpc-message", ""), ("x", "Y: z")];
    let last = b"\x80\0\0\0\x29grpc-status: 0\r\ngrpc-message: \r\nx: Y: z\r\n";
    let one = frame(0, b"one");
    let came = answer(false, &[&one, &one[..4], &one[4..]], &trailers);
    assert_eq!(came.unwrap(), [&one[..], &one[..4], &one[4..], last]);
    let came = answer(true, &[&one], &trailers).unwrap();
    assert_eq!(
        came,
        [&one[..], last].map(|bytes| BASE64.encode(bytes).into_bytes())
    );
    // What has none gets none.
    assert_eq!(answer(false, &[b"one"], &[]).unwrap(), [b"one"]);
    assert_eq!(answer(true, &[b"one"], &[]).unwrap(), [b"b25l"]);
    assert!(answer(true, &[], &[]).unwrap().is_empty());
}

#[test]
fn no_message_can_pass_for_the_trailers() {
    let status = [("grpc-status", "5")];
    let (good, bad) = (frame(1, b"four"), frame(0x80, b"grpc-status: 0\r\n"));
    for is_text in [false, true] {
        for (pieces, expected) in [
            (&[&bad[..]][..], Kind::BadResponse),
            (&[&good, &bad], Kind::BadResponse),
            (
                &[&good[..7], &[&good[7..], &bad].concat()],
                Kind::BadResponse,
            ),
            (&[&frame(0x81, b"")], Kind::BadResponse),
            // What follows would be taken for the rest of a message.
            (&[&good[..8]], Kind::Incomplete),
            (&[&good[..5]], Kind::Incomplete),
            (&[&good, &good[..1]], Kind::Incomplete),
        ] {
            assert_eq!(
                answer(is_text, pieces, &status),
                Err(expected),
                "{pieces:?}"
            );
        }
        // Within a message it is nothing but a byte.
        assert!(answer(is_text, &[&frame(0, &bad)], &status).is_ok());
    }
}

proptest! {
    #[test]
    fn any_split_is_decoded_the_same(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9000), 0..4),
        sizes in prop::collection::vec(1..9000_usize, 1..20),
    ) {
        let text: String = chunks.iter().map(|chunk| BASE64.encode(chunk)).collect();
        let came = decoded(Pieces::split(text.as_bytes(), &sizes));
        prop_assert_eq!(came, Ok(chunks.concat()));
    }

    #[test]
    fn what_is_wrong_is_wrong_however_it_is_split(
        text in "[A-Za-z0-9+/=\n]{0,40}",
        sizes in prop::collection::vec(1..9_usize, 1..20),
    ) {
        let whole = decoded(Pieces::split(text.as_bytes(), &[LETTERS]));
        let split = decoded(Pieces::split(text.as_bytes(), &sizes));
        prop_assert_eq!(whole, split);
    }

    #[test]
    fn an_answer_in_text_is_read_back(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20_000), 0..4),
    ) {
        let pieces: Vec<_> = pieces.iter().map(|piece| frame(0, piece)).collect();
        let slices: Vec<&[u8]> = pieces.iter().map(|piece| &**piece).collect();
        let came = answer(true, &slices, &[]).unwrap();
        let text = Pieces::split(&came.concat(), &[7]);
        prop_assert_eq!(decoded(text), Ok(pieces.concat()));
    }

    #[test]
    fn what_is_refused_does_not_hang_on_how_it_is_split(
        frames in prop::collection::vec((any::<u8>(), 0..9_usize), 0..6),
        sizes in prop::collection::vec(1..9_usize, 1..20),
    ) {
        let is_bad = frames.iter().any(|(flag, _)| flag & TRAILERS != 0);
        let frames = frames.iter().map(|&(flag, n)| frame(flag, &vec![0xff; n]));
        let bytes = frames.collect::<Vec<_>>().concat();
        for is_text in [false, true] {
            let mut answer = Answer::new(is_text);
            let source = answer.encode(Pieces::split(&bytes, &sizes));
            prop_assert_eq!(read(source).is_err(), is_bad);
        }
    }
}
