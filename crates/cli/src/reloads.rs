//! Taking up the configuration anew: when asked to, and when its files have
//! changed. One at a time, and away from whoever waits for signals: a file may
//! be on a disk that does not answer.

use std::sync::Arc;
use std::time::Duration;

use forebay::Live;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{error, info};

use crate::commands::reload::reload;
use crate::service;
use crate::watch::Watch;

/// Between two looks at the files.
const SECOND: Duration = Duration::from_secs(1);

pub(crate) struct Reloads {
    /// Whoever is under way has it.
    watch: Option<Watch>,
    under_way: Option<JoinHandle<(Option<Watch>, Came)>>,
    is_asked_for: bool,
    /// It is being read anew, and not only looked at.
    is_reading: bool,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Nothing,
    /// The files have changed.
    News,
    /// It was not the time for it.
    NotNow,
}

impl Reloads {
    pub(crate) fn new(watch: Option<Watch>) -> Self {
        Self {
            watch,
            under_way: None,
            is_asked_for: false,
            is_reading: false,
        }
    }

    /// The configuration is to be read anew.
    pub(crate) fn ask(&mut self) {
        if self.is_reading {
            info!("the configuration is being read, and will be once more");
        }
        self.is_asked_for = true;
    }

    /// Whether it is still to be read anew, or may have come too late for that;
    /// whoever asks this does it.
    pub(crate) fn take_over(&mut self) -> bool {
        std::mem::take(&mut self.is_asked_for) | self.is_reading
    }

    /// Does what there is to do; returns when there may be more of it. Loses
    /// nothing when it is dropped before. Where it `may_begin` nothing, what is
    /// under way is finished.
    pub(crate) async fn go_on(&mut self, live: &Arc<Live>, may_begin: bool) {
        match &mut self.under_way {
            Some(task) => {
                let done = task.await;
                self.under_way = None;
                self.is_reading = false;
                self.ended(done);
            }
            None if !may_begin => std::future::pending().await,
            None if self.is_asked_for => self.read(live),
            None => {
                tokio::time::sleep(SECOND).await;
                self.look(live);
            }
        }
    }

    fn ended(&mut self, done: Result<(Option<Watch>, Came), tokio::task::JoinError>) {
        match done {
            Ok((watch, came)) => {
                self.watch = watch;
                self.is_asked_for |= came != Came::Nothing;
            }
            Err(_) => error!("taking up the configuration anew has failed"),
        }
    }

    fn read(&mut self, live: &Arc<Live>) {
        self.is_asked_for = false;
        self.is_reading = true;
        let (watch, live) = (self.watch.take(), Arc::clone(live));
        self.under_way = Some(spawn_blocking(move || {
            service::reloading();
            let is_done = reload(&live);
            service::ready();
            (watch, if is_done { Came::Nothing } else { Came::NotNow })
        }));
    }

    fn look(&mut self, live: &Arc<Live>) {
        let plan = live.running().plan();
        let has_files = plan.tls_files().next().is_some();
        if self.watch.is_none() && !has_files {
            return;
        }
        let (mut watch, live) = (self.watch.take(), Arc::clone(live));
        self.under_way = Some(spawn_blocking(move || {
            let is_news = watch.as_mut().is_some_and(Watch::has_news);
            if !is_news {
                look_at_certificates(&live);
            }
            (watch, if is_news { Came::News } else { Came::Nothing })
        }));
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates end on a day")]
fn look_at_certificates(live: &Live) {
    live.look_at_certificates(std::time::SystemTime::now());
}
