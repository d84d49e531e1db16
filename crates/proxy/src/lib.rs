//! Workers, listeners and the request path.
//!
//! `path` is the spine: the twelve steps a request takes. `running` starts
//! and ends all of it, `listening` has its sockets and `crew` its workers; `run` is
//! one worker's life; `worker` is what it owns.

mod access_log;
mod affinity;
mod allowance;
mod ask;
mod attempt;
mod backend_conn;
mod check;
mod checker;
mod client;
mod clock;
mod connect;
mod crew;
mod descriptors;
mod door;
mod draining;
mod event_loop;
mod exchange;
mod explain;
mod forward;
mod forward_proxy;
mod given;
mod grpc;
mod grpc_web;
mod guard;
mod h2_backend;
mod h2_lane;
mod h2_pings;
mod h2_stream;
mod heads;
mod health;
mod hedge;
mod http2;
mod introduced;
mod ip_text;
mod listen;
mod listening;
mod max_forwards;
mod metrics_page;
mod name_check;
mod names;
mod notable;
mod overload;
mod passed_on;
mod path;
mod peek;
mod pipes;
mod proxied;
mod refusal;
mod replay;
mod request_id;
mod retry;
mod run;
mod running;
#[cfg(feature = "sim")]
pub mod sim;
mod start_fault;
mod stream;
mod tcp;
mod timers;
mod tls_stream;
mod to_https;
mod tunnel;
mod upgrade;
mod worker;

pub use checker::Checked;
pub use explain::{
    Candidate, Explanation, Question, decide, explain, host_and_target, request_head,
};
pub use given::{Agree, Given, Sockets};
pub use health::log_change;
pub use listening::Listening;
pub use notable::{Notable, Notables};
pub use running::{Running, start, start_with};
pub use start_fault::StartFault;
