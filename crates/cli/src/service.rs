//! What the service manager is told (`sd_notify(3)`). Without one that asks for
//! it, nobody is told anything.

use sd_notify::NotifyState::{self, MainPid, Ready, Reloading, Stopping};

pub(crate) fn ready() {
    tell(&[Ready]);
}

/// This process is the main one from now on, whoever was before.
pub(crate) fn main_and_ready() {
    tell(&[MainPid(std::process::id()), Ready]);
}

pub(crate) fn reloading() {
    // `Type=notify-reload` wants to know since when.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[Reloading, now]),
        Err(_) => tell(&[Reloading]),
    }
}

pub(crate) fn stopping() {
    tell(&[Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    // It may be gone, and serving goes on without it.
    let _ = sd_notify::notify(states);
}
