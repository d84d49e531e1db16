//! One request with everything learned about it on its way.

pub(crate) mod forward;
pub(crate) mod grpc;
pub(crate) mod grpc_web;
pub(crate) mod heads;
pub(crate) mod max_forwards;
pub(crate) mod name_check;
pub(crate) mod refusal;
pub(crate) mod request_id;
pub(crate) mod to_https;
pub(crate) mod upgrade;

use std::net::SocketAddr;
use std::time::Duration;

use message::Failure;
use plan::{Listener, Plan, Times};
use tokio::time::Instant;
use wire::h1::Framing;

use crate::client::Client;
use crate::exchange::heads::Heads;
use crate::exchange::request_id::RequestId;
use crate::path::settle;
use crate::tunnel::Passed;
use crate::worker::{Current, Worker};

pub(crate) struct Exchange<'a> {
    pub(crate) worker: &'a Worker,
    /// The plan the exchange began with and keeps to its end.
    pub(crate) plan: &'a Plan,
    pub(crate) listener: &'a Listener,
    pub(crate) client: &'a mut Client,
    pub(crate) heads: &'a mut Heads,
    pub(crate) id: RequestId,
    /// Who asks: the peer, or whom a trusted peer speaks for.
    pub(crate) address: SocketAddr,
    /// The peer's word about the client is believed.
    pub(crate) is_trusted: bool,
    pub(crate) started: Instant,
    pub(crate) started_unix_micros: u64,
    /// The client's connection may carry another request after this one.
    pub(crate) keep_alive: bool,
    pub(crate) progress: Progress,
    is_settled: bool,
}

/// What the log and the metrics want to know, filled in as it happens.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) route: Option<u32>,
    /// Group and backend of the latest attempt.
    pub(crate) backend: Option<(u32, u32)>,
    pub(crate) attempts: u16,
    pub(crate) reused: bool,
    pub(crate) connect_time: Option<Duration>,
    pub(crate) head_time: Option<Duration>,
    /// The status of the answer; 0 until there is one.
    pub(crate) status: u16,
    /// Some of the answer's head may have reached the client.
    pub(crate) head_sent: bool,
    pub(crate) response_bytes: u64,
    pub(crate) failure: Option<Failure>,
    /// An answer that lasts until the connection closes was cut short.
    pub(crate) must_reset: bool,
    /// What goes through the tunnel that it has become.
    pub(crate) tunnel: Option<Box<Passed>>,
    /// The steps have run to their end.
    pub(crate) has_ended: bool,
}

impl<'a> Exchange<'a> {
    /// Begins when the first bytes of a request have been read.
    pub(crate) fn begin(
        worker: &'a Worker,
        current: &'a Current,
        listener: &'a Listener,
        client: &'a mut Client,
        heads: &'a mut Heads,
    ) -> Self {
        let started = worker.clock.now();
        let started_unix_micros = worker.clock.unix_micros(started);
        let mut metrics = worker.metrics.borrow_mut();
        // With HTTP/2 a connection has several exchanges, and says itself when.
        if client.h2.is_none() {
            metrics.client_active(listener.number);
        }
        metrics.exchange_started(listener.number);
        drop(metrics);
        // Until its framing is known, and for one that is refused before.
        client.body.begin(Framing::Empty, listener.limits, 0);
        heads.certificate = client.outbound.io().certificate();
        Self {
            worker,
            plan: &current.plan,
            listener,
            id: worker.new_request_id(started_unix_micros),
            address: client.peer,
            client,
            heads,
            is_trusted: false,
            started,
            started_unix_micros,
            keep_alive: false,
            progress: Progress::default(),
            is_settled: false,
        }
    }

    /// Time since the exchange began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.worker
            .clock
            .now()
            .saturating_duration_since(self.started)
    }

    /// How long it may take until the head of the answer, over all attempts.
    pub(crate) fn total(&self, times: &Times) -> Option<Duration> {
        let asked = self.heads.grpc.and_then(|call| call.timeout);
        match (times.total, asked) {
            (Some(total), Some(asked)) => Some(total.min(asked)),
            (total, asked) => total.or(asked),
        }
    }

    /// The time that the call itself gives (gRPC) has passed.
    pub(crate) fn is_late(&self) -> bool {
        let asked = self.heads.grpc.and_then(|call| call.timeout);
        asked.is_some_and(|asked| self.elapsed() >= asked)
    }

    /// True once: whoever gets it settles the exchange.
    pub(crate) fn take_settlement(&mut self) -> bool {
        !std::mem::replace(&mut self.is_settled, true)
    }
}

/// However an exchange ends, even if its task is dropped, it settles.
impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        settle::on_drop(self);
    }
}
