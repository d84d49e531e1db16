//! Workers, listeners and the request path.
//!
//! `path` is the spine: the twelve steps a request takes. What they work with is below
//! them: `exchange`, one request with everything learned about it; `client`, the
//! connection it has come on; `backend`, the one that it goes to; `health`, what is
//! learned of backends; `tunnel` and `tcp`, bytes that are passed on as they are;
//! `sockets`, what all of them read and write. `listening` has the open doors, `worker`
//! a thread's life, `report` what is told. `running` starts and ends all of it.

mod backend;
mod client;
mod exchange;
mod explain;
mod forward_proxy;
mod health;
mod listening;
mod path;
mod report;
mod running;
#[cfg(feature = "sim")]
pub mod sim;
mod sockets;
mod start_fault;
mod tcp;
mod tunnel;
mod worker;

pub use explain::{
    Aim, Candidate, Explanation, Question, aim, decide, explain, host_and_target, request_head,
};
pub use health::checker::Checked;
pub use health::log_change;
pub use listening::Listening;
pub use listening::given::{Agree, Given, Sockets};
pub use report::notable::{Notable, Notables};
pub use running::{Running, start, start_with};
pub use start_fault::StartFault;
