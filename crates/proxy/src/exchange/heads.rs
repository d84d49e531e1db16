//! What one exchange after another is written into.
//!
//! A worker lends its heads out from the first byte of a request to the end of
//! its exchange: an idle connection has none, and a busy worker goes on using
//! those that are still in the processor's caches.

use std::cell::RefCell;
use std::rc::Rc;

use message::{ClientCertificate, RequestHead, ResponseHead};
use plan::Affinity;
use upstream::UnderWay;

use crate::exchange::grpc::Call;
use crate::exchange::upgrade::Upgrade;

/// Heads beyond this many are given back to the allocator.
const KEEP: usize = 1024;

#[derive(Default)]
pub(crate) struct Heads {
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    /// Host and path in normal form, as the request is routed.
    pub(crate) host: Vec<u8>,
    pub(crate) path: Vec<u8>,
    /// The host as received of which `host` is the normal form. Clients ask
    /// one host again and again, so that most requests spare the work.
    pub(crate) host_received: Vec<u8>,
    /// What the client has shown.
    pub(crate) certificate: Option<Rc<ClientCertificate>>,
    pub(crate) scratch: Vec<u8>,
    pub(crate) affinity: Affinity,
    /// For a call of gRPC.
    pub(crate) grpc: Option<Call>,
    /// The request's place in its group, where there are limits.
    pub(crate) place: Option<UnderWay>,
    /// What the client wants its connection to become.
    pub(crate) upgrade: Option<Upgrade>,
}

impl Heads {
    /// Forgets the exchange; keeps the memory that an ordinary one needs.
    fn clear(&mut self) {
        self.request.clear();
        self.request.fields.shrink();
        self.response.clear();
        self.response.fields.shrink();
        self.path.clear();
        self.path.shrink_to(4096);
        self.scratch.clear();
        self.scratch.shrink_to(4096);
        self.affinity = Affinity::default();
        self.grpc = None;
        self.place = None;
        self.certificate = None;
        self.upgrade = None;
    }

    /// The host has no normal form, or there is no request to have one.
    pub(crate) fn forget_host(&mut self) {
        self.host.clear();
        self.host_received.clear();
    }
}

/// A worker's heads that nobody uses.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "lending moves a pointer, not the heads themselves"
)]
pub(crate) struct Stock(RefCell<Vec<Box<Heads>>>);

impl Stock {
    /// Heads without a message in them.
    pub(crate) fn take(&self) -> Box<Heads> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes back the heads of an exchange that has ended.
    pub(crate) fn give(&self, mut heads: Box<Heads>) {
        heads.clear();
        let mut stock = self.0.borrow_mut();
        if stock.len() < KEEP {
            stock.push(heads);
        }
    }
}
