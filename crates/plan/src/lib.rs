//! Settings become one immutable plan.
//!
//! `compile` turns what was written into what was decided and finds every
//! reference that leads nowhere; `plan` is the result; `decide` is the pure
//! decision that the data plane and `explain` share; `diff` says what a change
//! of the settings means.

mod acme;
mod admin;
mod changes;
mod compile;
mod decide;
mod describe;
mod diff;
mod forward;
mod heritage;
mod plan;
mod server_names;
mod source;
mod trusted;

pub use acme::{Acme, AcmeCertificate, AcmeChallenge, AcmeKey, ExternalAccount};
pub use admin::{AdminEndpoint, AdminScope, AdminToken};
pub use changes::{Changes, Found, GroupChanges, Origin};
pub use compile::{Open, compile, idle_weights};
pub use decide::{Affinity, Choice, choose_backend, find_route, take_backend};
pub use diff::{Change, Difference, Differences, Precedence, Turned, What, diff};
pub use forward::{Forward, Reach, Refused};
pub use heritage::Heritage;
pub use plan::{
    AccessLog, BackendTls, CertificateFiles, Check, Group, Http2, HttpProbe, Listener, Logging,
    MetricsEndpoint, Plan, Probe, ProxyProtocol, Route, Sticky, StickyCookie, Tcp, Times, Tls,
};
pub use server_names::ServerNames;
pub use source::{BackendSource, DnsSource, Records, RegistrySource};
pub use trusted::Trusted;
