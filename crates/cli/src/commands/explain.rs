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
    let (host, target) = forebay::host_and_target(url);
    let head = forebay::request_head(&options.method, target, host, &options.headers);
    let (listener, certificate) = match (listener(&plan, options), certificate(options)) {
        (Ok(listener), Ok(certificate)) => (listener, certificate),
        (Err(why), _) | (_, Err(why)) => {
            eprintln!("error: {why}");
            return ExitCode::from(REFUSED);
        }
    };
    let micros = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let question = Question {
        head: &head,
        client: SocketAddr::new(options.client, 0),
        listener,
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

fn listener(plan: &Plan, options: &ExplainOptions) -> Result<usize, String> {
    let Some(id) = &options.listener else {
        return Ok(0);
    };
    let place = plan.listeners.iter().position(|l| *l.id == **id);
    place.ok_or_else(|| format!("there is no listener `{id}`"))
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

fn show(out: &mut String, plan: &Plan, explanation: &Explanation) -> fmt::Result {
    writeln!(
        out,
        "host \"{}\", path \"{}\"",
        explanation.host, explanation.path
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
        writeln!(out, "the backend would get:")?;
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
