//! The chunked transfer coding (RFC 9112 section 7.1), decoding.
//!
//! The decoder works on whatever lies in the buffer: it takes framing off the
//! front, a whole line at a time, and says how much data follows. It keeps no
//! bytes itself, so its result cannot depend on how they were split.

use message::{Fields, Known, KnownSet};

use super::head::{Limits, field_fault};
use super::scan::{self, Line};

/// Bytes of a chunk-size line with its extensions.
const MAX_SIZE_LINE: usize = 4096;

/// What is wrong with the framing.
pub(super) type Fault = &'static str;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data(u64),
    /// The line end after a chunk's data.
    DataEnd,
    /// `used` bytes of `count` trailer fields so far.
    Trailers {
        used: usize,
        count: usize,
    },
    End,
    /// Final: where lines begin is not known any more.
    Failed(Fault),
}

#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    limits: Limits,
}

impl Chunked {
    /// `limits` bound the trailer fields.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            state: State::Size,
            limits,
        }
    }

    /// How much data of the current chunk is still to come.
    pub(super) fn data(&self) -> u64 {
        match self.state {
            State::Data(n) => n,
            _ => 0,
        }
    }

    pub(super) fn is_end(&self) -> bool {
        self.state == State::End
    }

    /// `n` bytes of data have been taken.
    pub(super) fn took(&mut self, n: u64) {
        if let State::Data(left) = &mut self.state {
            *left = left.saturating_sub(n);
            if *left == 0 {
                self.state = State::DataEnd;
            }
        }
    }

    /// Takes framing off the front of `bytes` until data, the end, or a line
    /// that has not arrived completely; returns how many bytes it took. After a
    /// fault it never takes any again.
    pub(super) fn advance(&mut self, bytes: &[u8], trailers: &mut Fields) -> Result<usize, Fault> {
        let result = self.take_lines(bytes, trailers);
        if let Err(fault) = result {
            self.state = State::Failed(fault);
        }
        result
    }

    fn take_lines(&mut self, bytes: &[u8], trailers: &mut Fields) -> Result<usize, Fault> {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let Some(line) = self.line(rest)? else {
                return Ok(taken);
            };
            taken += line.len() + 2;
            self.state = match self.state {
                State::Size => match chunk_size(line)? {
                    0 => State::Trailers { used: 0, count: 0 },
                    n => State::Data(n),
                },
                State::DataEnd if line.is_empty() => State::Size,
                State::DataEnd => return Err("a chunk is longer than its size says"),
                State::Trailers { .. } if line.is_empty() => State::End,
                State::Trailers { used, count } => {
                    let whole = rest.get(..line.len() + 2).unwrap_or_default();
                    self.trailer(whole, used, count, trailers)?
                }
                state @ (State::Data(_) | State::End | State::Failed(_)) => state,
            };
        }
    }

    /// The next line of framing; none while data is due or it is incomplete.
    fn line<'a>(&self, rest: &'a [u8]) -> Result<Option<&'a [u8]>, Fault> {
        let limit = match self.state {
            State::Data(_) | State::End => return Ok(None),
            State::Failed(fault) => return Err(fault),
            State::Size => MAX_SIZE_LINE,
            State::DataEnd => 0,
            State::Trailers { used, .. } => self.limits.fields.saturating_sub(used),
        };
        match scan::line(rest) {
            Line::BareLf(_) => Err("a line of the chunked coding ends in LF without CR"),
            Line::Whole(line) if line.len() <= limit => Ok(Some(line)),
            // Without its line end a partial line may hold one CR too many.
            Line::Partial if rest.len() <= limit + 1 && may_end_line(rest, limit) => Ok(None),
            _ if self.state == State::DataEnd => Err("a chunk is longer than its size says"),
            _ => Err("a line of the chunked coding is too long"),
        }
    }

    fn trailer(
        &self,
        line: &[u8],
        used: usize,
        count: usize,
        trailers: &mut Fields,
    ) -> Result<State, Fault> {
        if count >= self.limits.count {
            return Err("too many trailer fields");
        }
        let field = scan::field_line(line)
            .ok_or_else(|| field_fault(line.strip_suffix(b"\r\n").unwrap_or(line)))?;
        let name = line.get(..field.name_len).unwrap_or_default();
        let value = field.value_at..field.value_at + field.value_len;
        if may_be_trailer(Known::of(name)) {
            trailers.push(name, line.get(value).unwrap_or_default());
        }
        Ok(State::Trailers {
            used: used + line.len(),
            count: count + 1,
        })
    }
}

/// A partial line as long as the limit allows must end in the CR of its end.
fn may_end_line(rest: &[u8], limit: usize) -> bool {
    rest.len() <= limit || rest.last() == Some(&b'\r')
}

/// Fields that decide framing, routing or authentication mean nothing in a
/// trailer and must not be merged from there (RFC 9110 section 6.5.1): they
/// are dropped. So are those in which a proxy says who asks, since nobody but
/// the client has written these.
pub(crate) fn may_be_trailer(known: Known) -> bool {
    const NEVER: KnownSet = KnownSet::of(&[
        Known::ContentLength,
        Known::ContentType,
        Known::Host,
        Known::Trailer,
        Known::Authorization,
        Known::ProxyAuthorization,
        Known::Cookie,
        Known::SetCookie,
        Known::CacheControl,
        Known::Expect,
        Known::Range,
        Known::Age,
        Known::Expires,
        Known::Date,
        Known::Location,
        Known::RetryAfter,
        Known::Vary,
        Known::Forwarded,
        Known::XForwardedFor,
        Known::Proxy,
        Known::XForwardedHost,
        Known::XForwardedPort,
        Known::XForwardedPrefix,
        Known::XForwardedProto,
        Known::XForwardedScheme,
        Known::XForwardedServer,
        Known::XForwardedSsl,
        Known::XOriginalUrl,
        Known::XRewriteUrl,
        Known::XRealIp,
        Known::XRequestId,
        Known::Lookalike,
    ]);
    !KnownSet::HOP_BY_HOP.has(known) && !NEVER.has(known)
}

/// The size in a chunk's first line; extensions are checked and ignored.
fn chunk_size(line: &[u8]) -> Result<u64, Fault> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (size, rest) = line.split_at_checked(digits).unwrap_or_default();
    if size.is_empty() || size.len() > 16 {
        return Err("a chunk size is not a hexadecimal number of at most 16 digits");
    }
    let (_, extension) = scan::trim(rest);
    let is_extension = extension.starts_with(b";") && scan::is_value(extension);
    if !(extension.is_empty() || is_extension) {
        return Err("a chunk size is followed by something other than an extension");
    }
    let size = size.iter().fold(0u64, |sum, &b| {
        sum << 4 | u64::from((b as char).to_digit(16).unwrap_or_default())
    });
    // Sums of sizes must stay far from overflow whatever a peer sends.
    (size <= i64::MAX as u64)
        .then_some(size)
        .ok_or("a chunk size is too large")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Decoded = (Vec<u8>, Vec<(String, String)>, usize);

    /// Decodes a body that arrives in pieces of `step` bytes.
    fn decode(bytes: &[u8], step: usize) -> Result<Option<Decoded>, Fault> {
        let limits = Limits {
            fields: 40,
            count: 3,
            ..Limits::default()
        };
        let mut chunked = Chunked::new(limits);
        let mut trailers = Fields::default();
        let (mut at, mut end, mut data) = (0, 0, Vec::new());
        while !chunked.is_end() {
            at += chunked.advance(&bytes[at..end], &mut trailers)?;
            let ready = (chunked.data() as usize).min(end - at);
            data.extend_from_slice(&bytes[at..at + ready]);
            chunked.took(ready as u64);
            at += ready;
            if ready == 0 && !chunked.is_end() {
                if end == bytes.len() {
                    return Ok(None);
                }
                end = (end + step).min(bytes.len());
            }
        }
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let trailers = trailers
            .iter()
            .map(|f| (text(f.name), text(f.value)))
            .collect();
        Ok(Some((data, trailers, at)))
    }

    #[test]
    fn bodies() {
        for (bytes, data) in [
            (&b"5\r\nhello\r\n0\r\n\r\n"[..], &b"hello"[..]),
            (b"0\r\n\r\n", b""),
            (
                b"1a;charset=utf-8\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n",
                b"abcdefghijklmnopqrstuvwxyz",
            ),
            (b"0005\r\nhello\r\n000\r\n\r\n", b"hello"),
            (b"A ; x=\"y\"\r\n0123456789\r\n00;z\r\n\r\n", b"0123456789"),
            (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        ] {
            for step in 1..=bytes.len() {
                let (found, trailers, length) = decode(bytes, step).unwrap().unwrap();
                assert_eq!(
                    (&found[..], length),
                    (data, bytes.len()),
                    "{}",
                    bytes.escape_ascii()
                );
                assert!(trailers.is_empty());
            }
        }
    }

    #[test]
    fn what_follows_the_end_is_left_alone() {
        let (_, _, length) = decode(b"1\r\na\r\n0\r\n\r\nGET /", 3).unwrap().unwrap();
        assert_eq!(length, 11);
    }

    #[test]
    fn trailers_are_kept_but_for_those_that_must_not_be() {
        for never in ["Host", "Content-Length", "Forwarded", "x-forwarded-for"] {
            let bytes = format!("0\r\nX-Sum: 1\r\n{never}: 2\r\n\r\n");
            let (_, trailers, _) = decode(bytes.as_bytes(), 2).unwrap().unwrap();
            let sum = ("X-Sum".to_owned(), "1".to_owned());
            assert_eq!(trailers, [sum], "{never}");
        }
    }

    #[test]
    fn refused_however_split() {
        for bytes in [
            &b"\r\nhello"[..],
            b"5\nhello\r\n0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhelloX\r\n0\r\n\r\n",
            b"5\r\nhello5\r\n",
            b"g\r\n",
            b" 5\r\nhello\r\n",
            b"-5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b"5 5\r\nhello\r\n",
            b"5;a\x01\r\nhello\r\n",
            b"5;a\rb\r\nhello\r\n",
            b"11111111111111111\r\n",
            b"ffffffffffffffff\r\n",
            b"0\r\nbad trailer\r\n\r\n",
            b"0\r\nA : b\r\n\r\n",
            b"0\r\n folded\r\n\r\n",
            b"0\r\nA: b\n\r\n",
            b"0\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\n\r\n",
            b"0\r\nA:1234567890123456789012345678901234567890\r\n\r\n",
        ] {
            for step in 1..=bytes.len() {
                assert!(
                    decode(bytes, step).is_err(),
                    "{} by {step}",
                    bytes.escape_ascii()
                );
            }
        }
        let endless = [b"5;".to_vec(), vec![b'a'; MAX_SIZE_LINE]].concat();
        assert!(decode(&endless, 100).is_err());
    }

    /// The bytes are still there when somebody asks again, but what they mean
    /// is not known: the line end behind the data must not become the one that
    /// ends the trailers.
    #[test]
    fn a_fault_is_final() {
        let mut chunked = Chunked::new(Limits::default());
        let mut trailers = Fields::default();
        chunked.advance(b"1\r\na", &mut trailers).unwrap();
        chunked.took(1);
        let bytes = b"\r\n0\r\nbad trailer\r\n\r\n";
        let fault = chunked.advance(bytes, &mut trailers).unwrap_err();
        assert_eq!(chunked.advance(bytes, &mut trailers), Err(fault));
        assert!(!chunked.is_end());
    }

    #[test]
    fn incomplete_bodies_wait() {
        for bytes in [
            &b""[..],
            b"5",
            b"5\r",
            b"5\r\nhel",
            b"5\r\nhello\r",
            b"0\r\n",
            b"0\r\nA: b\r\n\r",
        ] {
            assert_eq!(decode(bytes, 1), Ok(None), "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(
            bytes in proptest::collection::vec(prop_oneof![
                Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'3'), Just(b';'), Just(b'a'), any::<u8>()
            ], 0..60),
            step in 1usize..10,
        ) {
            let bytes = [&b"3\r\nabc\r\n"[..], &bytes].concat();
            // Which of two faults is found first may differ.
            let decode = |step| decode(&bytes, step).map_err(|_| ());
            prop_assert_eq!(decode(step), decode(bytes.len()));
        }

        #[test]
        fn what_is_encoded_is_decoded(pieces in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 1..50), 0..8), step in 1usize..40)
        {
            let mut bytes = Vec::new();
            for piece in &pieces {
                bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
                bytes.extend(piece);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
            let (data, _, length) = decode(&bytes, step).unwrap().unwrap();
            prop_assert_eq!(data, pieces.concat());
            prop_assert_eq!(length, bytes.len());
        }
    }
}
