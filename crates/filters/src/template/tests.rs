use std::net::SocketAddr;

use message::{RequestHead, Version};
use proptest::prelude::*;
use regex::bytes::Regex;

use super::*;
use crate::Facts;
use crate::fixtures::{facts, request};

fn rendered(template: &str, exchange: &Exchange<'_>) -> String {
    let mut out = b"before:".to_vec();
    Template::parse(template)
        .unwrap()
        .render(exchange, &mut out);
    let text = String::from_utf8(out).unwrap();
    text.strip_prefix("before:").unwrap().to_owned()
}

#[test]
fn every_variable() {
    let fields = [
        ("X-A", "1"),
        ("x-a", "2"),
        ("Accept", "*/*"),
        ("Cookie", "a=1; b=2; b=3"),
    ];
    let head = request("GET", "/x%20y?q=1&r", &fields);
    let expression = Regex::new("^/u/(?<id>[0-9]+)").unwrap();
    let facts = Facts {
        path: b"/u/12/x",
        expression: Some(&expression),
        ..facts()
    };
    let exchange = Exchange {
        request: &head,
        facts: &facts,
    };
    for (template, expected) in [
        ("", ""),
        ("plain", "plain"),
        ("$$5 and $${host}", "$5 and ${host}"),
        ("${client_ip}", "192.0.2.7"),
        ("${client_port}", "54321"),
        ("${request_id}", "req-1"),
        ("${host}", "a.example"),
        ("${method}", "GET"),
        ("${path}", "/x%20y"),
        ("${query}", "q=1&r"),
        ("${uri}", "/x%20y?q=1&r"),
        ("${scheme}", "https"),
        ("${protocol}", "HTTP/1.1"),
        ("${route}", "api"),
        ("${backend_group}", "servers"),
        ("${listener}", "main"),
        ("${header.X-A}", "1, 2"),
        ("${header.accept}", "*/*"),
        ("${header.X-None}", ""),
        ("${query.q}${query.r}${query.s}", "1"),
        ("${cookie.b}${cookie.c}", "2"),
        (
            "${capture.0} ${capture.1} ${capture.id} ${capture.7}",
            "/u/12 12 12 ",
        ),
        ("${scheme}://${host}${uri}", "https://a.example/x%20y?q=1&r"),
        ("é${method}é", "éGETé"),
    ] {
        assert_eq!(rendered(template, &exchange), expected, "{template}");
    }
}

#[test]
fn uri_is_as_received_and_path_as_it_stands() {
    let facts = facts();
    let all = |head: &RequestHead| {
        let exchange = Exchange {
            request: head,
            facts: &facts,
        };
        rendered("${path} ${query} ${uri}", &exchange)
    };
    for (target, path, query, uri) in [
        ("/a", "/a", "", "/a"),
        ("/a?", "/a", "", "/a?"),
        ("*", "*", "", "*"),
        ("http://h/a?b", "/a", "b", "/a?b"),
        ("http://h", "", "", "/"),
        ("http://h?b", "", "b", "/?b"),
        (
            "/x?to=http://h/y",
            "/x",
            "to=http://h/y",
            "/x?to=http://h/y",
        ),
    ] {
        let mut head = request("GET", target, &[]);
        assert_eq!(all(&head), format!("{path} {query} {uri}"));
        head.path = head.fields.intern(b"/changed");
        assert_eq!(all(&head), format!("/changed {query} {uri}"));
    }
}

#[test]
fn unusual_facts() {
    let target = "/?x=a%0d%0ab%00c%09d%1b%7f";
    let mut head = request("PURGE", target, &[("X-Evil", "a\r\nb\0c\td\x0b")]);
    head.version = Version::Http10;
    let mapped: SocketAddr = "[::ffff:192.0.2.9]:1".parse().unwrap();
    let facts = Facts {
        client: mapped,
        host: b"",
        ..facts()
    };
    let exchange = Exchange {
        request: &head,
        facts: &facts,
    };
    for (template, expected) in [
        ("${client_ip}", "192.0.2.9"),
        ("${method} ${protocol}", "PURGE HTTP/1.0"),
        ("[${host}]", "[]"),
        ("<${header.X-Evil}>", "<abc\td>"),
        ("<${query.x}>", "<abc\td>"),
    ] {
        assert_eq!(rendered(template, &exchange), expected, "{template}");
    }
}

#[test]
fn faults_say_where_and_what_to_write() {
    for (template, at, message, help) in [
        ("a$b", 1, "stands alone", "write `${name}`"),
        ("cost: 5$", 7, "stands alone", "`$$` for a dollar"),
        ("/u/$1", 3, "stands alone", "`${capture.1}`?"),
        ("$remote_addr!", 0, "stands alone", "`${client_ip}`?"),
        ("/u/${12}", 3, "unknown variable", "`${capture.12}`?"),
        ("${request_uri}", 0, "unknown variable", "`${uri}`?"),
        ("x ${host", 2, "never closed", ""),
        ("${}", 0, "unknown variable `${}`", "the variables are"),
        (
            "ab${clientip}",
            2,
            "unknown variable `${clientip}`",
            "`${client_ip}`?",
        ),
        ("${Host}", 0, "unknown variable", "`${host}`?"),
        ("${headers.X-A}", 0, "unknown variable", "`${header.X-A}`?"),
        ("${weather}", 0, "unknown variable", "header.NAME"),
        ("é${x y}", 2, "unknown variable", "the variables are"),
        ("${header.}", 0, "not a header name", ""),
        ("${header.a b}", 0, "not a header name", ""),
        ("${capture.}", 0, "does not say which", ""),
        ("${captur.x}", 0, "unknown variable", "`${capture.x}`?"),
        ("$$${nope!}", 2, "unknown variable", "the variables are"),
        ("line\nbreak", 4, "line break", ""),
        ("nul\0", 3, "control character", ""),
        ("escape\x1b", 6, "control character", ""),
    ] {
        let fault = Template::parse(template).unwrap_err();
        assert_eq!(fault.at, at, "{template}: {fault}");
        assert!(fault.message.contains(message), "{template}: {fault}");
        let given = fault.help.as_deref().unwrap_or_default();
        assert!(given.contains(help), "{template}: {fault}");
        assert_eq!(given.is_empty(), help.is_empty(), "{template}: {fault}");
    }
}

#[test]
fn literals_and_the_text_as_written() {
    for (source, literal) in [
        ("", Some("")),
        ("a$$b", Some("a$b")),
        ("${host}", None),
        ("a${host}", None),
    ] {
        let template = Template::parse(source).unwrap();
        assert_eq!(template.literal(), literal);
        assert_eq!(template.to_string(), source);
    }
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused_at_a_character(source in "[$\\{\\}a-z.é]{0,16}") {
        match Template::parse(&source) {
            Ok(template) => prop_assert_eq!(template.to_string(), source),
            Err(fault) => prop_assert!(source.is_char_boundary(fault.at)),
        }
    }

    #[test]
    fn doubled_dollars_are_the_text_itself(text in "[$\\{\\}a-zé]{0,16}") {
        let template = Template::parse(&text.replace('$', "$$")).unwrap();
        prop_assert_eq!(template.literal(), Some(text.as_str()));
    }

    #[test]
    fn no_value_breaks_out_of_a_field(value in proptest::collection::vec(any::<u8>(), 0..24)) {
        let mut head = request("GET", "/", &[]);
        head.fields.push(b"X-A", &value);
        let facts = facts();
        let exchange = Exchange { request: &head, facts: &facts };
        let mut out = Vec::new();
        Template::parse("${header.X-A}").unwrap().render(&exchange, &mut out);
        let stays = |b: &u8| matches!(b, b'\t' | b' '..=b'~' | 0x80..);
        let expected: Vec<u8> = value.into_iter().filter(stays).collect();
        prop_assert_eq!(out, expected);
    }
}
