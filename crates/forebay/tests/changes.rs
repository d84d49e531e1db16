//! Changing a running Forebay without its files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use forebay::{Heritage, Live, Outside, Read, Source};

fn read(text: &str, heritage: &Heritage) -> Read {
    let outside = Outside {
        open: &|_| Ok(b"page".to_vec()),
        ..Outside::nothing()
    };
    forebay::read_after("forebay.yaml", text, &outside, heritage)
}

const TEXT: &str = r#"
server: { address: "127.0.0.1:0" }
routes: [ { id: all, backend_group: app } ]
error_pages: [ { status: [ 503 ], file: page.html } ]
backend_groups: [ { id: app, backends: [ { url: "http://127.0.0.1:1" }, { url: "http://127.0.0.1:2" } ] } ]
"#;

#[test]
fn changes_stay_when_the_file_is_read_again_and_need_no_file() {
    let is_bad = Arc::new(AtomicBool::new(false));
    let bad = Arc::clone(&is_bad);
    let source = Source {
        read: Box::new(move |heritage| match bad.load(Ordering::Relaxed) {
            true => Ok(read("nonsense: 1", heritage)),
            false => Ok(read(TEXT, heritage)),
        }),
        adjust: Box::new(|plan| plan.workers = Some(1)),
    };
    let heritage = Heritage::default();
    let first = source.read(&heritage).unwrap();
    assert!(
        !first.problems.has_errors(),
        "{}",
        first.problems.render(false)
    );
    let live = Live::start(
        source,
        heritage,
        first,
        forebay::Hooks::default(),
        SystemTime::UNIX_EPOCH,
    )
    .ok()
    .unwrap();
    let backends = || -> Vec<String> {
        let plan = live.running().plan();
        let group = &plan.groups[0];
        let weights = group.balance.weights();
        let shown = group
            .balance
            .backends
            .iter()
            .zip(weights)
            .zip(&group.origins);
        shown
            .map(|((backend, weight), origin)| format!("{} {weight} {origin}", backend.url))
            .collect()
    };
    is_bad.store(true, Ordering::Relaxed);
    let before = live.running().plan();
    let changed = live.change(|changes| {
        let group = changes.groups.entry("app".to_owned()).or_default();
        group.added.insert("http://127.0.0.1:3".to_owned(), 7);
        group.removed.insert("http://127.0.0.1:1".to_owned());
        group.weights.insert("http://127.0.0.1:2".to_owned(), 5);
    });
    assert!(!changed.ok().unwrap().differences.is_empty());
    let expected = ["http://127.0.0.1:2 5 file", "http://127.0.0.1:3 7 api"];
    assert_eq!(backends(), expected);
    // One that was there is the same one still.
    let after = live.running().plan();
    assert!(Arc::ptr_eq(
        &before.groups[0].balance.backends[1],
        &after.groups[0].balance.backends[0]
    ));

    assert!(live.reload(SystemTime::UNIX_EPOCH).is_err());
    assert_eq!(backends(), expected);
    is_bad.store(false, Ordering::Relaxed);
    assert!(live.reload(SystemTime::UNIX_EPOCH).is_ok());
    assert_eq!(backends(), expected);
    live.change(|changes| *changes = forebay::Changes::default())
        .ok()
        .unwrap();
    assert_eq!(
        backends(),
        ["http://127.0.0.1:1 1 file", "http://127.0.0.1:2 1 file"]
    );
}
