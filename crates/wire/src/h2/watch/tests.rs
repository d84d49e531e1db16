use super::*;
use crate::h2::frame::flag;

const PATIENCE: Patience = Patience {
    resets: 3,
    control_frames: 10,
    stalls: 1,
};

fn watch(now: Instant) -> Watch {
    Watch::new(PATIENCE, now)
}

fn ping(watch: &mut Watch, count: usize) {
    for _ in 0..count {
        watch.frame(kind::PING);
    }
}

fn after(frames: &[(u8, u8, usize)]) -> Option<Flood> {
    let mut watch = watch(now());
    for &(kind, flags, length) in frames {
        match kind {
            kind::DATA => watch.data(length, flags & flag::END_STREAM != 0),
            _ => watch.frame(kind),
        };
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
        ("pings", vec![(kind::PING, 0, 8); 10], None),
        (
            "one more",
            vec![(kind::PING, 0, 8); 11],
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
            "heads in pieces are not judged here",
            vec![(kind::CONTINUATION, 0, 0); 11],
            None,
        ),
        (
            "empty data",
            vec![(kind::DATA, 0, 0); 11],
            Some(Flood::DataFrames),
        ),
        (
            "ends of bodies",
            vec![(kind::DATA, flag::END_STREAM, 0); 100],
            None,
        ),
        ("data", vec![(kind::DATA, 0, 1); 100], None),
        ("requests", vec![(kind::HEADERS, 5, 20); 100], None),
        (
            "cancelled",
            [(kind::HEADERS, 5, 20), (kind::RST_STREAM, 0, 4)].repeat(3),
            None,
        ),
        (
            "too often",
            [(kind::HEADERS, 5, 20), (kind::RST_STREAM, 0, 4)].repeat(4),
            Some(Flood::Resets),
        ),
        (
            "four to one",
            [vec![(kind::PING, 0, 8); 4], vec![(kind::DATA, 0, 1)]]
                .concat()
                .repeat(100),
            None,
        ),
        (
            "five to one",
            [vec![(kind::PING, 0, 8); 5], vec![(kind::DATA, 0, 1)]]
                .concat()
                .repeat(100),
            Some(Flood::ControlFrames),
        ),
    ] {
        assert_eq!(after(&frames), expected, "{name}");
    }
}

#[test]
fn data_that_was_sent_may_be_spoken_of_later() {
    let mut watch = watch(now());
    watch.carried(1000);
    for _ in 0..110 {
        watch.frame(kind::WINDOW_UPDATE);
    }
    assert_eq!(watch.flood(), None);
    watch.frame(kind::WINDOW_UPDATE);
    assert_eq!(watch.flood(), Some(Flood::ControlFrames));
}

#[test]
fn answers_make_up_for_resets_and_stalls_stay() {
    let mut watch = watch(now());
    for _ in 0..100 {
        watch.frame(kind::RST_STREAM);
        watch.answered();
    }
    assert_eq!(watch.flood(), None);
    watch.stalled();
    assert_eq!(watch.flood(), None);
    watch.stalled();
    assert_eq!(watch.flood(), Some(Flood::Stalls));
    for _ in 0..9 {
        watch.frame(kind::RST_STREAM);
    }
    assert_eq!(watch.flood(), Some(Flood::Stalls));
}

#[test]
fn time_makes_up_for_the_rest() {
    let begin = now();
    let mut watch = watch(begin);
    for second in 1..100 {
        ping(&mut watch, 1);
        watch.pass(begin + Duration::from_secs(second));
    }
    assert_eq!(watch.flood(), None);
    ping(&mut watch, 10);
    watch.pass(begin + Duration::from_millis(99_050));
    ping(&mut watch, 1);
    assert_eq!(watch.flood(), Some(Flood::ControlFrames));
}
