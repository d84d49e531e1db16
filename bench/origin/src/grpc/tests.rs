use super::{
    ACK, BODY, DATA, END_HEADERS, END_STREAM, FIRST_WINDOW, GIVE_AFTER, Grpc, HEADERS,
    INITIAL_WINDOW_SIZE, LARGEST_FRAME, PING, PREFACE, RST_STREAM, SETTINGS, STREAMS,
    WINDOW_UPDATE, push_frame, split_frame,
};
use proptest::prelude::*;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_frame(&mut bytes, kind, flags, stream, payload);
    bytes
}

/// Kind, flags and stream of what is answered, after the first two frames; `None`: the connection is given up.
fn talk(frames: &[Vec<u8>], step: usize) -> Option<Vec<(u8, u8, u32)>> {
    let bytes = [PREFACE.to_vec(), frames.concat()].concat();
    let (mut grpc, mut out, mut held) = (Grpc::default(), Vec::new(), Vec::new());
    for piece in bytes.chunks(step) {
        held.extend_from_slice(piece);
        let used = grpc.take(&held, &mut out).ok()?;
        held.drain(..used);
    }
    let (mut rest, mut seen) = (&out[..], Vec::new());
    while let Some((frame, after)) = split_frame(rest).unwrap() {
        rest = after;
        seen.push((frame.kind, frame.flags, frame.stream));
    }
    assert!(rest.is_empty());
    assert_eq!(seen[..2], [(SETTINGS, 0, 0), (WINDOW_UPDATE, 0, 0)]);
    Some(seen.split_off(2))
}

fn answer(stream: u32) -> [(u8, u8, u32); 3] {
    [
        (HEADERS, END_HEADERS, stream),
        (DATA, 0, stream),
        (HEADERS, END_HEADERS | END_STREAM, stream),
    ]
}

#[test]
fn conversations_in_any_pieces() {
    let head = |stream| frame(HEADERS, END_HEADERS, stream, b"fields");
    let end = |stream| frame(DATA, END_STREAM, stream, b"\0\0\0\0\x03abc");
    let window = |size: u32| {
        let setting = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &size.to_be_bytes()];
        frame(SETTINGS, 0, 0, &setting.concat())
    };
    let mut interleaved = answer(3).to_vec();
    interleaved.extend(answer(1));
    let table = [
        (vec![], Some(vec![])),
        (vec![head(1), end(1)], Some(answer(1).to_vec())),
        (vec![head(1), frame(DATA, 0, 1, b"a")], Some(vec![])),
        (vec![head(1), head(3), end(3), end(1)], Some(interleaved)),
        (
            vec![frame(HEADERS, END_HEADERS | END_STREAM, 5, b"")],
            Some(answer(5).to_vec()),
        ),
        (vec![window(BODY)], Some(vec![(SETTINGS, ACK, 0)])),
        (vec![frame(SETTINGS, ACK, 0, b"")], Some(vec![])),
        (
            vec![frame(PING, 0, 0, b"12345678")],
            Some(vec![(PING, ACK, 0)]),
        ),
        (vec![frame(PING, ACK, 0, b"12345678")], Some(vec![])),
        (vec![frame(7, 0, 0, b"goodbye!")], Some(vec![])),
        (vec![window(BODY - 1)], None),
        (vec![frame(SETTINGS, 0, 0, b"x")], None),
        (vec![frame(WINDOW_UPDATE, 0, 0, b"x")], None),
        (vec![frame(HEADERS, 0, 1, b"fields")], None),
        (vec![frame(DATA, 0, 1, &[0; LARGEST_FRAME + 1])], None),
    ];
    for (frames, wanted) in table {
        for step in [1, 2, 9, 10, 100, 1 << 20] {
            assert_eq!(talk(&frames, step), wanted, "{frames:?} by {step}");
        }
    }
}

#[test]
fn answers_wait_for_the_window() {
    let requests = FIRST_WINDOW / BODY + 2;
    let request = |number| frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, b"");
    let mut frames: Vec<_> = (0..requests).map(request).collect();
    let answered = |frames: &[_]| talk(frames, 1 << 20).unwrap().len() as u32 / 3;
    assert_eq!(answered(&frames), requests - 2);
    frames.push(frame(WINDOW_UPDATE, 0, 0, &BODY.to_be_bytes()));
    assert_eq!(answered(&frames), requests - 1);
    // Of the two that still wait one is given up, so that more leaves nothing to be said.
    frames.push(frame(RST_STREAM, 0, 2 * requests - 1, &[0; 4]));
    frames.push(frame(WINDOW_UPDATE, 0, 0, &(9 * BODY).to_be_bytes()));
    assert_eq!(answered(&frames), requests - 1);
}

#[test]
fn those_that_wait_are_bounded() {
    let requests = FIRST_WINDOW / BODY + STREAMS + 1;
    let request = |number| frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, b"");
    let frames: Vec<_> = (0..requests).map(request).collect();
    assert_eq!(talk(&frames, 24), None);
    assert!(talk(&frames[1..], 24).is_some());
}

#[test]
fn bodies_are_given_room_again() {
    let body = frame(DATA, 0, 1, &[0; LARGEST_FRAME]);
    let frames = vec![body; GIVE_AFTER as usize / LARGEST_FRAME];
    assert_eq!(
        talk(&frames[1..], 1 << 16),
        Some(vec![]),
        "one frame less is not enough"
    );
    assert_eq!(talk(&frames, 1 << 16), Some(vec![(WINDOW_UPDATE, 0, 0)]));
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), step in 1_usize..600) {
        let (mut grpc, mut out) = (Grpc::default(), Vec::new());
        let _ = grpc.take(PREFACE, &mut out);
        for piece in bytes.chunks(step) {
            let _ = grpc.take(piece, &mut out);
        }
    }
}
