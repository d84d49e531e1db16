//! How lines reach their file without a worker ever waiting for a disk.
//!
//! Each worker gathers lines in a buffer of its own ([`LogSink`]) and offers
//! full buffers to a bounded queue; one thread per log takes them off and
//! writes. Where the queue is full, lines are lost, and counted: a slow disk
//! costs lines, never requests.

mod handle;
mod output;
mod queue;
mod scribe;
mod sink;
mod trouble;
mod writer;

pub use handle::LogHandle;
pub use output::{OpenFault, Output};
pub use queue::Drops;
pub use sink::LogSink;
pub use trouble::Trouble;
pub use writer::LogWriter;
