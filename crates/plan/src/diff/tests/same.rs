//! Texts that mean the same differ in nothing.

use std::path::Path;

use serde_json::Value;

use super::*;

/// The file's settings in another spelling: JSON, every default spelt out, the
/// keys of every map in the opposite order.
fn spelt_out(path: &Path) -> Option<(Plan, Plan)> {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.display().to_string();
    let settings = config::read(&name, &text, &env).settings;
    let other = turned(settings.to_json()).to_string();
    // One that includes others is not whole by itself.
    let old = try_plan(&name, &text).ok()?;
    let new = try_plan("other.json", &other).unwrap_or_else(|p| panic!("{}", p.render(false)));
    Some((old, new))
}

fn turned(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let entries = map.into_iter().rev();
            entries.map(|(key, value)| (key, turned(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(turned).collect(),
        other => other,
    }
}

#[test]
fn another_spelling_of_an_example_is_no_difference() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file()
            && let Some((old, new)) = spelt_out(&path)
        {
            assert_eq!(said(&old, &new), [""; 0], "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn comments_order_and_what_has_no_effect_are_no_difference() {
    let old = plan(
        "server: { id: s, address: \"127.0.0.1:80\" }
trusted_proxies: [ 10.0.0.0/8, 10.1.0.0/16, 192.0.2.1 ]
filter_lists: [ { id: l, strip_prefix: /a } ]
routes:
  - { id: a, host: [ \"*\" ], path: /a/*, methods: [ GET, PUT ], backend_group: g, filter_lists: [ l ] }
  - { id: b, headers: { A: \"1\", B: \"2\" }, respond: { headers: { X: \"1\", Y: \"2\" } } }
backend_groups:
  - { id: g, backends: [ { url: \"http://a:80\", weight: 2 }, { url: \"http://b\" } ], sticky: {},
      retry: { max_attempts: 1, delay: 5s } }
  - { id: unused, strategy: random, backends: [ { url: \"unix:/x\" } ] }
  - { id: zeros, strategy: hash, backends: [ { url: \"http://a\", weight: 0 }, { url: \"http://b\", weight: 0 } ] }
error_pages: [ { status: [ 404, 5xx ], body: a }, { status: 503, body: never } ]
",
    );
    let new = plan(
        "# Another file.
error_pages: [ { status: 5xx, file: a.html }, { status: 404, body: \"a\" } ]
backend_groups:
  - { id: zeros, strategy: hash, backends: [ { url: \"http://b\" }, { url: \"http://a\" } ] }
  - { id: unused, strategy: random, backends: [ { url: \"unix:/x\", weight: 5 } ] }
  - { id: g, backends: [ { url: \"http://b\" }, { url: \"http://a\", weight: 7 } ], sticky: {},
      retry: { retry_on: [], budget: 3 }, timeout: { connect: 5000ms } }
routes:
  - { id: b, headers: { b: \"2\", A: \"1\" }, respond: { headers: { Y: \"2\", X: \"1\" } } }
  - { id: a, path: /a/*, methods: [ PUT, GET ], strip_prefix: /a, backend_group: g, timeout: { connect: 5s } }
trusted_proxies: [ 192.0.2.1, 10.0.0.0/8 ]
server: { address: \"127.0.0.1:80\", id: s }
",
    );
    assert_eq!(said(&old, &new), [""; 0]);
}
