//! What a listener does that is a forward proxy: connections to where clients
//! want, as far as its list goes. Each serves one request.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use message::{Failure, Form, Kind, Known, Method};
use plan::{Forward, Listener, Refused};
use telemetry::Tunnel;
use upstream::{Address, Backend, Checkout, PoolOptions};
use wire::h1::Framing;

use crate::backend::ask::{self, unless_gone};
use crate::backend::attempt::Attempt;
use crate::backend::backend_conn::BackendConn;
use crate::backend::connect::open_first;
use crate::backend::names::look_up;
use crate::exchange::Exchange;
use crate::exchange::heads::Heads;
use crate::path::admit::Admitted;
use crate::path::reply;
use crate::sockets::stream::Stream;
use crate::tunnel;

/// Where a client wants a connection to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// In normal form, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Where an admitted request leads that names another server in full, if its
/// listener is a forward proxy. Whether it may, `check` says.
pub(crate) fn target(listener: &Listener, heads: &Heads) -> Result<Option<Box<Target>>, Failure> {
    let request = &heads.request;
    let default = match (request.form, &listener.forward) {
        (Form::Authority, Some(_)) => None,
        (Form::Absolute, Some(_)) => Some(80),
        _ => return Ok(None),
    };
    let scheme = request.target_bytes();
    if request.form == Form::Absolute
        && !(scheme.get(..7)).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"http://"))
    {
        let detail = "HTTPS goes through CONNECT";
        return Err(Failure::new(Kind::MethodRefused, detail));
    }
    let authority = request.fields.slice(request.authority);
    let port = authority.rsplit(|&b| b == b':').next().filter(|_| {
        // A colon within brackets is the address's own.
        authority.contains(&b':') && authority.last() != Some(&b']')
    });
    let port = match port.and_then(|port| std::str::from_utf8(port).ok()) {
        Some(port) => port.parse().ok(),
        None => default,
    };
    let host = String::from_utf8_lossy(&heads.host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match port {
        Some(port @ 1..) if !host.is_empty() => Ok(Some(Box::new(Target {
            host: host.to_owned(),
            port,
        }))),
        _ => Err(Failure::new(
            Kind::BadHost,
            "the request does not say which port of which host",
        )),
    }
}

/// Whether the list has it, as far as that can be told without looking its name up.
pub(crate) fn check(forward: &Forward, to: &Target) -> Result<(), Failure> {
    match to.host.parse::<IpAddr>() {
        Ok(ip) => {
            let address = SocketAddr::new(ip, to.port);
            forward
                .check_address(address, false)
                .map_err(|why| refusal(to, why))
        }
        Err(_) => (forward.check_name(&to.host, to.port)).map_err(|why| refusal(to, why)),
    }
}

#[cold]
fn refusal(to: &Target, why: Refused) -> Failure {
    let Target { host, port } = to;
    match why {
        Refused::NotListed => {
            let detail = format!("{host}:{port} is not in the list of the forward proxy");
            Failure::new(Kind::DestinationRefused, detail)
        }
        Refused::Prohibited => {
            let detail = format!(
                "{host}:{port} leads to an address of a network that is not in the list of the forward proxy"
            );
            Failure::new(Kind::AddressProhibited, detail)
        }
    }
}

/// The addresses to connect to. A name is looked up once, and what was looked at
/// is what is connected to: another answer later leads nowhere else.
async fn addresses(forward: &Forward, to: &Target) -> Result<Vec<SocketAddr>, Failure> {
    check(forward, to)?;
    if let Ok(ip) = to.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip.to_canonical(), to.port)]);
    }
    let found = look_up(&to.host, to.port).await?;
    let may = |address: &SocketAddr| forward.check_address(*address, true).is_ok();
    let allowed: Vec<SocketAddr> = found.iter().copied().filter(may).collect();
    match allowed.is_empty() {
        true => Err(refusal(to, Refused::Prohibited)),
        false => Ok(allowed),
    }
}

async fn open(forward: &Forward, to: &Target) -> Result<Stream, Failure> {
    let opening = async { open_first(&addresses(forward, to).await?).await };
    let time = forward.times.connect;
    let opened = tokio::time::timeout(time, opening).await;
    opened.unwrap_or_else(|_| {
        let detail = format!("{}:{}: no connection within {time:?}", to.host, to.port);
        Err(Failure::new(Kind::ConnectTimeout, detail))
    })
}

/// Connects, and lets the client ask there.
pub(crate) async fn serve(
    x: &mut Exchange<'_>,
    admitted: Admitted,
    to: Box<Target>,
) -> Result<(), Failure> {
    let listener = x.listener;
    let forward = listener.forward.as_ref().ok_or(Kind::Internal)?;
    if let Framing::Length(length) = admitted.framing
        && length > listener.max_body
    {
        x.keep_alive = false;
        return Err(Kind::BodyTooLarge.into());
    }
    let began = x.worker.clock.now();
    let opening = open(forward, &to);
    let stream = unless_gone(x, pin!(opening)).await??;
    let took = x.worker.clock.now().saturating_duration_since(began);
    x.progress.attempts = 1;
    x.progress.connect_time = Some(took);
    let conn = BackendConn::new(&x.worker.timers, &x.worker.blocks, stream);
    match x.heads.request.method {
        Method::Connect => connect(x, conn, forward).await,
        _ => ask(x, conn, admitted.framing, forward, &to).await,
    }
}

async fn connect(
    x: &mut Exchange<'_>,
    mut conn: Box<BackendConn>,
    forward: &Forward,
) -> Result<(), Failure> {
    let response = &mut x.heads.response;
    response.clear();
    response.status = 200;
    reply::write_head(x, Framing::Empty)?;
    conn.outbound.io().deadline.silence(forward.times.idle);
    tunnel::run(x, &mut conn, Tunnel::Connect, forward.times.tunnel).await
}

async fn ask(
    x: &mut Exchange<'_>,
    conn: Box<BackendConn>,
    framing: Framing,
    forward: &Forward,
    to: &Target,
) -> Result<(), Failure> {
    x.heads.upgrade = None;
    let fields = &mut x.heads.request.fields;
    fields.remove(Known::ProxyAuthorization);
    fields.push_known(Known::Via, b"1.1 forebay");
    // A backend that nobody else knows, for one connection.
    let authority = format!("{}:{}", to.host, to.port);
    let address = Address::Name {
        host: to.host.as_str().into(),
        port: to.port,
    };
    let options = PoolOptions::default();
    let backend = Backend::new(format!("http://{authority}"), address, authority, options);
    let backend = Arc::new(backend);
    let now = x.worker.clock.coarse().into_std();
    let pool = &x.worker.pool;
    let Ok(Checkout::Connect(permit)) = pool.checkout(&backend, now, |_| true) else {
        return Err(Kind::Internal.into());
    };
    let conn = pool.opened(permit, conn, now);
    pool.forget(&backend);
    let mut attempt = Attempt { conn, load: None };
    ask::send(x, framing, &forward.times, &mut attempt).await?;
    attempt.conn.keep_alive = false;
    reply::relay(x, attempt).await
}
