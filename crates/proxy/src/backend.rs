//! One backend: a connection to it, the request on it, the head of its answer; and
//! whether another is asked.

pub(crate) mod affinity;
pub(crate) mod ask;
pub(crate) mod attempt;
pub(crate) mod backend_conn;
pub(crate) mod connect;
pub(crate) mod extended_connect;
pub(crate) mod h2_backend;
pub(crate) mod h2_pings;
pub(crate) mod hedge;
pub(crate) mod introduced;
pub(crate) mod names;
pub(crate) mod retry;
