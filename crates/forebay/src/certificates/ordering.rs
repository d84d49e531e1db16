//! Orders what is due, one certificate after the other.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, UNIX_EPOCH};

use acme::{Account, Answers, Authority, Challenge, ExternalAccount, Fault, Key, Wish};
use plan::{Acme, AcmeCertificate, AcmeChallenge, AcmeKey};
use serde_json::json;
use tls::{Certificate, Challenges};
use tokio::runtime::Builder;
use tracing::{error, info, warn};

use super::attempts::Attempts;
use super::folder::{self, Folder};
use super::lifetime::Lifetime;
use super::{Board, Entry, State};
use crate::file_trait::{FileTrait, file_trait};
use crate::kept_state::now;
use crate::live::Live;

/// For one order, with all that the authority looks at.
const PATIENCE: Duration = Duration::from_mins(5);

/// What is known of the files without reading them again.
#[derive(Default)]
pub(super) struct Ordering {
    known: HashMap<Box<str>, (Option<FileTrait>, Option<Lifetime>)>,
    /// What has failed, in case that cannot be written down.
    attempts: HashMap<Box<str>, Attempts>,
}

impl Ordering {
    /// Looks at every certificate, and orders one that is due: it takes a while, and
    /// then there may be other settings.
    pub(super) fn look(&mut self, acme: &Acme, directory: &Path, board: &Board, live: &Weak<Live>) {
        let wanted = |file: &str| acme.certificates.iter().any(|c| *c.file == *file);
        self.known.retain(|file, _| wanted(file));
        self.attempts.retain(|file, _| wanted(file));
        let all = acme.certificates.iter();
        let mut entries: Vec<Entry> = all.map(|wish| self.entry(wish, directory)).collect();
        let due = entries.iter().position(|entry| entry.next_unix <= unix());
        let due = due.and_then(|place| Some((place, acme.certificates.get(place)?)));
        let Some((place, wish)) = due else {
            return board.set(entries);
        };
        if let Some(entry) = entries.get_mut(place) {
            entry.state = State::Ordering;
        }
        board.set(entries);
        let Some(is_issued) = self.order(acme, wish, directory, live) else {
            return;
        };
        let all = acme.certificates.iter();
        board.set(all.map(|wish| self.entry(wish, directory)).collect());
        board.count(is_issued);
    }

    fn entry(&mut self, wish: &AcmeCertificate, directory: &Path) -> Entry {
        let file = directory.join(&*wish.file);
        let found = file_trait(&file);
        let known = self.known.entry(wish.file.clone()).or_default();
        if known.0 != found || found.is_none() {
            *known = (found, folder::lifetime(&file));
        }
        let lifetime = known.1.as_ref();
        let renewal = lifetime.and_then(|lifetime| lifetime.renewal(wish));
        let mut entry = Entry {
            names: wish.names.clone(),
            state: State::Valid,
            not_after: lifetime.map(|lifetime| lifetime.not_after),
            next_unix: renewal.unwrap_or(0),
            attempts: Attempts::default(),
        };
        if entry.next_unix > unix() {
            return entry;
        }
        let kept = folder::attempts(&file);
        let own = self.attempts.get(&wish.file).cloned().unwrap_or_default();
        entry.attempts = match own.next_unix > kept.next_unix {
            true => own,
            false => kept,
        };
        entry.next_unix = entry.attempts.next(unix());
        entry.state = match entry.attempts.failed {
            0 => State::Ordering,
            _ => State::Failed,
        };
        entry
    }

    /// Whether one was given; none where it is another process's turn.
    fn order(
        &mut self,
        acme: &Acme,
        wish: &AcmeCertificate,
        directory: &Path,
        live: &Weak<Live>,
    ) -> Option<bool> {
        let folder = Folder::new(directory.join(&*acme.folder));
        let file = directory.join(&*wish.file);
        let turn = match folder.turn() {
            Ok(Some(turn)) => Ok(turn),
            Ok(None) => return None,
            Err(why) => Err(why),
        };
        // Another process may have done it meanwhile, or failed.
        if turn.is_ok() && self.entry(wish, directory).next_unix > unix() {
            return None;
        }
        let names = wish.names.join(", ");
        info!(
            "a certificate for {names} is ordered from {}",
            acme.directory
        );
        // It stays ours until it is written down what has come of it.
        let result = turn.as_ref().map_err(Clone::clone).and_then(|_| {
            let given = obtain(acme, wish, &folder).map_err(|fault| fault.to_string());
            acme.challenges.clear();
            let text = given?;
            check(&text, wish)?;
            folder.keep(&file, &text)
        });
        let is_issued = result.is_ok();
        let about = match result {
            Ok(()) => {
                info!("the authority has given a certificate for {names}");
                self.attempts.remove(&wish.file);
                folder::forget_attempts(&file);
                json!({"outcome": "issued", "names": wish.names})
            }
            // Who has taken over has been asked, and knew of no check.
            Err(why) if is_succeeded(live) => {
                info!("no certificate for {names}, which another process sees to: {why}");
                return None;
            }
            Err(why) => {
                let mut attempts = self.entry(wish, directory).attempts;
                attempts.fail(why.clone(), unix(), fastrand::f64());
                let wait = attempts.next_unix.saturating_sub(unix());
                error!("no certificate for {names}: {why}; another attempt in {wait} s");
                if let Err(why) = folder::keep_attempts(&folder, &file, &attempts) {
                    warn!("a restart will not know that an order has failed: {why}");
                    self.attempts.insert(wish.file.clone(), attempts);
                }
                json!({"outcome": "failed", "names": wish.names, "why": why})
            }
        };
        if let Some(live) = live.upgrade() {
            live.events().publish("certificates", about);
        }
        Some(is_issued)
    }
}

/// Another process serves, or is about to.
fn is_succeeded(live: &Weak<Live>) -> bool {
    let is_so = |live: Arc<Live>| live.leaving().is_some() || live.running().is_draining();
    live.upgrade().is_none_or(is_so)
}

/// What cannot be shown is not kept in the place of what can; and what would have
/// to be ordered anew at once would be ordered for ever.
fn check(given: &str, wish: &AcmeCertificate) -> Result<(), String> {
    let read = Certificate::read(given.as_bytes(), given.as_bytes());
    let read = read.map_err(|why| format!("what the authority has given: {why}"))?;
    match Lifetime::of(&read).renewal(wish) {
        Some(renewal) if renewal > unix() => Ok(()),
        Some(_) => Err("the authority has given a certificate that ends too soon".to_owned()),
        None => Err("the authority has given a certificate for other names".to_owned()),
    }
}

/// The key and the certificate, from the first question to the last.
fn obtain(acme: &Acme, wish: &AcmeCertificate, folder: &Folder) -> Result<String, Fault> {
    let fault = |why: String| Fault::new(why);
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| fault(error.to_string()))?;
    let given = runtime.block_on(async {
        let asked = tokio::time::timeout(PATIENCE, ask(acme, wish, folder)).await;
        asked.unwrap_or_else(|_| Err(fault(format!("it has taken longer than {PATIENCE:?}"))))
    });
    // A name server that is gone is not waited for.
    runtime.shutdown_background();
    given
}

async fn ask(acme: &Acme, wish: &AcmeCertificate, folder: &Folder) -> Result<String, Fault> {
    match ask_with(acme, wish, folder, folder.account().as_deref()).await {
        Err(fault) if fault.wants_another_account() => {
            warn!("{}: {fault}; another account is made", acme.directory);
            // Where that is impossible so is keeping the other.
            let _ = folder.forget_account();
            ask_with(acme, wish, folder, None).await
        }
        result => result,
    }
}

async fn ask_with(
    acme: &Acme,
    wish: &AcmeCertificate,
    folder: &Folder,
    kept: Option<&str>,
) -> Result<String, Fault> {
    let external = acme.external.as_ref().map(|account| ExternalAccount {
        key_id: account.key_id.clone(),
        hmac_key: account.hmac_key.clone(),
    });
    let authority = Authority {
        directory: &acme.directory,
        bundle: acme.ca_file.as_ref().map(|(_, bytes)| &**bytes),
        emails: &acme.emails,
        external: external.as_ref(),
    };
    let account = Account::open(authority, kept, &|text| folder.keep_account(text)).await?;
    let wish = Wish {
        names: &wish.names,
        key: match acme.key {
            AcmeKey::P256 => Key::P256,
            AcmeKey::P384 => Key::P384,
            AcmeKey::Rsa => Key::Rsa2048,
        },
        challenge: match acme.challenge {
            AcmeChallenge::Http01 => Challenge::Http01,
            AcmeChallenge::TlsAlpn01 => Challenge::TlsAlpn01,
        },
    };
    account.order(wish, &Shown(&acme.challenges)).await
}

/// Checks are answered by whoever serves.
struct Shown<'a>(&'a Challenges);

impl Answers for Shown<'_> {
    fn http(&self, token: &str, answer: &str) {
        self.0.answer(token, answer);
    }

    fn tls(&self, name: &str, certificate: &str, key: &str) -> Result<(), String> {
        let shown = self.0.show(name, certificate, key);
        shown.map_err(|fault| fault.to_string())
    }
}

fn unix() -> i64 {
    let since = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
