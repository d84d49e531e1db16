//! Each setting there is, changed to its example, shows up.

use serde_json::{Value, json};

use super::*;

/// Every section has a place here where its settings act.
fn base() -> Value {
    json!({
        "server": {
            "id": "front",
            "address": "127.0.0.1:1111",
            "cert_file": "first.crt",
            "key_file": "first.key",
            "tls": {
                "certificates": [
                    { "cert_file": "second.crt", "key_file": "second.key" },
                    { "acme": ["b.test"] },
                ],
                "client_certificates": "request",
                "client_ca_file": "third.crt",
            },
            "hsts": {},
            "http2": {},
            "forward": { "allow": ["a:1"] },
        },
        "listeners": [
            {
                "id": "second",
                "address": "127.0.0.1:2222",
                "cert_file": "first.crt",
                "key_file": "first.key",
                "tls": {
                    "certificates": [
                        { "cert_file": "second.crt", "key_file": "second.key" },
                        { "acme": ["a.test"] },
                    ],
                    "client_certificates": "request",
                    "client_ca_file": "third.crt",
                },
                "hsts": {},
                "http2": {},
                "forward": { "allow": ["a:1"] },
            },
            { "id": "third", "address": "127.0.0.1:3333", "proxy_protocol": "accept" },
            { "id": "tunnels", "address": "127.0.0.1:4444", "protocol": "tcp", "group": "app" },
        ],
        "trusted_proxies": ["192.0.2.9"],
        "session_tickets": {},
        "acme": {
            "storage": "acme",
            "agree_to_terms": true,
            "external_account": { "key_id": "a", "hmac_key": "YQ" },
        },
        "filter_lists": [{ "id": "security-headers", "add_headers": { "X-L": "1" } }],
        "routes": [
            {
                "id": "main",
                "path": "regex:^/m/(?<id>.*)$",
                "backend_group": "app",
                "filter_lists": ["security-headers"],
                "replace_prefix": { "from": "/x", "to": "/y" },
                "request_headers": { "remove": ["X-R"] },
                "response_headers": { "remove": ["X-R"] },
                "error_pages": [
                    { "status": ["503"], "body": "r" },
                    { "status": ["502"], "file": "f.html" },
                ],
                "not": { "path": "/no" },
                "timeout": {},
            },
            { "id": "plain", "path": "/plain", "backend_group": "app" },
            { "id": "answer", "path": "/answer", "respond": { "body": "x" } },
            { "id": "away", "path": "/away", "redirect": { "to": "/here" } },
        ],
        "error_pages": [
            { "status": ["503"], "body": "b" },
            { "status": ["502"], "file": "f.html" },
        ],
        "backend_groups": [
            {
                "id": "app",
                "strategy": "weighted",
                "backends": [{ "url": "http://a", "weight": 2 }],
                "connection_pool": { "keepalive_ping": {} },
                "timeout": {},
                "retry": {},
                "hedge": {},
                "health_check": { "passive": {} },
                "circuit_breaker": {},
                "adaptive_concurrency": {},
            },
            {
                "id": "hashed",
                "strategy": "hash",
                "hash": {},
                "backends": [{ "url": "https://a" }],
                "tls": { "ca_file": "third.crt", "cert_file": "first.crt", "key_file": "first.key" },
                "sticky": {},
                "health_check": { "enabled": true, "protocol": "grpc" },
            },
            {
                "id": "seated",
                "backends": [{ "url": "http://a" }],
                "sticky": { "by": "client_ip" },
            },
            {
                "id": "found",
                "sources": [
                    { "dns": "a", "port": 80 },
                    { "file": "f.yaml" },
                    { "registry": "r" },
                ],
            },
            { "id": "services", "sources": [{ "dns": "a" , "type": "srv" }] },
        ],
        "tests": [{ "request": { "url": "/" }, "expect": { "status": 404 } }],
        "telemetry": {
            "metrics": { "enabled": true, "path": "/m" },
            "tracing": {},
            "logging": {},
            "access_log": { "output": "access.log" },
        },
    })
}

/// The same with the group that some examples name, and without metrics; and
/// with a first listener that speaks TCP.
fn bases() -> [Value; 3] {
    let mut second = base();
    second["server"] = json!({ "id": "front", "address": "127.0.0.1:1111" });
    let groups = second["backend_groups"].as_array_mut().unwrap();
    for id in ["api-servers", "databases", "apps"] {
        groups.push(json!({ "id": id, "protocol": "h2c", "backends": [{ "url": "http://b" }] }));
    }
    second["backend_groups"][0]["health_check"]["enabled"] = true.into();
    // Calls of gRPC take HTTP/2.
    second["routes"][1]["backend_group"] = "apps".into();
    second["backend_groups"][0]["health_check"]["timeout"] = "9s".into();
    second["telemetry"]["metrics"]["enabled"] = false.into();
    let mut third = second.clone();
    let front = json!({
        "id": "front", "address": "127.0.0.1:1111",
        "protocol": "tcp", "group": "app", "proxy_protocol": "accept",
    });
    third["server"] = front;
    [base(), second, third]
}

/// Settings that say nothing about what the program does: nobody looks at them
/// yet, or they are there for other purposes.
const WITHOUT_EFFECT: &[&str] = &[
    "include",
    "tests",
    "tests/*",
    "server/protocol",
    // Nothing goes without.
    "acme/agree_to_terms",
    // All keys of the test are the same.
    "server/key_file",
    "server/tls/certificates/key_file",
    "backend_groups/tls/key_file",
    "server/max_idle_timeout",
    "server/max_incoming_streams",
    "server/keep_alive_period",
    "filter_lists/id",
    "telemetry/tracing",
    "telemetry/tracing/*",
];

/// Every place of the schema in the base: its path without numbers, and with.
fn walk(schema: &Value, at: &Value, path: &str, place: &str, found: &mut Vec<[String; 2]>) {
    let root = config::schema();
    let resolved = |schema: &Value| match schema["$ref"].as_str() {
        Some(name) => root.pointer(name.trim_start_matches('#')).unwrap().clone(),
        None => schema.clone(),
    };
    let schema = resolved(schema);
    let properties = schema["properties"].as_object();
    for (key, inner) in properties.into_iter().flatten() {
        let (path, place) = (format!("{path}/{key}"), format!("{place}/{key}"));
        if let Some(example) = inner["examples"].get(0) {
            found.push([path.clone(), format!("{place}={example}")]);
        }
        match &at[key] {
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    let place = format!("{place}/{number}");
                    walk(&inner["items"], item, &path, &place, found);
                }
            }
            Value::Object(_) => walk(inner, &at[key], &path, &place, found),
            _ => {}
        }
    }
}

/// The base with one value in another's place; none where that is refused.
fn with(base: &Value, place: &str, example: &Value) -> Result<Plan, String> {
    let mut changed = base.clone();
    let (parent, key) = place.rsplit_once('/').unwrap();
    let Some(parent) = changed.pointer_mut(parent) else {
        return Err("there is no such place in this one".to_owned());
    };
    parent[key] = example.clone();
    try_plan("base.json", &changed.to_string()).map_err(|problems| problems.render(false))
}

/// Whether a list names a setting; a listener is a listener.
fn is_in(list: &[&str], path: &str) -> bool {
    let path = path.replace("/listeners/", "/server/");
    let path = path.trim_start_matches('/');
    list.iter().any(|known| match known.strip_suffix('*') {
        Some(beginning) => path.starts_with(beginning),
        None => path == *known,
    })
}

#[test]
fn each_setting_shows_up_where_it_acts() {
    let bases = bases();
    let plans = bases.each_ref().map(|base| plan(&base.to_string()));
    let mut places = Vec::new();
    walk(&config::schema(), &bases[0], "", "", &mut places);
    let mut paths: Vec<&String> = places.iter().map(|[path, _]| path).collect();
    paths.sort();
    paths.dedup();
    assert!(paths.len() > 150, "{}", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let mut shown = Vec::new();
        let mut refused = Vec::new();
        for [_, place] in places.iter().filter(|[other, _]| other == path) {
            let (place, example) = place.split_once('=').unwrap();
            let example: Value = serde_json::from_str(example).unwrap();
            for (base, before) in bases.iter().zip(&plans) {
                match with(base, place, &example) {
                    Ok(after) => shown.extend(said(before, &after)),
                    Err(why) => refused.push(why),
                }
            }
        }
        match is_in(WITHOUT_EFFECT, path) {
            true if !shown.is_empty() => {
                wrong.push(format!("{path} has an effect now: {shown:?}"));
            }
            false if shown.is_empty() => {
                wrong.push(format!("{path} shows nothing: {}", refused.concat()));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
