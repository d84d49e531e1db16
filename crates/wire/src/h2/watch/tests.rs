use proptest::prelude::*;

use super::*;

const PATIENCE: Patience = Patience {
    resets: 3,
    control_frames: 10,
    stalls: 1,
};

const PING: u8 = 6;

fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
    let size = (length as u32).to_be_bytes();
    let mut bytes = size[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
    // A payload that would be frames of its own, if anybody looked.
    bytes.resize(HEAD + length, RST_STREAM);
    bytes
}

fn watch(now: Instant) -> Watch {
    let mut watch = Watch::new(PATIENCE, now);
    watch.receive(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    watch
}

fn after(frames: &[(u8, u8, usize)]) -> Option<Flood> {
    let mut watch = watch(now());
    for &(kind, flags, length) in frames {
        watch.receive(&frame(kind, flags, length));
    }
    watch.flood()
}

#[expect(clippy::disallowed_methods, reason = "any time will do")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn what_is_too_much() {
    for (name, frames, expected) in [
        ("nothing", vec![], None),
        ("pings", vec![(PING, 0, 8); 10], None),
        (
            "one more",
            vec![(PING, 0, 8); 11],
            Some(Flood::ControlFrames),
        ),
        ("settings", vec![(4, 0, 0); 11], Some(Flood::ControlFrames)),
        ("windows", vec![(8, 0, 4); 11], Some(Flood::ControlFrames)),
        (
            "unknown",
            vec![(0xfa, 0, 3); 11],
            Some(Flood::ControlFrames),
        ),
        (
            "heads without an end",
            vec![(CONTINUATION, 0, 0); 11],
            Some(Flood::ControlFrames),
        ),
        (
            "empty data",
            vec![(DATA, 0, 0); 11],
            Some(Flood::ControlFrames),
        ),
        ("ends of bodies", vec![(DATA, END_STREAM, 0); 100], None),
        ("data", vec![(DATA, 0, 1); 100], None),
        ("requests", vec![(HEADERS, 5, 20); 100], None),
        (
            "cancelled",
            [(HEADERS, 5, 20), (RST_STREAM, 0, 4)].repeat(3),
            None,
        ),
        (
            "too often",
            [(HEADERS, 5, 20), (RST_STREAM, 0, 4)].repeat(4),
            Some(Flood::Resets),
        ),
        (
            "four to one",
            [vec![(PING, 0, 8); 4], vec![(DATA, 0, 1)]]
                .concat()
                .repeat(100),
            None,
        ),
        (
            "five to one",
            [vec![(PING, 0, 8); 5], vec![(DATA, 0, 1)]]
                .concat()
                .repeat(100),
            Some(Flood::ControlFrames),
        ),
    ] {
        assert_eq!(after(&frames), expected, "{name}");
    }
}

#[test]
fn what_came_last_is_known() {
    for (kind, expected) in [
        (DATA, "data_frames"),
        (HEADERS, "header_list"),
        (CONTINUATION, "continuation"),
        (RST_STREAM, "resets"),
        (PING, "other"),
    ] {
        let mut watch = watch(now());
        watch.receive(&frame(kind, 0, 3));
        assert_eq!(watch.latest(), expected);
    }
}

#[test]
fn data_that_was_sent_may_be_spoken_of_later() {
    let mut watch = watch(now());
    watch.carried(1000);
    watch.receive(&frame(8, 0, 4).repeat(110));
    assert_eq!(watch.flood(), None);
    watch.receive(&frame(8, 0, 4));
    assert_eq!(watch.flood(), Some(Flood::ControlFrames));
}

#[test]
fn answers_make_up_for_resets_and_stalls_stay() {
    let mut watch = watch(now());
    for _ in 0..100 {
        watch.receive(&frame(RST_STREAM, 0, 4));
        watch.answered();
    }
    assert_eq!(watch.flood(), None);
    watch.stalled();
    assert_eq!(watch.flood(), None);
    watch.stalled();
    assert_eq!(watch.flood(), Some(Flood::Stalls));
    watch.receive(&frame(RST_STREAM, 0, 4).repeat(9));
    assert_eq!(watch.flood(), Some(Flood::Stalls));
}

#[test]
fn time_makes_up_for_the_rest() {
    let begin = now();
    let mut watch = watch(begin);
    for second in 1..100 {
        watch.receive(&frame(PING, 0, 8));
        watch.pass(begin + Duration::from_secs(second));
    }
    assert_eq!(watch.flood(), None);
    watch.receive(&frame(PING, 0, 8).repeat(10));
    watch.pass(begin + Duration::from_millis(99_050));
    watch.receive(&frame(PING, 0, 8));
    assert_eq!(watch.flood(), Some(Flood::ControlFrames));
}

proptest! {
    #[test]
    fn it_does_not_matter_how_bytes_are_split(
        frames in prop::collection::vec((0_u8..11, 0_u8..6, 0_usize..40), 0..40),
        sizes in prop::collection::vec(1_usize..30, 1..20),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(|&(k, f, n)| frame(k, f, n)).collect();
        let mut in_pieces = watch(now());
        let mut rest = &bytes[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            in_pieces.receive(piece);
            rest = more;
        }
        prop_assert_eq!(in_pieces.flood(), after(&frames));
    }
}
