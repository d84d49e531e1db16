//! Step 10: the same filters see the response, in reverse order. Never does
//! I/O. Next: `reply`.

use crate::exchange::Exchange;
use crate::exchange::heads::Heads;
use crate::path::filter_request::Who;
use crate::path::route::Routed;

pub(crate) fn filter_response(x: &mut Exchange<'_>, routed: &Routed<'_>) {
    if routed.route.filters.is_empty() {
        return;
    }
    let who = Who::new(x.address, &x.id, x.client.scheme(), x.listener);
    let Heads {
        request,
        response,
        host,
        path,
        certificate,
        scratch,
        ..
    } = &mut *x.heads;
    let facts = who.facts(host, path, certificate.as_deref(), routed);
    let exchange = filters::Exchange {
        request,
        facts: &facts,
    };
    for filter in routed.route.filters.iter().rev() {
        filter.response(response, &exchange, scratch);
    }
}
