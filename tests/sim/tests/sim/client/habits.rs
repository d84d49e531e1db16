//! What kind of client it is.

use fastrand::Rng;
use tokio::time::Duration;

/// What the client does besides asking and reading.
pub(crate) struct Habits {
    /// Sends requests before it has the replies to earlier ones.
    pub(crate) pipelines: bool,
    pub(crate) leaves: Option<Leaves>,
    /// Pauses for seconds after so many bytes sent, or read.
    pub(crate) halts_sending: Option<u64>,
    pub(crate) halts_reading: Option<u64>,
    /// Waits for Forebay to close in the end.
    pub(crate) lingers: bool,
}

/// Leaves before all is done.
pub(crate) struct Leaves {
    pub(crate) after: Moment,
    pub(crate) how: Leaving,
}

#[derive(Clone, Copy)]
pub(crate) enum Moment {
    Sent(u64),
    Read(u64),
    Time(Duration),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Leaving {
    Closes,
    Resets,
    /// Only says that it sends no more.
    HalfCloses,
}

impl Habits {
    pub(crate) fn draw(random: &mut Rng, is_calm: bool) -> Self {
        let mut is = |of: u8| !is_calm && random.u8(..of) == 0;
        let (leaves, halts_sending, halts_reading) = (is(4), is(7), is(7));
        let leaves = leaves.then(|| Leaves {
            after: match random.u8(..3) {
                0 => Moment::Sent(bytes(random)),
                1 => Moment::Read(bytes(random)),
                _ => Moment::Time(Duration::from_millis(random.u64(..1500))),
            },
            how: *random
                .choice(&[Leaving::Closes, Leaving::Resets, Leaving::HalfCloses])
                .unwrap_or(&Leaving::Closes),
        });
        Self {
            pipelines: random.u8(..3) == 0,
            leaves,
            halts_sending: halts_sending.then(|| bytes(random)),
            halts_reading: halts_reading.then(|| bytes(random)),
            lingers: !is_calm && random.u8(..4) == 0,
        }
    }
}

fn bytes(random: &mut Rng) -> u64 {
    match random.bool() {
        true => random.u64(..600),
        false => random.u64(..100_000),
    }
}
