//! `forebay explain`.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]
#![expect(clippy::disallowed_methods, reason = "the program supplies the time")]

use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::SystemTime;

use forebay::{ClientCertificate, Explanation, Plan, Question};

use crate::arguments::ExplainOptions;
use crate::commands::print;
use crate::files::Mistakes;
use crate::{REFUSED, files};

pub(crate) fn explain(options: &ExplainOptions) -> ExitCode {
    let Some(plan) = files::load(&options.file.config, Mistakes::when(options.file.strict)) else {
        return ExitCode::from(REFUSED);
    };
    let Some(url) = &options.url else {
        return print(&plan.to_string());
    };
    let aim = forebay::aim(&plan, &options.method, url, options.listener.as_deref());
    let (aim, certificate) = match (aim, certificate(options)) {
        (Ok(aim), Ok(certificate)) => (aim, certificate),
        (Err(why), _) | (_, Err(why)) => {
            eprintln!("error: {why}");
            return ExitCode::from(REFUSED);
        }
    };
    let head = forebay::request_head(&options.method, &aim.target, &aim.host, &options.headers);
    let micros = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let question = Question {
        head: &head,
        client: SocketAddr::new(options.client, 0),
        listener: aim.listener,
        certificate,
        now: None,
        takes_turn: false,
        unix_micros: micros.map_or(0, |d| d.as_micros() as u64),
        random: (0, 0),
    };
    let mut text = String::new();
    // Writing into memory does not fail.
    let _ = show(&mut text, &plan, &forebay::explain(&plan, &question));
    print(&text)
}

fn certificate(options: &ExplainOptions) -> Result<Option<ClientCertificate>, String> {
    let Some(file) = &options.client_certificate else {
        return Ok(None);
    };
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let read = forebay::read_client_certificate(&bytes);
    read.map(Some).map_err(|why| format!("{shown}: {why}"))
}

/// What is said before a backend's request. In HTTP/1.1 it says itself what it is.
pub(crate) fn heading(protocol: &str) -> String {
    match protocol {
        "" | "HTTP/1.1" => "the backend would get:".to_owned(),
        protocol => format!("the backend would get, over {protocol}:"),
    }
}

fn show(out: &mut String, plan: &Plan, explanation: &Explanation) -> fmt::Result {
    let listener = explanation.listener.and_then(|at| plan.listeners.get(at));
    writeln!(
        out,
        "host \"{}\", path \"{}\", listener {}",
        explanation.host,
        explanation.path,
        listener.map_or("", |listener| &*listener.id)
    )?;
    if let Some(certificate) = &explanation.certificate {
        writeln!(out, "client certificate {certificate}")?;
    }
    if let Some(to) = &explanation.forward {
        writeln!(out, "to {to}, as a forward proxy")?;
    }
    let id = |i: usize| plan.routes.get(i).map_or("", |r| &*r.id);
    match explanation.route {
        Some(i) => writeln!(out, "route {}", id(i))?,
        None if explanation.misses.is_empty() => {}
        None => writeln!(out, "no route matches")?,
    }
    for (i, why) in &explanation.misses {
        writeln!(out, "  not {}: {why}", id(*i))?;
    }
    if let Some(group) = explanation.group.and_then(|g| plan.groups.get(g)) {
        writeln!(
            out,
            "group {}, {}",
            group.balance.id, group.balance.strategy
        )?;
    }
    if let Some(limit) = &explanation.limit {
        writeln!(out, "  {limit}")?;
    }
    for candidate in &explanation.candidates {
        let mark = if candidate.is_chosen { "->" } else { "  " };
        writeln!(out, "  {mark} {} ({})", candidate.url, candidate.note)?;
    }
    if let Some(answer) = &explanation.answer {
        let who = explanation.route.map_or("listener", |_| "route");
        writeln!(out, "the {who} answers itself: status {}", answer.status)?;
        for (name, value) in explanation.answer_shown() {
            writeln!(out, "  {name}: {value}")?;
        }
    }
    if !explanation.upstream.is_empty() {
        let protocol = explanation.protocol_shown().unwrap_or_default();
        writeln!(out, "{}", heading(protocol))?;
        for line in explanation.upstream_shown() {
            writeln!(out, "  {line}")?;
        }
    }
    if let Some(failure) = &explanation.failure {
        writeln!(
            out,
            "the client would get: {} ({failure})",
            failure.status()
        )?;
    }
    Ok(())
}
