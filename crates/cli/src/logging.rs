//! The runtime log: what `tracing` collects, written where the plan says.

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use forebay::{LogHandle, LogWriter, Logging, OpenFault, Output};
use tracing::Subscriber;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use crate::log_text::LogText;

/// The runtime log. It must be closed at the end.
pub(crate) struct Log(Mutex<Option<Open>>);

/// As it is until it is closed.
struct Open {
    logging: Logging,
    writer: LogWriter,
    level: reload::Handle<LevelFilter, Registry>,
    layer: reload::Handle<Lines, Filtered>,
    /// Ends when the last lines of the log before are written, or given up.
    closing: Option<JoinHandle<()>>,
}

/// What comes through the level.
type Filtered = tracing_subscriber::layer::Layered<reload::Layer<LevelFilter, Registry>, Registry>;
type Lines = Box<dyn Layer<Filtered> + Send + Sync>;

impl Log {
    pub(crate) fn start(logging: &Logging) -> Result<Self, OpenFault> {
        let writer = open(logging)?;
        let (level, level_handle) = reload::Layer::new(level_of(&logging.level));
        let (layer, layer_handle) = reload::Layer::new(lines(logging, writer.writer()));
        // A second start in one process keeps the first log.
        let _ = tracing_subscriber::registry()
            .with(level)
            .with(layer)
            .try_init();
        Ok(Self(Mutex::new(Some(Open {
            logging: logging.clone(),
            writer,
            level: level_handle,
            layer: layer_handle,
            closing: None,
        }))))
    }

    /// Goes on as another plan says. Where that cannot be, as before.
    pub(crate) fn adopt(&self, logging: &Logging) -> Result<(), OpenFault> {
        // A slow disk is waited for without the lock: signals need it too.
        let output = match &*self.lock() {
            Some(open) if open.logging == *logging => return Ok(()),
            Some(open) => open.logging.output.clone(),
            None => return Ok(()),
        };
        let moves = output != logging.output;
        let new = moves.then(|| open(logging)).transpose()?;
        let old = match &mut *self.lock() {
            Some(open) => open.adopt(logging, new),
            None => None,
        };
        if let Some((writer, before)) = old {
            wait_until_closed(before);
            let closing = writer.close_in_background(LogWriter::LAST_LINES, || {});
            if let Some(open) = &mut *self.lock() {
                open.closing = closing;
            }
        }
        Ok(())
    }

    /// How much it says, until the configuration says otherwise.
    pub(crate) fn set_level(&self, level: &str) {
        if let Some(open) = &*self.lock() {
            let _ = open.level.reload(level_of(level));
        }
    }

    pub(crate) fn reopen(&self) {
        if let Some(open) = &*self.lock() {
            open.writer.reopen();
        }
    }

    pub(crate) fn close(&self) {
        let open = self.lock().take();
        if let Some(open) = open {
            open.writer.close(LogWriter::LAST_LINES);
            wait_until_closed(open.closing);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Returns the log before, where there is another, and what is left of the one
    /// before that.
    fn adopt(
        &mut self,
        logging: &Logging,
        new: Option<LogWriter>,
    ) -> Option<(LogWriter, Option<JoinHandle<()>>)> {
        let handle = new.as_ref().unwrap_or(&self.writer).writer();
        // Only the end of the program takes the subscriber away.
        let _ = self.level.reload(level_of(&logging.level));
        let _ = self.layer.reload(lines(logging, handle));
        self.logging = logging.clone();
        let old = std::mem::replace(&mut self.writer, new?);
        Some((old, self.closing.take()))
    }
}

fn wait_until_closed(closing: Option<JoinHandle<()>>) {
    if let Some(closing) = closing {
        // It has nothing to tell.
        let _ = closing.join();
    }
}

fn open(logging: &Logging) -> Result<LogWriter, OpenFault> {
    // Trouble with the log itself has no better place to go than the log.
    LogWriter::open(logging.output.clone(), |_| {})
}

fn level_of(level: &str) -> LevelFilter {
    match level {
        "debug" => LevelFilter::DEBUG,
        "warn" => LevelFilter::WARN,
        "error" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

fn lines<S>(logging: &Logging, handle: LogHandle) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let color = match logging.output {
        Output::Stderr => std::io::stderr().is_terminal(),
        Output::Stdout => std::io::stdout().is_terminal(),
        Output::File(_) => false,
    };
    let layer = fmt::layer().with_ansi(color);
    match logging.json {
        true => layer
            .with_writer(move || handle.clone())
            .json()
            .flatten_event(true)
            .boxed(),
        false => layer
            .with_writer(move || LogText::new(handle.clone(), color))
            .with_target(false)
            .boxed(),
    }
}
