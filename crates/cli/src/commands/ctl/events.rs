//! Events of the admin API, a line each.

use forebay::words::plain;
use serde_json::Value;

use super::table::{cell, list};

/// The line of what comes as `data:`. An event without a time of its own has
/// happened `now`, as in RFC 3339.
pub(super) fn line(json: &Value, now: &str) -> String {
    let at = json.pointer("/at").and_then(Value::as_str).unwrap_or(now);
    let kind = cell(json, "/kind");
    let told = match (json.pointer("/about"), json.pointer("/service")) {
        (_, Some(service)) => of_service(&kind, service),
        (Some(about), None) => match &*kind {
            "backend" => of_backend(about),
            "reload" | "change" => of_configuration(&kind, about),
            _ => format!("{kind} {}", plain(&about.to_string())),
        },
        (None, None) => format!("{kind} {}", plain(&json.to_string())),
    };
    format!("{} {told}\n", plain(at))
}

fn of_backend(about: &Value) -> String {
    let of = |pointer| cell(about, pointer);
    let why = match &*of("/why") {
        "" | "-" => String::new(),
        why => format!(": {why}"),
    };
    format!(
        "backend {} of {}: {} -> {}{why}",
        of("/url"),
        of("/group"),
        of("/from"),
        of("/to")
    )
}

fn of_configuration(kind: &str, about: &Value) -> String {
    if about.pointer("/why").is_some() {
        return format!("{kind} refused: {}", cell(about, "/why"));
    }
    let changes = list(about, "/changes").iter().filter_map(Value::as_str);
    let changes: Vec<String> = changes.map(plain).collect();
    match changes.is_empty() {
        true => format!("{kind} taken: it means the same as before"),
        false => format!("{kind} taken: {}", changes.join("; ")),
    }
}

fn of_service(kind: &str, service: &Value) -> String {
    let of = |pointer| cell(service, pointer);
    format!(
        "service {} at {}:{} {kind} (id {})",
        of("/name"),
        of("/address/host"),
        of("/address/port"),
        of("/id")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_is_one_line_for_people() {
        let backend = json!({"group": "app", "url": "http://a:1", "from": "up", "to": "ejected", "why": "5 failures"});
        let service =
            json!({"id": "s-1", "name": "app", "address": {"host": "10.0.0.1", "port": 80}});
        for (event, expected) in [
            (
                json!({"id": "x-1", "kind": "backend", "at": "T1", "about": backend}),
                "T1 backend http://a:1 of app: up -> ejected: 5 failures\n",
            ),
            (
                json!({"kind": "reload", "at": "T2", "about": {"outcome": "taken", "hash": "0", "changes": ["route a: new", "route b: gone"]}}),
                "T2 reload taken: route a: new; route b: gone\n",
            ),
            (
                json!({"kind": "change", "at": "T3", "about": {"outcome": "refused", "why": "no"}}),
                "T3 change refused: no\n",
            ),
            (
                json!({"kind": "registered", "cursor": "c-1", "service": service}),
                "now service app at 10.0.0.1:80 registered (id s-1)\n",
            ),
            (
                json!({"kind": "later", "at": "T4", "about": {"a": "\u{1b}[2J"}}),
                "T4 later {\"a\":\"\\u001b[2J\"}\n",
            ),
        ] {
            assert_eq!(line(&event, "now"), expected);
        }
    }
}
