//! Step 6: the route's filters see the request, in the order of the file. Any
//! of them may answer it, and so does a `Max-Forwards` of 0. Never does I/O.
//! Next: `lookup`, or `reply`.

use std::net::SocketAddr;

use filters::{Answer, Facts, Verdict};
use message::{ClientCertificate, Failure};
use plan::Listener;
use routing::Pattern;

use crate::exchange::Exchange;
use crate::exchange::heads::Heads;
use crate::exchange::max_forwards::count_down;
use crate::exchange::request_id::RequestId;
use crate::path::route::Routed;

/// The answer of a filter that gave one.
pub(crate) fn filter_request(
    x: &mut Exchange<'_>,
    routed: &Routed<'_>,
) -> Result<Option<Answer>, Failure> {
    if routed.route.filters.is_empty() {
        return count_down(&mut x.heads.request);
    }
    let who = Who::new(x.address, &x.id, x.client.scheme(), x.listener);
    apply(x.heads, routed, &who)
}

/// What filters may know of an exchange besides its request and its route.
pub(crate) struct Who<'a> {
    pub(crate) client: SocketAddr,
    request_id: &'a str,
    scheme: &'a str,
    listener: &'a str,
}

impl<'a> Who<'a> {
    pub(crate) fn new(
        client: SocketAddr,
        id: &'a RequestId,
        scheme: &'a str,
        listener: &'a Listener,
    ) -> Self {
        Self {
            client,
            request_id: id.as_str(),
            scheme,
            listener: &listener.id,
        }
    }

    pub(crate) fn facts(
        &self,
        host: &'a [u8],
        path: &'a [u8],
        certificate: Option<&'a ClientCertificate>,
        routed: &Routed<'a>,
    ) -> Facts<'a> {
        Facts {
            client: self.client,
            request_id: self.request_id,
            scheme: self.scheme,
            host,
            path,
            expression: routed.route.expression.as_ref().map(Pattern::regex),
            route: &routed.route.id,
            group: (routed.destination.as_ref()).map_or("", |to| &to.group.balance.id),
            listener: self.listener,
            certificate,
        }
    }
}

/// The filters themselves, without a connection: `explain` runs the same.
pub(crate) fn apply(
    heads: &mut Heads,
    routed: &Routed<'_>,
    who: &Who<'_>,
) -> Result<Option<Answer>, Failure> {
    let Heads {
        request,
        host,
        path,
        certificate,
        scratch,
        ..
    } = heads;
    let facts = who.facts(host, path, certificate.as_deref(), routed);
    for filter in &routed.route.filters {
        match filter.request(request, &facts, scratch) {
            Verdict::Continue => {}
            Verdict::Answer(answer) => return Ok(Some(answer)),
            Verdict::Fail(failure) => return Err(failure),
        }
    }
    count_down(request)
}
