//! Request smuggling: every known trick, sent through Forebay to real servers.
//! Each must see exactly the requests that Forebay says it sent, or nothing.

mod corpus;

use std::collections::HashSet;

use forebay_e2e::{Client, Config, Extent, Forebay, Recorder, Seen};
use serde_json::Value;

use corpus::{Answer, Asked, Entry};

#[test]
fn nginx_sees_what_forebay_sent() {
    run(&Recorder::nginx());
}

#[test]
fn node_sees_what_forebay_sent() {
    run(&Recorder::node());
}

#[test]
fn python_sees_what_forebay_sent() {
    run(&Recorder::python());
}

#[test]
fn the_corpus_is_large_and_says_nothing_twice() {
    let entries = corpus::read();
    let sent: HashSet<_> = entries.iter().map(|e| &e.steps[0].send).collect();
    assert!(sent.len() >= 400, "{} different entries", sent.len());
    assert_eq!(sent.len(), entries.len(), "an entry is there twice");
    for entry in &entries {
        let mut asked = entry.answers().filter_map(|a| a.asked.as_ref());
        assert!(asked.all(|asked| asked.target != "/smuggled"));
    }
}

/// Sends one entry after another. A backend has one connection at a time, so
/// what lingers on it from one entry meets the next.
fn run(recorder: &Recorder) {
    let forebay = Config::to_urls([recorder.url()])
        .top("workers: 1")
        .group("connection_pool: { max_connections_per_host: 1 }")
        .group("retry: { max_attempts: 1 }")
        .start();
    let entries = corpus::read();
    let mut faults = Vec::new();
    let mut sent = 0;
    // Each may have been waited for in vain.
    while sent < entries.len() && faults.len() < 10 {
        let entry = &entries[sent];
        let outcomes = [send(&forebay, sent, entry), send_anew(&forebay, sent)];
        let errors = outcomes.into_iter().filter_map(Result::err);
        faults.extend(errors.map(|e| format!("{}: the client got {e}", entry.title)));
        sent += 1;
    }
    // Once this has gone through, both records hold everything before it.
    if let Err(error) = send_anew(&forebay, sent) {
        panic!("{}\nat the end: {error}", faults.join("\n"));
    }
    let log = log_until(&forebay, &target_anew(sent));
    let seen = recorder.seen_until(&target_anew(sent));
    for (number, entry) in entries[..sent].iter().enumerate() {
        let asked = asked(number, entry);
        let log = part_of(number, &log, |l| l["target"].as_str().unwrap_or_default());
        let seen = part_of(number, &seen, |seen| &seen.target);
        if let Err(fault) = check_seen(&asked, seen).and_then(|()| check_log(log, seen)) {
            faults.push(format!("{}: {fault}", entry.title));
        }
    }
    let smuggled = seen.iter().filter(|seen| seen.target == "/smuggled");
    faults.extend(smuggled.map(|seen| format!("smuggled: {seen:?}")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The good request that follows an entry on its connection.
fn target_after(number: usize) -> String {
    format!("/after/{number}")
}

/// The good request that follows an entry on a new connection.
fn target_anew(number: usize) -> String {
    format!("/anew/{number}")
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// Everything that a backend is to see of an entry, in order.
fn asked(number: usize, entry: &Entry) -> Vec<Asked> {
    let mut asked: Vec<Asked> = entry.answers().filter_map(|a| a.asked.clone()).collect();
    if !entry.ends {
        asked.push(Asked::get(target_after(number)));
    }
    asked.push(Asked::get(target_anew(number)));
    asked
}

/// Sends an entry and a good request right behind it; an error says what came
/// instead of the answers it should bring.
fn send(forebay: &Forebay, number: usize, entry: &Entry) -> Result<(), String> {
    let mut client = forebay.client();
    for (i, step) in entry.steps.iter().enumerate() {
        let mut bytes = step.send.clone();
        if i + 1 == entry.steps.len() {
            bytes.extend(get(&target_after(number)).bytes());
        }
        // A connection that Forebay has closed need not take them.
        let _ = client.send(bytes);
        for answer in &step.answers {
            expect(&mut client, answer)?;
        }
    }
    if !entry.ends {
        return expect(&mut client, &good(target_after(number)));
    }
    match client.rest() {
        Ok(rest) if rest.is_empty() => Ok(()),
        Ok(rest) => Err(format!("more: {}", rest.escape_ascii())),
        Err(error) => Err(format!("no end of the connection: {error}")),
    }
}

/// Sends a good request on a new connection.
fn send_anew(forebay: &Forebay, number: usize) -> Result<(), String> {
    let mut client = forebay.client();
    let target = target_anew(number);
    client.send(get(&target)).map_err(|e| e.to_string())?;
    expect(&mut client, &good(target))
}

fn good(target: String) -> Answer {
    Answer {
        status: 200,
        reason: None,
        asked: Some(Asked::get(target)),
    }
}

/// Reads an answer: of Forebay with this reason, or of a backend, which says
/// the target that it answers.
fn expect(client: &mut Client, answer: &Answer) -> Result<(), String> {
    let is_head = |asked: &Asked| asked.method == "HEAD";
    let is_head = answer.asked.as_ref().is_some_and(is_head);
    let response = loop {
        let response = client
            .try_response(is_head)
            .map_err(|error| format!("no answer like {answer:?}: {error}"))?;
        if response.status >= 200 {
            break response;
        }
    };
    let text = match (&answer.reason, &answer.asked) {
        (None, Some(asked)) if !is_head => &*asked.target,
        _ => response.text(),
    };
    let is_as_expected = response.status == answer.status
        && response.reason() == answer.reason.as_deref()
        && response.text() == text;
    is_as_expected.then_some(()).ok_or_else(|| {
        let got = (response.status, response.reason(), response.text());
        format!("{got:?} instead of {answer:?}")
    })
}

/// Forebay's access log, once it holds this target.
fn log_until(forebay: &Forebay, target: &str) -> Vec<Value> {
    let mark = format!("\"target\":\"{target}\"");
    let is_last = |line: &str| line.contains(&mark).then_some(());
    forebay.stdout_line(&format!("{target} is in the access log"), is_last);
    forebay.access_log(0)
}

/// The part of a record that belongs to an entry: it begins behind the request
/// that followed the one before on a new connection, and ends with its own.
fn part_of<T>(number: usize, record: &[T], target: impl Fn(&T) -> &str) -> &[T] {
    let last = target_anew(number);
    let mut parts = record.split_inclusive(|item| target(item).starts_with("/anew/"));
    parts
        .find(|part| part.last().is_some_and(|item| target(item) == last))
        .unwrap_or_default()
}

/// The backend has seen exactly these requests. Of one whose body was refused
/// it may have seen the beginning.
fn check_seen(asked: &[Asked], seen: &[Seen]) -> Result<(), String> {
    let fault = || Err(format!("the backend saw {seen:?} instead of {asked:?}"));
    let mut left = seen.iter().peekable();
    for asked in asked {
        let is_it = |seen: &Seen| (&seen.method, &seen.target) == (&asked.method, &asked.target);
        let is_whole = |seen: &Seen| match seen.extent {
            Extent::Whole => is_it(seen) && seen.body == asked.body,
            Extent::Early => is_it(seen),
            Extent::Cut => false,
        };
        if asked.is_cut {
            left.next_if(|seen| is_it(seen) && seen.extent == Extent::Cut);
        } else if !left.next().is_some_and(is_whole) {
            return fault();
        }
    }
    left.next().map_or(Ok(()), |_| fault())
}

/// The access log tells of the same requests to a backend, in the same order
/// and with bodies as long.
fn check_log(log: &[Value], seen: &[Seen]) -> Result<(), String> {
    let fault = || Err(format!("the log says {log:?}, the backend saw {seen:?}"));
    let mut left = seen.iter().peekable();
    for line in log.iter().filter(|line| line.get("backend").is_some()) {
        let target = line["target"].as_str().map(in_origin_form);
        let is_it = |seen: &Seen| {
            line["method"] == *seen.method
                && target == Some(&*seen.target)
                && (seen.extent != Extent::Whole || line["request_bytes"] == seen.body.len())
        };
        if line.get("failure").is_some() {
            left.next_if(|seen| is_it(seen) && seen.extent == Extent::Cut);
        } else if !left.next().is_some_and(is_it) {
            return fault();
        }
    }
    left.next().map_or(Ok(()), |_| fault())
}

/// A backend gets the path of an absolute target.
fn in_origin_form(target: &str) -> &str {
    match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    }
}
