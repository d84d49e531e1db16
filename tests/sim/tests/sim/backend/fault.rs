//! What backends do wrong.

use fastrand::Rng;

use crate::case::Case;

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None comes; the connection is closed or reset instead.
    Hangup,
    /// None comes, ever.
    Silence,
    /// It breaks off.
    Cut,
    /// It stops in the middle, and nothing more is heard.
    Stall,
    /// Its announced length is larger than itself.
    TooShort,
    /// Something follows it that was not asked for.
    TooLong,
    /// The bytes are not HTTP.
    Garbage,
    BothFramings,
    BadField,
    HugeHead,
    BadChunk,
    /// 101, which nobody has asked for.
    Switch,
    /// Interim replies without end.
    Chatter,
}

const ALL: &[Fault] = &[
    Fault::Hangup,
    Fault::Hangup,
    Fault::Silence,
    Fault::Cut,
    Fault::Cut,
    Fault::Cut,
    Fault::Stall,
    Fault::Stall,
    Fault::Stall,
    Fault::TooShort,
    Fault::TooShort,
    Fault::TooLong,
    Fault::TooLong,
    Fault::Garbage,
    Fault::BothFramings,
    Fault::BadField,
    Fault::HugeHead,
    Fault::BadChunk,
    Fault::Switch,
    Fault::Chatter,
];

impl Fault {
    pub(crate) fn draw(random: &mut Rng) -> Self {
        *random.choice(ALL).unwrap_or(&Fault::Cut)
    }

    /// The answer is no proper one from its head on, or breaks its framing:
    /// Forebay may call it invalid.
    pub(crate) fn is_lie(self) -> bool {
        !matches!(
            self,
            Fault::Hangup | Fault::Silence | Fault::Cut | Fault::Stall | Fault::TooShort
        )
    }
}

/// What follows an answer that is too long: sometimes what could pass for the
/// answer to the next request.
pub(crate) fn excess(random: &mut Rng, case: &Case) -> Vec<u8> {
    match random.u8(..3) {
        0 => b"\r\n".to_vec(),
        1 => b"surplus".to_vec(),
        _ => format!(
            "HTTP/1.1 200 OK\r\nX-Token: {:016x}\r\nX-Answer: 0\r\nContent-Length: 0\r\n\r\n",
            case.request.token
        )
        .into_bytes(),
    }
}
