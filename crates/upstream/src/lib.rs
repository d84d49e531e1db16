//! Groups and backends: balance, limits, and the connection pool.
//!
//! A [`Group`] chooses one of its [`Backend`]s; the worker's [`Pool`] then
//! supplies a connection to it, or a [`Permit`] to open one, or a place in the
//! queue. This room opens no socket, reads no clock and draws no random
//! number: connections are a type parameter, time is `now`, and randomness is
//! an argument.
//!
//! A backend's [`Standing`] says whether it is given requests at all.
//!
//! State is of two kinds. A [`Backend`] is *living*: shared by all workers,
//! made of atomics and two locks: one that only opening, closing and waiting
//! touch, and one that only failures and changes of its standing do.
//! A [`Pool`] is *worker-owned*: no atomics, no locks.

mod adaptive;
mod address;
mod backend;
mod balance;
mod candidates;
mod excluded;
mod group;
mod hash;
mod hedge;
mod in_flight;
mod latency;
mod living;
mod padded;
mod permits;
mod pool;
mod reasons;
mod refusals;
mod retry;
mod sieve;
mod standing;
mod sticky;
#[cfg_attr(
    all(feature = "interleaved", not(test)),
    path = "../../../tests/interleavings/sync.rs"
)]
mod sync;
mod under_way;

pub use adaptive::{Adaptive, AdaptiveFigures, AdaptiveLimit, AdaptiveMode, AdaptiveTerms};
pub use address::Address;
pub use backend::Backend;
pub use balance::{Strategy, Turns};
pub use excluded::Excluded;
pub use group::{Ask, Group, Taken};
pub use hash::hash_key;
pub use hedge::HedgePolicy;
pub use in_flight::InFlight;
pub use living::Living;
pub use permits::Permit;
pub use pool::{
    Checkout, Conn, Full, HeldOpen, Hold, Keepalive, Lasting, Multiplexed, Never, Opening, Pool,
    PoolOptions, PoolStats, Protocol, QueueFull, Stream,
};
pub use reasons::{Note, Notes, Reasons, Silent, Verdict};
pub use refusals::Refusals;
pub use retry::{Backoff, Budget, RetryPolicy};
pub use standing::{
    BreakerPolicy, Change, Check, CheckPolicy, Fault, HealthPolicy, Legacy, PassivePolicy, Probe,
    Standing, State, View, seconds,
};
pub use sticky::{Clients, Secret, Tokens};
pub use under_way::{Crowded, UnderWay};
