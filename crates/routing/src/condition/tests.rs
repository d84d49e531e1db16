use message::Method;

use super::*;
use crate::Pattern;

fn fields() -> Fields {
    let mut fields = Fields::default();
    for (name, value) in [
        ("X-Env", "green"),
        ("x-env", "bl\x1bue"),
        ("X-Empty", ""),
        ("Cookie", "beta=1; user=secret"),
        ("Authorization", "Bearer secret"),
    ] {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    fields
}

fn facts(fields: &Fields) -> Facts<'_> {
    Facts {
        host: b"c.example",
        path: b"/other",
        query: b"v=2&tag=a+b&v=3&flag",
        method: Method::Post,
        method_text: b"POST",
        client: "::ffff:10.1.2.3".parse().unwrap(),
        fields,
        certificate: None,
    }
}

fn header(name: &str, value: &str) -> Condition {
    Condition::Header(Demand::header(name, value).unwrap())
}

fn query(name: &str, value: &str) -> Condition {
    Condition::Query(Demand::parse(name, value).unwrap())
}

fn cookie(name: &str, value: &str) -> Condition {
    Condition::Cookie(Demand::cookie(name, value).unwrap())
}

fn client(networks: &[&str]) -> Condition {
    Condition::Client(networks.iter().map(|n| n.parse().unwrap()).collect())
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

/// Each condition, whether it holds, and what is said where it does not.
#[test]
fn conditions_hold_or_say_why_not() {
    let fields = fields();
    let facts = facts(&fields);
    let host = |text: &str| Condition::Host(vec![HostPattern::parse(text).unwrap()]);
    let path = |text: &str| Condition::Path(PathPattern::parse(text).unwrap());
    for (condition, expected) in [
        (host("c.example"), None),
        (host("*.d"), Some("host is c.example, the route takes *.d")),
        (path("/other"), None),
        (
            path("/api/*"),
            Some("path is /other, the route takes /api/*"),
        ),
        (Condition::Method(vec!["POST".into()]), None),
        (
            Condition::Method(vec!["GET".into(), "HEAD".into()]),
            Some("method is POST, the route takes GET, HEAD"),
        ),
        (header("x-ENV", "green"), None),
        (header("X-Env", "regex:^gr"), None),
        (header("X-Empty", "*"), None),
        (header("X-Empty", ""), None),
        (
            header("X-Env", "blue"),
            Some("header X-Env is green and bl\\x1bue, the route takes X-Env: blue"),
        ),
        (
            header("X-No", "*"),
            Some("header X-No is absent, the route takes X-No: *"),
        ),
        (
            header("authorization", "prefix:Basic "),
            Some("header authorization is another, the route takes a value that is not shown"),
        ),
        (query("v", "3"), None),
        (query("tag", "a b"), None),
        (query("flag", "*"), None),
        (query("flag", ""), None),
        (
            query("v", "4"),
            Some("query parameter v is 2 and 3, the route takes v=4"),
        ),
        (
            query("V", "*"),
            Some("query parameter V is absent, the route takes V=*"),
        ),
        (cookie("beta", "1"), None),
        (cookie("user", "*"), None),
        (
            cookie("Beta", "*"),
            Some("cookie Beta is absent, the route takes Beta=*"),
        ),
        (
            cookie("user", "me"),
            Some("cookie user is another, the route takes a value that is not shown"),
        ),
        (client(&["192.0.2.0/24", "10.0.0.0/8"]), None),
        (
            client(&["192.0.2.0/24"]),
            Some("client is 10.1.2.3, the route takes 192.0.2.0/24"),
        ),
        (
            cookie("none", "me"),
            Some("cookie none is absent, the route takes a value that is not shown"),
        ),
        (not(header("X-No", "*")), None),
        (
            not(cookie("user", "secret")),
            Some("cookie user is what the route refuses"),
        ),
        (
            not(header("Authorization", "Bearer secret")),
            Some("header Authorization is what the route refuses"),
        ),
        (
            not(header("X-Env", "green")),
            Some("header X-Env: green holds, and the route refuses that"),
        ),
        (
            not(client(&["10.0.0.0/8", "::1/128"])),
            Some("client 10.0.0.0/8 or ::1/128 holds, and the route refuses that"),
        ),
    ] {
        assert_eq!(condition.holds(&facts), expected.is_none(), "{condition}");
        if let Some(expected) = expected {
            assert_eq!(condition.text(&facts), expected);
        }
    }
    let nameless = Facts { host: b"", ..facts };
    assert_eq!(
        host("a.b").text(&nameless),
        "the request names no host, the route takes a.b"
    );
}

#[test]
fn conditions_print_what_they_demand() {
    for (condition, expected) in [
        (header("X-A", "*"), "header X-A: *"),
        (query("v", "regex:^2"), "query v=regex:^2"),
        (cookie("c", "1"), "cookie c=1"),
        (not(Condition::Path(PathPattern::Any)), "not path /*"),
        (
            Condition::Path(PathPattern::Regex(Pattern::parse("^/u").unwrap())),
            "path regex:^/u",
        ),
    ] {
        assert_eq!(condition.to_string(), expected);
    }
}

#[test]
fn refusals() {
    for (name, value) in [
        ("", "x"),
        ("X Env", "x"),
        ("X-É", "x"),
        ("X-Env", " x"),
        ("X", "regex:("),
    ] {
        assert!(Demand::header(name, value).is_err(), "{name}: {value}");
    }
    for (name, value) in [("", "x"), ("a b", "x"), ("a=", "x"), ("a", "prefix:")] {
        assert!(Demand::cookie(name, value).is_err(), "{name}: {value}");
    }
}

#[test]
fn what_a_client_sent_is_quoted_only_so_far() {
    let mut fields = Fields::default();
    for _ in 0..50 {
        fields.push(b"X-Long", &[0xff; 5000]);
    }
    let path = [b"/".as_slice(), &[b'a'; 8000]].concat();
    let facts = Facts {
        path: &path,
        ..facts(&fields)
    };
    let long = header("X-Long", "1").text(&facts);
    assert!(long.len() < 1500, "{long}");
    assert!(long.contains("... (5000 bytes) and 47 more, the route takes X-Long: 1"));
    let path = Condition::Path(PathPattern::parse("/api").unwrap()).text(&facts);
    assert!(path.ends_with("aaa... (8001 bytes), the route takes /api"));
}

#[test]
fn a_certificate_is_asked_for_what_it_says() {
    let fields = Fields::default();
    let shown = message::ClientCertificate {
        subject: "CN=billing, O=Example".to_owned(),
        names: vec!["billing.internal".to_owned(), "second.internal".to_owned()],
        fingerprint: "ab12".to_owned(),
        serial: "0f".to_owned(),
        field: String::new(),
    };
    let with = Facts {
        certificate: Some(&shown),
        ..facts(&fields)
    };
    for (fact, value, expected) in [
        ("subject", "prefix:CN=billing,", true),
        ("subject", "billing", false),
        ("name", "second.internal", true),
        ("name", "third.internal", false),
        ("name", "*", true),
        ("fingerprint", "ab12", true),
        ("serial", "regex:^0f$", true),
        ("serial", "f", false),
        ("field", "*", false),
    ] {
        let condition = Condition::Certificate(Demand::parse(fact, value).unwrap());
        assert_eq!(condition.holds(&with), expected, "{condition}");
        assert!(!condition.holds(&facts(&fields)), "{condition}");
    }
    let condition = Condition::Certificate(Demand::parse("name", "third.internal").unwrap());
    assert_eq!(
        condition.text(&with),
        "client certificate name is billing.internal and second.internal, \
         the route takes name=third.internal"
    );
}
