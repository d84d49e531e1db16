//! `forebay ctl`: the admin API for people.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

mod events;
mod exchanges;
mod show;
mod table;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::SystemTime;

use forebay::words::{plain, plain_json};
use serde_json::{Map, Value, json};

use crate::REFUSED;
use crate::arguments::{BackendOptions, CtlCommand, CtlOptions, ServicesCommand};
use crate::client::{Client, token};
use crate::commands::print;

/// What is asked, and how its answer is shown.
struct Question {
    method: &'static str,
    target: String,
    body: Option<Value>,
    show: fn(&Value) -> String,
}

pub(crate) fn ctl(options: &CtlOptions) -> ExitCode {
    let done = token(options.token_file.as_deref()).and_then(|token| {
        let client = Client::new(&options.admin, token)?;
        match stream_of(&options.command) {
            Some(target) => watch(&client, &target, options.json),
            None => ask(&client, question(&options.command), options.json),
        }
    });
    done.unwrap_or_else(|why| {
        eprintln!("error: {why}");
        ExitCode::from(REFUSED)
    })
}

/// What goes on until it is interrupted.
fn stream_of(command: &CtlCommand) -> Option<String> {
    match command {
        CtlCommand::Events => Some("/events".to_owned()),
        CtlCommand::Services {
            command: Some(ServicesCommand::Watch { name }),
        } => Some(format!(
            "/v1/services/watch{}",
            query(name.iter().map(|name| ("name", &**name)))
        )),
        _ => None,
    }
}

fn watch(client: &Client, target: &str, as_json: bool) -> Result<ExitCode, String> {
    let refused = client.watch(target, |line| {
        let Some(text) = line.strip_prefix("data: ") else {
            return Ok(());
        };
        let shown = match serde_json::from_str::<Value>(text) {
            Ok(json) if as_json => format!(
                "{}
",
                plain_json(&json.to_string())
            ),
            Ok(json) => events::line(&json, &now()),
            Err(_) => format!(
                "{}
",
                plain(text)
            ),
        };
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(shown.as_bytes())?;
        stdout.flush()
    })?;
    match refused {
        Some((status, json)) => Err(problem(status, &json)),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn ask(client: &Client, question: Question, as_json: bool) -> Result<ExitCode, String> {
    let Question {
        method,
        target,
        body,
        show,
    } = question;
    let (status, json) = client.ask(method, &target, body.as_ref())?;
    let is_good = (200..300).contains(&status);
    let code = match (is_good, as_json) {
        (true, true) if status == 204 => ExitCode::SUCCESS,
        (true, true) => print(&pretty(&json)),
        (true, false) => {
            let code = print(&show(&json));
            if let Some(warning) = json.pointer("/warning").and_then(Value::as_str) {
                eprintln!("warning: {}", plain(warning));
            }
            code
        }
        (false, true) => {
            print(&pretty(&json));
            ExitCode::from(REFUSED)
        }
        (false, false) => return Err(problem(status, &json)),
    };
    Ok(code)
}

fn pretty(json: &Value) -> String {
    format!("{}\n", plain_json(&format!("{json:#}")))
}

fn problem(status: u16, json: &Value) -> String {
    let detail = json.pointer("/detail").and_then(Value::as_str);
    let mut text = plain(detail.unwrap_or("it does not say why"));
    if status == 401 {
        text.push_str("\n  give the token with --token-file or in FOREBAY_ADMIN_TOKEN");
    }
    let mistakes = show::mistakes(table::list(json, "/problems"));
    if !mistakes.is_empty() {
        let _ = write!(text, "\n{}", mistakes.trim_end());
    }
    text
}

fn question(command: &CtlCommand) -> Question {
    let get = |target: &str, show| Question {
        method: "GET",
        target: target.to_owned(),
        body: None,
        show,
    };
    match command {
        CtlCommand::Status => get("/status", show::status),
        CtlCommand::Routes => get("/routes", show::routes),
        CtlCommand::Stats => get("/stats", show::stats),
        CtlCommand::Exchanges => get("/exchanges", exchanges::show),
        // A stream, which is not asked for here.
        CtlCommand::Events => get("/events", Value::to_string),
        CtlCommand::Backends { group } => {
            let group = group.iter().map(|group| ("group", &**group));
            get(&format!("/backends{}", query(group)), show::backends)
        }
        CtlCommand::Reload => Question {
            method: "POST",
            target: "/reload".to_owned(),
            body: None,
            show: show::reload,
        },
        CtlCommand::Explain { .. } => explain(command),
        CtlCommand::Drain(backend) => change(backend, json!({"drain": true})),
        CtlCommand::Enable(backend) => change(backend, json!({"enabled": true})),
        CtlCommand::Disable(backend) => change(backend, json!({"enabled": false})),
        CtlCommand::Weight { backend, weight } => change(backend, json!({"weight": weight})),
        CtlCommand::Check(backend) => Question {
            method: "POST",
            target: format!("{}/check", target_of(backend)),
            body: None,
            show: show::check,
        },
        CtlCommand::Add {
            backend: BackendOptions { group, url },
            weight,
        } => Question {
            method: "POST",
            target: "/backends".to_owned(),
            body: Some(object([
                ("group", json!(group)),
                ("url", json!(url)),
                ("weight", json!(weight)),
            ])),
            show: show::backend,
        },
        CtlCommand::Remove(BackendOptions { group, url }) => Question {
            method: "DELETE",
            target: format!("/backends{}", query([("group", &**group), ("url", url)])),
            body: None,
            show: |_| "removed\n".to_owned(),
        },
        CtlCommand::Log { level } => Question {
            method: "PUT",
            target: "/log".to_owned(),
            body: Some(json!({"level": level})),
            show: |json| format!("the runtime log is at {}\n", table::cell(json, "/level")),
        },
        CtlCommand::Services { command } => services(command.as_ref()),
    }
}

fn explain(command: &CtlCommand) -> Question {
    let mut body = Value::Null;
    if let CtlCommand::Explain {
        method,
        headers,
        client,
        listener,
        url,
    } = command
    {
        let mut fields: Map<String, Value> = Map::new();
        for (name, value) in headers {
            let values = fields.entry(name).or_insert_with(|| json!([]));
            if let Some(values) = values.as_array_mut() {
                values.push(json!(value));
            }
        }
        body = object([
            ("method", json!(method)),
            ("url", json!(url)),
            ("headers", Value::Object(fields)),
            ("client", json!(client)),
            ("listener", json!(listener)),
        ]);
    }
    Question {
        method: "POST",
        target: "/explain".to_owned(),
        body: Some(body),
        show: show::explain,
    }
}

fn services(command: Option<&ServicesCommand>) -> Question {
    let of = |method, target, body, show| Question {
        method,
        target,
        body,
        show,
    };
    let service = |id: &str| format!("/v1/services/{}", escaped(id));
    match command {
        None => of("GET", "/v1/services".to_owned(), None, show::services),
        Some(ServicesCommand::List { name, tag }) => {
            let name = name.iter().map(|name| ("name", &**name));
            let tags = tag.iter().map(|tag| ("tag", &**tag));
            let target = format!("/v1/services{}", query(name.chain(tags)));
            of("GET", target, None, show::services)
        }
        Some(ServicesCommand::Register {
            name,
            address,
            id,
            tag,
            ttl,
        }) => {
            let body = object([
                ("id", json!(id)),
                ("name", json!(name)),
                ("address", json!(address)),
                ("tags", json!(tag)),
                ("ttl", json!(ttl)),
            ]);
            of("POST", "/v1/services".to_owned(), Some(body), show::service)
        }
        Some(ServicesCommand::Show { id }) => of("GET", service(id), None, show::service),
        Some(ServicesCommand::Heartbeat { id }) => {
            let target = format!("{}/heartbeat", service(id));
            let show = |json: &Value| {
                let ttl = table::cell(json, "/ttl_seconds");
                format!("renewed; its lease is {ttl} s\n")
            };
            of("PUT", target, None, show)
        }
        Some(ServicesCommand::Remove { id }) => {
            of("DELETE", service(id), None, |_| "removed\n".to_owned())
        }
        // A stream, which is not asked for here.
        Some(ServicesCommand::Watch { .. }) => of(
            "GET",
            "/v1/services/watch".to_owned(),
            None,
            Value::to_string,
        ),
    }
}

fn change(backend: &BackendOptions, body: Value) -> Question {
    Question {
        method: "PATCH",
        target: target_of(backend),
        body: Some(body),
        show: show::backend,
    }
}

fn target_of(BackendOptions { group, url }: &BackendOptions) -> String {
    format!("/backends/{}/{}", escaped(group), escaped(url))
}

/// As the admin API writes it.
#[expect(clippy::disallowed_methods, reason = "the time that people are told")]
fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let micros = since.unwrap_or_default().as_micros();
    forebay::rfc3339(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// Without what is null.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect::<Map<_, _>>()
        .into()
}

fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = pairs.into_iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    match pairs.is_empty() {
        true => String::new(),
        false => format!("?{}", pairs.join("&")),
    }
}

/// For a segment of a path or a value of a query (RFC 3986 section 2.1).
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            // Writing into memory does not fail.
            _ => drop(write!(escaped, "%{byte:02X}")),
        }
    }
    escaped
}
