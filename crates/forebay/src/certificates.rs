//! Certificates that are had from an authority (ACME): when to order, and what
//! is told of it. A thread of its own does it; what it writes is taken up like
//! any renewed file.

mod attempts;
mod board;
mod folder;
mod lifetime;
mod ordering;

use std::io;
use std::sync::Weak;
use std::time::Duration;

pub(crate) use attempts::Attempts;
pub(crate) use board::{Board, Entry, State};
pub use folder::check as check_folder;

use crate::live::Live;
use ordering::Ordering;

/// How often it is looked whether anything is due.
const EVERY: Duration = Duration::from_secs(1);

/// Sees to it for as long as the Forebay lives.
///
/// # Errors
///
/// When no thread can be had.
pub(crate) fn keep(live: Weak<Live>) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("forebay-acme".to_owned());
    thread.spawn(move || {
        let mut ordering = Ordering::default();
        loop {
            let Some(alive) = live.upgrade() else { return };
            // It is another process's business then, or nobody's.
            if alive.running().is_draining() {
                return;
            }
            let plan = alive.running().plan();
            let directory = alive.kept().directory().to_owned();
            let may_order = alive.leaving().is_none();
            let board = alive.board();
            drop(alive);
            match &plan.acme {
                Some(acme) if may_order => ordering.look(acme, &directory, &board, &live),
                Some(_) => {}
                None => board.clear(),
            }
            drop(plan);
            std::thread::sleep(EVERY);
        }
    })?;
    Ok(())
}
