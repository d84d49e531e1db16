//! Uploads over HTTP/2 beside each other: what one may send does not hang on the others.

use std::collections::BTreeMap;

use forebay_e2e::frames::{DATA, Frame, FrameBackend, Frames, SETTINGS, WINDOW_UPDATE};
use forebay_e2e::{Backend, Config, Reply};

const INITIAL_WINDOW_SIZE: u16 = 4;

/// A client that keeps to its windows.
struct Uploads {
    frames: Frames,
    /// What may be sent on each stream at first, on each now, and on all.
    first: usize,
    streams: BTreeMap<u32, usize>,
    all: usize,
    answered: Vec<u32>,
}

impl Uploads {
    fn new(mut frames: Frames) -> Self {
        let settings = frames.wait(|frame| frame.kind == SETTINGS).payload;
        let said = settings
            .chunks(6)
            .find(|said| said[..2] == INITIAL_WINDOW_SIZE.to_be_bytes());
        let first = u32::from_be_bytes(said.unwrap()[2..].try_into().unwrap());
        Self {
            frames,
            first: first as usize,
            streams: BTreeMap::new(),
            all: 65_535,
            answered: Vec::new(),
        }
    }

    fn begin(&mut self, stream: u32, path: &str) {
        let head = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "a"),
        ];
        self.frames.head(stream, &head, false);
        self.streams.insert(stream, self.first);
    }

    /// Sends so much, waiting for windows where there is none.
    fn send(&mut self, stream: u32, mut count: usize) {
        while count > 0 {
            let window = self.streams.get_mut(&stream).unwrap();
            let n = count.min(*window).min(self.all).min(16_384);
            if n == 0 {
                self.hear();
                continue;
            }
            *window -= n;
            self.all -= n;
            count -= n;
            self.frames.data(stream, &vec![7; n], false);
        }
    }

    fn hear(&mut self) {
        let Frame {
            kind,
            stream,
            payload,
            ..
        } = self.frames.wait(|_| true);
        match (kind, stream) {
            (WINDOW_UPDATE, 0) => self.all += four(&payload),
            (WINDOW_UPDATE, stream) => *self.streams.get_mut(&stream).unwrap() += four(&payload),
            (DATA, stream) => self.answered.push(stream),
            _ => {}
        }
    }
}

fn four(payload: &[u8]) -> usize {
    u32::from_be_bytes(payload.try_into().unwrap()) as usize
}

#[test]
fn a_hundred_uploads_that_are_stuck_leave_another_its_way() {
    // It opens no window, and so takes 64 KiB of all.
    let stuck = FrameBackend::new();
    let taking = Backend::answering(|request| Reply::ok(request.body.len().to_string()));
    let forebay = Config::to_urls([stuck.url()])
        .group("protocol: h2c")
        .add_group("taking", &taking)
        .add_route("id: stuck, path: \"/stuck\", backend_group: app")
        .add_route("id: taking, path: \"/taking\", backend_group: taking")
        .top("workers: 1")
        .start();
    let mut uploads = Uploads::new(Frames::connect(forebay.address()));
    for stream in (1..=199).step_by(2) {
        uploads.begin(stream, "/stuck");
        uploads.send(stream, uploads.first);
    }
    // Held to the end.
    let _behind = stuck.accept(&[]);
    uploads.begin(201, "/taking");
    uploads.send(201, 16 << 20);
    uploads.frames.data(201, &[], true);
    while uploads.answered.is_empty() {
        uploads.hear();
    }
    assert_eq!(uploads.answered, [201]);
    assert_eq!(taking.request().body.len(), 16 << 20);
}
