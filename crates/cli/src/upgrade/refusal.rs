//! Why the new process does not take over, in its own words, so that whoever has
//! asked for the upgrade sees them.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::REFUSAL;

/// Bytes; the log has all of it.
const LONGEST: usize = 16 << 10;

pub(super) fn tell(mut stream: &UnixStream, why: &str) {
    let mut words = vec![REFUSAL];
    words.extend(why.bytes().take(LONGEST));
    // Nobody may be listening any more.
    let _ = stream.write_all(&words);
}

/// What comes until the other one hangs up or says nothing for a while.
pub(super) fn hear(stream: &UnixStream) -> String {
    let mut words = Vec::new();
    // What has come until it went wrong is better than nothing.
    let _ = stream.take(LONGEST as u64).read_to_end(&mut words);
    String::from_utf8_lossy(&words).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard() {
        let (mut own, theirs) = UnixStream::pair().unwrap();
        tell(&theirs, "one\ntwo\n");
        drop(theirs);
        let mut kind = [0];
        own.read_exact(&mut kind).unwrap();
        assert_eq!(kind, [REFUSAL]);
        assert_eq!(hear(&own), "one\ntwo");
        let (own, theirs) = UnixStream::pair().unwrap();
        drop(own);
        tell(&theirs, "nobody hears it");
    }
}
