//! What keeps requests at one backend: `hash` and `sticky`.

use std::collections::HashSet;

use forebay_e2e::{Backend, Config, Forebay, Response};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Backends that answer with their names.
fn backends() -> Vec<Backend> {
    NAMES.iter().map(|name| Backend::saying(name)).collect()
}

fn ask(forebay: &Forebay, target: &str, fields: &str) -> Response {
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let response = forebay.client().ask(request);
    assert_eq!(response.status, 200);
    response
}

/// The cookie that an answer sets, as a client sends it back, and its attributes.
fn cookie(response: &Response) -> Option<(String, String)> {
    let set = response.get("set-cookie")?;
    let (pair, attributes) = set.split_once("; ")?;
    Some((format!("Cookie: {pair}\r\n"), attributes.to_owned()))
}

/// Each of the key's sources: the same key finds the same backend, over all
/// workers, and different keys find all backends.
#[test]
fn a_key_always_finds_the_same_backend() {
    type Request = fn(usize) -> (String, String);
    let sources: [(&str, Request); 5] = [
        ("${header.X-User}", |n| {
            ("/".into(), format!("X-User: u{n}\r\n"))
        }),
        ("${cookie.s}", |n| {
            ("/".into(), format!("Cookie: x=1; s=u{n}\r\n"))
        }),
        ("${query.user}", |n| {
            (format!("/?x&user=u{n}"), String::new())
        }),
        ("${path}", |n| (format!("/u{n}?{n}"), String::new())),
        ("${client_ip}", |n| {
            ("/".into(), format!("X-Forwarded-For: 192.0.2.{n}\r\n"))
        }),
    ];
    for (key, request) in sources {
        let backends = backends();
        let forebay = Config::to_all(&backends)
            .top("workers: 2")
            .top("trusted_proxies: [ 127.0.0.1 ]")
            .group(&format!("strategy: hash, hash: {{ key: {key:?} }}"))
            .start();
        let mut found = HashSet::new();
        for n in 0..20 {
            let (target, fields) = request(n);
            let first = ask(&forebay, &target, &fields).text().to_owned();
            for _ in 0..3 {
                assert_eq!(ask(&forebay, &target, &fields).text(), first, "{key} {n}");
            }
            found.insert(first);
        }
        assert_eq!(found.len(), 3, "{key}");
    }
}

#[test]
fn requests_without_the_key_go_anywhere_and_a_dead_backend_is_passed_over() {
    let mut backends = backends();
    let forebay = Config::to_all(&backends)
        .group("strategy: hash, hash: { key: \"${header.X-User}\" }")
        .start();
    let anywhere: HashSet<String> = (0..40)
        .map(|_| ask(&forebay, "/", "").text().to_owned())
        .collect();
    assert_eq!(anywhere.len(), 3);
    let user = |n: usize| {
        ask(&forebay, "/", &format!("X-User: u{n}\r\n"))
            .text()
            .to_owned()
    };
    let before: Vec<String> = (0..30).map(user).collect();
    drop(backends.remove(0));
    for (n, before) in before.iter().enumerate() {
        let after = user(n);
        assert_ne!(after, "a");
        assert!(before == "a" || *before == after, "{n}: {before} {after}");
    }
}

#[test]
fn a_cookie_keeps_a_client_at_its_backend() {
    let backends = backends();
    let forebay = Config::to_all(&backends)
        .top("workers: 2")
        .group("sticky: { ttl: 1h }")
        .start();
    let mut found = HashSet::new();
    for _ in 0..6 {
        let first = ask(&forebay, "/", "");
        let (cookie, attributes) = self::cookie(&first).unwrap();
        assert!(cookie.starts_with("Cookie: forebay_app="), "{cookie}");
        assert_eq!(attributes, "Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
        for _ in 0..5 {
            let again = ask(&forebay, "/", &cookie);
            assert_eq!(again.text(), first.text());
            assert_eq!(again.get("set-cookie"), None);
        }
        found.insert(first.text().to_owned());
    }
    assert_eq!(found.len(), 3);
    // A token that Forebay has not made means nothing.
    for forged in ["", "0", "http://10.0.0.1", &"0".repeat(32)] {
        let response = ask(&forebay, "/", &format!("Cookie: forebay_app={forged}\r\n"));
        assert!(self::cookie(&response).is_some(), "{forged}");
    }
}

/// With one secret, another Forebay takes the cookie; the order of backends
/// does not matter, and one whose backend is gone moves.
#[test]
fn a_cookie_is_good_at_every_forebay_with_the_secret() {
    let backends = backends();
    let urls: Vec<String> = backends.iter().map(Backend::url).collect();
    let start = |urls: &[String], secret: &str| {
        Config::to_urls(urls.to_vec())
            .group(&format!("sticky: {{ name: s, secret: {secret} }}"))
            .start()
    };
    let one = start(&urls, "0123456789abcdef");
    let first = ask(&one, "/", "");
    let (cookie, _) = self::cookie(&first).unwrap();
    let turned: Vec<String> = urls.iter().rev().cloned().collect();
    let other = start(&turned, "0123456789abcdef");
    for _ in 0..4 {
        assert_eq!(ask(&other, "/", &cookie).text(), first.text());
    }
    let stranger = start(&urls, "fedcba9876543210");
    assert!(self::cookie(&ask(&stranger, "/", &cookie)).is_some());
    let others: Vec<String> = urls
        .iter()
        .zip(NAMES)
        .filter(|(_, name)| *name != first.text())
        .map(|(url, _)| url.clone())
        .collect();
    let without = start(&others, "0123456789abcdef");
    let moved = ask(&without, "/", &cookie);
    let (cookie, _) = self::cookie(&moved).unwrap();
    assert_eq!(ask(&without, "/", &cookie).text(), moved.text());
}

/// A weight of 0 drains a backend: its sessions stay, and nobody new comes.
#[test]
fn sessions_stay_at_a_backend_that_drains() {
    let backends = backends();
    let start = |strategy: &str, weight: usize| {
        let mut config = Config::default()
            .group(&format!(
                "strategy: {strategy}, sticky: {{ name: s, secret: 0123456789abcdef }}"
            ))
            .backend(&backends[0].url(), &format!("weight: {weight}"));
        for backend in &backends[1..] {
            config = config.backend(&backend.url(), "weight: 1");
        }
        config.start()
    };
    let before = start("weighted", 1);
    let mut at_first = std::iter::repeat_with(|| ask(&before, "/", ""));
    let first = at_first.find(|response| response.text() == "a").unwrap();
    let (cookie, _) = self::cookie(&first).unwrap();
    for strategy in ["weighted", "least_connections", "ip_hash"] {
        let draining = start(strategy, 0);
        for _ in 0..4 {
            assert_eq!(ask(&draining, "/", &cookie).text(), "a", "{strategy}");
            assert_ne!(ask(&draining, "/", "").text(), "a", "{strategy}");
        }
    }
}

#[test]
fn a_client_moves_when_its_backend_is_down_and_stays_where_it_went() {
    let mut backends = backends();
    let forebay = Config::to_all(&backends).group("sticky: {}").start();
    let first = ask(&forebay, "/", "");
    let (cookie, _) = self::cookie(&first).unwrap();
    let at = NAMES.iter().position(|name| *name == first.text()).unwrap();
    drop(backends.remove(at));
    let moved = ask(&forebay, "/", &cookie);
    assert_ne!(moved.text(), first.text());
    let (cookie, _) = self::cookie(&moved).unwrap();
    for _ in 0..4 {
        assert_eq!(ask(&forebay, "/", &cookie).text(), moved.text());
    }
}

#[test]
fn the_cookie_is_for_tls_where_the_client_came_that_way() {
    let backends = backends();
    let forebay = Config::to_all(&backends)
        .top("trusted_proxies: [ 127.0.0.1 ]")
        .group("sticky: { same_site: none }")
        .start();
    let attributes = |fields: &str| cookie(&ask(&forebay, "/", fields)).unwrap().1;
    assert_eq!(attributes(""), "Path=/; HttpOnly; SameSite=None");
    assert_eq!(
        attributes("X-Forwarded-Proto: https\r\n"),
        "Path=/; HttpOnly; SameSite=None; Secure"
    );
}

#[test]
fn an_address_keeps_a_client_at_its_backend_for_a_while() {
    let backends = backends();
    let forebay = Config::to_all(&backends)
        .top("workers: 2")
        .top("trusted_proxies: [ 127.0.0.1 ]")
        .group("sticky: { by: client_ip, timeout: 400ms }")
        .start();
    let from = |n: usize| {
        let response = ask(&forebay, "/", &format!("X-Forwarded-For: 192.0.2.{n}\r\n"));
        assert_eq!(response.get("set-cookie"), None);
        response.text().to_owned()
    };
    let firsts: Vec<String> = (0..6).map(from).collect();
    assert_eq!(firsts.iter().collect::<HashSet<_>>().len(), 3);
    for (n, first) in firsts.iter().enumerate() {
        for _ in 0..3 {
            assert_eq!(from(n), *first);
        }
    }
    // After a silence it is a new client: in turn, it gets the next backend.
    std::thread::sleep(std::time::Duration::from_millis(600));
    let later: HashSet<String> = (0..3)
        .map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(500));
            from(0)
        })
        .collect();
    assert!(later.len() > 1, "{later:?}");
}
