//! Certificates that are renewed on disk while Forebay runs, and those that are
//! about to run out.
//!
//! Only their files are read anew: what else was changed on disk waits for
//! whoever asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use config::{Problems, Severity};
use plan::Plan;
use serde_json::json;
use telemetry::{CertificateExpiry, CertificateFigures, OrderFigures};
use tracing::{error, info, warn};

use super::{Live, LiveFault, lock};
use crate::certificates::Board;
use crate::file_trait::{FileTrait, file_trait};

const DAY: u64 = 24 * 3600;

/// What was found so far.
#[derive(Default)]
pub(super) struct Renewal {
    /// What the files were like at the last look.
    seen: BTreeMap<Box<str>, Option<FileTrait>>,
    /// They have changed, and may still be changing.
    is_due: bool,
    taken: u64,
    refused: u64,
    /// On which day what was said to run out.
    warned: Option<(u64, Vec<End>)>,
}

/// A file and until when what is in it is valid.
type End = (Box<str>, i64, Kind);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Certificate,
    /// What an authority says of revocation, which is renewed every few days.
    Revocation,
}

impl Live {
    /// Looks whether the files of certificates have changed, and goes by them
    /// once they have stayed as they are for a look; bad ones change nothing.
    /// To be called every few seconds. Blocks.
    pub fn look_at_certificates(&self, now: SystemTime) {
        let plan = self.running.plan();
        let mut renewal = lock(&self.renewal);
        let directory = self.kept().directory().to_owned();
        let look: BTreeMap<Box<str>, _> = plan
            .tls_files()
            .map(|file| (file.into(), file_trait(&directory.join(file))))
            .collect();
        if renewal.seen != look {
            renewal.seen = look;
            renewal.is_due = true;
        } else if renewal.is_due {
            renewal.is_due = false;
            self.renew(&mut renewal, &directory);
        }
        let plan = self.running.plan();
        warn_of_ends(&plan, &mut renewal, now);
        self.running
            .tell_of_certificates(self.figures(&plan, &renewal));
    }

    fn renew(&self, renewal: &mut Renewal, directory: &Path) {
        let Ok(turn) = self.turn() else {
            // Somebody else takes over, and reads them itself; or not, and then there is another look.
            renewal.is_due = true;
            return;
        };
        let files = renewal.seen.keys().map(|file| &**file);
        let Some((kept, changed)) = self
            .kept()
            .with_files(files, &|file| std::fs::read(directory.join(file)))
        else {
            // They are again what they were.
            self.lock().refused_files.clear();
            return;
        };
        let result = self.take_up(self.source.again(&kept, &self.heritage));
        self.lock().refused_files = match &result {
            Ok(_) => Vec::new(),
            Err(LiveFault::Mistakes(read)) => errors(&read.problems),
            Err(fault) => vec![fault.to_string()],
        };
        let is_news = match &result {
            Ok(reloaded) => {
                self.lock().kept = Arc::new(kept);
                let is_whole = refused(&reloaded.plan).is_empty();
                is_whole || !reloaded.differences.is_empty()
            }
            Err(_) => true,
        };
        drop(turn);
        let changed = changed.join(", ");
        match &result {
            Ok(_) if is_news => {
                renewal.taken += 1;
                info!("certificate files have changed and are taken up: {changed}");
            }
            Ok(_) => {}
            Err(_) => {
                renewal.refused += 1;
                error!(
                    "certificate files have changed and cannot be used; the certificates from before stay: {changed}"
                );
            }
        }
        match is_news {
            true => self.tell("certificates", &result),
            false => (self.hooks.told)(&result),
        }
        if let Ok(reloaded) = &result {
            self.shout(renewal, &reloaded.plan);
        }
    }

    /// For whoever has read all files anew.
    pub(super) fn tell_of_refused_certificates(&self, plan: &Plan) {
        self.shout(&mut lock(&self.renewal), plan);
        self.tell_of_certificates();
    }

    /// Nobody would notice otherwise before the old ones end.
    fn shout(&self, renewal: &mut Renewal, plan: &Plan) {
        for why in refused(plan) {
            renewal.refused += 1;
            error!("a certificate cannot be used, and the one from before stays: {why}");
            let about = json!({"outcome": "refused", "why": why});
            self.events.publish("certificates", about);
        }
    }

    /// What metrics say before the first look.
    pub(super) fn tell_of_certificates(&self) {
        let figures = self.figures(&self.running.plan(), &lock(&self.renewal));
        self.running.tell_of_certificates(figures);
    }

    fn figures(&self, plan: &Plan, renewal: &Renewal) -> CertificateFigures {
        let has_files = plan.tls_files().next().is_some();
        CertificateFigures {
            refused_files: has_files.then(|| self.refused_files().len()),
            ..figures(plan, renewal, &self.board)
        }
    }

    /// What is wrong with files of certificates, authorities and revocation lists
    /// as they are now; what was in them before goes on.
    pub(crate) fn refused_files(&self) -> Vec<String> {
        let plan = self.running.plan();
        let mut all = self.lock().refused_files.clone();
        all.extend(refused(&plan).into_iter().map(str::to_owned));
        all
    }
}

fn errors(problems: &Problems) -> Vec<String> {
    let errors = problems
        .iter()
        .filter(|one| one.severity == Severity::Error);
    errors.map(|one| one.message.clone()).collect()
}

/// What is wrong with files whose certificates from before are still shown.
fn refused(plan: &Plan) -> BTreeSet<&str> {
    let all = plan.certificates();
    all.filter_map(|files| files.refused.as_deref()).collect()
}

fn figures(plan: &Plan, renewal: &Renewal, board: &Board) -> CertificateFigures {
    let certificates = plan.listeners.iter().flat_map(|listener| {
        let certificates = listener.tls.iter().flat_map(|tls| &tls.certificates);
        certificates.map(|files| CertificateExpiry {
            listener: listener.id.to_string(),
            file: files.chain.to_string(),
            unix_seconds: files.not_after,
        })
    });
    let revocations = plan
        .revocations()
        .map(|(listener, file, end)| CertificateExpiry {
            listener: listener.to_owned(),
            file: file.to_owned(),
            unix_seconds: end,
        });
    CertificateFigures {
        certificates: certificates.collect(),
        revocations: revocations.collect(),
        taken: renewal.taken,
        refused: renewal.refused,
        refused_files: None,
        orders: plan.acme.is_some().then(|| orders(board)),
    }
}

fn orders(board: &Board) -> OrderFigures {
    let (issued, failed) = board.orders();
    let entries = board.entries().into_iter();
    OrderFigures {
        issued,
        failed,
        next: entries
            .map(|entry| (entry.names.join(","), entry.next_unix))
            .collect(),
    }
}

/// Says which certificates run out: once a day, and when others do.
fn warn_of_ends(plan: &Plan, renewal: &mut Renewal, now: SystemTime) {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let left = |end: i64| u64::try_from(end).unwrap_or(0).saturating_sub(now);
    let certificates = plan
        .certificates()
        .map(|files| (files.chain.clone(), files.not_after, Kind::Certificate));
    let revocations = plan
        .revocations()
        .map(|(_, file, end)| (file.into(), end, Kind::Revocation));
    let is_to_be_told = |(_, end, kind): &End| match kind {
        Kind::Certificate => left(*end) < tls::SOON.unsigned_abs(),
        Kind::Revocation => left(*end) == 0,
    };
    let all = certificates.chain(revocations);
    let mut ends: Vec<End> = all.filter(is_to_be_told).collect();
    ends.sort();
    ends.dedup();
    let today = (now / DAY, ends);
    if renewal.warned.as_ref() == Some(&today) {
        return;
    }
    for (file, end, kind) in &today.1 {
        match (kind, left(*end)) {
            (Kind::Revocation, _) => warn!(
                file = &**file,
                "what the authority says of revocation has expired, since {}: {file}",
                tls::date(*end)
            ),
            (Kind::Certificate, 0) => {
                error!(file = &**file, "the certificate has expired: {file}");
            }
            (Kind::Certificate, left) => warn!(
                file = &**file,
                days = left / DAY,
                "the certificate expires in {} days: {file}",
                left / DAY
            ),
        }
    }
    renewal.warned = Some(today);
}
