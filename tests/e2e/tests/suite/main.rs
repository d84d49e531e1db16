//! The end-to-end suite. Needs `target/PROFILE/forebay`, which
//! `cargo build -p forebay-cli` makes, and what `make tools` installs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, also in the functions its table shares, and owns its clock"
)]

mod acme;
mod admin;
mod affinity;
mod backend_h2;
mod backend_tls;
mod balance;
mod checks;
mod command;
mod ctl;
mod diff;
mod draining;
mod explain;
mod explained;
mod filters;
mod forward_proxy;
mod forwarding;
mod grpc;
mod grpc_ends;
mod grpc_web;
mod handed_over;
mod health;
mod hedging;
mod http2;
mod http2_flow;
mod http2_limits;
mod http_bodies;
mod http_connections;
mod http_heads;
mod http_interim;
mod include;
mod kept;
mod leaving;
mod lifecycle;
mod metrics;
mod orphaned;
mod overload;
mod peers;
mod peers_h2;
mod pool;
mod pool_stale;
mod protocols;
mod proxy_protocol;
mod proxy_protocol_out;
mod registering;
mod reload;
mod retries;
mod route_actions;
mod routing;
mod seen;
mod slow_peers;
mod smuggling;
mod sources;
mod strict_framing;
mod strict_limits;
mod strict_names;
mod strict_responses;
mod tcp;
mod tcp_groups;
mod tcp_names;
mod tls;
mod tls_files;
mod upgrade;
mod websocket;
mod websocket_ends;
mod websocket_h2;
mod websocket_h2_backend;
