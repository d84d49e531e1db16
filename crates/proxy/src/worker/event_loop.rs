//! Threads that run an event loop of their own.

use std::io;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use tokio::runtime::{self, LocalRuntime};

/// Events taken from the kernel at once. With fewer, an answer is passed on soon
/// after its request, and the connection to the backend that it frees is used
/// again while it is still in the processor's caches. With 1,000 clients that
/// is worth a third of the time per request; with 64 it makes no difference.
const EVENTS_PER_TURN: usize = 32;

/// Starts a thread with an event loop and runs `body` on it. Returns once the
/// loop exists, so that whatever keeps it from starting is known here.
pub(crate) fn spawn(
    name: String,
    body: impl FnOnce(&LocalRuntime) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let (tell, told) = mpsc::channel();
    let thread = Builder::new().name(name).spawn(move || {
        let built = runtime::Builder::new_current_thread()
            .enable_all()
            .max_io_events_per_tick(EVENTS_PER_TURN)
            .build_local(runtime::LocalOptions::default());
        match built {
            Ok(runtime) => {
                // Whoever started the thread waits for this.
                let _ = tell.send(Ok(()));
                body(&runtime);
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        }
    })?;
    match told.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::other(
            "the thread ended before its event loop began",
        )),
    }
}
