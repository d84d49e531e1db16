//! Step 5: the route the request belongs to. Never changes the request.
//! Next: `filter_request`.

use std::net::IpAddr;

use message::{Failure, Kind};
use plan::{Group, Listener, Plan, Route, Times, find_route};
use routing::{Facts, Reasons, Silent};
use wire::h1::Framing;

use crate::exchange::Exchange;
use crate::exchange::heads::Heads;
use crate::explain::near_misses;
use crate::path::admit::Admitted;

/// An admitted request with its route. Only `route` makes one, so nothing is
/// forwarded that has not been admitted.
pub(crate) struct Routed<'a> {
    pub(crate) framing: Framing,
    pub(crate) route: &'a Route,
    /// None where a filter answers.
    pub(crate) destination: Option<Destination<'a>>,
}

/// The group a route points at.
pub(crate) struct Destination<'a> {
    pub(crate) group: &'a Group,
    /// How long its backends are waited for: the route's times, or the group's.
    pub(crate) times: &'a Times,
}

impl Routed<'_> {
    /// How large the request's body may be, unless it is larger already.
    pub(crate) fn check_size(&self, listener: &Listener) -> Result<u64, Failure> {
        let most = self.route.max_body.unwrap_or(listener.max_body);
        match self.framing {
            Framing::Length(n) if n > most => Err(Kind::BodyTooLarge.into()),
            _ => Ok(most),
        }
    }
}

pub(crate) fn route<'a>(x: &mut Exchange<'a>, admitted: Admitted) -> Result<Routed<'a>, Failure> {
    let client = x.address.ip();
    let (index, routed) = find(x.plan, x.heads, client, admitted, &mut Silent)
        .map_err(|failure| with_misses(x, failure))?;
    x.progress.route = Some(index as u32);
    let most = routed.check_size(x.listener);
    // Waiting for a body that nobody wants is no use to anyone.
    x.keep_alive &= most.is_ok();
    x.client.body.limit(most?);
    if let Some(names) = &routed.route.own_fields {
        x.client.body.drop_trailers(names);
    }
    Ok(routed)
}

/// The search itself, without a connection: `explain` makes the same one, with
/// reasons.
pub(crate) fn find<'a, R: Reasons>(
    plan: &'a Plan,
    heads: &Heads,
    client: IpAddr,
    admitted: Admitted,
    reasons: &mut R,
) -> Result<(usize, Routed<'a>), Failure> {
    let facts = facts(heads, client);
    let index = find_route(plan, &facts, reasons).ok_or_else(|| {
        match plan.table.other_methods(&facts)[..] {
            [] => Kind::NoRoute,
            _ => Kind::MethodNotAllowed,
        }
    })?;
    let route = plan.routes.get(index).ok_or(Kind::Internal)?;
    let destination = route.group.and_then(|index| {
        let group = plan.groups.get(index)?;
        Some(Destination {
            group,
            times: route.times.as_ref().unwrap_or(&group.times),
        })
    });
    let framing = admitted.framing;
    Ok((
        index,
        Routed {
            framing,
            route,
            destination,
        },
    ))
}

/// Says which routes came nearest, behind what is known of the failure, as far
/// as the worker has time for it: it looks at every route there is.
fn with_misses(x: &Exchange<'_>, failure: Failure) -> Failure {
    if !x.worker.explanations.take(x.worker.clock.coarse()) {
        return failure;
    }
    let misses = near_misses(x.plan, x.heads, x.address.ip());
    let detail = match (&*failure.detail, &*misses) {
        ("", _) => misses,
        (_, "") => return failure,
        (detail, misses) => format!("{detail}; {misses}"),
    };
    Failure {
        detail: detail.into(),
        ..failure
    }
}

/// What routes look at.
pub(crate) fn facts(heads: &Heads, client: IpAddr) -> Facts<'_> {
    let query = heads.request.query_bytes();
    Facts {
        host: &heads.host,
        path: &heads.path,
        query: query.strip_prefix(b"?").unwrap_or(query),
        client,
        method: heads.request.method,
        method_text: heads.request.method_bytes(),
        fields: &heads.request.fields,
        certificate: heads.certificate.as_deref(),
    }
}
