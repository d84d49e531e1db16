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
    assert_eq!(sent[0].0, kind::RST_STREAM);
    assert_eq!(sent[1..], [told(0, 60_000)]);
}

/// Bytes that lie unread in some streams leave the others what they had.
#[test]
fn stalled_uploads_do_not_stop_the_others() {
    let mut pair = Pair::with(150_000);
    for stream in [1, 3] {
        pair.request(stream, false);
        for _ in 0..4 {
            pair.frame(kind::DATA, 0, stream, &[7; 16_384]);
        }
    }
    let key = pair.request(5, false);
    let (mut left, mut all) = (150_000 - 2 * 65_536, 0);
    for _ in 0..100 {
        let n = left.min(10_000);
        assert!(n > 0, "stuck after {all} bytes");
        pair.frame(kind::DATA, 0, 5, &vec![7; n]);
        (left, all) = (left - n, all + n);
        pair.read(key);
        for told in pair.sent() {
            if told.0 == kind::WINDOW_UPDATE && told.2 == 0 {
                left += four(&told.3);
            }
        }
    }
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
fn the_window_of_a_stream_and_of_the_connection_hold() {
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
    // The stream's part is read; that of others is not.
    let mut pair = Pair::with(150_000);
    for stream in [1, 3, 5] {
        pair.request(stream, false);
    }
    for stream in [1, 3, 5] {
        for _ in 0..4 {
            pair.frame(kind::DATA, 0, stream, &[7; 16_384]);
        }
    }
    let end = pair.sent().pop().expect("an end");
    assert_eq!((end.0, &end.3[4..]), (kind::GOAWAY, &flow[..]));
}
