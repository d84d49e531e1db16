#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::proxy_protocol::{Beginning, LONGEST, read};

// More bytes change no answer, and a header is never longer than what is there.
fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes);
    let mut answer = Ok(Beginning::Unfinished);
    for end in 0..=bytes.len() {
        if answer == Ok(Beginning::Unfinished) {
            answer = read(bytes.get(..end).unwrap_or_default());
        }
    }
    assert_eq!(answer, whole);
    if let Ok(Beginning::Header { length, .. }) = whole {
        assert!(length <= bytes.len().min(LONGEST));
    }
});
