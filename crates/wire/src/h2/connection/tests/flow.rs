//! How much may be sent, either way.

use super::*;

#[test]
fn windows_bound_what_is_sent() {
    let mut pair = Pair::new();
    // 10 bytes for each stream.
    pair.frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 10]);
    let key = pair.request(1, true);
    pair.connection.write_head(key, b"\x88");
    assert_eq!(pair.body(key, &[7; 64]), Some(10));
    assert_eq!(pair.body(key, &[7; 54]), None);
    pair.frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 5]);
    assert_eq!(pair.body(key, &[7; 54]), Some(5));
    // Less than what has been sent already: it has to be waited for.
    pair.frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 4]);
    pair.frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 6]);
    assert_eq!(pair.body(key, &[7; 49]), None);
    pair.frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
    assert_eq!(pair.body(key, &[7; 49]), Some(1));
    // The connection's own.
    pair.frame(kind::SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]);
    let mut all = 16;
    while let Some(n) = pair.body(key, &[7; 20_000]) {
        all += n;
        pair.sent();
    }
    assert_eq!(all, 65_535);
    pair.frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 9]);
    assert_eq!(pair.body(key, &[7; 20_000]), Some(9));
}

#[test]
fn no_stream_fills_the_buffer_alone() {
    let mut pair = Pair::new();
    pair.frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0x10, 0, 0]);
    pair.frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0x10, 0, 0]);
    let (one, other) = (pair.request(1, true), pair.request(3, true));
    for key in [one, other] {
        let mut all = 0;
        while let Some(n) = pair.body(key, &[7; 100_000]) {
            all += n;
        }
        assert_eq!(all, 32 * 1024);
    }
    pair.sent();
    assert!(pair.body(one, &[7]).is_some());
}

#[test]
fn what_is_read_may_be_sent_again() {
    let told =
        |stream: u32, more: u32| (kind::WINDOW_UPDATE, 0, stream, more.to_be_bytes().to_vec());
    let mut pair = Pair::new();
    let key = pair.request(1, false);
    for _ in 0..2 {
        pair.frame(kind::DATA, 0, 1, &[7; 16_384]);
    }
    assert!(pair.sent().is_empty(), "nobody has read it");
    assert_eq!(pair.read(key).map(|read| read.len()), Some(32_768));
    // It was half of the window, which grows up to what is set.
    assert_eq!(pair.sent(), [told(1, 32_768 + 100_000 - 65_536)]);
    for _ in 0..4 {
        pair.frame(kind::DATA, 0, 1, &[7; 15_000]);
    }
    assert_eq!(pair.read(key).map(|read| read.len()), Some(60_000));
    let sent = pair.sent();
    assert_eq!(sent, [told(1, 60_000)]);
    // Padding counts as read, and so does what nobody reads any more.
    for _ in 0..250 {
        pair.frame(
            kind::DATA,
            flag::PADDED,
            1,
            &[&[200, 7][..], &[0; 200]].concat(),
        );
    }
    let sent = pair.sent();
    assert!(
        sent.iter().any(|f| f.0 == kind::WINDOW_UPDATE && f.2 == 1),
        "{sent:?}"
    );
    let mut pair = Pair::with(150_000);
    let key = pair.request(1, false);
    for _ in 0..4 {
        pair.frame(kind::DATA, 0, 1, &[7; 15_000]);
    }
    assert!(pair.sent().is_empty());
    pair.connection.release(key);
    let sent = pair.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, kind::RST_STREAM);
}

/// On all streams together bytes may come again as soon as they have come.
#[test]
fn the_window_of_the_connection_follows_what_comes() {
    let mut pair = Pair::with(100_000);
    for stream in [1, 3, 5] {
        pair.request(stream, false);
    }
    for stream in [1, 3, 5] {
        for _ in 0..4 {
            pair.frame(kind::DATA, 0, stream, &[7; 15_000]);
        }
        let told: usize = pair.sent().iter().map(|told| four(&told.3)).sum();
        assert_eq!(told, 60_000, "{stream}");
    }
}

/// A client that keeps to its windows, and takes note when they grow.
#[derive(Default)]
struct Uploads {
    /// What may be sent on each stream, and on all.
    left: std::collections::BTreeMap<u32, usize>,
    all: usize,
}

impl Uploads {
    fn hear(&mut self, pair: &mut Pair) {
        for told in pair.sent() {
            match (told.0, told.2) {
                (kind::WINDOW_UPDATE, 0) => self.all += four(&told.3),
                (kind::WINDOW_UPDATE, stream) => {
                    *self.left.get_mut(&stream).expect("a stream") += four(&told.3);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn begin(&mut self, pair: &mut Pair, stream: u32) -> StreamKey {
        self.left.insert(stream, 65_536);
        pair.request(stream, false)
    }

    /// Sends what it may on a stream; how much that is.
    fn send(&mut self, pair: &mut Pair, stream: u32) -> usize {
        let mut sent = 0;
        loop {
            self.hear(pair);
            let left = self.left.get_mut(&stream).expect("a stream");
            let n = self.all.min(*left).min(16_384);
            if n == 0 {
                return sent;
            }
            *left -= n;
            self.all -= n;
            sent += n;
            pair.frame(kind::DATA, 0, stream, &vec![7; n]);
        }
    }
}

/// However many uploads of which nobody takes anything there are, and whatever their
/// windows have grown to before, another one gets on; and what all of them may hold
/// here has an end.
#[test]
fn stalled_uploads_do_not_stop_the_others() {
    const FIRST: usize = 65_536;
    let (most, stream_window, connection_window) = (128, 512 << 10, 4 << 20);
    let options = Options {
        max_concurrent_streams: most,
        stream_window,
        connection_window,
        ..OPTIONS
    };
    let mut pair = Pair::of(options);
    let mut uploads = Uploads {
        all: connection_window as usize,
        ..Uploads::default()
    };
    let mut held = 0;
    for at in 0..most - 1 {
        let (stream, takes) = (2 * at + 1, at % 3 > 0);
        let key = uploads.begin(&mut pair, stream);
        for _ in 0..if takes { 12 } else { 0 } {
            assert!(uploads.send(&mut pair, stream) > 0);
            pair.read(key).expect("what has come");
        }
        held += uploads.send(&mut pair, stream);
    }
    let bound = connection_window as usize + most as usize * FIRST;
    assert!(held <= bound, "{held}");
    let stream = 2 * most - 1;
    let key = uploads.begin(&mut pair, stream);
    for _ in 0..1000 {
        let sent = uploads.send(&mut pair, stream);
        assert!(sent >= FIRST / 2, "{sent}");
        pair.read(key).expect("what has come");
    }
}

#[test]
fn a_lone_upload_has_all_of_a_window_soon() {
    let mut pair = Pair::of(Options {
        stream_window: 512 << 10,
        connection_window: 4 << 20,
        ..OPTIONS
    });
    let mut uploads = Uploads {
        all: 4 << 20,
        ..Uploads::default()
    };
    let key = uploads.begin(&mut pair, 1);
    let sent = [(); 5].map(|()| {
        let sent = uploads.send(&mut pair, 1);
        pair.read(key).expect("what has come");
        sent >> 10
    });
    assert_eq!(sent, [64, 128, 256, 512, 512]);
}

fn four(payload: &[u8]) -> usize {
    payload
        .iter()
        .fold(0, |all, &byte| all << 8 | usize::from(byte))
}

#[test]
fn heads_wait_while_nothing_is_taken() {
    let mut pair = Pair::new();
    let key = pair.request(1, true);
    let cx = Context::from_waker(Waker::noop());
    let mut written = 0;
    while pair.connection.poll_room(key, &cx).is_ready() {
        pair.connection.write_head(key, &[7; 10_000]);
        written += 10_000;
    }
    assert!((128 * 1024..=138 * 1024).contains(&written), "{written}");
    pair.sent();
    assert!(pair.connection.poll_room(key, &cx).is_ready());
}

#[test]
fn the_window_of_a_stream_holds() {
    let mut pair = Pair::new();
    let key = pair.request(1, false);
    for _ in 0..4 {
        pair.frame(kind::DATA, 0, 1, &[7; 16_384]);
    }
    assert_eq!(pair.sent(), []);
    pair.frame(kind::DATA, 0, 1, &[7; 1]);
    let flow = Reason::FLOW_CONTROL_ERROR.0.to_be_bytes().to_vec();
    assert!(
        pair.sent()
            .contains(&(kind::RST_STREAM, 0, 1, flow.clone()))
    );
    assert_eq!(pair.read(key).map(|read| read.len()), None);
}
