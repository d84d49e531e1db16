#![no_main]

use libfuzzer_sys::fuzz_target;
use message::Known;
use wire::h2::hpack::{Decoder, write_field};

// The first byte is the size of the table, in parts of 64 bytes, the next one
// that of the blocks. What a block means is written, and means the same again.
fuzz_target!(|data: &[u8]| {
    let [most, step, rest @ ..] = data else {
        return;
    };
    let mut decoder = Decoder::new(usize::from(*most) * 64);
    for block in rest.chunks(usize::from(*step).max(1)) {
        let (mut written, mut lines) = (Vec::new(), Vec::new());
        let done = decoder.decode(block, |name, value| {
            write_field(&mut written, Known::of(name), name, value);
            lines.push((name.to_ascii_lowercase(), value.to_vec()));
        });
        let mut lines = lines.into_iter();
        let again = Decoder::new(0).decode(&written, |name, value| {
            assert_eq!(lines.next(), Some((name.to_vec(), value.to_vec())));
        });
        assert_eq!((again, lines.next()), (Ok(()), None));
        if done.is_err() {
            return;
        }
    }
});
