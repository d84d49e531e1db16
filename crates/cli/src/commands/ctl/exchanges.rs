//! The slowest and the failed exchanges.

use serde_json::Value;

use super::table::{cell, list, table};

/// Of each list, so many are shown.
const EXCHANGES: usize = 20;

pub(super) fn show(json: &Value) -> String {
    let part = |pointer, what| {
        let all = list(json, pointer);
        let shown = all.get(..EXCHANGES).unwrap_or(all);
        let more = match all.len() > EXCHANGES {
            true => format!(" ({EXCHANGES} of {}; --json has all)", all.len()),
            false => String::new(),
        };
        format!("{what}{more}\n{}", exchange_rows(shown))
    };
    let slowest = part("/slowest", "the slowest of the last five minutes");
    format!("{slowest}\n{}", part("/failed", "the failed"))
}

/// Each has a second line, with what has to be copied as a whole.
fn exchange_rows(exchanges: &[Value]) -> String {
    let rows: Vec<_> = exchanges
        .iter()
        .map(|x| {
            let request = format!("{} {}", cell(x, "/method"), cell(x, "/path"));
            vec![
                time_of_day(&cell(x, "/at")),
                cell(x, "/status"),
                cell(x, "/duration_ms"),
                cell(x, "/route"),
                request,
                reason(x),
            ]
        })
        .collect();
    let table = table(
        &["TIME", "STATUS", "MS", "ROUTE", "REQUEST", "REASON"],
        &rows,
    );
    let mut text = String::new();
    let details = exchanges.iter().map(|x| {
        let (client, id) = (cell(x, "/client"), cell(x, "/request_id"));
        let backend = match x.pointer("/backend") {
            Some(_) => format!(", backend {}", cell(x, "/backend")),
            None => String::new(),
        };
        format!("          client {client}{backend}, request id {id}\n")
    });
    let details = std::iter::once(String::new()).chain(details);
    for (line, details) in table.lines().zip(details) {
        text.push_str(&format!("{line}\n{details}"));
    }
    text
}

fn reason(exchange: &Value) -> String {
    let status = exchange.pointer("/status").and_then(Value::as_u64);
    match (exchange.pointer("/reason"), status) {
        (None, Some(500..)) if exchange.pointer("/backend").is_some() => {
            "the backend's own answer".to_owned()
        }
        _ => cell(exchange, "/reason"),
    }
}

/// Of a time as in RFC 3339.
fn time_of_day(at: &str) -> String {
    let time = at.split('T').nth(1).and_then(|time| time.get(..8));
    time.unwrap_or("-").to_owned()
}
