use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::state::State;

/// A backend's state has become another.
#[derive(Debug, Clone)]
pub struct Change {
    pub group: Arc<str>,
    pub url: Arc<str>,
    pub from: State,
    pub to: State,
    pub why: Arc<str>,
    pub at: Instant,
    /// When the state ends by itself.
    pub until: Option<Instant>,
}

/// One line for people.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            group, url, why, ..
        } = self;
        write!(f, "backend {url} of group {group} ")?;
        match self.to {
            State::Up => write!(f, "is up: {why}"),
            State::Failing => write!(f, "fails: {why}"),
            State::Warming => write!(f, "is back: {why}"),
            State::HalfOpen => write!(f, "gets one request at a time: {why}"),
            State::Draining => write!(f, "is drained: {why}"),
            _ => write!(f, "is out: {why}"),
        }?;
        match self.until {
            Some(until) if !self.to.is_up() => {
                let seconds = seconds(until.saturating_duration_since(self.at));
                write!(f, "; back in {seconds} s at the earliest")
            }
            _ => Ok(()),
        }
    }
}

/// Whole seconds, rounded up, and 1 at least.
pub fn seconds(time: std::time::Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}
