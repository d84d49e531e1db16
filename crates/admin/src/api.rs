//! One file for each kind of endpoint.

pub(crate) mod backends;
pub(crate) mod config;
pub(crate) mod events;
pub(crate) mod exchanges;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod log;
pub(crate) mod openapi;
pub(crate) mod routes;
pub(crate) mod services;
pub(crate) mod stats;
pub(crate) mod status;
