//! One JSON object per line. Each key is the template variable of the same
//! name; a key whose value is unknown is left out.

use std::net::IpAddr;
use std::time::Duration;

use super::text::{push_ip, push_json, push_millis, push_number};
use super::time::push_rfc3339;
use crate::Record;

/// A key with the punctuation around it, joined while compiling.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":").as_bytes()
    };
}

/// The same, up to and with the quote that opens the value.
macro_rules! text_key {
    ($name:literal) => {
        concat!(",\"", $name, "\":\"").as_bytes()
    };
}

pub(super) fn write(record: &Record<'_>, out: &mut Vec<u8>) {
    let r = record;
    out.extend_from_slice(b"{\"time\":\"");
    push_rfc3339(out, r.started_unix_micros);
    out.push(b'"');
    text(out, text_key!("request_id"), r.request_id);
    addresses(out, record);
    text(out, text_key!("listener"), r.listener.as_bytes());
    text(out, text_key!("method"), r.method_text);
    text(out, text_key!("scheme"), r.scheme.as_bytes());
    text(out, text_key!("host"), r.host);
    text(out, text_key!("target"), r.target);
    let version = r.version.map_or("", |version| version.label());
    text(out, text_key!("version"), version.as_bytes());
    number(out, key!("status"), r.status);
    if let Some(status) = r.grpc_status {
        number(out, key!("grpc_status"), status);
    }
    millis(out, key!("duration_ms"), Some(r.duration));
    number(out, key!("request_bytes"), r.request_bytes);
    number(out, key!("response_bytes"), r.response_bytes);
    text(out, text_key!("route"), numbered(r.route));
    text(
        out,
        text_key!("group"),
        r.group.unwrap_or_default().as_bytes(),
    );
    text(out, text_key!("backend"), numbered(r.backend));
    upstream(out, record);
    text(out, text_key!("user_agent"), r.user_agent);
    text(out, text_key!("referer"), r.referer);
    failure(out, record);
    out.push(b'}');
}

/// The client, and the peer where somebody stands between.
fn addresses(out: &mut Vec<u8>, record: &Record<'_>) {
    let (client, peer) = (record.client, record.peer);
    address(out, text_key!("client_ip"), client.ip());
    number(out, key!("client_port"), client.port());
    if peer != client {
        address(out, text_key!("peer_ip"), peer.ip());
        number(out, key!("peer_port"), peer.port());
    }
}

fn address(out: &mut Vec<u8>, key: &[u8], ip: IpAddr) {
    out.extend_from_slice(key);
    push_ip(out, ip);
    out.push(b'"');
}

/// What happened between Forebay and the backend, if one was tried at all.
fn upstream(out: &mut Vec<u8>, record: &Record<'_>) {
    if record.attempts == 0 {
        return;
    }
    number(out, key!("attempts"), record.attempts);
    out.extend_from_slice(key!("reused"));
    out.extend_from_slice(if record.reused { b"true" } else { b"false" });
    millis(out, key!("connect_ms"), record.connect_time);
    millis(out, key!("head_ms"), record.head_time);
}

fn failure(out: &mut Vec<u8>, record: &Record<'_>) {
    let Some(failure) = record.failure else {
        return;
    };
    text(out, text_key!("failure"), failure.kind.reason().as_bytes());
    text(
        out,
        text_key!("failure_side"),
        failure.kind.side().label().as_bytes(),
    );
    text(out, text_key!("failure_detail"), failure.detail.as_bytes());
}

fn numbered(named: Option<(u32, &str)>) -> &[u8] {
    named.map_or(b"", |(_, name)| name.as_bytes())
}

fn text(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if value.is_empty() {
        return;
    }
    out.extend_from_slice(key);
    push_json(out, value);
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, key: &[u8], value: impl itoa::Integer) {
    out.extend_from_slice(key);
    push_number(out, value);
}

fn millis(out: &mut Vec<u8>, key: &[u8], value: Option<Duration>) {
    if let Some(value) = value {
        out.extend_from_slice(key);
        push_millis(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::variable::Variable;
    use crate::record::sample;
    use message::{Failure, Kind};
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    fn line(record: &Record<'_>) -> String {
        let mut out = Vec::new();
        write(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn object(record: &Record<'_>) -> Map<String, Value> {
        serde_json::from_str(&line(record)).unwrap()
    }

    #[test]
    fn the_exact_form() {
        assert_eq!(
            line(&sample::record()),
            concat!(
                r#"{"time":"2026-11-21T01:02:03.456Z","request_id":"0193-req","client_ip":"1.2.3.4","#,
                r#""client_port":50000,"peer_ip":"::1","peer_port":50001,"listener":"main","method":"GET","#,
                r#""scheme":"http","host":"example.com","target":"/x?y=1","version":"HTTP/1.1","status":200,"#,
                r#""duration_ms":1.234,"request_bytes":7,"response_bytes":123,"route":"api","group":"web","#,
                r#""backend":"http://127.0.0.1:3000","attempts":1,"reused":false,"connect_ms":0.250,"#,
                r#""head_ms":1.000,"user_agent":"ua","referer":"ref"}"#,
            )
        );
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let failure = Failure::new(Kind::Malformed, "");
        let record = Record {
            peer: sample::record().client,
            route: None,
            group: None,
            backend: None,
            attempts: 0,
            user_agent: b"",
            failure: Some(&failure),
            ..sample::record()
        };
        let object = object(&record);
        for key in [
            "peer_ip",
            "peer_port",
            "route",
            "group",
            "backend",
            "attempts",
            "reused",
            "connect_ms",
            "head_ms",
            "user_agent",
            "failure_detail",
        ] {
            assert!(!object.contains_key(key), "{key}");
        }
        assert_eq!(object["failure"], "http_request_error");
        assert_eq!(object["failure_side"], "client");
    }

    #[test]
    fn every_key_is_the_variable_of_that_name() {
        let failure = Failure::new(Kind::ConnectRefused, "10.0.0.1:80: refused");
        let record = Record {
            failure: Some(&failure),
            ..sample::record()
        };
        for (key, value) in object(&record) {
            let mut text = Vec::new();
            Variable::of(&key).unwrap().write(&record, &mut text);
            let text = String::from_utf8(text).unwrap();
            match value {
                Value::String(s) => assert_eq!(s, text, "{key}"),
                Value::Number(n) => {
                    let read: f64 = text.parse().unwrap();
                    assert_eq!(n.as_f64(), Some(read), "{key}");
                }
                other => assert_eq!(other.to_string(), text, "{key}"),
            }
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_break_the_object(
            method: Vec<u8>, host: Vec<u8>, target: Vec<u8>, user_agent: Vec<u8>, referer: Vec<u8>,
        ) {
            let record = Record {
                method_text: &method, host: &host, target: &target,
                user_agent: &user_agent, referer: &referer,
                ..sample::record()
            };
            let line = line(&record);
            prop_assert!(!line.contains(['\n', '\r']));
            let object: Map<String, Value> = serde_json::from_str(&line).unwrap();
            let read = object.get("target").and_then(Value::as_str).unwrap_or_default();
            prop_assert_eq!(read, String::from_utf8_lossy(&target));
        }
    }
}
