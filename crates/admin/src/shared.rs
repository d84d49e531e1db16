//! What all connections of the admin API share.

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::SystemTime;

use plan::AdminToken;
use tokio::sync::watch;

use crate::Control;
use crate::problem::Problem;

pub(crate) struct Shared {
    /// Weak, for it is what has the server.
    pub(crate) control: Weak<dyn Control>,
    pub(crate) tokens: RwLock<Arc<[AdminToken]>>,
    pub(crate) started: SystemTime,
    /// Only this machine can connect.
    pub(crate) is_loopback: bool,
    /// True once nothing more is to be served.
    pub(crate) stop: watch::Receiver<bool>,
}

pub(crate) type Api = axum::extract::State<Arc<Shared>>;

impl Shared {
    pub(crate) fn tokens(&self) -> Arc<[AdminToken]> {
        Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn control(&self) -> Result<Arc<dyn Control>, Problem> {
        let control = self.control.upgrade();
        control.ok_or_else(|| Problem::unavailable("Forebay is ending"))
    }

    /// Asks something that may take a while, away from this thread.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Control) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let control = self.control()?;
        let asked = tokio::task::spawn_blocking(move || question(&*control)).await;
        asked.unwrap_or_else(|_| Err(Problem::unavailable("there was no answer")))
    }
}
