#![no_main]

use libfuzzer_sys::fuzz_target;
use tls::{Hello, client_hello};

// More bytes change no answer, and a name is one of a host.
fuzz_target!(|bytes: &[u8]| {
    let whole = client_hello(bytes);
    let mut answer = Ok(Hello::Unfinished);
    for end in 0..=bytes.len() {
        if answer == Ok(Hello::Unfinished) {
            answer = client_hello(bytes.get(..end).unwrap_or_default());
        }
    }
    assert_eq!(answer, whole);
    if let Ok(Hello::Whole(Some(name))) = whole {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        assert!(!name.is_empty() && name.bytes().all(fits));
    }
});
