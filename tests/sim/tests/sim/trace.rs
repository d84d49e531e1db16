//! What happens in a run: printed for people, or added up so that two runs can
//! be compared.

use std::cell::Cell;

use tokio::time::Instant;

use crate::pattern::mix;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Off,
    Print,
    Sum,
}

pub(crate) struct Trace {
    mode: Mode,
    start: Instant,
    sum: Cell<u64>,
}

impl Trace {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            mode,
            start: Instant::now(),
            sum: Cell::new(0),
        }
    }

    pub(crate) fn note(&self, text: impl FnOnce() -> String) {
        let at = || self.start.elapsed().as_millis();
        match self.mode {
            Mode::Off => {}
            Mode::Print => {
                let at = at();
                eprintln!("{:3}.{:03} {}", at / 1000, at % 1000, text());
            }
            Mode::Sum => {
                let line = format!("{} {}", at(), text());
                let sum = line
                    .bytes()
                    .fold(self.sum.get(), |s, b| mix(s, u64::from(b)));
                self.sum.set(sum);
            }
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum.get()
    }
}

/// Prints Forebay's own log as well, for as long as the guard lives.
pub(crate) fn print_logs() -> tracing::subscriber::DefaultGuard {
    let logs = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(std::io::stderr)
        .without_time()
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_default(logs)
}
