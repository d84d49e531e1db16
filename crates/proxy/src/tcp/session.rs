//! One connection that is passed on, with everything learned about it on its way.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use message::{Failure, Kind, Method, Side};
use plan::Group;
use telemetry::Record;
use tokio::time::Instant;
use tracing::{debug, error, warn};
use upstream::{Backend, HeldOpen, InFlight, UnderWay};

use crate::exchange::request_id::RequestId;
use crate::sockets::passed_on::UNTOLD;
use crate::worker::{Held, Worker};

pub(crate) struct Session {
    pub(crate) worker: Rc<Worker>,
    pub(crate) held: Held,
    /// Who holds the other end, and for whom.
    pub(crate) peer: SocketAddr,
    pub(crate) client: SocketAddr,
    pub(crate) id: RequestId,
    /// What the client's TLS asks for.
    pub(crate) name: Box<[u8]>,
    pub(crate) is_secure: bool,
    started: Instant,
    started_unix_micros: u64,
    pub(crate) attempts: u16,
    chosen: Option<Chosen>,
    pub(crate) connect_time: Option<Duration>,
    /// What is taken up for as long as it lasts.
    pub(crate) places: Option<Places>,
    /// From the client and to it.
    moved: (u64, u64),
    told: (u64, u64),
    failure: Option<Failure>,
    has_ended: bool,
}

/// The backend of the latest attempt.
struct Chosen {
    group: Rc<str>,
    backend: Arc<Backend>,
    /// In the names of the metrics.
    number: u32,
}

/// Counted for as long as the connection lasts.
pub(crate) struct Places {
    pub(crate) _of_group: Option<UnderWay>,
    pub(crate) _load: InFlight,
    pub(crate) _connection: HeldOpen,
}

impl Session {
    pub(crate) fn begin(worker: Rc<Worker>, held: Held, peer: SocketAddr) -> Self {
        let started = worker.clock.now();
        let started_unix_micros = worker.clock.unix_micros(started);
        worker.metrics.borrow_mut().client_active(held.number);
        Self {
            id: worker.new_request_id(started_unix_micros),
            worker,
            held,
            peer,
            client: peer,
            name: Box::default(),
            is_secure: false,
            started,
            started_unix_micros,
            attempts: 0,
            chosen: None,
            connect_time: None,
            places: None,
            moved: (0, 0),
            told: (0, 0),
            failure: None,
            has_ended: false,
        }
    }

    /// An attempt at this backend begins.
    pub(crate) fn choose(&mut self, group: &Group, index: usize) -> Result<Arc<Backend>, Failure> {
        let backend = group.balance.backends.get(index).ok_or(Kind::Internal)?;
        self.attempts += 1;
        self.chosen = Some(Chosen {
            group: (&*group.balance.id).into(),
            backend: Arc::clone(backend),
            number: group.numbers.get(index).copied().ok_or(Kind::Internal)?,
        });
        Ok(Arc::clone(backend))
    }

    /// So many bytes have moved in all: from the client, and to it.
    pub(crate) fn has_moved(&mut self, moved: (u64, u64)) {
        self.moved = moved;
        if moved.0 - self.told.0 + moved.1 - self.told.1 > UNTOLD {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let Some(Chosen { number, .. }) = self.chosen else {
            return;
        };
        let more = (self.moved.0 - self.told.0, self.moved.1 - self.told.1);
        self.told = self.moved;
        let mut metrics = self.worker.metrics.borrow_mut();
        metrics.tunnel_moved(self.held.number, number, more);
    }

    /// It has come to an end by itself.
    pub(crate) fn end(mut self, ended: Result<(), Failure>) {
        self.failure = ended.err();
        self.has_ended = true;
    }

    fn settle(&mut self) {
        self.tell();
        if !self.has_ended {
            let kind = match (std::thread::panicking(), &self.places) {
                (true, _) => Kind::Internal,
                (false, Some(_)) => Kind::Drained,
                (false, None) => Kind::ShutDown,
            };
            self.failure = Some(kind.into());
        }
        if let Some(failure) = &self.failure {
            self.note(failure);
        }
        self.record();
    }

    /// One line in the runtime log for each failure, at the level of whose it is.
    fn note(&self, failure: &Failure) {
        let (connection_id, client) = (self.id.as_str(), self.client);
        let listener = self.held.door.name(&self.worker);
        let backend = self.chosen.as_ref().map_or("", |c| &*c.backend.url);
        let now = self.worker.clock.coarse();
        match failure.kind {
            Kind::Internal => {
                if std::thread::panicking() {
                    self.worker.metrics.borrow_mut().panicked();
                }
                error!(connection_id, %client, listener, backend, %failure, "connection failed");
            }
            Kind::TooManyRequests | Kind::Overloaded | Kind::QueueFull => {
                if let Some(refused) = self.worker.refusals.count(now.into_std()) {
                    warn!(refused, connection_id, %client, listener, backend, %failure, "connections refused, the latest");
                }
            }
            Kind::IdleTimeout => {
                debug!(connection_id, %client, listener, backend, %failure, "connection ended")
            }
            // Whoever does this does it again.
            kind if kind.side() != Side::Client || kind.is_of_beginning() => {
                if self.worker.complaints.take(now) {
                    warn!(connection_id, %client, listener, backend, %failure, "connection failed");
                }
            }
            _ => debug!(connection_id, %client, listener, backend, %failure, "connection failed"),
        }
    }

    fn record(&self) {
        let worker = &self.worker;
        let current = self.held.door.plan(worker);
        let listener = self.held.door.listener(&current);
        let chosen = self.chosen.as_ref();
        let now = worker.clock.now();
        let record = Record {
            started_unix_micros: self.started_unix_micros,
            duration: now.saturating_duration_since(self.started),
            client: self.client,
            peer: self.peer,
            listener: listener.map_or("", |listener| &listener.id),
            request_id: self.id.as_bytes(),
            method: Method::Other,
            method_text: b"",
            scheme: if self.is_secure { "tls" } else { "tcp" },
            host: &self.name,
            target: b"",
            version: None,
            user_agent: b"",
            referer: b"",
            page: current.plan.names.page(),
            route: None,
            group: chosen.map(|chosen| &*chosen.group),
            backend: chosen.map(|chosen| (chosen.number, &*chosen.backend.url)),
            status: self.failure.as_ref().map_or(200, Failure::status),
            failure: self.failure.as_ref(),
            request_bytes: self.moved.0,
            response_bytes: self.moved.1,
            attempts: self.attempts,
            reused: false,
            connect_time: self.connect_time,
            head_time: None,
            tunnel: None,
            grpc_status: None,
        };
        let mut metrics = worker.metrics.borrow_mut();
        metrics.client_idle(self.held.number);
        metrics.tunnel_ended(self.held.number, &record);
        drop(metrics);
        if let (Some(sink), Some(log)) = (
            worker.access_log.borrow_mut().as_mut(),
            &current.plan.access_log,
        ) {
            sink.push(&log.format, &record);
        }
    }
}

/// However a connection ends, even if its task is dropped, it is told of.
impl Drop for Session {
    fn drop(&mut self) {
        self.settle();
    }
}
