//! Going by another configuration: one that was read anew, or that was changed.

use std::sync::Arc;
use std::time::SystemTime;

use plan::{Changes, Heritage, Plan};
use serde_json::json;

use super::leaving::Turn;
use super::{Live, LiveFault, Reloaded, Source, State};
use crate::kept_state;
use crate::sources::Sources;
use crate::{Read, lines};

impl Live {
    /// Changes what the configuration says and goes by the result, without
    /// looking at its files. Blocks until every worker does.
    ///
    /// # Errors
    ///
    /// When the result has mistakes or cannot be served, or while nothing may be
    /// changed. Nothing is changed then.
    pub fn change(&self, make: impl FnOnce(&mut Changes)) -> Result<Reloaded, LiveFault> {
        let turn = self.turn()?;
        self.change_in(turn, make)
    }

    fn change_in(
        &self,
        turn: Turn<'_>,
        make: impl FnOnce(&mut Changes),
    ) -> Result<Reloaded, LiveFault> {
        let before = self.heritage.changes();
        let mut changes = Changes::clone(&before);
        make(&mut changes);
        self.heritage.set_changes(Arc::new(changes));
        let result = self.take_up(self.source.again(&self.kept(), &self.heritage));
        if result.is_err() {
            self.heritage.set_changes(before);
        }
        drop(turn);
        self.tell("change", &result);
        result
    }

    /// Reads the configuration anew and goes by it. One with mistakes, also in a
    /// file that a start would leave out, or that cannot be served, changes
    /// nothing. Blocks until every worker goes by it.
    ///
    /// # Errors
    ///
    /// When it has mistakes, or cannot be served, or while nothing may be changed.
    pub fn reload(&self, now: SystemTime) -> Result<Reloaded, LiveFault> {
        let turn = self.turn()?;
        let before = self.heritage.changes();
        let read = self.source.read(&self.heritage);
        let result = read.map_err(LiveFault::Unreadable).and_then(|read| {
            let Self {
                sources,
                source,
                heritage,
                ..
            } = self;
            // What serves is not taken away by a mistake in a file.
            let read = match read.left_out.is_empty() {
                true => read,
                false => read.kept.strictly(heritage),
            };
            self.take_up(with_finds(sources, source, heritage, read))
        });
        if result.is_err() {
            self.heritage.set_changes(before);
        }
        self.note(&result, now);
        drop(turn);
        self.tell("reload", &result);
        if let Ok(reloaded) = &result {
            self.tell_of_refused_certificates(&reloaded.plan);
            tell_of_idle_changes(&self.changes(), &reloaded.plan);
        }
        result
    }

    fn note(&self, result: &Result<Reloaded, LiveFault>, now: SystemTime) {
        let mut state = self.lock();
        let State {
            last,
            kept,
            refused_files,
            ..
        } = &mut *state;
        last.tried = now;
        match result {
            Ok(reloaded) => {
                *kept = Arc::new(reloaded.read.kept.clone());
                refused_files.clear();
                last.failure = None;
                if last.hash != reloaded.hash {
                    last.hash.clone_from(&reloaded.hash);
                    last.since = now;
                }
                last.taken += 1;
            }
            Err(fault) => {
                last.failure = Some(fault.to_string());
                last.refused += 1;
            }
        }
        self.running.tell_of_configuration(state.figures());
    }

    /// Whether what was changed could be written to its file just now. True where
    /// that is another outcome than before.
    pub(crate) fn note_kept(&self, is_kept: bool) -> bool {
        let mut state = self.lock();
        let before = state.is_kept.replace(is_kept);
        self.running.tell_of_configuration(state.figures());
        before != Some(is_kept)
    }

    /// Goes by what the sources of backends have found; false if that cannot be.
    pub(super) fn take_up_finds(&self) -> bool {
        let finds = self.sources.finds(&self.running.plan());
        let before = self.changes();
        if finds.are_in(&before) {
            return true;
        }
        match self.change_in(self.any_turn(), |changes| finds.put_into(changes)) {
            Ok(_) => finds.tell_since(&before),
            Err(fault) => {
                tracing::error!("what was found cannot be taken up: {fault}");
                return false;
            }
        }
        true
    }

    pub(super) fn tell(&self, kind: &'static str, result: &Result<Reloaded, LiveFault>) {
        (self.hooks.told)(result);
        let about = match result {
            Ok(reloaded) => json!({
                "outcome": "taken",
                "hash": reloaded.hash,
                "changes": lines(&reloaded.differences),
            }),
            Err(fault) => json!({"outcome": "refused", "why": fault.to_string()}),
        };
        self.events.publish(kind, about);
    }

    pub(super) fn take_up(&self, read: Read) -> Result<Reloaded, LiveFault> {
        let result = self.adopt(read);
        self.sources.keep_only(&self.running.plan());
        result
    }

    fn adopt(&self, mut read: Read) -> Result<Reloaded, LiveFault> {
        let Some(plan) = read.plan.take() else {
            return Err(LiveFault::Mistakes(Box::new(read)));
        };
        let (old, plan) = (self.running.plan(), Arc::new(plan));
        if let Some(path) = plan.state_file()
            && old.state_file() != Some(path)
        {
            kept_state::check(path).map_err(LiveFault::StateFile)?;
        }
        let differences = plan::diff(&old, &plan);
        let admin = self.move_admin(&plan, None)?;
        self.running
            .adopt(Arc::clone(&plan))
            .map_err(LiveFault::Start)?;
        self.heritage.keep_certificates(&plan);
        admin.settle();
        Ok(Reloaded {
            hash: read.hash.clone(),
            workers_differ: plan.needs_restart(self.running.workers()),
            plan,
            differences,
            read,
        })
    }
}

/// Changes that wait for their group to come back.
pub(super) fn tell_of_idle_changes(changes: &Changes, plan: &Plan) {
    for group in changes.groups_not_in(plan) {
        tracing::warn!(
            "what was changed in the group {group} is left out: there is no such group; it is kept in case the group comes back"
        );
    }
}

/// The same with the backends that are found, if it has sources.
pub(super) fn with_finds(
    sources: &Sources,
    source: &Source,
    heritage: &Heritage,
    read: Read,
) -> Read {
    let finds = read
        .plan
        .as_ref()
        .and_then(|plan| sources.finds_for(plan, read.kept.directory()));
    let before = heritage.changes();
    let Some(finds) = finds.filter(|finds| !finds.are_in(&before)) else {
        return read;
    };
    let mut changes = Changes::clone(&before);
    finds.put_into(&mut changes);
    heritage.set_changes(Arc::new(changes));
    finds.tell_since(&before);
    source.again(&read.kept, heritage)
}
