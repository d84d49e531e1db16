#![no_main]
mod head;

use libfuzzer_sys::fuzz_target;
use message::ResponseHead;
use wire::h1::{Announce, Framing, write_response_head};

fuzz_target!(|data: &[u8]| {
    head::check::<ResponseHead>(data, |head, out| {
        write_response_head(out, head, Framing::Empty, Announce::Nothing);
    });
});
