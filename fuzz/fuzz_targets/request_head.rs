#![no_main]
mod head;

use libfuzzer_sys::fuzz_target;
use message::RequestHead;
use wire::h1::{Framing, write_request_head};

fuzz_target!(|data: &[u8]| {
    head::check::<RequestHead>(data, |head, out| write_request_head(out, head, Framing::Empty));
});
