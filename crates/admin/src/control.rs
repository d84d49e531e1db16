//! What the admin API asks of the Forebay that it is part of.

use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use plan::Changes;
use proxy::Running;
use registry::Shared as Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Events;

/// A running Forebay, as the admin API needs it. Calls may block for as long as
/// a configuration takes to be taken up.
pub trait Control: Send + Sync {
    fn running(&self) -> &Running;

    fn last(&self) -> LastReload;

    /// Reads the configuration anew and goes by it.
    ///
    /// # Errors
    ///
    /// When it is refused; nothing has changed then.
    fn reload(&self) -> Result<Taken, Refused>;

    /// What is wrong with a configuration. `name` chooses its format.
    ///
    /// # Errors
    ///
    /// When it has mistakes; otherwise there are only warnings.
    fn check(&self, name: &str, text: &str) -> Result<Vec<Mistake>, Refused>;

    /// What it would change, line by line.
    ///
    /// # Errors
    ///
    /// When it has mistakes.
    fn diff(&self, name: &str, text: &str) -> Result<Vec<String>, Refused>;

    /// What has been changed since the configuration was written.
    fn changes(&self) -> Arc<Changes>;

    /// Changes what the configuration says of its groups.
    ///
    /// # Errors
    ///
    /// When the result cannot be served; nothing has changed then.
    fn change(&self, make: &mut dyn FnMut(&mut Changes)) -> Result<Taken, Refused>;

    /// Does what changes how backends stand, which no configuration says.
    ///
    /// # Errors
    ///
    /// While nothing may be changed; then nothing is done.
    fn order(&self, act: &mut dyn FnMut()) -> Result<(), Refused>;

    /// A backend's URL in the form in which plans have it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    fn backend_url(&self, text: &str) -> Result<String, String>;

    /// To look at.
    fn registry(&self) -> &Registry;

    /// For services that come and go.
    ///
    /// # Errors
    ///
    /// While nothing may be changed.
    fn registry_to_change(&self) -> Result<MutexGuard<'_, registry::Registry>, Refused>;

    /// For heartbeats.
    ///
    /// # Errors
    ///
    /// While they would be lost.
    fn registry_to_renew(&self) -> Result<MutexGuard<'_, registry::Registry>, Refused>;

    /// Certificates that are had from an authority.
    fn ordered_certificates(&self) -> Vec<OrderedCertificate>;

    /// What is wrong with renewed files of certificates, authorities and
    /// revocation lists; what was in them before goes on.
    fn refused_files(&self) -> Vec<String>;

    fn events(&self) -> &Events;

    /// How much the runtime log says from now on: `error`, `warn`, `info` or
    /// `debug`.
    ///
    /// # Errors
    ///
    /// Where whoever started this has no such log.
    fn set_log_level(&self, level: &str) -> Result<(), String>;
}

/// What became of the latest configuration.
#[derive(Debug, Clone)]
pub struct LastReload {
    /// What the running configuration is, in sixteen hexadecimal digits; other
    /// text, other digits.
    pub hash: String,
    /// Since when it is the one.
    pub since: SystemTime,
    /// When one was last read, and why that is not the running one.
    pub tried: SystemTime,
    pub failure: Option<String>,
    /// How often another one was taken up, and refused.
    pub taken: u64,
    pub refused: u64,
}

/// A certificate that is had from an authority (ACME).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OrderedCertificate {
    /// Hosts that it is for.
    pub names: Vec<String>,
    /// `valid`; `ordering`, at this moment; or `failed`, and tried again later.
    pub state: String,
    /// Until when the one that there is can be shown, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When another one is ordered, or that is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Attempts that have failed in a row, and why the last one did.
    pub failed: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A configuration was taken up.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// What it is, in sixteen hexadecimal digits; other text, other digits.
    pub hash: String,
    /// What has changed, line by line; empty where it means the same as before.
    pub changes: Vec<String>,
    /// What is odd about it, though it works.
    pub warnings: Vec<Mistake>,
    /// Another number of workers is asked for, which takes a restart.
    pub restart_needed: bool,
}

/// What was wanted is refused, most often a configuration.
#[derive(Debug, Clone)]
pub struct Refused {
    pub why: String,
    pub mistakes: Vec<Mistake>,
    /// It is not refused for good: when to try again.
    pub retry_after: Option<Duration>,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Mistakes {
    /// What is odd about it, though it works.
    pub warnings: Vec<Mistake>,
}

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mistake {
    /// `error` or `warning`.
    pub severity: String,
    pub file: String,
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}
