//! What would become of a request: the same steps as the data plane's, without
//! a connection and with reasons.

mod asked;
mod shown;

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

use message::{ClientCertificate, Failure};
use plan::{Choice, Listener, Plan, choose_backend, take_backend};
use routing::{Condition, Explained, Miss, Silent};
use upstream::{Backend, Excluded, Notes, Protocol, Verdict};
use wire::h1::{HeadParser, write_request_head};

use crate::backend::{affinity, extended_connect};
use crate::client::ip_text::IpText;
use crate::exchange::forward::{Forwarding, forward, told_certificate};
use crate::exchange::grpc_web;
use crate::exchange::heads::Heads;
use crate::exchange::request_id::RequestId;
use crate::exchange::to_https;
use crate::forward_proxy::{check, target};
use crate::health::overload;
use crate::path::admit;
use crate::path::filter_request::{self, Who};
use crate::path::route;
pub use asked::{Aim, aim, host_and_target, request_head};

/// A request to be explained.
pub struct Question<'a> {
    /// The whole head, as a client would send it.
    pub head: &'a [u8],
    pub client: SocketAddr,
    /// An index into the plan's listeners.
    pub listener: usize,
    /// What the client shows, if the listener asks for it. It is taken as verified.
    pub certificate: Option<ClientCertificate>,
    /// Wall time in microseconds, and random bits: what else a decision hangs on.
    pub unix_micros: u64,
    pub random: (u64, u64),
    /// For sessions by client address and for ejections, which end after a time;
    /// without it the former are not looked at, and the latter do not end.
    pub now: Option<Instant>,
    /// Whether it takes its turn among the backends as a request would. Without
    /// it, nobody else's turn becomes another.
    pub takes_turn: bool,
}

/// Everything that was decided, as far as the request came.
#[derive(Default)]
pub struct Explanation {
    /// Host and path as they were routed.
    pub host: String,
    pub path: String,
    pub client: Option<SocketAddr>,
    /// The listener that it comes to, as an index into the plan's listeners.
    pub listener: Option<usize>,
    /// What is known of the client's certificate, where the listener asks for one.
    pub certificate: Option<String>,
    /// The route taken, as an index into the plan's routes.
    pub route: Option<usize>,
    /// Every other route, with the first condition that failed; the nearest first.
    pub misses: Vec<(usize, String)>,
    /// The group, as an index into the plan's groups, and its candidates.
    pub group: Option<usize>,
    pub candidates: Vec<Candidate>,
    /// Where it leads through a forward proxy.
    pub forward: Option<String>,
    /// The group's limit that follows its latency, and how many are under way.
    pub limit: Option<String>,
    /// The request's head as the chosen backend would get it, over HTTP/1.1.
    pub upstream: Vec<u8>,
    /// The same over HTTP/2, where that is what is spoken: pseudo-fields, and fields.
    pub upstream_h2: Vec<(String, String)>,
    /// What is spoken with that backend.
    pub protocol: Option<Protocol>,
    /// The answer of a filter; without a route, of the listener.
    pub answer: Option<filters::Answer>,
    /// Why the request would be refused.
    pub failure: Option<Failure>,
    /// Fields that the question does not hold could lead elsewhere. Only
    /// [`decide`] looks.
    pub is_uncertain: bool,
}

pub struct Candidate {
    pub url: String,
    pub is_chosen: bool,
    /// Weight, load, and why it was chosen or not.
    pub note: String,
}

/// Follows one request through the plan.
pub fn explain(plan: &Plan, question: &Question<'_>) -> Explanation {
    answer(plan, question, Look::Everywhere)
}

/// The same, without a word about the routes and backends that were not taken:
/// for many requests. `known` are the fields of which the question would have
/// those that the request had; what others it had is not known.
pub fn decide(plan: &Plan, question: &Question<'_>, known: &[&str]) -> Explanation {
    answer(plan, question, Look::AtTheDecision { known })
}

#[derive(Clone, Copy)]
enum Look<'a> {
    Everywhere,
    AtTheDecision { known: &'a [&'a str] },
}

fn answer(plan: &Plan, question: &Question<'_>, look: Look<'_>) -> Explanation {
    let mut explanation = Explanation::default();
    if let Err(failure) = follow(plan, question, look, &mut explanation) {
        explanation.failure = Some(failure);
    }
    explanation
}

fn follow(
    plan: &Plan,
    question: &Question<'_>,
    look: Look<'_>,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    // No request comes in where connections are passed on.
    let takes_requests = |listener: &Listener| listener.tcp.is_none();
    let asked = plan.listeners.get(question.listener);
    let at = match asked.is_some_and(takes_requests) {
        true => Some(question.listener),
        false => plan.listeners.iter().position(takes_requests),
    };
    explanation.listener = at;
    let Some(listener) = at.and_then(|at| plan.listeners.get(at)) else {
        return Ok(());
    };
    let mut heads = Heads::default();
    HeadParser::default().parse(question.head, &listener.limits, &mut heads.request)?;
    explanation.certificate = certificate(listener, question, &mut heads);
    let checked = admit::check(&mut heads, listener);
    explanation.host = String::from_utf8_lossy(&heads.host).into_owned();
    explanation.path = String::from_utf8_lossy(&heads.path).into_owned();
    let (admitted, _) = checked?;
    let identity = admit::identify(plan, question.client, &heads.request.fields);
    explanation.client = Some(identity.client);
    let new_id = || RequestId::new(question.unix_micros, question.random);
    let id = identity.request_id.unwrap_or_else(new_id);

    if let (Some(to), Some(forward)) = (target(listener, &heads)?, &listener.forward) {
        explanation.forward = Some(format!("{}:{}", to.host, to.port));
        return check(forward, &to);
    }
    explanation.answer = to_https::redirect(listener, &heads, identity.is_trusted)?;
    if explanation.answer.is_some() {
        return Ok(());
    }
    let client = identity.client.ip();
    let found = match look {
        Look::Everywhere => {
            let mut reasons = Explained::default();
            let found = route::find(plan, &heads, client, admitted, &mut reasons);
            explanation.misses = misses(plan, &heads, client, reasons, usize::MAX);
            found
        }
        Look::AtTheDecision { known } => {
            let facts = route::facts(&heads, client);
            let is_unknown = |condition: &Condition| is_unknown(condition, known);
            explanation.is_uncertain = plan.table.hinges_on(&facts, &is_unknown);
            route::find(plan, &heads, client, admitted, &mut Silent)
        }
    };
    let (index, mut routed) = found?;
    explanation.route = Some(index);
    routed.check_size(listener)?;
    if routed.route.grpc_web {
        grpc_web::ask(&mut heads, &mut routed.framing);
    }

    let scheme = match &listener.tls {
        Some(_) => "https",
        None => "http",
    };
    let who = Who::new(identity.client, &id, scheme, listener);
    explanation.answer = filter_request::apply(&mut heads, &routed, &who)?;
    let has_answer = explanation.answer.is_some();
    let Some(to) = routed.destination.as_ref().filter(|_| !has_answer) else {
        return Ok(());
    };
    explanation.group = routed.route.group;
    let group = to.group;
    let choice = Choice {
        client,
        random: question.random.0,
        affinity: affinity::of(group, &routed, &who, question.now, &mut heads),
        tried: &Excluded::new(),
        now: question.now,
    };
    let mut notes = Notes::default();
    let chosen = choose_backend(group, &choice, &mut notes);
    if question.takes_turn {
        // A permission that it may have got goes back at once.
        drop(take_backend(group, &choice));
    }
    if let Look::Everywhere = look {
        explanation.limit = overload::describe(&group.balance);
        explanation.candidates = candidates(&group.balance, &notes, question.now);
    }
    let backend = chosen.and_then(|i| group.balance.backends.get(i));
    let backend = backend.ok_or(message::Kind::NoBackend)?;
    let shown = told_certificate(listener, &heads);
    let forwarding = Forwarding {
        peer: &IpText::new(question.client.ip()),
        client: &IpText::new(identity.client.ip()),
        is_trusted: identity.is_trusted,
        scheme,
        request_id: id.as_bytes(),
        authority: &backend.authority,
        certificate: shown.as_deref().map(|shown| &*shown.field),
        upgrade: heads.upgrade.as_ref().map(|upgrade| &*upgrade.protocol),
    };
    forward(&mut heads.request, &forwarding);
    explanation.protocol = Some(match (backend.options.protocol, &heads.upgrade) {
        (Protocol::Agreed, Some(_)) => Protocol::Http1,
        (protocol, _) => protocol,
    });
    if backend.options.protocol == Protocol::Http2 {
        let switches = extended_connect::is_used(&heads, backend)?;
        let is_secure = backend.tls.is_some();
        explanation.upstream_h2 = shown::over_http2(&heads.request, switches, is_secure);
    }
    write_request_head(&mut explanation.upstream, &heads.request, routed.framing);
    Ok(())
}

/// What the client shows goes into the heads, where the listener asks for it.
fn certificate(listener: &Listener, question: &Question<'_>, heads: &mut Heads) -> Option<String> {
    let clients = listener.tls.as_ref()?.options.clients.as_ref()?;
    let Some(shown) = &question.certificate else {
        let text = match clients.is_required {
            true => "none, so that the handshake would fail",
            false => "none",
        };
        return Some(text.to_owned());
    };
    heads.certificate = Some(Rc::new(shown.clone()));
    Some(match &*shown.names {
        [] => shown.subject.clone(),
        names => format!("{} ({})", shown.subject, names.join(", ")),
    })
}

/// Whether a condition asks for something that a question may lack.
fn is_unknown(condition: &Condition, known: &[&str]) -> bool {
    match condition {
        Condition::Header(demand) => {
            !(known.iter()).any(|name| name.eq_ignore_ascii_case(&demand.name))
        }
        Condition::Cookie(_) | Condition::Certificate(_) => true,
        Condition::Not(condition) => is_unknown(condition, known),
        Condition::Host(_)
        | Condition::Path(_)
        | Condition::Method(_)
        | Condition::Query(_)
        | Condition::Client(_) => false,
    }
}

/// The routes that came nearest to taking a request, and what kept each of them
/// from it. One that was only outranked by the route it has is not named.
pub(crate) fn near_misses(plan: &Plan, heads: &Heads, client: IpAddr) -> String {
    const NAMED: usize = 3;
    let mut reasons = Explained::default();
    plan::find_route(plan, &route::facts(heads, client), &mut reasons);
    reasons.misses.retain(|&(_, miss)| miss != Miss::Outranked);
    let named: Vec<String> = misses(plan, heads, client, reasons, NAMED)
        .into_iter()
        .map(|(i, why)| format!("not {}: {why}", plan.routes.get(i).map_or("", |r| &*r.id)))
        .collect();
    named.join("; ")
}

fn misses(
    plan: &Plan,
    heads: &Heads,
    client: IpAddr,
    reasons: Explained,
    most: usize,
) -> Vec<(usize, String)> {
    let facts = route::facts(heads, client);
    let mut misses = reasons.misses;
    misses.sort_by_key(|&(_, miss)| std::cmp::Reverse(miss));
    let text = |(i, miss): (usize, routing::Miss)| (i, miss.text(&facts, plan.table.conditions(i)));
    misses.into_iter().take(most).map(text).collect()
}

fn candidates(group: &upstream::Group, notes: &Notes, now: Option<Instant>) -> Vec<Candidate> {
    let noted = group.backends.iter().zip(&notes.0);
    noted
        .map(|(backend, note)| Candidate {
            url: backend.url.to_string(),
            is_chosen: note.verdict == Verdict::Chosen,
            note: format!(
                "weight {}, {} in flight: {}",
                note.weight,
                note.load,
                verdict(group, backend, note.verdict, now)
            ),
        })
        .collect()
}

/// The verdict, and for a backend that is not well also why and for how long.
fn verdict(
    group: &upstream::Group,
    backend: &Backend,
    verdict: Verdict,
    now: Option<Instant>,
) -> String {
    let Some(now) = now else {
        return verdict.to_string();
    };
    let view = backend.standing.view(&group.health, now);
    let state = view.at(now);
    match verdict {
        Verdict::Out(_) | Verdict::WarmingUp => state.to_string(),
        _ if view.state.is_up() => verdict.to_string(),
        Verdict::Chosen if !view.state.is_in() && group.health.fails_open => {
            format!("{verdict}, for none is well and the group fails open; {state}")
        }
        _ => format!("{verdict}; {state}"),
    }
}
