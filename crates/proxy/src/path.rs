//! The request path: twelve steps, in order. Here is all of the branching and
//! none of the work; each step's file says what it does and what it must not.

pub(crate) mod accept;
pub(crate) mod admit;
pub(crate) mod dispatch;
pub(crate) mod filter_request;
pub(crate) mod filter_response;
pub(crate) mod lookup;
pub(crate) mod receive;
pub(crate) mod reply;
pub(crate) mod route;
pub(crate) mod secure;
pub(crate) mod settle;
pub(crate) mod store;

use std::rc::Rc;

use message::Failure;

use crate::exchange::Exchange;
use crate::guard;
use crate::path::accept::Accepted;
use crate::path::lookup::Lookup;
use crate::path::receive::Received;
use crate::path::settle::After;
use crate::worker::Worker;

/// One client connection, from its acceptance (step 1) to its end.
pub(crate) async fn connection(worker: Rc<Worker>, accepted: Accepted) {
    let index = accepted.listener;
    let (mut client, _held) = secure::secure(&worker, accepted);
    for is_first in std::iter::once(true).chain(std::iter::repeat(false)) {
        let current = worker.current();
        let Some(listener) = current.plan.listeners.get(index) else {
            return;
        };
        let received = receive::receive(&worker, listener, &mut client, is_first).await;
        if let Received::Closed = received {
            return;
        }
        let mut x = Exchange::begin(&worker, &current, index, listener, &mut client);
        let end = match received {
            Received::Refused(failure) => reply::failure(&mut x, failure).await,
            _ => exchange(&mut x).await,
        };
        match settle::settle(x, end) {
            After::KeepAlive => {}
            After::Close => return reply::close(&mut client).await,
            After::Reset => return client.outbound.io().reset_on_close(),
        }
    }
}

/// Steps 4 to 12 of one request. A failure before the answer's head has gone
/// becomes an answer; after it, all that is left is to end the connection.
async fn exchange(x: &mut Exchange<'_>) -> Result<(), Failure> {
    match guard::catch_panic(steps(x)).await {
        Err(failure) if !x.progress.head_sent => reply::failure(x, failure).await,
        Err(failure) => {
            x.keep_alive = false;
            Err(failure)
        }
        Ok(()) => Ok(()),
    }
}

async fn steps(x: &mut Exchange<'_>) -> Result<(), Failure> {
    let admitted = admit::admit(x)?;
    let routed = route::route(x, admitted)?;
    if let Some(answer) = filter_request::filter_request(x, &routed)? {
        return reply::answer(x, answer).await;
    }
    let Lookup::Bypass = lookup::lookup(x, &routed);
    let attempt = dispatch::dispatch(x, &routed).await?;
    let attempt = store::store(x, attempt);
    filter_response::filter_response(x, &routed);
    reply::relay(x, attempt).await
}
