//! Another program takes over while everything goes on.
//!
//! The old process starts the new one with one end of a socket pair as its
//! standard input, and an environment variable that says so. Over it go:
//!
//! 1. old to new: a letter with every listening socket and what is to be known;
//! 2. new to old: `R`, everything is open and could be served;
//! 3. old to new: `G`, go: only now the new one accepts;
//! 4. new to old: `M`, it is the main process now, and the old one drains;
//! 5. the old one hangs up when it has left the admin API to the new one.
//!
//! Until the fourth step, whatever goes wrong leaves the old one as it was: the
//! new one is killed, or has died, which shows as the end of the stream. One
//! that refuses says why instead of `R`: `F`, and text until the end. Where the
//! old one dies, the new one goes on alone.

mod attempt;
mod letter;
mod link;
mod outcome;
mod program;
mod refusal;
mod successor;

pub(crate) use attempt::{Attempt, Forward};
pub(crate) use link::{LastWord, Link};
pub(crate) use outcome::{Outcome, Outcomes, Watching};
pub(crate) use program::Program;

/// Says that standard input is a socket of the process with this number, which
/// is to be succeeded. In any other child of it, it means nothing.
const VARIABLE: &str = "FOREBAY_UPGRADE";

const READY: u8 = b'R';
const GO: u8 = b'G';
const MAIN: u8 = b'M';
/// Instead of [`READY`]: the rest says why not.
const REFUSAL: u8 = b'F';
