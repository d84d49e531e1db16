//! The thread that looks.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plan::BackendSource;
use registry::Shared as Registry;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking, spawn_local};
use tokio::time::sleep;

use super::board::Board;
use super::look;

/// What is found within this time is taken up together, and then nothing for
/// as long: every other plan costs all workers a little.
const TOGETHER: Duration = Duration::from_millis(100);
/// Before what could not be taken up is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Starts it. Dropping what this returns ends it.
pub(super) fn start(
    board: &Arc<Board>,
    registry: &Registry,
    directory: &Path,
) -> io::Result<oneshot::Sender<()>> {
    let (stop, stopped) = oneshot::channel();
    let looking = Looking {
        board: Arc::clone(board),
        registry: registry.clone(),
        directory: directory.to_owned(),
    };
    let (tell, told) = std::sync::mpsc::channel();
    let run = move || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = tell.send(error);
                return;
            }
        };
        drop(tell);
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                () = looking.at_what_is_wanted() => {}
                () = looking.take_up() => {}
            }
        });
        // Reading a file of a network that is gone may never end.
        runtime.shutdown_background();
    };
    std::thread::Builder::new()
        .name("forebay-sources".to_owned())
        .spawn(run)?;
    // It says nothing where all is well.
    told.recv().map_or(Ok(stop), Err)
}

struct Looking {
    board: Arc<Board>,
    registry: Registry,
    directory: PathBuf,
}

impl Looking {
    /// One task for each source.
    async fn at_what_is_wanted(&self) {
        let mut tasks: HashMap<Arc<BackendSource>, JoinHandle<()>> = HashMap::new();
        loop {
            let wanted = self.board.all();
            tasks.retain(|source, task| {
                let is_wanted = wanted.contains(source);
                if !is_wanted {
                    task.abort();
                }
                is_wanted
            });
            for source in wanted {
                tasks
                    .entry(source)
                    .or_insert_with_key(|source| self.look_at(Arc::clone(source)));
            }
            self.board.wanted.notified().await;
        }
    }

    fn look_at(&self, source: Arc<BackendSource>) -> JoinHandle<()> {
        let board = Arc::clone(&self.board);
        let registry = self.registry.clone();
        let directory = self.directory.clone();
        spawn_local(async move { look::look(&source, &board, &registry, &directory).await })
    }

    async fn take_up(&self) {
        loop {
            self.board.changed.notified().await;
            sleep(TOGETHER).await;
            let board = Arc::clone(&self.board);
            let done = spawn_blocking(move || board.take_up()).await;
            sleep(TOGETHER).await;
            if !done.unwrap_or(false) {
                sleep(AGAIN).await;
                self.board.changed.notify_one();
            }
        }
    }
}
