//! What the program around a running Forebay does for it.

use crate::{LiveFault, Reloaded};

type Told = dyn Fn(&Result<Reloaded, LiveFault>) + Send + Sync;
type SetLogLevel = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// What the program around a running Forebay does for it; by default nothing.
pub struct Hooks {
    /// Is told of every configuration that was taken up or refused, whoever
    /// asked for it.
    pub told: Box<Told>,
    /// Sets how much the runtime log says.
    pub set_log_level: Box<SetLogLevel>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            told: Box::new(|_| {}),
            set_log_level: Box::new(|_| Err("there is no runtime log here".to_owned())),
        }
    }
}
