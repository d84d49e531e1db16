//! Frames that cost more than they bring (RFC 9113 section 10.5): a client that
//! sends too many of them is up to no good.
//!
//! What a client has against it shrinks with time, and with what it gets done:
//! an answer makes up for a cancelled request, and a frame that carries
//! something for several that do not.

use std::time::{Duration, Instant};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

/// The client's preface, of 24 bytes (RFC 9113 section 3.4).
const PREFACE: usize = 24;
const HEAD: usize = 9;

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
    /// Answers were not taken.
    Stalls,
}

impl Flood {
    /// As metrics call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Resets => "resets",
            Self::ControlFrames => "control_frames",
            Self::Stalls => "stalls",
        }
    }
}

/// Follows the frames of one connection.
#[derive(Debug)]
pub struct Watch {
    patience: Patience,
    /// A frame's head, as much as has come.
    head: [u8; HEAD],
    len: usize,
    /// Bytes of a payload that are still to come.
    skip: usize,
    resets: u32,
    /// Below zero it has some to its credit.
    control_frames: i64,
    stalls: u32,
    /// Since when the time has not been made up for.
    since: Instant,
    flood: Option<Flood>,
}

impl Watch {
    /// For a connection of which nothing has been read.
    pub fn new(patience: Patience, now: Instant) -> Self {
        Self {
            patience,
            head: [0; HEAD],
            len: 0,
            skip: PREFACE,
            resets: 0,
            control_frames: 0,
            stalls: 0,
            since: now,
            flood: None,
        }
    }

    /// What the client has done too often; it stays.
    pub fn flood(&self) -> Option<Flood> {
        self.flood
    }

    /// Of what there was too much, if whoever reads the frames says that there
    /// was: what came last was a part of it.
    pub fn latest(&self) -> &'static str {
        let [_, _, _, kind, ..] = self.head;
        match kind {
            DATA => "data_frames",
            HEADERS => "header_list",
            CONTINUATION => "continuation",
            RST_STREAM => Flood::Resets.label(),
            _ => "other",
        }
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

    /// Looks at the next bytes that have come.
    pub fn receive(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return;
            }
            let taken = (HEAD - self.len).min(bytes.len());
            let (head, rest) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
            if let Some(place) = self.head.get_mut(self.len..self.len + taken) {
                place.copy_from_slice(head);
            }
            self.len += taken;
            bytes = rest;
            if self.len == HEAD {
                self.len = 0;
                self.frame();
            }
        }
    }

    fn frame(&mut self) {
        let [a, b, c, kind, flags, ..] = self.head;
        self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            HEADERS => self.carried(1),
            DATA if self.skip > 0 || flags & END_STREAM != 0 => self.carried(1),
            RST_STREAM => {
                self.resets += 1;
                self.judge(self.resets > self.patience.resets, Flood::Resets);
            }
            _ => {
                self.control_frames += 1;
                let is_flood = self.control_frames > i64::from(self.patience.control_frames);
                self.judge(is_flood, Flood::ControlFrames);
            }
        }
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
    pub fn stalled(&mut self) {
        self.stalls += 1;
        self.judge(self.stalls > self.patience.stalls, Flood::Stalls);
    }
}

#[cfg(test)]
mod tests;
