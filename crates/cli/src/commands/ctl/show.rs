//! Answers of the admin API, for people.

use forebay::words::plain;
use serde_json::Value;

use super::table::{cell, list, millis, table};
use crate::commands::explain::heading;

const RESTART: &str = "the number of workers is another after a restart or an upgrade\n";

pub(super) fn status(json: &Value) -> String {
    let at = |pointer| cell(json, pointer);
    let mut text = format!(
        "forebay {} is {}, pid {}, {} workers, up {} s\nconfiguration {} since {}\n",
        at("/version"),
        at("/state"),
        at("/pid"),
        at("/workers"),
        at("/uptime_seconds"),
        at("/configuration/hash"),
        at("/configuration/since"),
    );
    if let Some(why) = json
        .pointer("/configuration/failure")
        .and_then(Value::as_str)
    {
        let (when, first) = (at("/configuration/tried"), why.lines().next());
        let first = plain(first.unwrap_or_default());
        text.push_str(&format!("refused at {when}: {first}\n"));
    }
    if json.pointer("/configuration/restart_needed") == Some(&Value::Bool(true)) {
        text.push_str(RESTART);
    }
    let listeners = list(json, "/listeners").iter();
    let rows: Vec<_> = listeners
        .map(|l| vec![cell(l, "/id"), cell(l, "/address"), cell(l, "/connections")])
        .collect();
    text.push('\n');
    text.push_str(&table(&["LISTENER", "ADDRESS", "CONNECTIONS"], &rows));
    text.push_str(&certificates(json));
    let refused = list(json, "/refused_files").iter();
    for why in refused.filter_map(Value::as_str) {
        text.push_str(&format!(
            "\nrefused, what was before goes on: {}\n",
            plain(why)
        ));
    }
    let groups = list(json, "/groups").iter();
    let all: Vec<&Value> = groups.flat_map(|group| list(group, "/backends")).collect();
    text.push('\n');
    text.push_str(&backend_rows(&all));
    text
}

/// Those that are had from an authority.
fn certificates(json: &Value) -> String {
    let all = list(json, "/certificates");
    if all.is_empty() {
        return String::new();
    }
    let names = |certificate| {
        let names = list(certificate, "/names").iter();
        let names: Vec<_> = names.filter_map(Value::as_str).map(plain).collect();
        names.join(", ")
    };
    let row = |certificate| {
        let at = |pointer| cell(certificate, pointer);
        vec![
            names(certificate),
            at("/state"),
            at("/expires"),
            at("/next"),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let mut text = table(&["CERTIFICATE", "STATE", "EXPIRES", "NEXT ORDER"], &rows);
    for certificate in all {
        if let Some(why) = certificate.pointer("/error").and_then(Value::as_str) {
            text.push_str(&format!("{}: {}\n", names(certificate), plain(why)));
        }
    }
    format!("\n{text}")
}

pub(super) fn backends(json: &Value) -> String {
    let all: Vec<&Value> = list(json, "").iter().collect();
    backend_rows(&all)
}

fn backend_rows(backends: &[&Value]) -> String {
    let rows: Vec<_> = backends
        .iter()
        .map(|backend| {
            [
                "/group",
                "/url",
                "/state",
                "/weight",
                "/in_flight",
                "/connections",
            ]
            .map(|pointer| cell(backend, pointer))
            .into_iter()
            .chain([origin(backend)])
            .collect()
        })
        .collect();
    let heads = [
        "GROUP", "BACKEND", "STATE", "WEIGHT", "BUSY", "CONNS", "FROM",
    ];
    let mut text = table(&heads, &rows);
    for backend in backends {
        let state = backend.pointer("/state").and_then(Value::as_str);
        if !matches!(state, Some("up")) && backend.pointer("/why").is_some() {
            let (url, why) = (cell(backend, "/url"), cell(backend, "/why"));
            text.push_str(&format!("{url}: {why}\n"));
        }
    }
    text
}

/// Who says that it is one of its group.
fn origin(backend: &Value) -> String {
    let origin = cell(backend, "/origin");
    match &*origin {
        "file" => "configuration".to_owned(),
        "api" => "ctl or API".to_owned(),
        "list" => "source file".to_owned(),
        "dns" => "source dns".to_owned(),
        "registry" => "source registry".to_owned(),
        _ => origin,
    }
}

pub(super) fn backend(json: &Value) -> String {
    backend_rows(&[json])
}

pub(super) fn check(json: &Value) -> String {
    let latency = cell(json, "/latency_ms");
    match json.pointer("/error").and_then(Value::as_str) {
        None => format!("good, after {latency} ms\n"),
        Some(error) => format!("bad, after {latency} ms: {}\n", plain(error)),
    }
}

pub(super) fn routes(json: &Value) -> String {
    let rows: Vec<_> = list(json, "")
        .iter()
        .map(|route| {
            let conditions = list(route, "/conditions").iter();
            let conditions: Vec<_> = conditions.filter_map(Value::as_str).map(plain).collect();
            let conditions = match conditions.is_empty() {
                true => "any request".to_owned(),
                false => conditions.join(", "),
            };
            let to = match route.pointer("/group") {
                Some(_) => cell(route, "/group"),
                None => "answers itself".to_owned(),
            };
            vec![cell(route, "/id"), to, conditions]
        })
        .collect();
    table(&["ROUTE", "TO", "NEEDS"], &rows)
}

pub(super) fn stats(json: &Value) -> String {
    let routes = json.pointer("/routes").and_then(Value::as_object);
    let rows: Vec<_> = routes
        .into_iter()
        .flatten()
        .map(|(id, route)| {
            let of = |pointer| cell(route, pointer);
            vec![
                plain(id),
                of("/requests"),
                of("/statuses/2xx"),
                of("/statuses/3xx"),
                of("/statuses/4xx"),
                of("/statuses/5xx"),
                millis(route, "/latency/mean"),
                millis(route, "/latency/p50"),
                millis(route, "/latency/p99"),
            ]
        })
        .collect();
    let heads = [
        "ROUTE", "REQUESTS", "2XX", "3XX", "4XX", "5XX", "MEAN MS", "P50", "P99",
    ];
    let mut text = table(&heads, &rows);
    let failures = json.pointer("/failures").and_then(Value::as_object);
    let rows: Vec<_> = failures
        .into_iter()
        .flatten()
        .map(|(reason, count)| vec![plain(reason), count.to_string()])
        .collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(&["FAILURE", "COUNT"], &rows));
    }
    text
}

pub(super) fn reload(json: &Value) -> String {
    let mut text = String::new();
    for change in list(json, "/changes").iter().filter_map(Value::as_str) {
        text.push_str(&format!("{}\n", plain(change)));
    }
    if text.is_empty() {
        text.push_str("it means the same as before\n");
    }
    text.push_str(&mistakes(list(json, "/warnings")));
    if json.pointer("/restart_needed") == Some(&Value::Bool(true)) {
        text.push_str(RESTART);
    }
    format!("{text}configuration {} runs\n", cell(json, "/hash"))
}

pub(super) fn mistakes(problems: &[Value]) -> String {
    let lines = problems.iter().map(|problem| {
        let of = |pointer| cell(problem, pointer);
        let help = match problem.pointer("/help") {
            Some(_) => format!("\n  help: {}", of("/help")),
            None => String::new(),
        };
        format!(
            "{}:{}:{}: {}: {}{help}\n",
            of("/file"),
            of("/line"),
            of("/column"),
            of("/severity"),
            of("/message")
        )
    });
    lines.collect()
}

pub(super) fn explain(json: &Value) -> String {
    let mut text = format!(
        "host {}, path {}, listener {}\n",
        cell(json, "/host"),
        cell(json, "/path"),
        cell(json, "/listener")
    );
    if json.pointer("/client_certificate").is_some() {
        let shown = cell(json, "/client_certificate");
        text.push_str(&format!("client certificate {shown}\n"));
    }
    if json.pointer("/forward").is_some() {
        let to = cell(json, "/forward");
        text.push_str(&format!("to {to}, as a forward proxy\n"));
    }
    match json.pointer("/route") {
        Some(_) => text.push_str(&format!("route {}\n", cell(json, "/route"))),
        None if json
            .pointer("/answer")
            .or(json.pointer("/forward"))
            .is_some() => {}
        None => text.push_str("no route matches\n"),
    }
    for miss in list(json, "/misses") {
        let (route, why) = (cell(miss, "/route"), cell(miss, "/why"));
        text.push_str(&format!("  not {route}: {why}\n"));
    }
    if json.pointer("/group").is_some() {
        let (group, strategy) = (cell(json, "/group"), cell(json, "/strategy"));
        text.push_str(&format!("group {group}, {strategy}\n"));
    }
    if json.pointer("/limit").is_some() {
        text.push_str(&format!("  {}\n", cell(json, "/limit")));
    }
    for candidate in list(json, "/candidates") {
        let is_chosen = candidate.pointer("/chosen") == Some(&Value::Bool(true));
        let mark = if is_chosen { "->" } else { "  " };
        let (url, note) = (cell(candidate, "/url"), cell(candidate, "/note"));
        text.push_str(&format!("  {mark} {url} ({note})\n"));
    }
    if json.pointer("/answer").is_some() {
        let status = cell(json, "/answer/status");
        let who = json.pointer("/route").map_or("listener", |_| "route");
        text.push_str(&format!("the {who} answers itself: status {status}\n"));
    }
    let lines = list(json, "/upstream");
    if !lines.is_empty() {
        let protocol = json.pointer("/protocol").and_then(Value::as_str);
        text.push_str(&format!(
            "{}\n",
            plain(&heading(protocol.unwrap_or_default()))
        ));
    }
    for line in lines.iter().filter_map(Value::as_str) {
        text.push_str(&format!("  {}\n", plain(line)));
    }
    if json.pointer("/failure").is_some() {
        let (status, detail) = (cell(json, "/failure/status"), cell(json, "/failure/detail"));
        text.push_str(&format!("the client would get: {status} ({detail})\n"));
    }
    text
}

pub(super) fn services(json: &Value) -> String {
    let all: Vec<&Value> = list(json, "/services").iter().collect();
    service_rows(&all)
}

pub(super) fn service(json: &Value) -> String {
    service_rows(&[json])
}

fn service_rows(services: &[&Value]) -> String {
    let rows: Vec<_> = services
        .iter()
        .map(|service| {
            let (host, port) = (
                cell(service, "/address/host"),
                cell(service, "/address/port"),
            );
            let tags = list(service, "/tags").iter();
            let tags: Vec<_> = tags.filter_map(Value::as_str).map(plain).collect();
            vec![
                cell(service, "/name"),
                cell(service, "/id"),
                format!("{host}:{port}"),
                cell(service, "/ttl"),
                cell(service, "/expires_in"),
                tags.join(","),
            ]
        })
        .collect();
    table(&["NAME", "ID", "ADDRESS", "TTL", "LEFT S", "TAGS"], &rows)
}
