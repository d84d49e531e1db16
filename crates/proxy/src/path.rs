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

use std::pin::pin;
use std::rc::Rc;

use filters::Answer;
use message::Failure;

use crate::client::Client;
use crate::client::http2::{self, Arrived};
use crate::client::replay::Replay;
use crate::exchange::Exchange;
use crate::exchange::grpc_web;
use crate::exchange::name_check;
use crate::exchange::to_https;
use crate::exchange::upgrade;
use crate::forward_proxy;
use crate::path::accept::Accepted;
use crate::path::admit::Admitted;
use crate::path::lookup::Lookup;
use crate::path::route::Routed;
use crate::path::settle::After;
use crate::worker::Worker;
use crate::worker::guard;

/// One client connection, from its acceptance (step 1) to its end.
pub(crate) fn connection(worker: Rc<Worker>, accepted: Accepted) -> impl Future<Output = ()> {
    // Here, for an async block would hold both it and its parts.
    let Accepted { stream, peer, held } = accepted;
    async move {
        let Some(stream) = secure::secure(&worker, stream, peer, &held).await else {
            return;
        };
        let door = (Rc::clone(&held.door), held.place);
        let mut client = Box::new(Client::new(&worker, stream, door, peer));
        match receive::begins_h2(&worker, &mut client).await {
            Some(false) => {}
            Some(true) => return Box::pin(http2::serve(worker, client, held)).await,
            None => return client.outbound.io().say_end(),
        }
        for is_first in std::iter::once(true).chain(std::iter::repeat(false)) {
            if !receive::first_byte(&worker, &mut client, is_first).await {
                return client.outbound.io().say_end();
            }
            // An idle connection holds no exchange.
            match Box::pin(exchange(&worker, &mut client, None)).await {
                After::KeepAlive => {}
                After::Close => return reply::close(&mut client).await,
                After::Reset => return client.outbound.io().reset_on_close(),
            }
        }
    }
}

/// Steps 3 to 12 of one request, of which the first byte has come.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn holds its arguments twice; up to 1,032 bytes an allocation costs next to nothing"
)]
pub(crate) fn exchange<'a>(
    worker: &'a Worker,
    client: &'a mut Client,
    mut arrived: Option<&'a mut Arrived>,
) -> impl Future<Output = After> + 'a {
    async move {
        let current = client.door.plan(worker);
        let Some(listener) = client.door.listener(&current) else {
            return After::Close;
        };
        let begun = arrived.as_mut().and_then(|arrived| arrived.heads.take());
        let mut heads = begun.unwrap_or_else(|| worker.heads.take());
        let received = match arrived {
            None => receive::head(listener, client, &mut heads).await,
            Some(arrived) => receive::arrived(worker, listener, arrived, &mut heads),
        };
        let mut x = Exchange::begin(worker, &current, listener, client, &mut heads);
        let end = match received {
            Ok(()) => answer(&mut x).await,
            Err(failure) => reply::failure(&mut x, failure).await,
        };
        let after = settle::settle(x, end);
        worker.heads.give(heads);
        client.replay = Replay::default();
        client.mark(false);
        after
    }
}

/// Steps 4 to 11. A failure before the answer's head has gone becomes an
/// answer; after it, all that is left is to end the connection.
async fn answer(x: &mut Exchange<'_>) -> Result<(), Failure> {
    let end = guard::catch_panic(pin!(steps(x))).await;
    match end {
        Err(failure) if !x.progress.head_sent => reply::failure(x, failure).await,
        Err(failure) => {
            x.keep_alive = false;
            Err(failure)
        }
        Ok(()) => Ok(()),
    }
}

/// What steps 5 and 6 have come to.
enum Decided<'p> {
    Go(Routed<'p>),
    /// It is answered here.
    Answer(Answer),
}

fn decide<'p>(x: &mut Exchange<'p>, admitted: Admitted) -> Result<Decided<'p>, Failure> {
    if let Some(answer) = name_check::answer(x.plan, x.listener, x.heads) {
        return Ok(Decided::Answer(answer));
    }
    if let Some(answer) = to_https::redirect(x.listener, x.heads, x.is_trusted)? {
        return Ok(Decided::Answer(answer));
    }
    let mut routed = route::route(x, admitted)?;
    if routed.route.grpc_web {
        grpc_web::ask(x.heads, &mut routed.framing);
    }
    let answer = filter_request::filter_request(x, &routed)?;
    Ok(answer.map_or(Decided::Go(routed), Decided::Answer))
}

async fn steps(x: &mut Exchange<'_>) -> Result<(), Failure> {
    let admitted = admit::admit(x)?;
    if let Some(to) = forward_proxy::target(x.listener, x.heads)? {
        return Box::pin(forward_proxy::serve(x, admitted, to)).await;
    }
    let routed = match decide(x, admitted)? {
        Decided::Go(routed) => routed,
        Decided::Answer(answer) => return reply::answer(x, answer).await,
    };
    let Lookup::Bypass = lookup::lookup(x, &routed);
    let attempt = dispatch::dispatch(x, &routed).await?;
    let attempt = store::store(x, attempt);
    filter_response::filter_response(x, &routed);
    if upgrade::is_switched(x)? {
        return Box::pin(reply::switch(x, attempt)).await;
    }
    if let Some(web) = x.heads.grpc.and_then(|call| call.web) {
        return Box::pin(grpc_web::relay(x, attempt, web)).await;
    }
    reply::relay(x, attempt).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_result<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    fn size_of_exchange<A, B, C, F>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// What an idle client costs, and what an exchange adds. Larger ones work
    /// as well, but somebody should have decided it.
    #[test]
    fn futures_stay_small() {
        let exchange = size_of_exchange(exchange);
        assert!(exchange <= 1032, "{exchange}");
        let idle = size_of_result(connection);
        assert!(idle <= 768, "{idle}");
    }
}
