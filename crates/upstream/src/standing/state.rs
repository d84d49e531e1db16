//! The states of a backend, and the word in which choices read them.

use std::fmt;
use std::time::Duration;

/// How a backend stands. Where several hold, the first of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// An operator has taken it out.
    Disabled,
    /// An operator lets it run dry: clients whose session is here stay.
    Draining,
    /// Checks have found it unwell.
    CheckedBad,
    /// Too many requests have failed; none is let through for a time.
    BreakerOpen,
    /// Ordinary requests have failed, so it is left alone for a time.
    Ejected,
    /// One request at a time is let through, to see whether it is well again.
    HalfOpen,
    /// No check has been made yet.
    Unknown,
    /// It should be ejected, but as many are as may be at a time: it is asked as before.
    Failing,
    /// It is back, and is given more and more.
    Warming,
    Up,
}

impl State {
    pub const ALL: [State; 10] = [
        State::Disabled,
        State::Draining,
        State::CheckedBad,
        State::BreakerOpen,
        State::Ejected,
        State::HalfOpen,
        State::Unknown,
        State::Failing,
        State::Warming,
        State::Up,
    ];

    /// It is well, as far as is known.
    pub fn is_up(self) -> bool {
        matches!(self, State::Up | State::Warming)
    }

    /// Requests go to it as to any other, or nearly so.
    pub fn is_in(self) -> bool {
        self.is_up() || self == State::Failing
    }

    /// The word for it in logs and answers.
    pub fn label(self) -> &'static str {
        match self {
            State::Disabled => "disabled",
            State::Draining => "draining",
            State::CheckedBad => "checked_bad",
            State::BreakerOpen => "breaker_open",
            State::Ejected => "ejected",
            State::HalfOpen => "half_open",
            State::Unknown => "unknown",
            State::Failing => "failing",
            State::Warming => "warming",
            State::Up => "up",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::CheckedBad => "found bad by checks",
            State::BreakerOpen => "breaker open",
            State::HalfOpen => "breaker half open",
            State::Unknown => "not checked yet",
            other => other.label(),
        })
    }
}

/// The state, and four things more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(usize);

const STATE: usize = 0xf;
/// A request is under way through a half-open breaker.
const PROBING: usize = 0x10;
/// Drained or not, it would not be up.
const SICK: usize = 0x20;
/// There are failures that a success makes forgotten.
const TROUBLED: usize = 0x40;
/// It is given more and more, whether it fails or not.
const WARMING: usize = 0x80;

/// What a word says beside the state.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are bits")]
pub(super) struct Flags {
    pub(super) is_probing: bool,
    pub(super) is_sick: bool,
    pub(super) is_troubled: bool,
    pub(super) is_warming: bool,
}

impl Word {
    pub(crate) const WELL: Self = Self(State::Up as usize);

    pub(super) fn new(state: State, flags: Flags) -> Self {
        let flag = |holds: bool, bit: usize| if holds { bit } else { 0 };
        Self(
            state as usize
                | flag(flags.is_probing, PROBING)
                | flag(flags.is_sick, SICK)
                | flag(flags.is_troubled, TROUBLED)
                | flag(flags.is_warming, WARMING),
        )
    }

    pub(super) fn from_bits(bits: usize) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> usize {
        self.0
    }

    pub(crate) fn state(self) -> State {
        let state = State::ALL.get(self.0 & STATE);
        state.copied().unwrap_or(State::Up)
    }

    /// Nothing about it needs a second look.
    pub(crate) fn is_well(self) -> bool {
        self.0 & STATE == Self::WELL.0
    }

    #[cfg(test)]
    pub(super) fn is_probing(self) -> bool {
        self.0 & PROBING != 0
    }

    pub(super) fn is_troubled(self) -> bool {
        self.0 & TROUBLED != 0
    }
}

/// What a choice sees of a backend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    word: Word,
    left: Option<Duration>,
}

impl Look {
    pub(super) fn new(word: Word, left: Option<Duration>) -> Self {
        Self { word, left }
    }

    pub(crate) fn state(self) -> State {
        self.word.state()
    }

    /// Requests of any client may go to it.
    pub(crate) fn takes_new(self) -> bool {
        match self.state() {
            state if state.is_in() => true,
            State::HalfOpen => self.word.0 & PROBING == 0,
            _ => false,
        }
    }

    /// Requests may go to it whose client has its session there.
    pub(crate) fn takes_sessions(self) -> bool {
        self.takes_new() || (self.state() == State::Draining && self.word.0 & SICK == 0)
    }

    /// Better this one than none, where a group fails open.
    pub(crate) fn is_allowed(self) -> bool {
        !matches!(self.state(), State::Disabled | State::Draining)
    }

    /// It is back and not yet given all.
    pub(crate) fn is_warming(self) -> bool {
        self.word.0 & WARMING != 0
    }

    /// What part of its requests it gets while it warms up, in 65,536ths.
    pub(crate) fn share(self, slow_start: Duration) -> u64 {
        const WHOLE: u64 = 1 << 16;
        let (true, Some(left)) = (self.is_warming(), self.left) else {
            return WHOLE;
        };
        let part = 1.0 - left.as_secs_f64() / slow_start.as_secs_f64().max(f64::EPSILON);
        (part.max(0.1) * WHOLE as f64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_its_state() {
        for state in State::ALL {
            let flags = Flags {
                is_probing: true,
                is_sick: true,
                is_troubled: true,
                is_warming: true,
            };
            let word = Word::new(state, flags);
            assert_eq!(word.state(), state);
            assert_eq!(word.is_well(), state == State::Up);
        }
    }

    #[test]
    fn shares_grow_from_a_tenth_to_the_whole() {
        let whole = Duration::from_secs(10);
        for (state, is_warming, left, percent) in [
            (State::Warming, true, 10, 10),
            (State::Warming, true, 9, 10),
            (State::Warming, true, 5, 50),
            (State::Warming, true, 0, 100),
            (State::Warming, true, 99, 10),
            (State::Failing, true, 5, 50),
            (State::Failing, false, 5, 100),
            (State::Up, false, 5, 100),
        ] {
            let flags = Flags {
                is_warming,
                ..Flags::default()
            };
            let word = Word::new(state, flags);
            let look = Look::new(word, Some(Duration::from_secs(left)));
            assert_eq!(
                (look.share(whole) * 100 + 32_768) / 65_536,
                percent,
                "{state} {left}"
            );
        }
    }
}
