//! What is told of exchanges, but for what an answer says itself.

pub(crate) mod access_log;
pub(crate) mod allowance;
pub(crate) mod metrics_page;
pub(crate) mod notable;
