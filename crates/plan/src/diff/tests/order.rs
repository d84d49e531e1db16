//! Which routes have changed places.

use super::*;

fn routes(mode: &str, routes: &[&str]) -> Plan {
    let routes: String = routes
        .iter()
        .map(|route| format!("  - {{ {route}, backend_group: g }}\n"))
        .collect();
    plan(&format!(
        "{SERVER}{GROUPS}routing: {mode}\nroutes:\n{routes}"
    ))
}

const ALL: &str = "id: all";
const API: &str = "id: api, path: /api/*";
const BETA: &str = "id: beta, path: /api/*, headers: { X-Beta: \"1\" }";
const STATIC: &str = "id: static, path: /static/*";
const GET: &str = "id: get, path: /api/*, methods: [ GET ]";
const POST: &str = "id: post, path: /api/*, methods: [ POST ]";
const EVEN: &str = "id: even, path: \"regex:[02468]$\"";
const WORD: &str = "id: word, path: \"regex:^/[a-z]\"";

#[test]
fn moved_routes_matter_where_a_request_can_tell() {
    for (mode, old, new, expected) in [
        (
            "specific",
            &[ALL, API, BETA, GET][..],
            &[GET, BETA, API, ALL][..],
            &[][..],
        ),
        ("specific", &[API, GET, POST], &[POST, API, GET], &[]),
        (
            "specific",
            &[EVEN, WORD, ALL],
            &[ALL, WORD, EVEN],
            &["word before even"],
        ),
        ("ordered", &[API, STATIC], &[STATIC, API], &[]),
        ("ordered", &[GET, POST], &[POST, GET], &[]),
        (
            "ordered",
            &[ALL, API, STATIC],
            &[API, STATIC, ALL],
            &["api before all", "static before all"],
        ),
        (
            "ordered",
            &[API, STATIC, BETA],
            &[BETA, API, STATIC],
            &["beta before api"],
        ),
    ] {
        let (old, new) = (routes(mode, old), routes(mode, new));
        assert_eq!(said(&old, &new), expected);
    }
}

#[test]
fn another_mode_or_other_conditions_turn_routes_too() {
    let files = [ALL, API];
    assert_eq!(
        said(&routes("specific", &files), &routes("ordered", &files)),
        ["routing: specific -> ordered", "all before api"]
    );
    let before = routes("specific", &["id: a, path: /x/*", "id: b, path: /x/y/*"]);
    let after = routes("specific", &["id: a, path: /x/y/z", "id: b, path: /x/y/*"]);
    assert_eq!(
        said(&before, &after),
        ["a: path: /x/* -> /x/y/z", "a before b"]
    );
    let before = routes(
        "specific",
        &[
            "id: a, path: /x, host: a.b",
            "id: b, path: /x",
            "id: c, path: /x, host: c.d",
        ],
    );
    let after = routes(
        "specific",
        &[
            "id: b, path: /x",
            "id: a, path: /x",
            "id: c, path: /x, host: c.d",
        ],
    );
    assert_eq!(said(&before, &after), ["a: host: a.b -> any", "b before a"]);
}

#[test]
fn a_file_turned_over_is_told_from_one_that_only_looks_so() {
    let route = |n: usize| format!("id: r{n}, host: h{n}.example, path: /*");
    let routes_of = |range: &mut dyn Iterator<Item = usize>| range.map(route).collect::<Vec<_>>();
    for (mode, is_cut_short) in [("specific", false), ("ordered", true)] {
        let of = |texts: Vec<String>| {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            routes(mode, &texts)
        };
        let forth = of(routes_of(&mut (0..6000)));
        let back = of(routes_of(&mut (0..6000).rev()));
        let found = diff(&forth, &back);
        assert_eq!(found.precedence.turned, []);
        assert_eq!(found.precedence.is_cut_short, is_cut_short);
    }
}
