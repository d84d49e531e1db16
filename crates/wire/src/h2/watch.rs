//! Frames that cost more than they bring (RFC 9113 section 10.5): a client that
//! sends too many of them is up to no good.
//!
//! What a client has against it shrinks with time, and with what it gets done:
//! an answer makes up for a cancelled request, and a frame that carries
//! something for several that do not.

use std::time::{Duration, Instant};

use super::frame::kind;

/// For how many frames without use one makes up that carries something, in
/// either direction: settings, pings and windows go with data.
const WORTH: i64 = 4;

/// How much of that is kept for what comes later, in times of what is allowed: a
/// client speaks of data when it has taken it.
const CREDIT: i64 = 10;

/// In so much time all that was used up is there again.
const PERIOD: Duration = Duration::from_secs(10);

/// How many of each may be against a client.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub resets: u32,
    pub control_frames: u32,
    pub stalls: u32,
}

/// What a client has done too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// Requests were cancelled.
    Resets,
    /// Frames came that carry nothing.
    ControlFrames,
    /// The same, of data.
    DataFrames,
    /// A head came in too many pieces, or did not end.
    Continuation,
    /// A head became far too large.
    HeaderList,
    /// Answers were not taken.
    Stalls,
}

impl Flood {
    /// As metrics call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Resets => "resets",
            Self::ControlFrames => "control_frames",
            Self::DataFrames => "data_frames",
            Self::Continuation => "continuation",
            Self::HeaderList => "header_list",
            Self::Stalls => "stalls",
        }
    }
}

/// Judges the frames of one connection.
#[derive(Debug)]
pub struct Watch {
    patience: Patience,
    resets: u32,
    /// Below zero it has some to its credit.
    control_frames: i64,
    stalls: u32,
    /// Requests that were refused, and not told of yet.
    refused: u32,
    /// Since when the time has not been made up for.
    since: Instant,
    flood: Option<Flood>,
}

impl Watch {
    /// For a connection of which nothing has been read.
    pub fn new(patience: Patience, now: Instant) -> Self {
        Self {
            patience,
            resets: 0,
            control_frames: 0,
            stalls: 0,
            refused: 0,
            since: now,
            flood: None,
        }
    }

    /// What the client has done too often; it stays.
    pub fn flood(&self) -> Option<Flood> {
        self.flood
    }

    /// It was found elsewhere that there was too much of something.
    pub(super) fn note(&mut self, flood: Flood) {
        self.flood.get_or_insert(flood);
    }

    /// Time makes up for what was done.
    pub fn pass(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let share = passed.as_secs_f64() / PERIOD.as_secs_f64();
        // Less would be rounded away again and again.
        if share < 0.01 {
            return;
        }
        self.since = now;
        let forgiven = |most: u32| (f64::from(most) * share).ceil() as u32;
        self.resets = (self.resets).saturating_sub(forgiven(self.patience.resets));
        let frames = i64::from(forgiven(self.patience.control_frames));
        self.control_frames -= frames.min(self.control_frames.max(0));
    }

    /// A frame begins; says if it is one too many.
    pub fn frame(&mut self, kind: u8) -> Option<Flood> {
        match kind {
            kind::RST_STREAM => self.reset(),
            // Judged when it is known what is in them.
            kind::DATA | kind::HEADERS | kind::CONTINUATION => {}
            _ => self.useless(Flood::ControlFrames),
        }
        self.flood
    }

    /// A frame of data has so many bytes besides padding; as with [`Self::frame`].
    pub fn data(&mut self, body: usize, is_last: bool) -> Option<Flood> {
        match body > 0 || is_last {
            true => self.carried(1),
            false => self.useless(Flood::DataFrames),
        }
        self.flood
    }

    /// A request came beside as many as there may be.
    pub(super) fn refuse(&mut self) -> Option<Flood> {
        self.refused = self.refused.saturating_add(1);
        self.useless(Flood::ControlFrames);
        self.flood
    }

    /// How many such there were since this was asked last.
    pub fn take_refused(&mut self) -> u32 {
        std::mem::take(&mut self.refused)
    }

    /// A stream had to be ended because of what came on it, which is one more way
    /// to ask for work and call it off (CVE-2025-8671).
    pub fn offended(&mut self) -> Option<Flood> {
        self.reset();
        self.flood
    }

    fn reset(&mut self) {
        self.resets = self.resets.saturating_add(1);
        self.judge(self.resets > self.patience.resets, Flood::Resets);
    }

    fn useless(&mut self, flood: Flood) {
        self.control_frames += 1;
        let is_flood = self.control_frames > i64::from(self.patience.control_frames);
        self.judge(is_flood, flood);
    }

    fn judge(&mut self, is_flood: bool, flood: Flood) {
        if is_flood {
            self.flood.get_or_insert(flood);
        }
    }

    /// So many frames have carried something, to the client or from it.
    pub fn carried(&mut self, frames: u32) {
        let most = CREDIT * i64::from(self.patience.control_frames);
        let credit = WORTH * i64::from(frames);
        self.control_frames = (self.control_frames - credit).max(-most);
    }

    /// A request has got all of its answer.
    pub fn answered(&mut self) {
        self.resets = self.resets.saturating_sub(1);
    }

    /// An answer was given up because the client did not take it.
    pub fn stalled(&mut self) -> Option<Flood> {
        self.stalls += 1;
        self.judge(self.stalls > self.patience.stalls, Flood::Stalls);
        self.flood
    }
}

#[cfg(test)]
mod tests;
