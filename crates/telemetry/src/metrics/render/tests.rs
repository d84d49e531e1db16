mod read;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use message::{Failure, Kind, Method};
use proptest::prelude::*;
use read::Read;

use super::*;
use crate::metrics::{
    Breaker, LimitFigures, Metrics, Names, ProcessFigures, Retried, StandingFigures,
    UpstreamFigures,
};
use crate::{Record, record::sample};

const ROUTES: [&str; 2] = ["api", "odd \"id\"\n\\"];
const BACKENDS: [(&str, &str); 3] = [
    ("web", "http://127.0.0.1:3000"),
    ("web", "http://127.0.0.1:3001"),
    ("old", "http://127.0.0.1:3000"),
];

fn names() -> Arc<Names> {
    let mut names = Names::default();
    for route in ROUTES {
        names.route(route);
    }
    for (group, url) in BACKENDS {
        names.backend(group, url);
    }
    names.listener("main");
    names.listener("second");
    Arc::new(names)
}

fn program() -> Program {
    Program {
        version: "0.1.0".to_owned(),
        access_log_dropped: 3,
        configuration: ConfigurationFigures {
            hash: "0123456789abcdef".to_owned(),
            is_latest: true,
            since_unix_seconds: 1_795_222_924.5,
            taken: 7,
            refused: 2,
            is_state_kept: Some(true),
        },
        sources: vec![SourceFigures {
            source: "dns app.example.com:8080".to_owned(),
            backends: 3,
            is_good: false,
            failures: 4,
        }],
        certificates: CertificateFigures::default(),
        process: ProcessFigures {
            cpu_seconds: Some(1.5),
            resident_bytes: Some(8_388_608),
            open_fds: Some(12),
            max_fds: Some(1_024),
            start_unix_seconds: Some(1_795_222_923.5),
        },
    }
}

fn page(snapshot: Snapshot) -> Read {
    Read::page(&render(snapshot, program()).unwrap())
}

fn busy_worker() -> Metrics {
    let mut metrics = Metrics::new(names());
    let failure = Failure::from(Kind::ConnectRefused);
    let fine = Record {
        route: Some((0, "api")),
        backend: Some((0, "http://127.0.0.1:3000")),
        ..sample::record()
    };
    metrics.record(&fine);
    metrics.record(&Record {
        backend: Some((2, "http://127.0.0.1:3000")),
        ..fine
    });
    metrics.record(&Record {
        route: Some((1, ROUTES[1])),
        backend: None,
        method: Method::Other,
        status: 502,
        failure: Some(&failure),
        duration: Duration::from_secs(61),
        ..fine
    });
    metrics.record(&Record {
        route: None,
        backend: None,
        status: 999,
        ..fine
    });
    metrics.failed(Kind::TooManyConnections);
    metrics.panicked();
    metrics.retried(Retried::Timeout);
    metrics.retried(Retried::Timeout);
    metrics.retried(Retried::ServerError);
    metrics.retry_refused();
    (0..3).for_each(|_| metrics.client_opened(0));
    metrics.client_closed(0);
    metrics.client_active(0);
    metrics.exchange_started(0);
    metrics.exchange_started(0);
    metrics.exchange_settled(0);
    metrics.http2_refused(0, 2);
    metrics
}

fn with_pool(metrics: &Metrics) -> Snapshot {
    let mut snapshot = metrics.snapshot();
    let figures = UpstreamFigures {
        idle: 1,
        active: 2,
        shared: 10,
        streams: 11,
        created: 3,
        reused: 4,
        waits: 5,
        queue_full: 6,
        stale: 7,
        refused: 12,
    };
    snapshot.add_upstream(1, figures);
    let standing = StandingFigures {
        is_up: true,
        breaker: Breaker::HalfOpen,
        ejections: 8,
    };
    snapshot.put_standing(1, standing);
    let limit = LimitFigures {
        limit: 40,
        under_way: 7,
        refused: 9,
        base: Some(Duration::from_millis(20)),
        current: None,
    };
    snapshot.put_limit("web", limit);
    snapshot
}

/// A sample that the page must show: name, labels, value.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

#[test]
fn the_page_says_what_was_counted() {
    let read = page(with_pool(&busy_worker()));
    let backend = ("backend", "http://127.0.0.1:3000");
    let pool = [("group", "web"), ("backend", "http://127.0.0.1:3001")];
    let with_state = |state| [pool[0], pool[1], ("state", state)];
    let odd = ("route", "odd \"id\"\n\\");
    let table: &[Row<'_>] = &[
        // Two groups share the URL, and with it the series.
        (
            "forebay_http_requests_total",
            &[
                ("method", "GET"),
                ("route", "api"),
                backend,
                ("status", "200"),
            ],
            2.0,
        ),
        (
            "forebay_http_requests_total",
            &[
                ("method", "OTHER"),
                odd,
                ("backend", "none"),
                ("status", "502"),
            ],
            1.0,
        ),
        (
            "forebay_http_requests_total",
            &[
                ("method", "GET"),
                ("route", "none"),
                ("backend", "none"),
                ("status", "other"),
            ],
            1.0,
        ),
        (
            "forebay_http_request_duration_seconds_count",
            &[("route", "api")],
            2.0,
        ),
        (
            "forebay_http_request_duration_seconds_sum",
            &[("route", "api")],
            0.002_468,
        ),
        (
            "forebay_http_request_duration_seconds_bucket",
            &[("route", "api"), ("le", "0.001")],
            0.0,
        ),
        (
            "forebay_http_request_duration_seconds_bucket",
            &[("route", "api"), ("le", "0.0025")],
            2.0,
        ),
        (
            "forebay_http_request_duration_seconds_bucket",
            &[odd, ("le", "60.0")],
            0.0,
        ),
        (
            "forebay_http_request_duration_seconds_bucket",
            &[odd, ("le", "+Inf")],
            1.0,
        ),
        (
            "forebay_http_request_bytes_total",
            &[("route", "api")],
            14.0,
        ),
        (
            "forebay_http_response_bytes_total",
            &[("route", "api")],
            246.0,
        ),
        (
            "forebay_http_requests_in_flight",
            &[("listener", "main")],
            1.0,
        ),
        (
            "forebay_http_requests_in_flight",
            &[("listener", "second")],
            0.0,
        ),
        (
            "forebay_errors_total",
            &[("side", "upstream"), ("reason", "connection_refused")],
            1.0,
        ),
        (
            "forebay_errors_total",
            &[("side", "proxy"), ("reason", "too_many_connections")],
            1.0,
        ),
        (
            "forebay_errors_total",
            &[("side", "client"), ("reason", "http_request_error")],
            0.0,
        ),
        (
            "forebay_client_connections",
            &[("listener", "main"), ("state", "active")],
            1.0,
        ),
        (
            "forebay_client_connections",
            &[("listener", "main"), ("state", "idle")],
            1.0,
        ),
        (
            "forebay_client_connections_accepted_total",
            &[("listener", "main")],
            3.0,
        ),
        (
            "forebay_http2_refused_streams_total",
            &[("listener", "main")],
            2.0,
        ),
        ("forebay_upstream_connections", &with_state("idle"), 1.0),
        ("forebay_upstream_connections", &with_state("active"), 2.0),
        ("forebay_upstream_http2_connections", &pool, 10.0),
        ("forebay_upstream_http2_streams", &pool, 11.0),
        ("forebay_backend_up", &pool, 1.0),
        ("forebay_backend_breaker", &pool, 1.0),
        ("forebay_backend_ejections_total", &pool, 8.0),
        ("forebay_group_concurrency_limit", &pool[..1], 40.0),
        ("forebay_group_concurrency", &pool[..1], 7.0),
        ("forebay_group_concurrency_refused_total", &pool[..1], 9.0),
        ("forebay_group_latency_base_seconds", &pool[..1], 0.02),
        ("forebay_upstream_connections_created_total", &pool, 3.0),
        ("forebay_upstream_connections_reused_total", &pool, 4.0),
        ("forebay_upstream_waits_total", &pool, 5.0),
        ("forebay_upstream_queue_full_total", &pool, 6.0),
        ("forebay_upstream_stale_connections_total", &pool, 7.0),
        ("forebay_upstream_http2_refused_streams_total", &pool, 12.0),
        (
            "forebay_retries_total",
            &[("reason", "connection_error")],
            0.0,
        ),
        ("forebay_retries_total", &[("reason", "timeout")], 2.0),
        ("forebay_retries_total", &[("reason", "5xx")], 1.0),
        ("forebay_retries_refused_total", &[], 1.0),
        ("forebay_access_log_dropped_total", &[], 3.0),
        ("forebay_panics_total", &[], 1.0),
        ("forebay_build_info", &[("version", "0.1.0")], 1.0),
        ("forebay_config_info", &[("hash", "0123456789abcdef")], 1.0),
        ("forebay_config_last_reload_success", &[], 1.0),
        (
            "forebay_config_last_reload_success_timestamp_seconds",
            &[],
            1_795_222_924.5,
        ),
        ("forebay_config_reloads_total", &[("result", "taken")], 7.0),
        ("forebay_state_file_last_write_success", &[], 1.0),
        (
            "forebay_source_up",
            &[("source", "dns app.example.com:8080")],
            0.0,
        ),
        (
            "forebay_source_backends",
            &[("source", "dns app.example.com:8080")],
            3.0,
        ),
        (
            "forebay_source_failures_total",
            &[("source", "dns app.example.com:8080")],
            4.0,
        ),
        (
            "forebay_config_reloads_total",
            &[("result", "refused")],
            2.0,
        ),
        ("process_cpu_seconds_total", &[], 1.5),
        ("process_resident_memory_bytes", &[], 8_388_608.0),
        ("process_open_fds", &[], 12.0),
        ("process_max_fds", &[], 1_024.0),
        ("process_start_time_seconds", &[], 1_795_222_923.5),
    ];
    for (name, labels, value) in table {
        assert_eq!(read.value(name, labels), Some(*value), "{name} {labels:?}");
    }
    let listed: BTreeSet<&str> = table.iter().map(|row| row.0).collect();
    let shown: BTreeSet<&str> = read.samples.iter().map(|s| s.0.as_str()).collect();
    assert_eq!(shown, listed, "every family is in the table above");
}

#[test]
fn a_fresh_program_has_a_valid_page() {
    let text = render(Metrics::new(Arc::default()).snapshot(), Program::default()).unwrap();
    let read = Read::page(&text);
    assert_eq!(read.value("forebay_panics_total", &[]), Some(0.0));
    assert_eq!(read.types["forebay_http_requests"], "counter");
    assert!(
        !read.types.contains_key("process_max_fds"),
        "what is unknown is left out"
    );
}

#[test]
fn workers_add_up() {
    let mut all = with_pool(&busy_worker());
    let idle = Metrics::new(Arc::default());
    all.merge(&idle.snapshot());
    all.merge(&with_pool(&busy_worker()));
    let (one, two) = (page(with_pool(&busy_worker())), page(all));
    assert_eq!(one.samples.len(), two.samples.len());
    for (name, labels, value) in &one.samples {
        let same = name == "forebay_build_info"
            || name.starts_with("forebay_config")
            || name.starts_with("forebay_backend")
            || name.starts_with("forebay_source")
            || name.starts_with("forebay_state_file")
            || name.starts_with("forebay_group")
            || name == "forebay_access_log_dropped_total"
            || name.starts_with("process_");
        let found = two.samples.iter().find(|s| (&s.0, &s.1) == (name, labels));
        let expected = if same { *value } else { 2.0 * value };
        assert_eq!(found.unwrap().2, expected, "{name} {labels:?}");
    }
}

#[test]
fn counters_survive_new_names_and_workers_may_lag_behind() {
    let old = names();
    let mut longer = Names::clone(&old);
    let route = longer.route("new");
    let listener = longer.listener("third");
    let mut ahead = busy_worker();
    ahead.adopt(Arc::new(longer));
    ahead.record(&Record {
        route: Some((route, "new")),
        ..sample::record()
    });
    ahead.client_opened(listener);

    let mut snapshot = busy_worker().snapshot();
    snapshot.merge(&ahead.snapshot());
    let read = page(snapshot);
    assert_eq!(read.sum("forebay_http_requests_total"), 9.0);
    for (route, count) in [("new", 1.0), ("api", 4.0), ("none", 2.0)] {
        let labels = [("route", route)];
        let counted = read.value("forebay_http_request_duration_seconds_count", &labels);
        assert_eq!(counted, Some(count), "{route}");
    }
    let labels = [("listener", "third")];
    let accepted = read.value("forebay_client_connections_accepted_total", &labels);
    assert_eq!(accepted, Some(1.0));
}

/// What ends after its route and backend are forgotten is nobody else's, nor is
/// what a worker has counted that has not yet gone over to the new names.
#[test]
fn numbers_that_are_others_now_count_for_nobody() {
    let mut names = Names::default();
    let old = (names.route("old"), names.backend("web", "http://old"));
    let fine = Record {
        route: Some((old.0, "old")),
        backend: Some((old.1, "http://old")),
        ..sample::record()
    };
    let [mut ahead, mut behind] = [(); 2].map(|()| Metrics::new(Arc::new(names.clone())));
    ahead.record(&fine);
    behind.record(&fine);
    let is_reused =
        |names: &Names| !names.is_route(old.0, "old") && !names.is_backend(old.1, "http://old");
    for n in 0.. {
        if is_reused(&names) {
            break;
        }
        names.turn_page();
        names.route(&format!("new {n}"));
        names.backend("web", &format!("http://new-{n}"));
        names.forget_unused();
    }
    // The numbers are given to the next.
    names.turn_page();
    let new = (names.route("newest"), names.backend("web", "http://newest"));
    assert_eq!(new, old);
    ahead.adopt(Arc::new(names));
    ahead.record(&fine);
    for order in [[&ahead, &behind], [&behind, &ahead]] {
        let mut snapshot = order[0].snapshot();
        snapshot.merge(&order[1].snapshot());
        let read = page(snapshot);
        let of = |route| {
            let labels = [("route", route)];
            read.value("forebay_http_request_duration_seconds_count", &labels)
        };
        assert_eq!(
            (of("old"), of("newest"), of("none")),
            (None, None, Some(1.0))
        );
        assert_eq!(read.sum("forebay_http_requests_total"), 1.0);
    }
}

#[test]
fn a_route_called_none_shares_the_series_of_no_route() {
    let mut names = Names::default();
    let route = names.route("none");
    let mut metrics = Metrics::new(Arc::new(names));
    for route in [Some((route, "none")), None] {
        let backend = None;
        metrics.record(&Record {
            route,
            backend,
            ..sample::record()
        });
    }
    let read = page(metrics.snapshot());
    let labels = [("route", "none")];
    let count = read.value("forebay_http_request_duration_seconds_count", &labels);
    assert_eq!(count, Some(2.0));
}

#[test]
fn unknown_numbers_are_counted_without_a_name() {
    let mut metrics = Metrics::new(names());
    metrics.record(&Record {
        route: Some((77, "unheard of")),
        backend: Some((u32::MAX, "unheard of")),
        ..sample::record()
    });
    metrics.client_opened(77);
    let mut snapshot = metrics.snapshot();
    snapshot.add_upstream(u32::MAX, UpstreamFigures::default());
    let read = page(snapshot);
    let labels = [
        ("method", "GET"),
        ("route", "none"),
        ("backend", "none"),
        ("status", "200"),
    ];
    assert_eq!(
        read.value("forebay_http_requests_total", &labels),
        Some(1.0)
    );
    let bytes = read.value("forebay_http_response_bytes_total", &[("route", "none")]);
    assert_eq!(bytes, Some(123.0));
}

#[test]
fn combinations_beyond_the_limit_end_in_one_series() {
    let mut names = Names::default();
    let urls: Vec<String> = (0..20_000).map(|n| format!("http://a:{n}")).collect();
    for url in &urls {
        names.backend("web", url);
    }
    let mut metrics = Metrics::new(Arc::new(names));
    for (n, url) in (0..).zip(&urls) {
        metrics.record(&Record {
            backend: Some((n, url)),
            ..sample::record()
        });
    }
    let read = page(metrics.snapshot());
    let labels = [
        ("method", "OTHER"),
        ("route", "other"),
        ("backend", "other"),
        ("status", "other"),
    ];
    let beyond = read.value("forebay_http_requests_total", &labels);
    assert!(beyond.unwrap() > 10_000.0);
    assert_eq!(read.sum("forebay_http_requests_total"), 20_000.0);
}

proptest! {
    #[test]
    fn no_request_is_lost_between_the_families(
        exchanges in prop::collection::vec((0u32..3, 0u32..4, 0u16..1_100, any::<bool>()), 0..200),
        workers in 1usize..4,
    ) {
        let mut all: Vec<_> = (0..workers).map(|_| Metrics::new(names())).collect();
        for (i, &(route, backend, status, failed)) in exchanges.iter().enumerate() {
            let failure = Failure::from(Kind::ALL[usize::from(status) % Kind::ALL.len()]);
            all[i % workers].record(&Record {
                route: ROUTES.get(route as usize).map(|&id| (route, id)),
                backend: BACKENDS.get(backend as usize).map(|&(_, url)| (backend, url)),
                status,
                failure: failed.then_some(&failure),
                ..sample::record()
            });
        }
        let mut merged = all[0].snapshot();
        all[1..].iter().for_each(|m| merged.merge(&m.snapshot()));
        let read = page(merged);
        let count = exchanges.len() as f64;
        let failures = exchanges.iter().filter(|e| e.3).count() as f64;
        prop_assert_eq!(read.sum("forebay_http_requests_total"), count);
        prop_assert_eq!(read.sum("forebay_http_request_duration_seconds_count"), count);
        prop_assert_eq!(read.sum("forebay_http_response_bytes_total"), 123.0 * count);
        prop_assert_eq!(read.sum("forebay_errors_total"), failures);
    }
}
