//! What the admin API asks of a running Forebay.
#![expect(
    clippy::disallowed_methods,
    reason = "the time that operators are told"
)]

use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use admin::{Control, Events, LastReload, Mistake, OrderedCertificate, Refused, Taken, rfc3339};
use config::{BackendUrl, Severity};
use plan::{Changes, Heritage, Plan};
use proxy::Running;
use registry::Shared as Registry;

use crate::certificates::{Attempts, Entry, State};
use crate::{Live, LiveFault, Problems, Read, Reloaded, lines};

/// While nothing may be changed; an upgrade is seldom longer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Control for Live {
    fn running(&self) -> &Running {
        Live::running(self)
    }

    fn last(&self) -> LastReload {
        Live::last(self)
    }

    fn reload(&self) -> Result<Taken, Refused> {
        outcome(Live::reload(self, SystemTime::now()))
    }

    fn check(&self, name: &str, text: &str) -> Result<Vec<Mistake>, Refused> {
        let read = self.read_instead(name, text);
        plan_of(&read).map(|_| mistakes(&read.problems))
    }

    fn diff(&self, name: &str, text: &str) -> Result<Vec<String>, Refused> {
        let read = self.read_instead(name, text);
        let plan = plan_of(&read)?;
        Ok(lines(&plan::diff(&Live::running(self).plan(), plan)))
    }

    fn changes(&self) -> Arc<Changes> {
        Live::changes(self)
    }

    fn change(&self, make: &mut dyn FnMut(&mut Changes)) -> Result<Taken, Refused> {
        outcome(Live::change(self, make))
    }

    fn order(&self, act: &mut dyn FnMut()) -> Result<(), Refused> {
        Live::order(self, act).map_err(|fault| refused(&fault))
    }

    fn backend_url(&self, text: &str) -> Result<String, String> {
        text.parse::<BackendUrl>().map(|url| url.to_string())
    }

    fn registry(&self) -> &Registry {
        Live::registry(self)
    }

    fn registry_to_change(&self) -> Result<MutexGuard<'_, registry::Registry>, Refused> {
        Live::registry_to_change(self).map_err(|fault| refused(&fault))
    }

    fn registry_to_renew(&self) -> Result<MutexGuard<'_, registry::Registry>, Refused> {
        Live::registry_to_renew(self).map_err(|fault| refused(&fault))
    }

    fn ordered_certificates(&self) -> Vec<OrderedCertificate> {
        let entries = self.board().entries().into_iter();
        entries.map(ordered).collect()
    }

    fn refused_files(&self) -> Vec<String> {
        Live::refused_files(self)
    }

    fn events(&self) -> &Events {
        Live::events(self)
    }

    fn set_log_level(&self, level: &str) -> Result<(), String> {
        (self.hooks.set_log_level)(level)
    }
}

impl Live {
    /// Reads a text as if it were the configuration. Files and variables are
    /// those that the running one is made of, as they were: who may ask this
    /// must not look at others through it. It is refused whenever a reload would be.
    fn read_instead(&self, name: &str, text: &str) -> Read {
        let heritage = Heritage::default();
        heritage.set_changes(Live::changes(self));
        heritage.keep_certificates(&self.running().plan());
        self.kept().instead(name, text, true, &heritage)
    }
}

fn ordered(entry: Entry) -> OrderedCertificate {
    let time = |unix: i64| rfc3339(u64::try_from(unix).unwrap_or(0).saturating_mul(1_000_000));
    let Attempts {
        failed,
        next_unix: _,
        error,
    } = entry.attempts;
    OrderedCertificate {
        names: entry.names.iter().map(ToString::to_string).collect(),
        state: entry.state.name().to_owned(),
        expires: entry.not_after.map(time),
        next: (entry.state != State::Ordering).then(|| time(entry.next_unix)),
        failed,
        error: (failed > 0).then_some(error),
    }
}

fn plan_of(read: &Read) -> Result<&Plan, Refused> {
    read.plan.as_ref().ok_or_else(|| of_mistakes(read))
}

fn outcome(result: Result<Reloaded, LiveFault>) -> Result<Taken, Refused> {
    match result {
        Ok(reloaded) => Ok(Taken {
            changes: lines(&reloaded.differences),
            warnings: all_mistakes(&reloaded.read),
            restart_needed: reloaded.workers_differ,
            hash: reloaded.hash,
        }),
        Err(fault) => Err(refused(&fault)),
    }
}

fn refused(fault: &LiveFault) -> Refused {
    let retry_after = match fault {
        LiveFault::Mistakes(read) => return of_mistakes(read),
        LiveFault::Leaving(_) => Some(RETRY_AFTER),
        LiveFault::Unreadable(_) | LiveFault::Start(_) | LiveFault::StateFile(_) => None,
    };
    Refused {
        why: fault.to_string(),
        mistakes: Vec::new(),
        retry_after,
    }
}

fn of_mistakes(read: &Read) -> Refused {
    let errors = read.problems.errors();
    let mistakes = if errors == 1 { "mistake" } else { "mistakes" };
    Refused {
        why: format!("the configuration has {errors} {mistakes}"),
        mistakes: all_mistakes(read),
        retry_after: None,
    }
}

/// With those of the files that are left out.
fn all_mistakes(read: &Read) -> Vec<Mistake> {
    let left_out = read.left_out.iter();
    let left_out = left_out.flat_map(|(_, problems)| mistakes(problems));
    mistakes(&read.problems)
        .into_iter()
        .chain(left_out)
        .collect()
}

fn mistakes(problems: &Problems) -> Vec<Mistake> {
    let mistake = |problem: &config::Problem| {
        let (file, _, _) = problems.place(problem.span);
        let place = problems.position(problem.span);
        Mistake {
            severity: match problem.severity {
                Severity::Error => "error".to_owned(),
                Severity::Warning => "warning".to_owned(),
            },
            file: file.to_owned(),
            line: place.line as u64,
            column: place.column as u64,
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    };
    problems.iter().map(mistake).collect()
}
