//! How the listeners differ.

use std::time::Duration;

use wire::h1::Limits;

use super::aspect::{Aspect, compare};
use super::routes::shown_as_exact;
use super::{Difference, What, lines, tls};
use crate::{Forward, Listener, Plan, Tcp, Times, describe};

pub(super) fn differences(old: &Plan, new: &Plan) -> Vec<Difference> {
    let find = |plan: &Plan, id: &str| plan.listeners.iter().position(|l| *l.id == *id);
    let alone = |plan: &Plan, other: &Plan| -> Vec<usize> {
        let each = plan.listeners.iter().enumerate();
        each.filter(|(_, l)| find(other, &l.id).is_none())
            .map(|(at, _)| at)
            .collect()
    };
    let (gone, come) = (alone(old, new), alone(new, old));
    // One without a name is called by its address, and is the same one when it
    // moves.
    let renamed = match (&gone[..], &come[..]) {
        (&[from], &[to]) => Some((from, to)),
        _ => None,
    };
    let mut differences = Vec::new();
    for (at, listener) in new.listeners.iter().enumerate() {
        let before = find(old, &listener.id);
        let before = before.or(renamed.filter(|&(_, to)| to == at).map(|(from, _)| from));
        let what = match before.and_then(|at| old.listeners.get(at)) {
            None => What::Added(lines(|f| describe::listener(f, new, listener))),
            Some(before) => match compare(&aspects(old, before), &aspects(new, listener)) {
                changes if changes.is_empty() => continue,
                changes => What::Changed(changes),
            },
        };
        let id = listener.id.to_string();
        differences.push(Difference { id, what });
    }
    let gone = gone.iter().filter(|_| renamed.is_none());
    for listener in gone.filter_map(|&at| old.listeners.get(at)) {
        differences.push(Difference {
            id: listener.id.to_string(),
            what: What::Removed(lines(|f| describe::listener(f, old, listener))),
        });
    }
    differences
}

fn aspects(plan: &Plan, listener: &Listener) -> Vec<Aspect> {
    let Listener {
        id,
        number: _,
        address,
        tls,
        http2,
        upgrades,
        forward,
        hsts,
        redirect_port,
        tcp,
        proxy_protocol,
        max_connections,
        limits: Limits {
            line,
            fields,
            count,
        },
        max_body,
        header_timeout,
        body_timeout,
        keep_alive_timeout,
        write_timeout,
        min_rate,
    } = listener;
    let time = |what: &str, time: &Duration| Aspect::value(what, format!("{time:?}"), "none");
    let bytes = |what: &str, n: &usize| Aspect::value(what, format!("{n} bytes"), "none");
    let body = match *max_body {
        u64::MAX => "any size".to_owned(),
        n => format!("up to {n} bytes"),
    };
    let redirect = redirect_port.map_or_else(|| "no".to_owned(), describe::redirect);
    let http2 = http2.map_or_else(|| "none".to_owned(), |http2| http2.to_string());
    let mut aspects = vec![
        Aspect::value("name", id, "none"),
        Aspect::value("address", address, "none"),
        Aspect::value("redirect", redirect, "no"),
        Aspect::value("HTTP/2", http2, "none"),
        Aspect::items("upgrade", shown_as_exact(upgrades), "none"),
        Aspect::value("HSTS", hsts.as_deref().unwrap_or("no"), "no"),
        Aspect::value("connections", max_connections, "none"),
        bytes("request line", line),
        bytes("header", fields),
        Aspect::value("header fields", count, "none"),
        Aspect::value("body", body, "none"),
        time("timeout header", header_timeout),
        time("timeout body", body_timeout),
        time("timeout keep-alive", keep_alive_timeout),
        time("timeout write", write_timeout),
        Aspect::value("bytes per second at least", min_rate, "none"),
    ];
    let header = proxy_protocol.as_ref().map(describe::proxy_protocol);
    let header = header.unwrap_or_else(|| "no".to_owned());
    aspects.push(Aspect::value("PROXY protocol", header, "no"));
    aspects.extend(tls::aspects(tls.as_ref()));
    aspects.extend(forward.as_ref().map(of_forward).into_iter().flatten());
    aspects.extend(of_tcp(plan, tcp.as_ref()));
    aspects
}

fn of_tcp(plan: &Plan, tcp: Option<&Tcp>) -> Vec<Aspect> {
    let Some(tcp) = tcp else {
        return vec![Aspect::value("speaks", "HTTP", "none")];
    };
    let Tcp {
        group: _,
        names: _,
        connect_timeout,
        idle_timeout,
        hello_timeout,
    } = tcp;
    let places = describe::places(plan, tcp).into_iter();
    let connect = match connect_timeout {
        Some(time) => format!("{time:?}"),
        None => "as the group says".to_owned(),
    };
    let time = |what: &str, time: &Duration| Aspect::value(what, format!("{time:?}"), "none");
    vec![
        Aspect::value("speaks", "TCP", "none"),
        Aspect::items("connections", places.map(|p| (p.clone(), p)), "none"),
        Aspect::value("timeout connect", connect, "none"),
        time("timeout idle", idle_timeout),
        time("timeout of the first TLS message", hello_timeout),
    ]
}

fn of_forward(forward: &Forward) -> Vec<Aspect> {
    let Forward { allow, times } = forward;
    let Times {
        connect,
        response,
        idle,
        // The same, and of no use here.
        tunnel: _,
        wait: _,
        total: _,
    } = times;
    let time = |what: &str, time: &Duration| Aspect::value(what, format!("{time:?}"), "none");
    vec![
        Aspect::value("forward proxy", "on", "off"),
        Aspect::items("forward to", shown_as_exact(allow), "nowhere"),
        time("forward timeout connect", connect),
        time("forward timeout response head", response),
        time("forward timeout idle", idle),
    ]
}
