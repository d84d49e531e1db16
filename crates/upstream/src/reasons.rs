//! Why a backend was chosen and the others were not.

use std::fmt;

use crate::State;

/// Receives one [`Note`] per backend of the group, in their order.
///
/// With `ON` false nothing of it is compiled into the choice.
pub trait Reasons {
    const ON: bool;

    fn candidate(&mut self, index: usize, note: Note);
}

/// What one backend looked like when the choice was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Exchanges in flight.
    pub load: usize,
    /// As written in the settings.
    pub weight: u32,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Chosen,
    /// This exchange has tried it already.
    Excluded,
    /// Its weight is 0 while others have more.
    NoWeight,
    /// The turn was another's.
    NotItsTurn,
    /// The chosen one has fewer exchanges in flight.
    Busier,
    /// Chance fell on others.
    NotDrawn,
    /// The client's own order puts the chosen one first.
    RanksLower,
    /// Another comes next on the ring.
    FartherOnRing,
    /// It has more than its bound of the load.
    AboveBound,
    /// The client's session is at another.
    NotItsSession,
    /// It is given no requests.
    Out(State),
    /// It is back, and not yet given its full share.
    WarmingUp,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Out(state) => return write!(f, "{state}"),
            Verdict::WarmingUp => "warming up, left out this time",
            Verdict::Chosen => "chosen",
            Verdict::Excluded => "tried already",
            Verdict::NoWeight => "weight 0",
            Verdict::NotItsTurn => "not its turn",
            Verdict::Busier => "busier than the chosen one",
            Verdict::NotDrawn => "not drawn",
            Verdict::RanksLower => "ranks lower for this client",
            Verdict::FartherOnRing => "farther on the ring",
            Verdict::AboveBound => "above its bound of the load",
            Verdict::NotItsSession => "not the client's session",
        })
    }
}

/// No reasons: the data plane's sink.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reasons for Silent {
    const ON: bool = false;

    fn candidate(&mut self, _index: usize, _note: Note) {}
}

/// Keeps the notes; the place in the list is the index of the backend.
#[derive(Debug, Clone, Default)]
pub struct Notes(pub Vec<Note>);

impl Reasons for Notes {
    const ON: bool = true;

    fn candidate(&mut self, _index: usize, note: Note) {
        self.0.push(note);
    }
}
